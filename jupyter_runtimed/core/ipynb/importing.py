"""Make documents of a notebook file, deterministically.

The same bytes give the same Automerge changes: they are written by an actor derived from the file's SHA-256, at time
0, in fixed slices, on the frozen genesis. The notebook document comes first, slice by slice; outputs are turned into
executions and blobs afterwards, because nobody waits for a picture to see a cell.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.content import encode_content, joined
from jupyter_runtimed.core.crdt import ChangeBuilder, DocumentWriter, Uint
from jupyter_runtimed.core.document import (
    CELL_TYPES,
    GENESIS_ACTOR,
    GENESIS_HASH,
    GENESIS_NEXT_OP,
    METADATA,
    Cell,
    write_cell,
    write_genesis,
)
from jupyter_runtimed.core.errors import LoadFailed, TooLarge
from jupyter_runtimed.core.ids import Hash, Heads
from jupyter_runtimed.core.ipynb.parse import Unread, parse_notebook
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import output_to_manifest
from jupyter_runtimed.core.native import is_count, is_key
from jupyter_runtimed.core.position import nth
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import Execution

IMPORT_ACTOR_PREFIX = b"nbimport"
"""Import actors are this and 24 bytes of the file's SHA-256, so that a foreign import is recognised by its actor."""

CELLS_A_CHANGE = 3
CHARS_A_CHANGE = 5000
"""A change of an import ends after so many cells or source characters; part of what makes imports equal."""

_NOTEBOOK_LIMITS = Limits()
"""What shapes the notebook document. Not a server's own limits: the same file makes the same document on any."""

TRANSIENT_METADATA = frozenset({"orig_nbformat", "orig_nbformat_minor", "signature"})
"""Nbformat neither reads nor writes these in a notebook's metadata."""

_quoted = json.encoder.encode_basestring_ascii
"""A string as JSON, in ASCII."""

_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_CELL_KEYS = frozenset({"id", "cell_type", "source", "metadata", "attachments"})
_CODE_KEYS = frozenset({"outputs", "execution_count"})
_OURS = frozenset({"position", "execution_id"})
_ROOT_OURS = frozenset({"schema_version", "cells"})


def import_actor(sha256: bytes) -> bytes:
    """The actor that imports a file, from the 32 bytes of its SHA-256."""
    return IMPORT_ACTOR_PREFIX + sha256[:24]


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """One change of an import, and the cells it brings.

    Attributes:
        blobs: what attachments refer to: to be stored before anybody sees the change.
    """

    change: tuple[bytes, Hash]
    cells: list[Cell]
    blobs: list[bytes] = field(default_factory=list)


class Import:
    """The import of one file.

    Args:
        data: the file.
        limits: sizes of outputs.
        sha256: of the file, hexadecimal, when it is known.

    Attributes:
        sha256: of the file, hexadecimal.
        total: how many cells there are; None while that is not known.
        residue: what the document cannot hold; complete after `batches`.
        cells, metadata, root: what the document reads as; complete after `batches`.
        derived_ids: ids of cells that had none of their own in the file.
        known: hashes of the changes so far, genesis included.
    """

    def __init__(self, data: bytes, limits: Limits, sha256: str | None = None) -> None:
        self.sha256 = sha256 if sha256 is not None else hashlib.sha256(data).hexdigest()
        self.actor = import_actor(bytes.fromhex(self.sha256))
        self.total: int | None = None
        self.residue = Residue()
        self.cells: list[Cell] = []
        self.derived_ids: set[str] = set()
        self.metadata: dict[str, Any] = {}
        self.root: dict[str, Any] = {}
        self.known: list[Hash] = [GENESIS_HASH]
        self._data = data
        self._limits = limits
        self._writer = DocumentWriter()
        self._outputs: list[tuple[str, str, int, Any, Any]] = []
        self._ids: set[str] = set()
        self._next_op = GENESIS_NEXT_OP
        genesis = ChangeBuilder(GENESIS_ACTOR, recorder=self._writer)
        write_genesis(genesis)
        genesis.finish()

    @property
    def heads(self) -> Heads:
        """Heads of the document so far."""
        return (self.known[-1],)

    def snapshot(self) -> bytes:
        """The document chunk of what was imported so far."""
        return self._writer.finish()

    # The notebook document.

    def batches(self) -> Iterator[ImportBatch]:
        """Import slice by slice; each step is about a millisecond of work.

        Raises:
            LoadFailed: the file is no notebook; says what is wrong and where.
        """
        source = parse_notebook(self._data)
        self.total = source.total
        builder, cells, blobs, chars = self._builder(), list[Cell](), list[bytes](), 0
        for raw in source.cells():
            cell = self._cell(builder, raw, len(self.cells), blobs)
            self.cells.append(cell)
            cells.append(cell)
            chars += len(cell.source)
            if len(cells) == CELLS_A_CHANGE or chars >= CHARS_A_CHANGE:
                yield self._finish(builder, cells, blobs)
                builder, cells, blobs, chars = self._builder(), [], [], 0
        self.total = len(self.cells)
        self._root(builder, source.root)
        yield self._finish(builder, cells, blobs)

    def _builder(self) -> ChangeBuilder:
        return ChangeBuilder(self.actor, len(self.known), self._next_op, [self.known[-1]], recorder=self._writer)

    def _finish(self, builder: ChangeBuilder, cells: list[Cell], blobs: list[bytes]) -> ImportBatch:
        change = builder.finish()
        self._next_op = builder.next
        self.known.append(change[1])
        return ImportBatch(change, cells, blobs)

    def _cell(self, builder: ChangeBuilder, raw: dict[str, Any], index: int, blobs: list[bytes]) -> Cell:
        try:
            cell = self._read_cell(raw, index, blobs)
        except TooLarge as error:
            raise LoadFailed(f"cells[{index}]: {error.message}") from error
        write_cell(builder, cell)
        return cell

    def _read_cell(self, raw: dict[str, Any], index: int, blobs: list[bytes]) -> Cell:
        cell_type = raw.get("cell_type")
        if not isinstance(cell_type, str):
            raise LoadFailed(f"cells[{index}].cell_type is missing or no string")
        source = joined(raw.get("source", ""))
        if not isinstance(source, str):
            raise LoadFailed(f"cells[{index}].source is neither a string nor a list of strings")
        cell_id = self._cell_id(raw.get("id"), index, cell_type, source)
        place = ("cell", cell_id)
        if cell_type not in CELL_TYPES:
            cell_type = self.residue.note((*place, "cell_type"), "raw", cell_type)
        return Cell(
            cell_id,
            cell_type,
            self.residue.clean(source, (*place, "source"), 1),
            self._cell_metadata(raw.get("metadata", {}), index, place),
            self._attachments(raw, place, blobs),
            self._execution_id(raw, cell_type, cell_id, index),
            nth(index),
            self._extra(raw, cell_type, place),
        )

    def _cell_id(self, raw: Any, index: int, cell_type: str, source: str) -> str:
        """The cell's id: its own, or derived when it is missing, invalid or taken."""
        if isinstance(raw, str) and _VALID_ID.fullmatch(raw) and raw not in self._ids:
            cell_id = raw
        else:
            content = f"[{index}, {_quoted(cell_type)}, {_quoted(source)}]".encode()  # as JSON
            cell_id = hashlib.sha256(content).hexdigest()[:12]
            while cell_id in self._ids:
                cell_id = hashlib.sha256(cell_id.encode()).hexdigest()[:12]
            self.derived_ids.add(cell_id)
        self._ids.add(cell_id)
        return cell_id

    def _cell_metadata(self, raw: Any, index: int, place: tuple[str, str]) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise LoadFailed(f"cells[{index}].metadata is not an object")
        metadata = {key: value for key, value in raw.items() if key != "trusted"}
        cleaned: dict[str, Any] = self.residue.clean(metadata, (*place, "metadata"), _NOTEBOOK_LIMITS.max_depth - 4)
        return cleaned

    def _attachments(self, raw: dict[str, Any], place: tuple[str, str], blobs: list[bytes]) -> dict[str, Any] | None:
        """Attachments as the document holds them; irregular ones stay whole in the residue."""
        if "attachments" not in raw:
            return None
        attachments = raw["attachments"]
        if not isinstance(attachments, dict) or not all(isinstance(bundle, dict) for bundle in attachments.values()):
            self.residue.keep_out((*place, "attachments"), attachments)
            return None
        found: dict[str, Any] = {}
        for name, bundle in attachments.items():
            if not is_key(name) or not all(is_key(mime) for mime in bundle):
                self.residue.keep_out((*place, "attachments", name), bundle)
                continue
            found[name] = {}
            for mime, value in bundle.items():
                found[name][mime], new = encode_content(mime, value, _NOTEBOOK_LIMITS)
                blobs += new
        return found

    def _extra(self, raw: dict[str, Any], cell_type: str, place: tuple[str, str]) -> dict[str, Any]:
        """The cell's unknown keys that a document can hold."""
        extra: dict[str, Any] = {}
        for key, value in raw.items():
            if key in _CELL_KEYS or (cell_type == "code" and key in _CODE_KEYS):
                continue
            if key in _OURS or key in _CODE_KEYS or not is_key(key):
                self.residue.keep_out((*place, key), value.read() if isinstance(value, Unread) else value)
            else:
                extra[key] = self.residue.clean(value, (*place, key), _NOTEBOOK_LIMITS.max_depth - 3)
        return extra

    def _execution_id(self, raw: dict[str, Any], cell_type: str, cell_id: str, index: int) -> str | None:
        """The id of the execution that a code cell's outputs and count become, when it has any."""
        if cell_type != "code":
            return None
        outputs, count = raw.get("outputs", []), raw.get("execution_count")
        if isinstance(outputs, Unread):
            is_empty = outputs.is_empty_list
            if not outputs.is_list:
                raise LoadFailed(f"cells[{index}].outputs is not a list")
        else:
            is_empty = not _checked(outputs, index)
        if is_empty and count is None:
            return None
        execution_id = hashlib.sha256(f"{self.sha256}/{cell_id}".encode()).hexdigest()[:32]
        self._outputs.append((execution_id, cell_id, index, outputs, count))
        return execution_id

    def _root(self, builder: ChangeBuilder, raw: dict[str, Any]) -> None:
        metadata = raw.get("metadata", {})
        if not isinstance(metadata, dict):
            raise LoadFailed("the notebook's metadata is not an object")
        minor = raw.get("nbformat_minor", 0)
        self.root = {"nbformat": 4, "nbformat_minor": minor if isinstance(minor, int) and 0 <= minor < 2**31 else 0}
        for key, value in self.root.items():
            builder.put(None, key, Uint(value))
        metadata = {key: value for key, value in metadata.items() if key not in TRANSIENT_METADATA}
        try:
            self.metadata = self.residue.clean(metadata, ("root", "metadata"), _NOTEBOOK_LIMITS.max_depth - 2)
            for key, value in raw.items():
                if key in _ROOT_OURS or not is_key(key):
                    self.residue.keep_out(("root", key), value)
                elif key not in ("nbformat", "nbformat_minor", "metadata"):
                    self.root[key] = self.residue.clean(value, ("root", key), _NOTEBOOK_LIMITS.max_depth - 2)
                    builder.put_json(None, key, self.root[key])
        except TooLarge as error:
            raise LoadFailed(error.message) from error
        for key, value in self.metadata.items():
            builder.put_json(METADATA, key, value)

    # The runtime document.

    def executions(self) -> Iterator[tuple[Execution, list[bytes]]]:
        """What the cells' outputs become, one execution and its blobs at a time. After `batches`.

        Raises:
            LoadFailed: an output cannot be kept.
        """
        for seq, (execution_id, cell_id, index, outputs, count) in enumerate(self._outputs, 1):
            execution = Execution(execution_id, cell_id, seq=seq, status="done")
            if is_count(count):
                execution.execution_count = count
            elif count is not None:
                self.residue.note(("execution", execution_id, "execution_count"), None, count)
            blobs: list[bytes] = []
            found = _checked(outputs.read(), index) if isinstance(outputs, Unread) else outputs
            for number, output in enumerate(found):
                try:
                    manifest, new = output_to_manifest(output, self._limits, from_file=True)
                except TooLarge as error:
                    raise LoadFailed(f"cells[{index}].outputs[{number}]: {error.message}") from error
                execution.outputs[f"{execution_id[:8]}-{number}"] = {**manifest, "seq": number}
                blobs += new
            yield execution, blobs


def _checked(outputs: Any, index: int) -> list[dict[str, Any]]:
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise LoadFailed(f"cells[{index}].outputs is not a list of objects")
    return outputs
