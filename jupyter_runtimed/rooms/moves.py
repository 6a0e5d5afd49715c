"""Rooms whose file changes: saved under another name, renamed, moved with a folder, deleted.

A file is claimed before anything is written to it, and given back when the write fails. While a path is being moved,
opens wait, so that nobody sees a file between two names.
"""

from __future__ import annotations

import asyncio
import logging
import posixpath

from jupyter_runtimed.core.errors import Conflict, FileExists, NotFound, PathAlreadyOpen
from jupyter_runtimed.rooms.known_rooms import KnownRooms
from jupyter_runtimed.rooms.open_rooms import ROOM_CLOSED, OpenRooms
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.contents import Contents, Identity
from jupyter_runtimed.rooms.room import Room

_log = logging.getLogger("jupyter_runtimed.rooms")

FLEETING_S = 0.2
"""Some programs move a file away for a moment, and write another in its place."""

ASK_AGAIN_S = (0.2, 1.0, 3.0)
"""Waits before a storage that fails is asked once more about a file that was renamed. Opens wait for as long."""


class Moves:
    """See the module.

    Args:
        rooms: all rooms, and which file each has.
        known: leases of files.
        contents: where files are.
        clock: paces what is tried again.
    """

    def __init__(self, rooms: OpenRooms, known: KnownRooms, contents: Contents, clock: Clock) -> None:
        self._rooms = rooms
        self._index = rooms.index
        self._known = known
        self._contents = contents
        self._clock = clock
        self._moving = asyncio.Lock()
        self._names_are_settled = asyncio.Event()
        self._names_are_settled.set()

    async def until_settled(self) -> None:
        """Wait while files are between two names."""
        await self._names_are_settled.wait()

    async def save_as(self, room: Room, path: str, overwrite: bool) -> None:
        """Save a room to another file, which is its file from then on. The room and its id stay.

        Raises:
            PathAlreadyOpen: another room that is in use has the file open; says which.
            FileExists: there is a file, and `overwrite` was not said.
            NotFound, NotANotebook, OutOfSpace: the room keeps the file it had.
        """
        room.check_ready()
        identity = await self._contents.identify(path)
        if self._index.key(room.id) == identity.key:
            await room.saver.save(is_explicit=True, overwrite=overwrite)
            return
        await self._check_target(room, identity, overwrite=overwrite)
        async with self._moving:
            await self._rooms.until_free(identity.key)
            self._rooms.check_is_current(room)
            if self._index.key(room.id) == identity.key:  # two callers wanted the same
                await room.saver.save(is_explicit=True, overwrite=overwrite)
                return
            await self._known.own(identity.key)
            self._rooms.check_is_current(room)
            self._push_out(identity)
            before = self._index.claim(identity.key, room.id)

            def on_written() -> None:
                room.file.key = identity.key
                room.path_changed()

            try:
                await room.saver.save_as(identity.api_path, overwrite=overwrite, on_written=on_written)
            except BaseException:
                # A save that was begun goes on when its caller is gone: ask the room which file it has.
                if self._rooms.is_current(room) and room.file.path != identity.api_path:
                    self._give_back(room, before)
                    await self._known.disown(identity.key)
                elif not self._rooms.is_current(room):  # closed meanwhile, with the claim on the new file
                    await self._known.disown(before or room.id)
                raise
            await self._known.disown(before or room.id)

    async def _check_target(self, room: Room, identity: Identity, *, overwrite: bool) -> None:
        """Refuse what can be refused before anything is touched."""
        path = identity.api_path
        self._check_free(identity)
        if not await self._contents.directory_exists(posixpath.dirname(path)):
            raise NotFound(f"there is no folder {posixpath.dirname(path)}")
        if not overwrite and await self._contents.exists(path):
            raise FileExists(f"there is a file {path} already; say overwrite to replace it", path=path)
        self._rooms.check_is_current(room)

    def _check_free(self, identity: Identity) -> None:
        """Raise PathAlreadyOpen when a room in use has the file."""
        other = self._rooms.owner(identity.key)
        if other is not None and (other.is_wanted or other.has_kernel):
            raise PathAlreadyOpen(
                f"{identity.api_path} is open in another room", room_id=other.id, path=identity.api_path
            )

    def _push_out(self, identity: Identity) -> None:
        """Close the idle room that has the file; raises as `_check_free` when it is not idle."""
        self._check_free(identity)
        other = self._rooms.owner(identity.key)
        if other is not None:
            _log.info("room evicted for a save-as room=%s path=%s", other.id, identity.api_path)
            self._rooms.retire(other, ROOM_CLOSED, "another room was saved to this file", shutdown_kernel=False)
            self._index.release(other.id)

    def _give_back(self, room: Room, before: str | None) -> None:
        self._index.release(room.id)
        if before is not None and self._index.owner(before) is None:
            self._index.claim(before, room.id)

    # What happens to files through the contents API.

    async def path_renamed(self, old: str, new: str) -> None:
        """A file or folder has another API path: the rooms of it, or of all files in it, follow."""
        async with self._moving:
            self._names_are_settled.clear()
            try:
                for room in self._rooms.below(old.strip("/")):
                    assert room.file.path is not None
                    before = self._index.key(room.id)
                    self._index.release(room.id)
                    room.file.path = new.strip("/") + room.file.path[len(old.strip("/")) :]
                    room.path_changed()
                    await self._claim_renamed(room, room.file.path)
                    if before is not None:
                        await self._known.disown(before)
                await self._known.follow(old.strip("/"), new.strip("/"), self._rooms)
            finally:
                self._names_are_settled.set()

    async def follow_on_disk(self, room: Room) -> None:
        """Another program may have moved a room's file, and told nobody: then the room follows as it follows a rename.

        Raises:
            Forbidden, Internal: the storage fails.
        """
        path, sha256 = room.file.path, room.file.sha256
        if path is None or sha256 is None:
            return
        moved_to = await self._contents.moved_to(path, sha256)
        if moved_to is None:
            return
        await self._clock.sleep(FLEETING_S)
        is_settled = room.file.path == path and await self._contents.moved_to(path, sha256) == moved_to
        if is_settled and self._rooms.owner((await self._contents.identify(moved_to)).key) is None:
            _log.info("file was moved room=%s from=%s to=%s", room.id, path, moved_to)
            await self.path_renamed(path, moved_to)

    def path_deleted(self, path: str) -> None:
        """A file or folder was deleted: the rooms stay, and do not make it again by themselves."""
        for room in self._rooms.below(path.strip("/")):
            room.file_deleted()

    async def _claim_renamed(self, room: Room, path: str) -> None:
        for wait_s in (*ASK_AGAIN_S, None):
            try:
                await self._claim(room, path)
                return
            except Exception as error:  # whatever a storage raises: the other rooms of a folder follow all the same
                _log.warning("rename not followed room=%s path=%s error=%s", room.id, path, error)
                if wait_s is None or isinstance(error, Conflict) or not self._rooms.is_current(room):
                    break
                await self._clock.sleep(wait_s)
        # The file is somebody else's now, or cannot be asked for. What is in this room waits for a name.
        if self._rooms.is_current(room):
            room.lose_file()
            await self._known.own_open_room(room.id)

    async def _claim(self, room: Room, path: str) -> None:
        """Give a room the file that has its path.

        Raises:
            Conflict: somebody else has it.
            Exception: the storage fails.
        """
        identity = await self._contents.identify(path)
        await self._rooms.until_free(identity.key)
        await self._known.own(identity.key)
        if not self._rooms.is_current(room):  # closed meanwhile; nobody can have opened the file
            if self._index.owner(identity.key) is None:
                await self._known.disown(identity.key)
            return
        self._push_out(identity)
        self._index.claim(identity.key, room.id)
        room.file.key = identity.key
        room.durability.file_changed()
