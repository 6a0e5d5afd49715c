"""A room as the log sees it: two lists of chunks and some fields."""

from __future__ import annotations

import hashlib

from jupyter_runtimed.core.journal import DocumentHeads, LogState, RoomMeta
from jupyter_runtimed.rooms.ports.log import RoomLog


class Owner:
    """Holds what was appended, as a room does; `edit` and `run` append one chunk."""

    def __init__(self, room_id: str, **fields: object) -> None:
        self.meta = RoomMeta(room_id, **fields)  # type: ignore[arg-type]
        self.notebook: list[bytes] = [b"<import>"]
        self.runtime: list[bytes] = []
        self.log: RoomLog | None = None
        self.changes = 0
        self.compactions = 0

    @property
    def heads(self) -> DocumentHeads:
        return DocumentHeads(*((hashlib.sha256(b"".join(part)).digest(),) for part in (self.notebook, self.runtime)))

    def log_state(self, compact: bool) -> LogState:
        self.compactions += compact
        return LogState(list(self.notebook), list(self.runtime), self.heads)

    def log_changed(self) -> None:
        self.changes += 1

    def edit(self, chunk: bytes) -> None:
        assert self.log is not None
        self.notebook.append(chunk)
        self.log.append("notebook", [chunk], self.heads)

    def run(self, chunk: bytes) -> None:
        assert self.log is not None
        self.runtime.append(chunk)
        self.log.append("runtime", [chunk], self.heads)
