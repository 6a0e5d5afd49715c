"""One execution's outputs: what was said and the document does not have yet. The rules are in `core.outputs`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jupyter_runtimed.core.content import Content, encode_text
from jupyter_runtimed.core.ids import ExecutionId, OutputId
from jupyter_runtimed.core.limits import MIB, Limits
from jupyter_runtimed.core.manifest import output_to_manifest
from jupyter_runtimed.core.native import same
from jupyter_runtimed.core.terminal import Terminal

PIECE_CHARS = 64 * 1024
"""Code points of a sealed piece of a stream, at most."""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """How much one execution may show at a time. They guard the disk, not the reader.

    Attributes:
        max_bytes: text and data together.
        max_outputs: how many outputs.
    """

    max_bytes: int = 1024 * MIB
    max_outputs: int = 20_000


class OutputEdit(Protocol):
    """The part of a transaction on the runtime document that outputs need."""

    def add_output(self, execution_id: str, output_id: str, seq: int, manifest: Manifest) -> None: ...
    def replace_output(self, execution_id: str, output_id: str, manifest: Manifest) -> None: ...
    def set_output_fields(self, execution_id: str, output_id: str, fields: Mapping[str, Any]) -> None: ...
    def append_piece(self, execution_id: str, output_id: str, piece: Content) -> None: ...
    def replace_last_piece(self, execution_id: str, output_id: str, piece: Content) -> None: ...
    def clear_outputs(self, execution_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One edit of an execution's outputs.

    Attributes:
        verb: the method of `OutputEdit`.
        arguments: what follows the execution id.
    """

    verb: str
    execution_id: ExecutionId
    arguments: tuple[Any, ...] = ()

    def apply(self, edit: OutputEdit) -> None:
        """Do it within a transaction."""
        getattr(edit, self.verb)(self.execution_id, *self.arguments)


@dataclass(slots=True)
class Taken:
    """What has to be written: first the blobs, then the operations, in this order."""

    operations: list[Operation] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)


class ExecutionOutputs:
    """One execution's outputs: what was said and not taken yet."""

    def __init__(self, execution_id: ExecutionId, limits: Limits, output_limits: OutputLimits) -> None:
        self.execution_id = execution_id
        self.has_error = False
        self.clears_with_next = False
        self._limits = limits
        self._output_limits = output_limits
        self._dirty: dict[OutputId, _Stream | _Display] = {}
        self._last: _Stream | None = None
        self._clears = False
        self._is_written = False
        self._next_seq = 0
        self._display_bytes = 0
        self._stream_bytes = 0
        self._count = 0
        self._is_full = False

    @property
    def has_pending(self) -> bool:
        return bool(self._dirty) or self._clears

    @property
    def pending_bytes(self) -> int:
        return sum(item.pending_bytes for item in self._dirty.values())

    def stream(self, name: str, text: str, fields: Mapping[str, Any]) -> None:
        if not text:
            return
        is_new = self._last is None or self._last.name != name
        room = self._room(is_new_output=is_new)
        if room > 0:
            if is_new:
                self.end_stream()
                self._last = _Stream(*self._new_id(), name)
            assert self._last is not None
            self._last.terminal.feed(text[:room])
            self._last.add_fields(fields)
            self._dirty[self._last.output_id] = self._last
        if room < len(text):
            self._note_limit()

    def show(self, output: dict[str, Any]) -> OutputId | None:
        is_error = output["output_type"] == "error"
        size = _size(output)
        if size > self._room(is_new_output=True):
            self._note_limit()
            if not is_error:
                return None
        self.end_stream()
        self.has_error = self.has_error or is_error
        self._display_bytes += size
        output_id, seq = self._new_id()
        self._dirty[output_id] = _Display(output_id, seq, output, size)
        return output_id

    def update(self, output_id: OutputId, output: dict[str, Any]) -> None:
        known = self._dirty.get(output_id)
        if isinstance(known, _Display):
            known.output, known.pending_bytes = output, _size(output)
        else:
            self._dirty[output_id] = _Display(output_id, None, output, _size(output))

    def clear(self) -> None:
        self._dirty.clear()
        self._last = None
        self._clears = self._is_written
        self._display_bytes = self._stream_bytes = self._count = 0
        self._is_full = self.has_error = self.clears_with_next = False

    def end_stream(self) -> None:
        if self._last is not None:
            self._last.terminal.close()
            if self._last.terminal.pending_chars:
                self._dirty[self._last.output_id] = self._last
            self._last = None

    def take(self, taken: Taken, budget_bytes: int) -> int:
        spent = 0
        if self._clears:
            taken.operations.append(Operation("clear_outputs", self.execution_id))
            self._clears = self._is_written = False
        while self._dirty and spent < budget_bytes:
            item = self._dirty.pop(next(iter(self._dirty)))
            before = item.pending_bytes
            for verb, *arguments in item.take(self._limits, taken.blobs, budget_bytes - spent):
                taken.operations.append(Operation(verb, self.execution_id, (item.output_id, *arguments)))
                self._is_written = True
            if isinstance(item, _Stream):
                self._stream_bytes += item.stored_bytes
                item.stored_bytes = 0
                if item.pending_bytes:
                    self._dirty[item.output_id] = item
                    before -= item.pending_bytes
            spent += before
        return spent

    def _room(self, *, is_new_output: bool) -> int:
        """How many more bytes may be shown."""
        if self._is_full or (is_new_output and self._count >= self._output_limits.max_outputs):
            return 0
        pending = self._last.terminal.pending_chars if self._last is not None else 0
        return max(0, self._output_limits.max_bytes - self._display_bytes - self._stream_bytes - pending)

    def _note_limit(self) -> None:
        """Say once that there was more."""
        if self._is_full:
            return
        self._is_full = True
        self.end_stream()
        limits = self._output_limits
        note = _Stream(*self._new_id(), "stderr")
        note.terminal.feed(
            f"\n[The limit of {limits.max_bytes:,} bytes or {limits.max_outputs:,} outputs is reached. "
            "What this cell says from here on is not kept.]\n"
        )
        self._dirty[note.output_id] = note

    def _new_id(self) -> tuple[OutputId, int]:
        seq = self._next_seq
        self._next_seq += 1
        self._count += 1
        return OutputId(f"{self.execution_id[:8]}-{seq}"), seq


class _Stream:
    """A stream output: a terminal, and how much of it the document has."""

    def __init__(self, output_id: OutputId, seq: int, name: str) -> None:
        self.output_id = output_id
        self.name = name
        self.terminal = Terminal()
        # What can not be taken back since somebody set this to 0, roughly: sealed text, and blobs of fields.
        self.stored_bytes = 0
        # What nbformat does not know, and as much of it as the document has.
        self._fields: dict[str, Any] = {}
        self._shown_fields: Manifest = {}
        self._new_field_bytes = 0
        # Sealed text that was not taken yet, in pieces.
        self._backlog: deque[str] = deque()
        self._new_seq: int | None = seq
        # The replaceable piece the document has; None when there is none.
        self._tail: str | None = None

    @property
    def pending_bytes(self) -> int:
        return self.terminal.pending_chars + len(self._backlog) * PIECE_CHARS + self._new_field_bytes

    def add_fields(self, fields: Mapping[str, Any]) -> None:
        """The text has these too; the last value of each counts."""
        for key, value in fields.items():
            if key not in self._fields or not same(self._fields[key], value):
                self._fields[key] = value
                self._new_field_bytes += len(key) + _size(value)

    def take(self, limits: Limits, blobs: list[bytes], budget_bytes: int) -> Iterator[tuple[Any, ...]]:
        limit = limits.max_inline_bytes
        sealed, tail = self.terminal.take(limit, limit // 2)
        self.stored_bytes += len(sealed)
        self._backlog.extend(sealed[start : start + PIECE_CHARS] for start in range(0, len(sealed), PIECE_CHARS))
        if self._new_seq is None:
            yield from self._take_fields(limits, blobs)
        if not self._backlog and tail == (self._tail or ""):
            self._new_field_bytes = 0
            return
        # Not all at once: encoding and hashing much text would hold up everybody else.
        texts = [self._backlog.popleft() for _ in range(min(len(self._backlog), budget_bytes // PIECE_CHARS + 1))]
        is_all = not self._backlog
        # A tail that was shown has to be replaced, by nothing if need be.
        if is_all and (tail or not texts):
            texts.append(tail)
        pieces: list[Content] = []
        for text in texts:
            piece, new_blobs = encode_text(text, limits)
            pieces.append(piece)
            blobs += new_blobs
        if self._new_seq is not None:
            yield ("add_output", self._new_seq, {**self._encode_fields(limits, blobs), "text": pieces})
            self._new_seq = None
        else:
            for index, piece in enumerate(pieces):
                replaces = index == 0 and self._tail is not None
                yield ("replace_last_piece" if replaces else "append_piece", piece)
        self._tail = texts[-1] if is_all and texts[-1] is tail else None

    def _take_fields(self, limits: Limits, blobs: list[bytes]) -> Iterator[tuple[Any, ...]]:
        """What has changed of the fields of an output that the document has."""
        if self._new_field_bytes:
            before = self._shown_fields
            fields = self._encode_fields(limits, blobs)
            changed = {key: item for key, item in fields.items() if key not in before or not same(before[key], item)}
            if changed:
                yield ("set_output_fields", changed)

    def _encode_fields(self, limits: Limits, blobs: list[bytes]) -> Manifest:
        """Everything of the manifest but the text. What has no place in it is forgotten."""
        manifest, new_blobs = output_to_manifest({"output_type": "stream", "name": self.name, **self._fields}, limits)
        blobs += new_blobs
        self.stored_bytes += sum(map(len, new_blobs))
        self._fields = {key: value for key, value in self._fields.items() if key in manifest}
        self._shown_fields, self._new_field_bytes = manifest, 0
        return manifest


@dataclass(slots=True)
class _Display:
    """An output that is written whole; `seq` is None when the document has it and it is replaced."""

    output_id: OutputId
    seq: int | None
    output: dict[str, Any]
    pending_bytes: int

    def take(self, limits: Limits, blobs: list[bytes], budget_bytes: int) -> Iterator[tuple[Any, ...]]:
        manifest, new_blobs = output_to_manifest(self.output, limits)
        blobs += new_blobs
        yield ("replace_output", manifest) if self.seq is None else ("add_output", self.seq, manifest)


def _size(value: Any, depth: int = 16) -> int:
    """Roughly the bytes of a JSON value; what lies deep does not count."""
    if isinstance(value, str):
        return len(value)
    if depth and isinstance(value, Mapping):
        return sum(len(str(key)) + _size(item, depth - 1) for key, item in value.items())
    if depth and isinstance(value, list):
        return sum(_size(item, depth - 1) for item in value)
    return 8
