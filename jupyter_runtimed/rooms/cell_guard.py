"""Whether the cells that a save would take out of the file were deleted by anybody.

A cell leaves a notebook document by a delete in its cells map, and by nothing else. Where cells are missing for any
other reason (another map stands in the place of the one the document began with, a reader has lost track), something
is wrong, and the file is the last place that still has them.
"""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import NotSaved
from jupyter_runtimed.core.merge import Version

MAX_NAMED = 20


class CellGuard:
    """The guard of one file."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()

    def begin(self, document: NotebookDocument, base: Callable[[], Version]) -> None:
        """The document is whole.

        Args:
            document: of the room.
            base: the last version that file and room had in common; asked for when the document is damaged.
        """
        if document.replica.is_hot and not document.is_intact:
            self._known = frozenset(cell.id for cell in base().cells)
        else:
            self.note(document)

    def note(self, document: NotebookDocument) -> None:
        """The file has these cells now."""
        self._known = frozenset(document.cell_ids())

    def check(self, document: NotebookDocument) -> None:
        """Look before a save.

        Raises:
            NotSaved: cells are missing that nobody has deleted.
        """
        lost = [cell_id for cell_id in self._known.difference(document.cell_ids()) if not document.is_deleted(cell_id)]
        if lost:
            raise NotSaved(
                f"{len(lost)} cells are missing from this notebook without having been deleted, so its file was not"
                " overwritten: the file still has them, and the log of the room keeps what is here. Restore an earlier"
                " version, save under another name, or say overwrite to write the notebook as it is.",
                cells=sorted(lost)[:MAX_NAMED],
            )
