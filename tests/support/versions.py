"""Notebook documents and versions of them, written down in a line."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from jupyter_runtimed.core.document import Cell, NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.merge import Version

_actors = itertools.count(1)


def cell(cell_id: str, source: str = "", cell_type: str = "code", **metadata: object) -> Cell:
    return Cell(cell_id, cell_type, source, dict(metadata))


def version(*cells: Cell, **metadata: object) -> Version:
    return Version(tuple(cells), dict(metadata))


def fresh_document() -> NotebookDocument:
    return NotebookDocument(new_notebook_replica(next(_actors).to_bytes(16, "big")))


def document_of(state: Version) -> NotebookDocument:
    document = fresh_document()
    for item in state.cells:
        document.insert_cell(
            item.cell_type, item.source, id=item.id, metadata=item.metadata, attachments=item.attachments
        )
    for key, value in state.metadata.items():
        document.set_metadata(key, value)
    return document


def sources(document: NotebookDocument) -> dict[str, str]:
    return {item.id: item.source for item in document.cells()}


def ids(cells: Iterable[Cell] | NotebookDocument) -> str:
    return "".join(item.id for item in (cells.cells() if isinstance(cells, NotebookDocument) else cells))
