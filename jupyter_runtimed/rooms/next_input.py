"""The input a kernel proposes (`set_next_input`): a cell for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.ids import CellId


def put_next_input(
    notebook: NotebookDocument, new_id: Callable[[], str], cell_id: CellId, payload: dict[str, Any]
) -> None:
    """Put the input below the cell that has run, or in its place.

    Args:
        notebook: gets the cell.
        new_id: a fresh cell id.
        cell_id: the cell that has run, which may be gone.
        payload: what the kernel said, trusted in nothing.
    """
    text = payload.get("text")
    if not isinstance(text, str) or not notebook.has_cell(cell_id):
        return
    if payload.get("replace"):
        notebook.set_source(cell_id, text)
    else:
        notebook.insert_cell("code", text, id=new_id(), after=cell_id)
