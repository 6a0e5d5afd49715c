"""The rooms that are open, those that are closing, and which file each of them has.

A room closes in two steps. It is unknown at once; its file is free only when its kernel is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from jupyter_runtimed.core.errors import NoSuchRoom
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.rooms.known_rooms import KnownRooms
from jupyter_runtimed.rooms.path_index import PathIndex
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms")

ROOM_CLOSED = 4409


class OpenRooms:
    """See the module.

    Args:
        known: gives up the lease of a room that is closed.
        tasks: in which rooms end.

    Attributes:
        index: who owns which file; a room that is closing does until it is closed.
    """

    def __init__(self, known: KnownRooms, tasks: Tasks) -> None:
        self.index = PathIndex()
        self._known = known
        self._tasks = tasks
        self._rooms: dict[RoomId, Room] = {}
        self._closing: dict[RoomId, asyncio.Task[None]] = {}
        self._ending: dict[RoomId, Room] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def __contains__(self, room_id: object) -> bool:
        return room_id in self._rooms

    # Finding.

    def get(self, room_id: str) -> Room:
        """The room of an id. Raises NoSuchRoom."""
        room = self._rooms.get(RoomId(room_id))
        if room is None:
            raise NoSuchRoom(f"there is no room {room_id[:80]!r}")
        return room

    def is_current(self, room: Room) -> bool:
        """Whether a room's id still means this object."""
        return self._rooms.get(room.id) is room

    def check_is_current(self, room: Room) -> None:
        """Raise NoSuchRoom when it does not."""
        if not self.is_current(room):
            raise NoSuchRoom("the room was closed", room_id=room.id)

    def owner(self, key: str) -> Room | None:
        """The open room that has a file."""
        owner = self.index.owner(key)
        return None if owner is None else self._rooms.get(owner)

    def holder(self, name: str) -> Room | None:
        """The room that a lease is for, open or closing: by a file's key, or by the room's own id."""
        room_id = self.index.owner(name) or RoomId(name)
        return self._rooms.get(room_id) or self._ending.get(room_id)

    def below(self, path: str) -> list[Room]:
        """The rooms of a file, or of all files in a folder, by API path."""
        return [
            room
            for room in self._rooms.values()
            if room.file.path is not None and (room.file.path == path or room.file.path.startswith(path + "/"))
        ]

    # Coming and going.

    @property
    def is_settled(self) -> bool:
        """Whether no room is closing."""
        return not self._closing

    def add(self, room: Room) -> None:
        """A room is open."""
        self._rooms[room.id] = room

    def retire(
        self, room: Room, code: int, reason: str, *, shutdown_kernel: bool, discard: bool = False
    ) -> asyncio.Task[None]:
        """Close a room: unknown and without sockets now, its end is a task."""
        self._ending[room.id] = self._rooms.pop(room.id)
        room.close(code, reason)
        task = self._tasks.start(self._finish(room, shutdown_kernel=shutdown_kernel, discard=discard), "close")
        self._closing[room.id] = task
        return task

    async def _finish(self, room: Room, *, shutdown_kernel: bool, discard: bool) -> None:
        try:
            await room.end(shutdown_kernel=shutdown_kernel, discard=discard)
        finally:
            try:
                await self._known.disown(self.index.key(room.id) or room.id)
            finally:  # who waits for the file looks again and again while it is not free
                self.index.release(room.id)
                del self._closing[room.id], self._ending[room.id]
            _log.info("room closed room=%s path=%s", room.id, room.file.path)

    async def until_closed(self, room_id: str) -> None:
        """Wait while a room of this id is closing."""
        closing = self._closing.get(RoomId(room_id))
        if closing is not None:
            await asyncio.wait([closing])

    async def until_free(self, key: str) -> None:
        """Wait while the room that has a file is closing."""
        while (closing := self.closing_owner(key)) is not None:
            await asyncio.wait([closing])

    async def until_all_closed(self) -> None:
        """Wait for every room that is closing."""
        if self._closing:
            await asyncio.wait(self._closing.values())

    def closing_owner(self, key: str) -> asyncio.Task[None] | None:
        """The end of the room that has a file and is closing."""
        owner = self.index.owner(key)
        return None if owner is None else self._closing.get(owner)
