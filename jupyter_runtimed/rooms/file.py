"""The file side of a room: where it is, and what of the room it has.

One object, so that a rename, a save-as or a reload cannot forget a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.residue import Residue


@dataclass(slots=True)
class NotebookFile:
    """The file of one room.

    Attributes:
        path: its API path; None while the room is untitled.
        key: the same for every spelling of the path (`Identity.key`).
        directory: API path of the folder where an untitled room belongs.
        sha256: of the bytes that the room last read or wrote; None before, and after the file was deleted.
        is_deleted: it was deleted. Only an explicit save makes it again.
        import_sha256: of the bytes that the notebook document began with; None for a room that began untitled.
        residue: what the file says and the document cannot.
        saved_heads: of the notebook document, as it is in the file.
        saved_revision: of the runtime document, likewise.
        last_saved: when the room last wrote it.
        base: the last version that room and file had in common, where `saved_heads` are not that.
    """

    path: str | None = None
    key: str | None = None
    directory: str = ""
    sha256: str | None = None
    is_deleted: bool = False
    import_sha256: str | None = None
    residue: Residue = field(default_factory=Residue)
    saved_heads: Heads = ()
    saved_revision: int = 0
    last_saved: datetime | None = None
    base: Version | None = None

    def lacks(self, heads: Heads, revision: int) -> bool:
        """Whether documents of these heads and this revision have something that was never in the file."""
        return heads != self.saved_heads or revision != self.saved_revision

    def note(self, sha256: str, heads: Heads, revision: int) -> None:
        """The file holds these heads and this revision now."""
        self.sha256 = sha256
        self.saved_heads = heads
        self.saved_revision = revision
        self.is_deleted = False
        self.base = None
