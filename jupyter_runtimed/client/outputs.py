"""Outputs as Python values: text is str, binary is bytes, JSON is JSON.

A large or binary value is a blob, which has an address and no bytes until it is fetched. Reads from the replica do
not wait, so there such a value is a `BlobRef`; where something is awaited anyway (`run()`, `read_outputs()`), it has
been fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.client.errors import CellFailed, NotLoaded
from jupyter_runtimed.core.mime import is_binary, is_json
from jupyter_runtimed.core.output_fields import is_unknown
from jupyter_runtimed.core.references import is_reference


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A value that has not been fetched. `size` in bytes."""

    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    """One output of an execution.

    Attributes:
        id: stays while the output changes.
        output_type: "stream", "display_data", "execute_result", "error", or another of the kernel's.
        name: of a stream: "stdout" or "stderr".
        data: MIME type to str, bytes, JSON value, or BlobRef.
        metadata: as the kernel gave it.
        execution_count: of an execute_result.
        display_id: what `update_display_data` names it by.
        ename, evalue, traceback: of an error.
        pieces: a stream's text in pieces; only the last ever changes.
        fields: what nbformat does not know: of an unknown output type all it has.
        new_text: in `execution.stream()`, what has been added to `text` since this output was given last; all of
            it when something before the end changed.
    """

    id: str
    output_type: str
    name: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    execution_count: int | None = None
    display_id: str | None = None
    ename: str = ""
    evalue: str = ""
    traceback: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    pieces: tuple[str | BlobRef, ...] = ()
    new_text: str = ""

    @property
    def is_loaded(self) -> bool:
        """Whether every value is here."""
        values = (*self.pieces, *self.data.values(), *self.fields.values())
        return not any(isinstance(value, BlobRef) for value in values)

    @property
    def text(self) -> str:
        """What a terminal would show: a stream's text, a display's text/plain, an error's traceback.

        Raises:
            NotLoaded: part of it is a blob that has not been fetched; await `cell.read_outputs()`.
        """
        if self.output_type == "stream":
            return "".join(_text(piece) for piece in self.pieces)
        if self.output_type == "error":
            return "\n".join(self.traceback) or f"{self.ename}: {self.evalue}"
        return _text(self.data.get("text/plain", ""))


def _text(value: object) -> str:
    if isinstance(value, BlobRef):
        raise NotLoaded(f"{value.size} bytes of this output have not been fetched; await cell.read_outputs()")
    return value if isinstance(value, str) else str(value)


def _reference(content: object) -> BlobRef | None:
    """The reference a content value is, or None when it is data."""
    if not is_reference(content) or not isinstance(content, Mapping):
        return None
    size = content.get("size")
    return BlobRef(content["blob"], size if isinstance(size, int) else 0)


def references(manifest: Mapping[str, Any]) -> Iterator[BlobRef]:
    """The blobs an output refers to. Only where content stands: deeper down, a key `blob` is somebody's data."""
    kind = manifest.get("output_type")
    contents: list[object] = [value for key, value in manifest.items() if is_unknown(kind, key)]
    if kind == "stream":
        contents.extend(manifest.get("text", []))
    elif kind == "error":
        contents.extend(manifest.get(key) for key in ("ename", "evalue", "traceback"))
    elif kind in ("display_data", "execute_result"):
        contents.extend((manifest.get("data") or {}).values())
    for content in contents:
        reference = _reference(content)
        if reference is not None:
            yield reference


def output_from_manifest(output_id: str, manifest: Mapping[str, Any], blobs: Mapping[str, bytes]) -> Output:
    """An output with the values that are here.

    Args:
        output_id: its id.
        manifest: the output's Map in the runtime document, as plain values.
        blobs: bytes by hash, as far as they have been fetched.
    """

    def value(content: Any, mime: str) -> Any:
        reference = _reference(content)
        if reference is None:
            return content
        raw = blobs.get(reference.hash)
        return reference if raw is None else _decode(raw, mime, content)

    kind = str(manifest.get("output_type", ""))
    fields = {key: value(content, "text/plain") for key, content in manifest.items() if is_unknown(kind, key)}
    if kind == "stream":
        pieces = tuple(value(piece, "text/plain") for piece in manifest.get("text", []))
        return Output(output_id, kind, name=str(manifest.get("name", "stdout")), pieces=pieces, fields=fields)
    if kind == "error":
        traceback = value(manifest.get("traceback", []), "application/json")
        if isinstance(traceback, BlobRef):
            traceback = []
        return Output(
            output_id,
            kind,
            ename=str(value(manifest.get("ename", ""), "text/plain")),
            evalue=str(value(manifest.get("evalue", ""), "text/plain")),
            traceback=tuple(str(line) for line in traceback),
            fields=fields,
        )
    if kind in ("display_data", "execute_result"):
        return Output(
            output_id,
            kind,
            data={mime: value(content, mime) for mime, content in (manifest.get("data") or {}).items()},
            metadata=manifest.get("metadata") or {},
            execution_count=manifest.get("execution_count"),
            display_id=manifest.get("display_id"),
            fields=fields,
        )
    return Output(output_id, kind, fields=fields)


def _decode(raw: bytes, mime: str, reference: Mapping[str, Any]) -> Any:
    if is_json(mime) or reference.get("json") is True:
        return json.loads(raw)  # the standard library's, which takes NaN as kernels write it
    if is_binary(mime) and reference.get("text") is not True:
        return raw
    return raw.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """Why an execution did not end well.

    Attributes:
        name: the exception's class, or the server's code (`kernel_died`).
        message: its words.
        traceback: lines with ANSI colours; empty when the kernel said nothing.
    """

    name: str
    message: str
    traceback: tuple[str, ...] = ()


def error_of(outputs: Sequence[Output], said: Mapping[str, Any] | None) -> ExecutionError | None:
    """Why an execution did not end well: its last error output, else what the server said of it."""
    raised = next((output for output in reversed(outputs) if output.output_type == "error"), None)
    if raised is not None:
        return ExecutionError(raised.ename, raised.evalue, raised.traceback)
    if said:
        return ExecutionError(str(said.get("code", "error")), str(said.get("message", "")))
    return None


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """How one run of one cell ended. Every value has been fetched.

    Attributes:
        status: "done", "error" or "cancelled".
    """

    cell_id: str
    execution_id: str
    status: str
    execution_count: int | None
    outputs: tuple[Output, ...]
    error: ExecutionError | None = None

    @property
    def success(self) -> bool:
        return self.status == "done"

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    def _stream(self, name: str) -> str:
        return "".join(output.text for output in self.outputs if output.output_type == "stream" and output.name == name)

    @property
    def display_data(self) -> tuple[Output, ...]:
        """What was displayed, the value of the last line included."""
        return tuple(o for o in self.outputs if o.output_type in ("display_data", "execute_result"))

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The value of the last line, by MIME type; None when it had none."""
        return next((o.data for o in reversed(self.outputs) if o.output_type == "execute_result"), None)

    @property
    def text(self) -> str:
        """All outputs as a terminal would show them, in order."""
        return "".join(self._lines()).removesuffix("\n")

    def _lines(self) -> Iterator[str]:
        for output in self.outputs:
            text = output.text
            yield text
            if output.output_type != "stream" and text:
                yield "\n"

    def raise_for_error(self) -> ExecutionResult:
        """Itself when the cell ran to its end.

        Raises:
            CellFailed: it did not.
        """
        if self.success:
            return self
        said = f"{self.error.name}: {self.error.message}" if self.error else f"the cell was {self.status}"
        raise CellFailed(said, status=self.status, ename=self.error.name if self.error else None)
