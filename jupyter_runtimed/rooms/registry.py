"""All rooms of a server, and which file belongs to which.

Rules:

1. A room's id is for life. Paths are looked up in an index beside it, whose keys are equal for every spelling.
2. One file, one room: who opens a file first begins a task, and everybody else waits for the same one.
3. A file is claimed before anything is written to it, and given back when the write fails.
4. A room is only ever removed as the object it is: after each wait the registry asks whether its id still means it.
5. While a path is being moved, opens wait, so that nobody sees a file between two names.
6. A room closes in two steps. It is unknown at once; its file is free only when its kernel is gone.
"""

from __future__ import annotations

import asyncio
import logging
import posixpath
from contextlib import suppress
from typing import Any

from jupyter_runtimed.core.errors import (
    FileExists,
    NoSuchRoom,
    NotANotebook,
    NotFound,
    NotSaved,
    PathAlreadyOpen,
    RuntimedError,
)
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.idle import IdleRooms
from jupyter_runtimed.rooms.known_rooms import KnownRooms
from jupyter_runtimed.rooms.path_index import PathIndex
from jupyter_runtimed.rooms.ports.contents import Identity
from jupyter_runtimed.rooms.restoring import Restored
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.services import Services
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms")

ROOM_CLOSED = 4409
GOING_AWAY = 1001
MAX_SAVES = 5
"""How often closing a room saves what came while it was being saved."""


class RoomRegistry:
    """See the module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks = Tasks("registry")
        self._rooms: dict[RoomId, Room] = {}
        self._closing: dict[RoomId, asyncio.Task[None]] = {}
        self._opening: dict[str, asyncio.Task[Room | None]] = {}
        self._index = PathIndex()
        self._known = KnownRooms(services)
        self._moving = asyncio.Lock()
        self._names_are_settled = asyncio.Event()
        self._names_are_settled.set()
        self._idle = IdleRooms(
            services.clock,
            services.settings.idle_s,
            is_current=lambda room: self._rooms.get(room.id) is room,  # rule 4
            evict=lambda room: self._tasks.start(self.evict(room), "evict"),
        )

    # Finding.

    def get(self, room_id: str) -> Room:
        """The room of an id. Raises NoSuchRoom: an id that is gone never makes an empty room."""
        room = self._rooms.get(RoomId(room_id))
        if room is None:
            raise NoSuchRoom(f"there is no room {room_id[:80]!r}")
        return room

    def rooms(self) -> list[Room]:
        """All open rooms."""
        return list(self._rooms.values())

    def room_objects(self) -> list[dict[str, Any]]:
        """The room objects of all open rooms, and of the untitled ones that wait in the log."""
        return [*(room.to_json() for room in self._rooms.values()), *self._known.untitled(self._rooms)]

    async def recall(self, room_id: str) -> Room:
        """The room of an id, opened again if it waits in the log.

        Raises:
            NoSuchRoom: the id is unknown, or the room was closed for good.
            ActiveElsewhere: another server process has it.
        """
        closing = self._closing.get(RoomId(room_id))
        if closing is not None:
            await asyncio.wait([closing])
        meta = self._known.meta(room_id) if room_id not in self._rooms else None
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
            await self._names_are_settled.wait()  # rule 5
            room = self._owner(identity.key)
            if room is not None:
                if room.lifecycle.state is State.FAILED:
                    room.retry()
                return room, False
            closing = self._closing_owner(identity.key)
            if closing is not None:
                await asyncio.wait([closing])
                continue
            task = self._opening.get(identity.key)
            is_first = task is None
            if task is None:  # rule 2: there was no wait since the index was asked
                task = self._opening[identity.key] = self._tasks.start(self._make(identity), "open")
            made = await asyncio.shield(task)
            if made is not None and self._rooms.get(made.id) is made:
                return made, is_first

    async def _make(self, identity: Identity) -> Room | None:
        """Make the room of a file, or nothing, when somebody else has claimed the file meanwhile."""
        contents = self._services.contents
        try:
            exists = await contents.exists(identity.api_path)
            await self._known.own(identity.key)
            restored = await self._known.of_file(identity.key)
            if self._index.owner(identity.key) is not None:
                return None
            if restored is not None and RoomId(restored.logged.meta.room_id) in self._rooms:
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
        return Room(room_id, file, self._services, save_as=self.save_as, kernel_name=kernel_name)

    def _restored_room(self, restored: Restored, file: NotebookFile) -> Room:
        meta = restored.logged.meta
        return Room(
            RoomId(meta.room_id),
            file,
            self._services,
            save_as=self.save_as,
            kernel_name=meta.kernel_name,
            restored=restored,
        )

    def _begin(self, room: Room) -> Room:
        self._rooms[room.id] = room
        room.on_unused = self._idle.look_after
        room.start()
        _log.info("room opened room=%s path=%s", room.id, room.file.path)
        return room

    def _owner(self, key: str) -> Room | None:
        owner = self._index.owner(key)
        return None if owner is None else self._rooms.get(owner)

    async def _until_free(self, key: str) -> None:
        """Wait while the room that has a file is closing."""
        while (closing := self._closing_owner(key)) is not None:
            await asyncio.wait([closing])

    def _closing_owner(self, key: str) -> asyncio.Task[None] | None:
        owner = self._index.owner(key)
        return None if owner is None else self._closing.get(owner)

    # Another file for a room.

    async def save_as(self, room: Room, path: str, overwrite: bool) -> None:
        """Save a room to another file, which is its file from then on. The room and its id stay.

        Raises:
            PathAlreadyOpen: another room that is in use has the file open; says which.
            FileExists: there is a file, and `overwrite` was not said.
            NotFound, NotANotebook, OutOfSpace: the room keeps the file it had.
        """
        room.check_ready()
        identity = await self._services.contents.identify(path)
        if self._index.key(room.id) == identity.key:
            await room.saver.save(is_explicit=True, overwrite=overwrite)
            return
        await self._check_target(room, identity, overwrite=overwrite)
        async with self._moving:
            await self._until_free(identity.key)
            self._check_is_current(room)
            if self._index.key(room.id) == identity.key:  # two callers wanted the same
                await room.saver.save(is_explicit=True, overwrite=overwrite)
                return
            await self._known.own(identity.key)
            self._check_is_current(room)
            self._push_out(identity)
            before = self._index.claim(identity.key, room.id)  # rule 3

            def on_written() -> None:
                room.file.key = identity.key
                room.path_changed()

            try:
                await room.saver.save_as(identity.api_path, overwrite=overwrite, on_written=on_written)
            except BaseException:
                # A save that was begun goes on when its caller is gone: ask the room which file it has.
                if self._rooms.get(room.id) is room and room.file.path != identity.api_path:
                    self._give_back(room, before)
                    await self._known.disown(identity.key)
                elif self._rooms.get(room.id) is not room:  # closed meanwhile, with the claim on the new file
                    await self._known.disown(before or room.id)
                raise
            await self._known.disown(before or room.id)

    async def _check_target(self, room: Room, identity: Identity, *, overwrite: bool) -> None:
        """Refuse what can be refused before anything is touched."""
        path = identity.api_path
        self._check_free(identity)
        if not await self._services.contents.directory_exists(posixpath.dirname(path)):
            raise NotFound(f"there is no folder {posixpath.dirname(path)}")
        if not overwrite and await self._services.contents.exists(path):
            raise FileExists(f"there is a file {path} already; say overwrite to replace it", path=path)
        self._check_is_current(room)

    def _check_free(self, identity: Identity) -> None:
        """Raise PathAlreadyOpen when a room in use has the file."""
        other = self._owner(identity.key)
        if other is not None and (other.is_wanted or other.has_kernel):
            raise PathAlreadyOpen(
                f"{identity.api_path} is open in another room", room_id=other.id, path=identity.api_path
            )

    def _push_out(self, identity: Identity) -> None:
        """Close the idle room that has the file; raises as `_check_free` when it is not idle."""
        self._check_free(identity)
        other = self._owner(identity.key)
        if other is not None:
            _log.info("room evicted for a save-as room=%s path=%s", other.id, identity.api_path)
            self._retire(other, ROOM_CLOSED, "another room was saved to this file", shutdown_kernel=False)
            self._index.release(other.id)

    def _give_back(self, room: Room, before: str | None) -> None:
        self._index.release(room.id)
        if before is not None and self._index.owner(before) is None:
            self._index.claim(before, room.id)

    def _check_is_current(self, room: Room) -> None:
        if self._rooms.get(room.id) is not room:
            raise NoSuchRoom("the room was closed", room_id=room.id)

    # What happens to files through the contents API.

    async def path_renamed(self, old: str, new: str) -> None:
        """A file or folder has another API path: the rooms of it, or of all files in it, follow."""
        async with self._moving:
            self._names_are_settled.clear()
            try:
                for room in self._below(old.strip("/")):
                    assert room.file.path is not None
                    before = self._index.key(room.id)
                    self._index.release(room.id)
                    room.file.path = new.strip("/") + room.file.path[len(old.strip("/")) :]
                    room.path_changed()
                    await self._claim_renamed(room, room.file.path)
                    if before is not None:
                        await self._known.disown(before)
            finally:
                self._names_are_settled.set()

    def path_deleted(self, path: str) -> None:
        """A file or folder was deleted: the rooms stay, and do not make it again by themselves."""
        for room in self._below(path.strip("/")):
            room.file_deleted()

    def _below(self, path: str) -> list[Room]:
        """The rooms of a file, or of all files in a folder."""
        return [
            room
            for room in self._rooms.values()
            if room.file.path is not None and (room.file.path == path or room.file.path.startswith(path + "/"))
        ]

    async def _claim_renamed(self, room: Room, path: str) -> None:
        try:
            identity = await self._services.contents.identify(path)
            await self._until_free(identity.key)
            await self._known.own(identity.key)
            if self._rooms.get(room.id) is not room:  # closed meanwhile; nobody can have opened the file
                if self._index.owner(identity.key) is None:
                    await self._known.disown(identity.key)
                return
            self._push_out(identity)
            self._index.claim(identity.key, room.id)
            room.file.key = identity.key
            room.durability.file_changed()
        except RuntimedError as error:
            # The file is somebody else's now. What is in this room is kept, and waits for a name.
            _log.warning("rename not followed room=%s path=%s error=%s", room.id, path, error.message)
            room.lose_file()
            await self._known.own(room.id)

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
        if self._rooms.get(room.id) is room:  # rule 4
            room.durability.put_away()
            task = self._retire(room, ROOM_CLOSED, "the room was closed", shutdown_kernel=True, discard=discard)
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
                await room.saver.save(is_explicit=True)
            except RuntimedError as error:
                raise NotSaved(f"not saved: {error.message}", room_id=room.id, reason=error.code) from error
        if room.has_unsaved:
            raise NotSaved("the notebook is being changed faster than it is saved", room_id=room.id)

    def _retire(
        self, room: Room, code: int, reason: str, *, shutdown_kernel: bool, discard: bool = False
    ) -> asyncio.Task[None]:
        """Close a room: unknown and without sockets now, its end is a task."""
        del self._rooms[room.id]
        room.close(code, reason)
        task = self._tasks.start(self._finish(room, shutdown_kernel=shutdown_kernel, discard=discard), "close")
        self._closing[room.id] = task
        return task

    async def _finish(self, room: Room, *, shutdown_kernel: bool, discard: bool) -> None:
        try:
            await room.end(shutdown_kernel=shutdown_kernel, discard=discard)
        finally:
            await self._known.disown(self._index.key(room.id) or room.id)
            self._index.release(room.id)
            del self._closing[room.id]
            _log.info("room closed room=%s path=%s", room.id, room.file.path)

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
        if self._rooms.get(room.id) is not room:
            return False
        if room.is_in_use or (room.has_unsaved and not is_secured):
            room.unused()
            return False
        await asyncio.wait([self._retire(room, ROOM_CLOSED, "the room was idle", shutdown_kernel=False)])
        return True

    # The end.

    async def stop(self) -> None:
        """The server stops: save what is unsaved, within bounds, and close all sockets. Kernels are the server's."""
        rooms = self.rooms()
        saves = [self._tasks.start(self._save_all(room), "last save") for room in rooms if room.file.path is not None]
        if saves:
            await asyncio.wait(saves, timeout=self._services.settings.stop_save_s)
        for room in rooms:
            if self._rooms.get(room.id) is room:
                self._retire(room, GOING_AWAY, "the server stops", shutdown_kernel=False)
        if self._closing:
            await asyncio.wait(self._closing.values())
        await self._tasks.stop()
