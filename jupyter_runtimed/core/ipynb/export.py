"""Write the two documents of a room as a notebook file, the way nbformat writes it.

`Export` takes what it needs from the documents at once; writing can then go on elsewhere, cell by cell, while the
documents change. Nothing in a document can keep a room from being saved: what a cell shows of a blob that is gone is
left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from jupyter_runtimed.core.content import FetchBlob, decode_bundle, manifest_to_output
from jupyter_runtimed.core.document import Cell, NotebookDocument
from jupyter_runtimed.core.ipynb.importing import TRANSIENT_METADATA
from jupyter_runtimed.core.ipynb.layout import split_lines, to_utf8, write_json
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


class Export:
    """The content of a save, taken from the documents at one moment."""

    def __init__(self, document: NotebookDocument, runtime: Outputs, residue: Residue | None = None) -> None:
        self._cells = [
            (cell, _execution(runtime, cell, residue), _frozen_outputs(runtime, cell)) for cell in document.cells()
        ]
        self._ids = saved_cell_ids([cell.id for cell, _, _ in self._cells])
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
        for cell, execution, outputs in self._cells:
            yield self._nbformat_cell(cell, execution, outputs, fetch)

    def _nbformat_cell(
        self, cell: Cell, execution: Mapping[str, Any], outputs: list[Manifest], fetch: FetchBlob
    ) -> dict[str, Any]:
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
            value["outputs"] = [_complete(manifest, fetch, execution) for manifest in outputs]
            value["execution_count"] = execution["execution_count"]
        if ("cell", cell.id) in self._owners:
            value = self._residue.restore(("cell", cell.id), value)
        value["id"] = self._ids[cell.id]
        if "trusted" in value["metadata"]:
            value["metadata"] = {key: item for key, item in value["metadata"].items() if key != "trusted"}
        return value


def _execution(runtime: Outputs, cell: Cell, residue: Residue | None) -> Mapping[str, Any]:
    """What a code cell has of the execution it shows, besides the outputs."""
    found = runtime.execution(cell.execution_id) if cell.execution_id else None
    value = {"execution_count": found.execution_count if found is not None else None}
    if residue is None or cell.execution_id is None:
        return value
    return residue.restore(("execution", cell.execution_id), value)


def _frozen_outputs(runtime: Outputs, cell: Cell) -> list[Manifest]:
    """The manifests of the outputs that a cell shows, safe from what happens to them later."""
    manifests = [manifest for _, manifest in runtime.outputs(cell.execution_id)] if cell.execution_id else []
    return [
        {**manifest, "text": list(manifest["text"])} if isinstance(manifest.get("text"), list) else manifest
        for manifest in manifests
    ]


def _complete(manifest: Manifest, fetch: FetchBlob, execution: Mapping[str, Any]) -> dict[str, Any]:
    """The nbformat output of a manifest, with what nbformat requires of outputs that kernels made."""
    output = manifest_to_output(manifest, fetch)
    if "original" in manifest:
        return output
    kind = output.get("output_type")
    if kind in ("display_data", "execute_result"):
        output.setdefault("metadata", {})
        output.setdefault("data", {})
    if kind == "execute_result":
        output.setdefault("execution_count", execution["execution_count"])
    return output
