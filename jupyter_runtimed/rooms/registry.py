"""All rooms of a server, and which file belongs to which.

Rules:

1. A room's id is for life. Paths are looked up in an index beside it, whose keys are equal for every spelling.
2. One file, one room: who opens a file first begins a task, and everybody else waits for the same one.
3. A room is only ever removed as the object it is: after each wait the registry asks whether its id still means it.
4. While a path is being moved (`moves`), opens wait, so that nobody sees a file between two names.
5. A room whose file another server process has taken over is closed at once, and writes nothing more.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from jupyter_runtimed.core.errors import ActiveElsewhere, NotANotebook, NotFound, NotSaved, RuntimedError
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.idle import IdleRooms
from jupyter_runtimed.rooms.known_rooms import KnownRooms
from jupyter_runtimed.rooms.moves import Moves
from jupyter_runtimed.rooms.open_rooms import ROOM_CLOSED, OpenRooms
from jupyter_runtimed.rooms.ports.contents import Identity
from jupyter_runtimed.rooms.restoring import Restored
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.services import Services
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms")

GOING_AWAY = 1001
MAX_SAVES = 5
"""How often closing a room saves what came while it was being saved."""


class RoomRegistry:
    """See the module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks = Tasks("registry")
        self._opening: dict[str, asyncio.Task[Room | None]] = {}
        self._known = KnownRooms(services)
        self._open = OpenRooms(self._known, self._tasks)
        self._index = self._open.index
        self._moves = Moves(self._open, self._known, services.contents, services.clock)
        self._idle = IdleRooms(
            services.clock,
            services.settings.idle_s,
            is_current=self._open.is_current,  # rule 3
            evict=lambda room: self._tasks.start(self.evict(room), "evict"),
        )

    # Finding.

    def get(self, room_id: str) -> Room:
        """The room of an id. Raises NoSuchRoom: an id that is gone never makes an empty room."""
        return self._open.get(room_id)

    def rooms(self) -> list[Room]:
        """All open rooms."""
        return list(self._open)

    @property
    def is_settled(self) -> bool:
        """Whether no room is being closed or made."""
        return not self._opening and self._open.is_settled

    def room_objects(self) -> list[dict[str, Any]]:
        """The room objects of all open rooms, and of the untitled ones that wait in the log."""
        return [*(room.to_json() for room in self._open), *self._known.untitled(self._open)]

    async def recall(self, room_id: str) -> Room:
        """The room of an id, opened again if it waits in the log.

        Raises:
            NoSuchRoom: the id is unknown, or the room was closed for good.
            ActiveElsewhere: another server process has it.
        """
        await self._open.until_closed(room_id)
        meta = self._known.meta(room_id) if room_id not in self._open else None
        if meta is not None:
            if meta.path is not None:
                with suppress(NotFound, NotANotebook):
                    await self.open(meta.path)
            else:
                task = self._opening.get(room_id)
                if task is None:
                    task = self._opening[room_id] = self._tasks.start(self._recall_untitled(RoomId(room_id)), "recall")
                await asyncio.shield(task)
        return self.get(room_id)

    async def _recall_untitled(self, room_id: RoomId) -> Room | None:
        try:
            await self._known.own(room_id)
            restored = await self._known.restored(room_id)
            if restored is None:
                await self._known.disown(room_id)
                return None
            self._known.check_owned(room_id)
            return self._begin(self._restored_room(restored, restored.file()))
        finally:
            del self._opening[room_id]

    # Opening.

    async def open(self, path: str) -> tuple[Room, bool]:
        """The room of a file, whatever its path is spelled like; its load begins, or, if it failed, begins again.

        Returns:
            The room, and whether it was made now.

        Raises:
            NotFound, NotANotebook: there is no such file.
        """
        identity = await self._services.contents.identify(path)
        while True:
            await self._moves.until_settled()  # rule 4
            room = self._open.owner(identity.key)
            if room is not None:
                if room.lifecycle.state is State.FAILED:
                    room.retry()
                return room, False
            closing = self._open.closing_owner(identity.key)
            if closing is not None:
                await asyncio.wait([closing])
                continue
            task = self._opening.get(identity.key)
            is_first = task is None
            if task is None:  # rule 2: there was no wait since the index was asked
                task = self._opening[identity.key] = self._tasks.start(self._make(identity), "open")
            made = await asyncio.shield(task)
            if made is not None and self._open.is_current(made):
                return made, is_first

    async def _make(self, identity: Identity) -> Room | None:
        """Make the room of a file, or nothing, when somebody else has claimed the file meanwhile."""
        contents = self._services.contents
        try:
            for room in self._open:
                with suppress(RuntimedError):  # it is looked at again, and this file is another room's
                    await self._moves.follow_on_disk(room)
            if self._index.owner(identity.key) is not None:
                return None
            exists = await contents.exists(identity.api_path)
            await self._known.own(identity.key)
            restored = await self._known.of_file(identity, self._open)
            self._known.check_owned(identity.key)
            if self._index.owner(identity.key) is not None:
                return None
            if restored is not None and RoomId(restored.logged.meta.room_id) in self._open:
                restored = None  # that room has another file by now
            if not exists and (restored is None or restored.logged.meta.settled):
                await self._known.disown(identity.key)
                raise NotFound(f"there is no file {identity.api_path}")
            if restored is None:
                room = self._new_room(NotebookFile(path=identity.api_path, key=identity.key))
            else:
                file = restored.file()
                file.path, file.key = identity.api_path, identity.key
                room = self._restored_room(restored, file)
            self._index.claim(identity.key, room.id)
            return self._begin(room)
        finally:
            del self._opening[identity.key]

    async def create_untitled(self, directory: str = "", kernel_name: str | None = None) -> Room:
        """A room that has no file yet.

        Raises:
            NotFound: there is no such folder.
        """
        directory = directory.strip("/")
        if directory and not await self._services.contents.directory_exists(directory):
            raise NotFound(f"there is no folder {directory}")
        room = self._new_room(NotebookFile(directory=directory), kernel_name)
        await self._known.own(room.id)
        return self._begin(room)

    def _new_room(self, file: NotebookFile, kernel_name: str | None = None) -> Room:
        room_id = RoomId(self._services.new_id())
        return Room(room_id, file, self._services, moves=self._moves, kernel_name=kernel_name)

    def _restored_room(self, restored: Restored, file: NotebookFile) -> Room:
        meta = restored.logged.meta
        return Room(
            RoomId(meta.room_id),
            file,
            self._services,
            moves=self._moves,
            kernel_name=meta.kernel_name,
            restored=restored,
        )

    def _begin(self, room: Room) -> Room:
        self._open.add(room)
        room.on_unused = self._idle.look_after
        room.start()
        _log.info("room opened room=%s path=%s", room.id, room.file.path)
        return room

    # Another file for a room.

    async def save_as(self, room: Room, path: str, overwrite: bool) -> None:
        """See `Moves.save_as`."""
        await self._moves.save_as(room, path, overwrite)

    async def path_renamed(self, old: str, new: str) -> None:
        """See `Moves.path_renamed`."""
        await self._moves.path_renamed(old, new)

    def path_deleted(self, path: str) -> None:
        """See `Moves.path_deleted`."""
        self._moves.path_deleted(path)

    def lease_lost(self, name: str) -> None:
        """Another server process has a file or an untitled room now, or may have it: its room here ends (rule 5).

        Args:
            name: the file's key, or the room's id, as it was leased.
        """
        self._known.lost(name)
        room = self._open.holder(name)
        if room is not None:
            _log.error("room closed, its lease is lost room=%s path=%s", room.id, room.file.path)
            error = ActiveElsewhere("another Jupyter server has taken this notebook over; open it again")
            room.abandon(error)
            if self._open.is_current(room):  # else it is closing already
                self._open.retire(room, ROOM_CLOSED, error.message, shutdown_kernel=False)

    # Closing.

    async def close(self, room_id: str, *, discard: bool = False) -> None:
        """Save a room, shut its kernel down, close it.

        Args:
            room_id: of any open room.
            discard: do not save; what is in no file is lost.

        Raises:
            NoSuchRoom.
            NotSaved: something could not be saved; the room is kept.
        """
        room = self.get(room_id)
        if not discard:
            await self._save_all(room)
            if room.executor is not None:
                await room.executor.shutdown()
            await self._save_all(room)
        if self._open.is_current(room):  # rule 3
            room.durability.put_away()
            task = self._open.retire(room, ROOM_CLOSED, "the room was closed", shutdown_kernel=True, discard=discard)
            await asyncio.wait([task])

    async def _save_all(self, room: Room) -> None:
        """Save until there is nothing left to save, with no wait after the last look."""
        if room.lifecycle.state is State.LOADING:
            try:
                await room.until_ready()
            except RuntimedError:
                return
        for _ in range(MAX_SAVES):
            if not room.has_unsaved:
                return
            if room.file.path is None:
                raise NotSaved("this notebook was never saved; save it with a path, or discard it", room_id=room.id)
            try:
                await room.save()
            except RuntimedError as error:
                raise NotSaved(f"not saved: {error.message}", room_id=room.id, reason=error.code) from error
        if room.has_unsaved:
            raise NotSaved("the notebook is being changed faster than it is saved", room_id=room.id)

    # Idle rooms.

    async def evict(self, room: Room) -> bool:
        """Close a room that nobody uses, after saving it. Whether it was closed."""
        # What is in the log need not stay in memory, where the server is not to save it by itself.
        is_secured = room.has_unsaved and room.is_logged_only and await room.durability.is_secured()
        try:
            if room.has_unsaved and not is_secured and room.file.path is not None and not room.file.is_deleted:
                await room.saver.save(is_explicit=False)
        except RuntimedError as error:
            _log.warning("room kept, it cannot be saved room=%s error=%s", room.id, error.message)
        if not self._open.is_current(room):
            return False
        if room.is_in_use or (room.has_unsaved and not is_secured):
            room.unused()
            return False
        await asyncio.wait([self._open.retire(room, ROOM_CLOSED, "the room was idle", shutdown_kernel=False)])
        return True

    # The end.

    async def stop(self) -> None:
        """The server stops: save what is unsaved, within bounds, and close all sockets. Kernels are the server's."""
        rooms = self.rooms()
        saves = [self._tasks.start(self._save_all(room), "last save") for room in rooms if room.file.path is not None]
        if saves:
            await asyncio.wait(saves, timeout=self._services.settings.stop_save_s)
        for room in rooms:
            if self._open.is_current(room):
                self._open.retire(room, GOING_AWAY, "the server stops", shutdown_kernel=False)
        await self._open.until_all_closed()
        await self._tasks.stop()
