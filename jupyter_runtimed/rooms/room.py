"""A room: the one owner of an open notebook. It composes its parts and knows what state they are in together.

What it owns: the two documents, the hub of its peers, the load, the saver, the executor, and the requests under way.
It parses nothing and waits for nobody while peers' frames come in: frames go to the hub, requests become tasks.

A room is single-threaded. Between two awaits it is consistent; after each one it may be another room, so state is
asked for again (`check_ready`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import NoSuchRoom, RuntimedError
from jupyter_runtimed.core.forgotten import ForgottenChanges
from jupyter_runtimed.core.ids import Heads, RoomId
from jupyter_runtimed.core.lifecycle import Lifecycle, State
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.advances import Advances
from jupyter_runtimed.rooms.disk_merge import merge_from_disk, merge_from_replica
from jupyter_runtimed.rooms.disk_watch import DiskWatch
from jupyter_runtimed.rooms.durability import Durability, pieces
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.head_waiters import HeadWaiters
from jupyter_runtimed.rooms.hub import Hub
from jupyter_runtimed.rooms.peer import Peer
from jupyter_runtimed.rooms.ports.contents import FileState
from jupyter_runtimed.rooms.ports.socket import PeerSocket
from jupyter_runtimed.rooms.readiness import Readiness
from jupyter_runtimed.rooms.rendering import render
from jupyter_runtimed.rooms.request_server import RequestServer
from jupyter_runtimed.rooms.restoring import Restored
from jupyter_runtimed.rooms.room_history import RoomHistory
from jupyter_runtimed.rooms.room_opening import RoomOpening
from jupyter_runtimed.rooms.room_view import room_object, room_status
from jupyter_runtimed.rooms.saver import Saver
from jupyter_runtimed.rooms.services import RoomExecutor, RoomMoves, Services
from jupyter_runtimed.rooms.tasks import Tasks
from jupyter_runtimed.rooms.upkeep import Upkeep
from jupyter_runtimed.rooms.version_keeper import VersionKeeper
from jupyter_runtimed.rooms.warming import Warming

_log = logging.getLogger("jupyter_runtimed.rooms")


class Room:
    """See the module. Made by the registry; `start` begins its life, `stop` ends it.

    Args:
        room_id: for life.
        file: where it is; nothing else of it is known yet.
        services: ports, settings, makers.
        moves: gives the room other files (the registry's, which owns the paths).
        kernel_name: which kernel an untitled room is for.
        restored: what its log has given back; `file` then is what the log says of it.
    """

    def __init__(
        self,
        room_id: RoomId,
        file: NotebookFile,
        services: Services,
        *,
        moves: RoomMoves,
        kernel_name: str | None = None,
        restored: Restored | None = None,
    ) -> None:
        settings = services.settings
        self.id = room_id
        self.file = file
        self.services = services
        self.kernel_name = kernel_name
        self.lifecycle = Lifecycle(State.READY if file.path is None else State.LOADING)
        self.readiness = Readiness(room_id, self.lifecycle, services.clock, settings.ready_wait_s)
        self.tasks = Tasks(f"room {room_id}")
        self.requests = RequestServer(self)
        self.advances = Advances(self)
        self.hub = Hub(
            settings.limits,
            status=self.status,
            on_request=self.requests.receive,
            on_received=self.advances.note_heard,
            warm=lambda: self.warming.begin(),
            on_leave=self.unused,
            now=services.clock.monotonic,
        )
        self.warming = Warming(
            lambda: self.notebook.replica, services.clock, self.tasks, on_warm=self.hub.notebook_warmed
        )
        self.waiters = HeadWaiters(self.contains, services.clock, settings.limits.required_heads_timeout_s)
        self.saver = self._make_saver()
        self.durability = self._make_durability()
        self.watch = self._make_watch()
        self.upkeep = Upkeep(
            self, services.clock, quiet_s=settings.cool_s, max_runtime_changes=settings.max_runtime_changes
        )
        self.forgotten = ForgottenChanges(restored.logged.meta.forgotten if restored is not None else None)
        self.versions = VersionKeeper(self, services.clock, settings, on_record=self.durability.version_noted)
        self.history = RoomHistory(self)
        self.moves = moves
        self.opening = RoomOpening(self, restored)
        self.executor: RoomExecutor | None = None
        self.on_unused: Callable[[Room], None] = lambda _: None
        self.notebook: NotebookDocument
        self.runtime: RuntimeDocument
        self.runtime_epoch = ""

    def _make_saver(self) -> Saver:
        services = self.services
        return Saver(
            self,
            contents=services.contents,
            blobs=services.blobs,
            clock=services.clock,
            settings=services.settings,
            tasks=self.tasks,
            signatures=services.signatures,
            on_change=self._saver_changed,
        )

    def _make_durability(self) -> Durability:
        return Durability(
            self,
            self.services.logs,
            clock=self.services.clock,
            status_s=self.services.settings.status_s,
            on_change=self.hub.tell_status,
        )

    def _make_watch(self) -> DiskWatch:
        return DiskWatch(
            clock=self.services.clock,
            every_s=self.services.settings.limits.disk_check_s,
            is_wanted=lambda: bool(self.hub.peers) and self.lifecycle.state is State.READY,
            look=self._look,
            tasks=self.tasks,
        )

    async def _look(self) -> None:
        await self.follow_file()
        await self.saver.look()

    # Life.

    def start(self) -> None:
        """Begin: with the load of the file, or, without one, ready."""
        self.opening.start()

    def retry(self) -> None:
        """Try a failed load again. Peers of a document that was taken back must begin anew."""
        self.lifecycle.retry()
        self.opening.retry()

    def abandon(self, error: RuntimedError) -> None:
        """The file is somebody else's: nothing is written to it or to the log from now on. `close` must follow."""
        self.durability.abandon()
        self.saver.forbid(error)

    def close(self, code: int, reason: str) -> None:
        """From now on the room is of no use to anybody: sockets are closed, waits end. Nothing is saved."""
        self.lifecycle.close()
        self.hub.drop_all(code, reason)
        self.waiters.fail(NoSuchRoom("the room was closed"))
        self.readiness.settle()

    async def end(self, *, shutdown_kernel: bool, discard: bool = False) -> None:
        """After `close`: end what is under way. `discard`: what the log has is wanted by nobody."""
        self.watch.stop()
        self.upkeep.stop()
        try:
            if self.executor is not None:
                await self.executor.stop(shutdown_kernel=shutdown_kernel)
        finally:  # whatever a kernel does, the log is let go of: without that the room could not be opened again
            await self.saver.stop()
            await self.tasks.stop()
            self.versions.stop()
            await (self.durability.discard() if discard else self.durability.end())
            self.lifecycle.closed()

    # State.

    def check_ready(self) -> None:
        """Raise unless the documents are whole: Loading, LoadFailed, NoSuchRoom."""
        self.readiness.check()

    async def until_ready(self) -> None:
        """Wait for the end of a load; without giving up the turn when there is none. Raises as `check_ready`."""
        await self.readiness.wait()

    @property
    def is_in_use(self) -> bool:
        """Whether somebody is connected or asks for something, or the room has something to do."""
        return bool(
            self.hub.peers
            or self.requests.under_way
            or self.saver.is_saving
            or self.lifecycle.state is State.LOADING
            or self.is_running
        )

    @property
    def is_running(self) -> bool:
        """Whether something runs, waits to run, or is not written down yet."""
        return self.executor is not None and self.executor.is_active

    @property
    def is_wanted(self) -> bool:
        """Whether closing the room would take something from somebody. A load that nobody follows is nothing."""
        return self.has_unsaved or (self.is_in_use and not (self.is_loading and not self.hub.peers))

    @property
    def has_kernel(self) -> bool:
        """Whether there is a kernel that closing the room would leave alone or end."""
        return self.executor is not None and self.executor.has_kernel

    @property
    def has_unsaved(self) -> bool:
        """Whether the documents have what is in no file."""
        return self.lifecycle.state is State.READY and self.saver.has_unsaved

    @property
    def is_logged_only(self) -> bool:
        """Whether what is unsaved would stay so for long: there is no file, or the server saves nothing by itself."""
        return self.file.path is None or not self.saver.is_automatic

    @property
    def is_loading(self) -> bool:
        return self.lifecycle.state is State.LOADING

    def unused(self) -> None:
        """Tell the registry when nobody uses the room any more."""
        if not self.is_in_use and self.lifecycle.is_open:
            self.on_unused(self)

    def to_json(self) -> dict[str, Any]:
        """The room object."""
        return room_object(self)

    def status(self) -> dict[str, Any]:
        """The status, without what differs from peer to peer."""
        return room_status(self)

    # The documents.

    def documents_whole(self) -> None:
        """The documents are whole: from now on they are logged, saved and run."""
        self.advances.runtime_whole()
        self.watch.start()
        self.runtime.replica.on_advance = self.advances.runtime_advanced
        self.executor = self.services.make_executor(self)
        self.saver.begin(self.durability.base)
        self.hub.notebook_loaded()
        self.hub.tell_status()
        self.upkeep.touched()
        self.readiness.settle()
        self.unused()

    def contains(self, heads: Heads) -> bool:
        """Whether all these changes are in the history of the notebook document."""
        return self.notebook.replica.contains(heads)

    def renew_runtime(self) -> None:
        """Write the runtime document anew: the same content, no history, another epoch."""
        actor = self.services.new_actor()
        self.runtime.renew(actor)
        self.runtime_epoch = actor.hex()
        self.durability.runtime_renewed()
        self.hub.renew_runtime(self.runtime.replica)

    def _saver_changed(self) -> None:
        self.hub.tell_status()
        self.unused()

    def path_changed(self) -> None:
        """`file.path` is another one now."""
        self.durability.file_changed()
        self.hub.tell_status()
        if self.executor is not None and self.file.path is not None:
            self.tasks.start(self.executor.path_changed(self.file.path), "path changed")

    def file_deleted(self) -> None:
        """The file was deleted; only an explicit save makes it again."""
        self.file.is_deleted, self.file.sha256 = True, None
        self.durability.file_changed()
        self.hub.tell_status()

    def lose_file(self) -> None:
        """The file belongs to another room now: this one has none."""
        self.file.path = self.file.key = self.file.sha256 = None
        self.durability.file_changed()
        self.hub.tell_status()

    async def follow_file(self) -> None:
        """If another program has moved the file, it is the room's file where it is now."""
        await self.moves.follow_on_disk(self)

    async def save(self) -> None:
        """Somebody wants the room saved to its file. Raises as `Saver.save`."""
        await self.follow_file()
        await self.saver.save(is_explicit=True)

    async def reconcile(self, state: FileState) -> None:
        """Bring a version of the file that somebody else wrote into the documents."""
        await merge_from_disk(self, state, check=self.check_ready)

    async def before_write(self, data: bytes, sha256: str) -> None:
        """A save is about to be written."""
        await self.durability.before_write(data, sha256)

    async def after_write(self) -> None:
        """A save was written."""
        await self.durability.after_write()

    async def merge(self, data: bytes, saved_heads: Heads = (), durable_heads: Heads = ()) -> dict[str, Any]:
        """Merge the edits of a replica of another epoch, three ways against what it has in common with the room.

        `saved_heads`, `durable_heads`: of the replica, as a status last said them.

        Raises:
            Malformed, OverLimit: the bytes are no Automerge document, or too large a one.
            As `check_ready`.
        """
        await self.until_ready()
        return await merge_from_replica(self, data, saved_heads, durable_heads, check=self.check_ready)

    def document_bytes(self, name: str) -> tuple[bytes, Heads]:
        """A whole document, and its heads. Raises as `check_ready`."""
        self.check_ready()
        replica = self.notebook.replica if name == "notebook" else self.runtime.replica
        return b"".join(pieces(replica)), replica.heads

    async def notebook_bytes(self) -> bytes:
        """The notebook that a save would write now. Raises as `check_ready`."""
        await self.until_ready()
        return await render(self.notebook, self.runtime, self.file.residue, self.services.blobs)

    # Peers.

    def join(self, socket: PeerSocket) -> Peer:
        """Take a peer in. Raises NoSuchRoom when the room is closing."""
        if not self.lifecycle.is_open:
            raise NoSuchRoom("the room was closed", room_id=self.id)
        return self.hub.join(socket)

    def on_message(self, peer: Peer, data: bytes | str) -> None:
        """Take one message of a peer's socket."""
        self.hub.receive(peer, data)

    def on_drained(self, peer: Peer) -> None:
        """The socket takes more."""
        self.hub.drained(peer)

    def leave(self, peer: Peer) -> None:
        """The socket is closed."""
        self.hub.leave(peer)
