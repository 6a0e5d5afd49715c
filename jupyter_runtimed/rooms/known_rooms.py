"""What outlives the process, as the registry sees it: rooms that are in the log, and who owns which file.

A server without logs knows no rooms; one without leases owns whatever it opens.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Any

from jupyter_runtimed.core.errors import ActiveElsewhere, RuntimedError
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import CorruptJournal, RoomMeta
from jupyter_runtimed.rooms.disk_merge import says_something
from jupyter_runtimed.rooms.ports.contents import Identity
from jupyter_runtimed.rooms.restoring import Restored, restore
from jupyter_runtimed.rooms.room_view import NO_KERNEL
from jupyter_runtimed.rooms.services import Services

_log = logging.getLogger("jupyter_runtimed.rooms")

CLOSED = "closed"
"""The field of a log that says: somebody closed this room. Its file opens it again, its id does not."""


class KnownRooms:
    """See the module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._logs = services.logs
        self._owned: set[str] = set()

    async def own(self, name: str) -> None:
        """This server process owns a file (by its key) or an untitled room (by its id). Raises ActiveElsewhere."""
        if self._services.leases is not None:
            await self._services.leases.acquire(name)
            self._owned.add(name)

    async def own_open_room(self, room_id: str) -> None:
        """As `own`, of an open room that has no file any more: nobody else knows its id, so failures do not matter."""
        try:
            await self.own(room_id)
        except (RuntimedError, OSError):  # the room is open, and has people's work in it
            _log.exception("no lease for a room without a file room=%s", room_id)
            self._owned.add(room_id)

    def check_owned(self, name: str) -> None:
        """Raise ActiveElsewhere when somebody else has taken it over since."""
        if self._services.leases is not None and name not in self._owned:
            raise ActiveElsewhere("another Jupyter server has taken this notebook over; try again")

    def lost(self, name: str) -> None:
        """Somebody else has taken it over."""
        self._owned.discard(name)

    async def disown(self, name: str) -> None:
        """It does not own it any more. A lease that cannot be given up ends with the process."""
        self._owned.discard(name)
        if self._services.leases is not None:
            try:
                await self._services.leases.release(name)
            except (RuntimedError, OSError):  # the room is closed either way
                _log.exception("lease not given up name=%s", name)

    async def of_file(self, identity: Identity, open_rooms: Container[str]) -> Restored | None:
        """The room of a file, if the log has one."""
        if self._logs is None:
            return None
        room_id = await self._logs.find(identity.key) or await self._moved_here(identity, open_rooms)
        return await self.restored(room_id) if room_id is not None else None

    async def _moved_here(self, identity: Identity, open_rooms: Container[str]) -> RoomId | None:
        """The room of a file that somebody has moved beside the server (`git mv`), its log following it now.

        It was moved when a single room's file is gone that had exactly these bytes, and no new notebook has them.
        """
        assert self._logs is not None
        contents, metas = self._services.contents, [meta for meta in self._logs.rooms() if meta.file_sha256 is not None]
        if not metas:
            return None
        sha256 = await contents.sha256(identity.api_path)
        same = [meta for meta in metas if meta.file_sha256 == sha256 and meta.room_id not in open_rooms]
        gone = [meta for meta in same if meta.path is not None and not await contents.exists(meta.path)]
        if len(gone) != 1 or gone[0].key is None:
            return None
        meta, key = gone[0], gone[0].key
        if not says_something((await contents.read(identity.api_path)).content, self._services.settings.limits):
            return None
        try:
            await self.own(key)
        except ActiveElsewhere:
            return None  # another server has it open, and waits for the file to come back
        try:
            await self._logs.move(RoomId(meta.room_id), identity.api_path, identity.key)
        finally:
            await self.disown(key)
        _log.info("log follows its file room=%s from=%s to=%s", meta.room_id, meta.path, identity.api_path)
        return RoomId(meta.room_id)

    async def restored(self, room_id: RoomId) -> Restored | None:
        """The room of an id. A log that holds nothing of use is put aside, and is as none."""
        if self._logs is None:
            return None
        logged = await self._logs.load(room_id)
        if logged is None:
            return None
        try:
            return await restore(logged, self._services.new_actor, self._services.clock)
        except CorruptJournal as error:
            _log.error("log put aside room=%s: %s", room_id, error.message)
            await self._logs.put_aside(room_id, error.message)
            return None

    async def follow(self, old: str, new: str, open_rooms: Container[str]) -> None:
        """A file or folder has another API path: the logs of rooms that are not open follow."""
        if self._logs is None:
            return
        for meta in self._logs.rooms():
            path = meta.path
            if path is None or meta.room_id in open_rooms or not (path == old or path.startswith(old + "/")):
                continue
            try:
                identity = await self._services.contents.identify(new + path[len(old) :])
                await self._logs.move(RoomId(meta.room_id), identity.api_path, identity.key)
            except (RuntimedError, OSError) as error:  # the other logs follow all the same
                _log.warning("rename not followed in the log room=%s path=%s error=%s", meta.room_id, path, error)

    def meta(self, room_id: str) -> RoomMeta | None:
        """What the log says of a room that somebody may come back to."""
        for meta in self._metas():
            if meta.room_id == room_id:
                return meta
        return None

    def untitled(self, but: Container[str]) -> list[dict[str, Any]]:
        """Room objects of untitled rooms that wait in the log, without those that are open."""
        return [
            {
                "room_id": meta.room_id,
                "path": None,
                "state": "ready",
                "error": None,
                "cells": 0,
                "peers": 0,
                "kernel": NO_KERNEL,
                "heads": [],
                "last_saved": None,
            }
            for meta in self._metas()
            if meta.path is None and meta.room_id not in but
        ]

    def _metas(self) -> list[RoomMeta]:
        if self._logs is None:
            return []
        return [meta for meta in self._logs.rooms() if not meta.more.get(CLOSED)]
