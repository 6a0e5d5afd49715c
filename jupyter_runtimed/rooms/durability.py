"""The log side of a room: what of it survives the process, and since when the file and the room differ.

Rules:

1. Every change of either document is appended in the turn in which it was accepted. Peers are told of it at once;
   that it is durable (`durable_heads`) they are told when the log says so.
2. A room that was never changed has no log: opening its file again makes the same document. What the kernel says of
   itself is no change.
3. Without a log (none was configured, or its disk is full) a room works as ever; `trouble` says what that means.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from jupyter_runtimed.core.crdt import Advance, Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.core.forgotten import ForgottenChanges
from jupyter_runtimed.core.ids import Heads, RoomId
from jupyter_runtimed.core.journal import DocumentHeads, LogState, RoomMeta
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.core.versions import VersionRecord
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.ports.log import RoomLog, RoomLogs
from jupyter_runtimed.rooms.room_view import iso
from jupyter_runtimed.rooms.version_keeper import VersionKeeper

_log = logging.getLogger("jupyter_runtimed.rooms")


class DurableRoom(Protocol):
    """The part of a room that its log side sees."""

    id: RoomId
    file: NotebookFile
    notebook: NotebookDocument
    runtime: RuntimeDocument
    kernel_name: str | None
    versions: VersionKeeper
    forgotten: ForgottenChanges

    @property
    def has_unsaved(self) -> bool:
        """Whether the documents have what is in no file."""


class Durability:
    """See the module.

    Args:
        room: whose.
        logs: where; None for a server without logs.
        clock: paces what is told.
        status_s: how often `on_change` is called at most.
        on_change: called when what is durable, or `trouble`, has changed.
    """

    def __init__(
        self,
        room: DurableRoom,
        logs: RoomLogs | None,
        *,
        clock: Clock,
        status_s: float,
        on_change: Callable[[], None],
    ) -> None:
        self._room = room
        self._logs = logs
        self._clock = clock
        self._status_s = status_s
        self._on_change = on_change
        self._log: RoomLog | None = None
        self._timer: Timer | None = None
        self._restored_heads: Heads | None = None
        self._first_revision = 0
        self._first_runtime_heads: Heads = ()
        self._is_put_away = False

    # What survives.

    @property
    def durable_heads(self) -> Heads:
        """The notebook document's heads that survive the process: through the log, or through the file."""
        logged = self._log.durable_heads if self._log is not None else None
        if logged is not None:
            return logged.notebook
        if self._restored_heads is not None:
            return self._restored_heads
        return self._room.file.saved_heads if self._room.file.path is not None else ()

    @property
    def durable_runtime_heads(self) -> Heads:
        """The runtime document's heads whose outputs survive the process, likewise."""
        if self._log is None:
            return self._first_runtime_heads
        if self._log.durable_heads is not None:
            logged = self._log.durable_heads.runtime
            return logged if self._room.runtime.replica.contains(logged) else ()  # of a document since renewed
        if self._log.exists:
            return self._first_runtime_heads
        return self._room.runtime.replica.heads  # rule 2: all there is came with the file

    @property
    def trouble(self) -> str | None:
        """Why changes are not durable, for a person; None while all is well."""
        return self._log.trouble if self._log is not None else None

    async def is_secured(self) -> bool:
        """Whether everything that is in the documents now survives, after waiting for the log."""
        if self._log is None:
            return False
        try:
            await self._log.sync()
        except RuntimedError:
            return False
        return self._log.exists

    # The room's life.

    def begin(self, logged_heads: Heads | None, logged_meta: RoomMeta | None = None) -> None:
        """The documents are whole; from now on they are logged.

        Args:
            logged_heads: the notebook document's heads as the log has them; None when there is none.
            logged_meta: the fields that the log has.
        """
        room = self._room
        self._first_revision = room.runtime.revision
        self._first_runtime_heads = room.runtime.replica.heads
        self._restored_heads = logged_heads
        if self._logs is None:
            return
        self._log = self._logs.log(room.id, self, logged_meta or self._meta())
        heads = room.notebook.replica.heads
        # What an untitled room has is in no file. What came during the load is in neither file nor log.
        if heads != (logged_heads or room.file.saved_heads) or (logged_heads is None and room.file.path is None):
            self._log.append("notebook", [], self._heads())
        if logged_meta is not None:
            self._log.update(self._meta())

    def put_away(self) -> None:
        """Somebody closed the room: its file opens it again, its id does not."""
        self._is_put_away = True
        self.file_changed()

    async def end(self) -> None:
        """The room is closed, and what it has is wanted: make it durable and let go of the log."""
        self._cancel_timer()
        if self._log is not None:
            try:
                await self._log.close()
            except (RuntimedError, OSError) as error:
                # A log that is not let go of would keep the room from being opened again.
                _log.error("changes may be lost room=%s: %s", self._room.id, error)
                self._log.abandon()

    async def discard(self) -> None:
        """The room is closed, and nobody wants what it has."""
        self._cancel_timer()
        if self._log is not None and self._logs is not None:
            self._log.abandon()
            await self._logs.retire(self._room.id)

    def abandon(self) -> None:
        """The log is somebody else's now: write nothing more to it."""
        self._cancel_timer()
        if self._log is not None:
            self._log.abandon()
        self._log = self._logs = None

    # The documents.

    def notebook_advanced(self, advance: Advance) -> None:
        """The notebook document has changed (rule 1)."""
        if self._log is not None:
            chunks = [entry.chunk for entry in advance.entries]
            self._log.append("notebook", chunks, self._heads())

    def runtime_advanced(self, advance: Advance) -> None:
        """The runtime document has changed (rule 2)."""
        if self._log is not None and (self._log.exists or self._room.runtime.revision != self._first_revision):
            chunks = [entry.chunk for entry in advance.entries]
            self._log.append("runtime", chunks, self._heads())

    def runtime_renewed(self) -> None:
        """The runtime document is another one, with the same content."""
        if self._log is not None and self._log.exists:
            self._log.replace("runtime", pieces(self._room.runtime.replica), self._heads())

    def log_state(self, compact: bool) -> LogState:
        """Both documents, for a log that is written anew."""
        notebook, runtime = self._room.notebook.replica, self._room.runtime.replica
        parts = notebook.parts if not compact or _is_mostly_snapshot(notebook) else None
        return LogState(
            [notebook.save()] if compact and parts is None else pieces(notebook),
            [runtime.save()] if compact else pieces(runtime),
            self._heads(),
            self._room.versions.to_log(),
            parts.packed() if parts is not None else b"",
        )

    def version_noted(self, record: VersionRecord) -> None:
        """A version of the notebook has begun, changed or ended."""
        if self._log is not None:
            self._log.note_version(record.to_json())

    def notebook_renewed(self) -> None:
        """The notebook document is another one, with the same content."""
        self._restored_heads = None
        if self._log is not None and self._log.exists:
            self._log.update(self._meta())
            self._log.replace("notebook", pieces(self._room.notebook.replica), self._heads())

    async def forget(self) -> None:
        """Write the log anew, so that it holds nothing but what the documents hold; remove copies of it.

        Raises:
            OutOfSpace, Internal: it could not be written. The old log is still there.
        """
        if self._log is not None and self._logs is not None:
            await self._log.rewrite()
            await self._logs.purge(self._room.id)

    def _heads(self) -> DocumentHeads:
        return DocumentHeads(self._room.notebook.replica.heads, self._room.runtime.replica.heads)

    def log_changed(self) -> None:
        """The log has come further, or has failed: tell the peers, not too often."""
        if self._timer is None:
            self._timer = self._clock.call_later(self._status_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._on_change()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The file.

    def file_changed(self) -> None:
        """The room's file, or what is known of it, is another one."""
        if self._log is not None:
            self._log.update(self._meta())

    async def before_write(self, data: bytes, sha256: str) -> None:
        """A save is about to be written. A log that cannot take it does not keep people from saving."""
        if self._log is not None:
            try:
                await self._log.begin_save(data, sha256)
            except RuntimedError as error:
                _log.warning("save not logged room=%s: %s", self._room.id, error.message)

    async def after_write(self) -> None:
        """The save is in the file."""
        if self._log is not None:
            await self._log.end_save(self._meta(settled=not self._room.has_unsaved))

    def base(self) -> Version:
        """The last version that file and room had in common; an empty one when none is known."""
        file, document = self._room.file, self._room.notebook
        if file.base is not None:
            return file.base
        replica = document.replica
        if not file.saved_heads or not replica.contains(file.saved_heads):
            return Version()
        if file.saved_heads == replica.heads:
            return Version.of(document)
        return Version.at(replica, file.saved_heads)

    def _meta(self, *, settled: bool = False) -> RoomMeta:
        file = self._room.file
        return RoomMeta(
            room_id=self._room.id,
            path=file.path,
            key=file.key,
            root=self._logs.root if self._logs is not None else "",
            directory=file.directory,
            import_sha256=file.import_sha256,
            file_sha256=file.sha256,
            saved_heads=file.saved_heads,
            saved_at=iso(file.last_saved),
            settled=settled,
            deleted_at=iso(self._clock.now()) if file.is_deleted else None,
            residue=file.residue.to_json(),
            base=file.base.to_json() if file.base is not None else None,
            kernel_name=self._room.kernel_name,
            forgotten=self._room.forgotten.text,
            more={"closed": True} if self._is_put_away else {},
        )


def _is_mostly_snapshot(replica: Replica) -> bool:
    """Whether a new snapshot would make the document hardly smaller."""
    return sum(len(entry.chunk) for entry in replica.log(replica.log_start)) < len(replica.snapshot)


def pieces(replica: Replica) -> list[bytes]:
    """The chunks of a whole document, without waking or walking the engine: its snapshot, and what came since."""
    found = [entry.chunk for entry in replica.log(replica.log_start)]
    return [replica.snapshot, *found] if replica.snapshot else found
