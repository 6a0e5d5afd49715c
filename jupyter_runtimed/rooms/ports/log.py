"""What rooms ask of the log: that accepted changes survive the process, and that one process owns a room.

Order and ownership: a room appends synchronously and goes on; the log writes behind it, at most 50 ms later, and
calls the owner when more has become durable or when writing fails. A log never loses what it was given: while the
disk is full it keeps it, says so in `trouble`, and tries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import DocumentHeads, DocumentName, LoggedRoom, LogState, RoomMeta

__all__ = [
    "DocumentHeads",
    "DocumentName",
    "Leases",
    "LogOwner",
    "LogState",
    "LoggedRoom",
    "RoomLog",
    "RoomLogs",
    "RoomMeta",
]


class LogOwner(Protocol):
    """What a log asks of its room. Both are called on the event loop and must not wait."""

    def log_state(self, compact: bool) -> LogState:
        """Both documents, now.

        Args:
            compact: the log is rewritten because it has grown; a smaller form is worth some milliseconds.
        """

    def log_changed(self) -> None:
        """`durable_heads` or `trouble` of the log have changed."""


class RoomLog(Protocol):
    """The log of one room. It makes its file at the first append, so a room that is only read leaves none."""

    @property
    def durable_heads(self) -> DocumentHeads | None:
        """How far both documents survive the process; None while nothing was ever logged."""

    @property
    def trouble(self) -> str | None:
        """Why appended changes are not durable yet, for a person; None while writing works."""

    @property
    def exists(self) -> bool:
        """Whether there is a file, from this life or an earlier one."""

    def append(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        """Log changes.

        Args:
            document: which document they belong to.
            chunks: change chunks, in an order in which they can be applied.
            heads: of both documents after them.
        """

    def replace(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        """Log that a document was renewed: `chunks` are all of it, what was logged of it before is void."""

    def note_version(self, version: Mapping[str, Any]) -> None:
        """Log a version of the notebook document, in the place of the one of its `number`. Makes no file of its own."""

    def update(self, meta: RoomMeta) -> None:
        """Log the fields that differ from the last ones. Makes no file of its own.

        `pending` and `settled` are the log's own and are not taken from here.
        """

    async def sync(self) -> None:
        """Wait until all that was appended is durable.

        Raises:
            OutOfSpace, Internal: writing was tried and failed; it is tried again behind the caller's back.
        """

    async def begin_save(self, data: bytes, sha256: str) -> None:
        """Make the bytes of a save durable before they are written to the file.

        Raises:
            OutOfSpace, Internal: they are not durable; do not write the file.
        """

    async def end_save(self, meta: RoomMeta) -> None:
        """The save has reached the file. Not to be called when that is in doubt: the next save makes it good.

        `meta` as for `update`, with `settled` saying whether the file now holds all that was ever appended.
        """

    async def rewrite(self) -> None:
        """Write the log anew in its smallest form. Appends go on meanwhile."""

    async def close(self) -> None:
        """Make all durable and let the file go. Raises as `sync`, and is then still open."""

    def abandon(self) -> None:
        """Let the file go without writing what is missing: for a room whose changes are being discarded."""


class RoomLogs(Protocol):
    """All logs of a state folder.

    Attributes:
        root: what the paths of this server's rooms are relative to; logs of other roots may lie beside.
    """

    root: str

    async def start(self) -> None:
        """Look through the folder. Nothing else may be called before."""

    async def stop(self) -> None:
        """Close every log that is open."""

    def rooms(self) -> list[RoomMeta]:
        """What is logged, of this server's root, open or not."""

    async def find(self, key: str) -> RoomId | None:
        """The room of a file that was logged under this key (`Identity.key`), latest first."""

    def log(self, room_id: RoomId, owner: LogOwner, meta: RoomMeta) -> RoomLog:
        """The log of a room that is being opened, one at a time for each room.

        `meta` has the room's fields as they are now; for a room from the log those that `load` gave.
        """

    async def load(self, room_id: RoomId) -> LoggedRoom | None:
        """What the log of a room holds; None when there is none, or when it had to be set aside as unreadable."""

    async def move(self, room_id: RoomId, path: str, key: str) -> None:
        """The file of a room that is not open has another name.

        Args:
            room_id: of the room.
            path: the API path.
            key: `Identity.key` of it.

        Raises:
            OutOfSpace, Internal: the log could not be written.
        """

    async def put_aside(self, room_id: RoomId, reason: str) -> None:
        """The log of a room that is not open holds nothing that can be used: keep it under another name."""

    async def purge(self, room_id: RoomId) -> None:
        """Remove the copies of a room's log that were set aside: somebody wants what they hold to be forgotten."""

    async def retire(self, room_id: RoomId) -> None:
        """Remove the log of a closed room for good."""

    async def expire(self, retention_s: float) -> list[RoomId]:
        """Remove logs nobody has written for so long, if their file holds everything or was deleted."""


class Leases(Protocol):
    """Which server process owns a file or an untitled room, across processes that share the state folder."""

    async def acquire(self, name: str) -> None:
        """Own `name` from now on (`Identity.key` of a file, or a room id).

        Raises:
            ActiveElsewhere: another server process that is alive owns it; says where.
        """

    async def release(self, name: str) -> None:
        """Give it up; no error when it is not held."""
