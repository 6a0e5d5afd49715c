"""Write the two documents of a room as a notebook file, the way nbformat writes it.

`Export` takes what it needs from the documents at once; writing can then go on elsewhere, cell by cell, while the
documents change. Nothing in a document can keep a room from being saved: what a cell shows of a blob that is gone is
left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_runtimed.core.content import FetchBlob, decode_bundle
from jupyter_runtimed.core.document import Cell, NotebookDocument
from jupyter_runtimed.core.ipynb.importing import TRANSIENT_METADATA
from jupyter_runtimed.core.ipynb.layout import split_lines, to_utf8, write_json
from jupyter_runtimed.core.manifest import manifest_to_output
from jupyter_runtimed.core.output_fields import as_nbformat
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import Execution, Manifest

_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

MINOR = 5
"""The minor format that we write: the first with cell ids."""


class Outputs(Protocol):
    """The part of a runtime document that a save needs."""

    def execution(self, execution_id: str) -> Execution | None: ...
    def outputs(self, execution_id: str) -> list[tuple[str, Manifest]]: ...


def valid_cell_id(cell_id: str) -> str:
    """The id a cell has in the file: its own, or one derived from it when nbformat would refuse it."""
    return cell_id if _VALID_ID.fullmatch(cell_id) else hashlib.sha256(cell_id.encode()).hexdigest()[:12]


def saved_cell_ids(cell_ids: Sequence[str]) -> dict[str, str]:
    """The id in the file for each cell: valid, and no two alike."""
    saved = {cell_id: cell_id for cell_id in cell_ids if _VALID_ID.fullmatch(cell_id)}
    for cell_id in cell_ids:
        derived = valid_cell_id(cell_id)
        while cell_id not in saved and derived in saved.values():
            derived = hashlib.sha256(derived.encode()).hexdigest()[:12]
        saved.setdefault(cell_id, derived)
    return saved


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a cell shows of its execution.

    Attributes:
        count: what the file has for the execution count, which may be anything.
        outputs: manifests in order, safe from what happens to them later.
        is_from_file: they stood in the file, so it has all their fields.
    """

    count: Any = None
    outputs: Sequence[Manifest] = ()
    is_from_file: bool = False


class Export:
    """The content of a save, taken from the documents at one moment."""

    def __init__(self, document: NotebookDocument, runtime: Outputs, residue: Residue | None = None) -> None:
        self._cells = [(cell, _shown(runtime, cell, residue)) for cell in document.cells()]
        self._ids = saved_cell_ids([cell.id for cell, _ in self._cells])
        self._metadata = dict(document.metadata())
        self._root = dict(document.root())
        self._residue = residue if residue is not None else Residue()
        self._owners = self._residue.owners()

    def notebook(self, fetch: FetchBlob) -> dict[str, Any]:
        """The notebook as nbformat has it in memory: strings whole."""
        return {**self._outer(), "cells": list(self._nbformat_cells(fetch))}

    def chunks(self, fetch: FetchBlob) -> Iterator[bytes]:
        """The bytes of the file, a cell at a time, as nbformat writes them.

        Args:
            fetch: gets the bytes of a blob, and raises NotFound when there is none.
        """
        outer = {**self._outer(), "cells": []}
        opening = "{\n "
        for key in sorted(outer):
            if key == "cells" and self._cells:
                yield from self._cell_chunks(opening, fetch)
            else:
                yield to_utf8(f"{opening}{write_json(key, 0)}: {write_json(outer[key], 1)}")
            opening = ",\n "
        yield b"\n}\n"

    def _cell_chunks(self, opening: str, fetch: FetchBlob) -> Iterator[bytes]:
        opening += '"cells": [\n  '
        for cell in self._nbformat_cells(fetch):
            yield to_utf8(opening + write_json(split_lines(cell), 2))
            opening = ",\n  "
        yield b"\n ]"

    def data(self, fetch: FetchBlob) -> bytes:
        """The whole file."""
        return b"".join(self.chunks(fetch))

    def _outer(self) -> dict[str, Any]:
        """Everything but the cells."""
        root = dict(self._root)
        root.pop("cells", None)
        root["metadata"] = self._metadata
        if ("root",) in self._owners:
            root = self._residue.restore(("root",), root)
            root.pop("cells", None)
        minor = root.get("nbformat_minor")
        root["metadata"] = {key: value for key, value in root["metadata"].items() if key not in TRANSIENT_METADATA}
        root["nbformat"] = 4
        root["nbformat_minor"] = max(MINOR, minor) if isinstance(minor, int) else MINOR
        return root

    def _nbformat_cells(self, fetch: FetchBlob) -> Iterator[dict[str, Any]]:
        for cell, shown in self._cells:
            yield self._nbformat_cell(cell, shown, fetch)

    def _nbformat_cell(self, cell: Cell, shown: _Shown, fetch: FetchBlob) -> dict[str, Any]:
        value: dict[str, Any] = dict(cell.extra)
        value["cell_type"] = cell.cell_type
        value["metadata"] = cell.metadata
        value["source"] = cell.source
        if cell.attachments is not None:
            value["attachments"] = {
                name: decode_bundle(bundle, fetch) if isinstance(bundle, Mapping) else {}
                for name, bundle in cell.attachments.items()
            }
        if cell.cell_type == "code":
            value["outputs"] = [_complete(manifest, fetch, shown) for manifest in shown.outputs]
            value["execution_count"] = shown.count
        if ("cell", cell.id) in self._owners:
            value = self._residue.restore(("cell", cell.id), value)
        value["id"] = self._ids[cell.id]
        if "trusted" in value["metadata"]:
            value["metadata"] = {key: item for key, item in value["metadata"].items() if key != "trusted"}
        return value


def _shown(runtime: Outputs, cell: Cell, residue: Residue | None) -> _Shown:
    """What a cell shows now."""
    if not cell.execution_id:
        return _Shown()
    execution = runtime.execution(cell.execution_id)
    saved = {"execution_count": execution.execution_count if execution is not None else None}
    if residue is not None:
        saved = residue.restore(("execution", cell.execution_id), saved)
    outputs = [
        {**manifest, "text": list(manifest["text"])} if isinstance(manifest.get("text"), list) else manifest
        for _, manifest in runtime.outputs(cell.execution_id)
    ]
    return _Shown(saved["execution_count"], outputs, execution is not None and execution.is_from_file)


def _complete(manifest: Manifest, fetch: FetchBlob, shown: _Shown) -> dict[str, Any]:
    """The nbformat output of a manifest, with what nbformat requires of outputs that kernels made.

    What nbformat does not allow is not written, unless it stood in the file.
    """
    output = manifest_to_output(manifest, fetch)
    if not shown.is_from_file:
        output = as_nbformat(output)
    if "original" in manifest:
        return output
    kind = output.get("output_type")
    if kind in ("display_data", "execute_result"):
        output.setdefault("metadata", {})
        output.setdefault("data", {})
    if kind == "execute_result":
        output.setdefault("execution_count", shown.count)
    return output
