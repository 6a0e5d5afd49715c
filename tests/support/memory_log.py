"""Room logs that live in memory: a fake of the log port for tests of rooms.

`storage` outlives the logs, so that a second `MemoryRoomLogs` over it is a server after `kill -9`: what was not
synced is gone. Appends become durable at the next turn of the loop, unless `hold()` was called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyter_runtimed.core.errors import OutOfSpace
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import (
    CHANGE_KINDS,
    SNAPSHOT_KINDS,
    DocumentHeads,
    DocumentName,
    LoggedRoom,
    RoomMeta,
    encode_meta,
    encode_record,
    encode_version,
    iter_encoded,
    read_journal,
)
from jupyter_runtimed.rooms.ports.log import LogOwner, RoomLog, RoomLogs


class Storage:
    """The folder of the fake."""

    def __init__(self) -> None:
        self.files: dict[RoomId, bytes] = {}
        self.saves: dict[RoomId, bytes] = {}
        self.aside: list[bytes] = []


class MemoryRoomLog:
    """The log of one room."""

    def __init__(self, logs: MemoryRoomLogs, room_id: RoomId, owner: LogOwner, meta: RoomMeta) -> None:
        self.meta = meta
        self.trouble: str | None = None
        self.durable_heads: DocumentHeads | None = None
        self.is_closed = False
        self._logs = logs
        self._room_id = room_id
        self._owner = owner
        self._began = False
        self._waiting = bytearray()
        self._is_due = False
        self._heads: DocumentHeads | None = None

    @property
    def exists(self) -> bool:
        return self._began or self._room_id in self._logs.storage.files

    def append(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        self._take([encode_record(CHANGE_KINDS[document], chunk) for chunk in chunks], heads)

    def replace(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        self._take([encode_record(SNAPSHOT_KINDS[document], b"".join(chunks))], heads)

    def _take(self, records: list[bytes], heads: DocumentHeads) -> None:
        self._heads = heads
        self.meta = replace(self.meta, settled=False)
        self._push(b"".join(records))

    def note_version(self, version: Mapping[str, Any]) -> None:
        if self.exists:
            self._push(encode_version(version))

    def update(self, meta: RoomMeta) -> None:
        self._set_meta(replace(meta, pending=self.meta.pending, settled=self.meta.settled))

    def _set_meta(self, meta: RoomMeta) -> None:
        self.meta = meta
        if self.exists:
            self._push(encode_meta(meta.to_json()))

    def _push(self, records: bytes) -> None:
        if not self._began:
            self._began = True
            state = self._owner.log_state(False)
            self._heads = state.heads
            self._waiting[:] = b"".join(iter_encoded(self.meta, state))
            self._fresh = True
        else:
            self._waiting += records
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._write)

    _fresh = False

    def _write(self) -> None:
        self._is_due = False
        if self._logs.is_held or self.is_closed:
            return
        files = self._logs.storage.files
        if self._fresh:
            files[self._room_id] = b""
        self._fresh = False
        files[self._room_id] += bytes(self._waiting)
        self._waiting.clear()
        self.durable_heads = self._heads
        self.trouble = None
        self._owner.log_changed()

    async def sync(self) -> None:
        if self._logs.is_held and self._waiting:
            self.trouble = "held"
            self._owner.log_changed()
            raise OutOfSpace("the test holds the log")
        if self._waiting:
            self._write()

    async def begin_save(self, data: bytes, sha256: str) -> None:
        self._logs.storage.saves[self._room_id] = data
        self.meta = replace(self.meta, pending=sha256)
        self._push(encode_meta({"pending": sha256}))
        await self.sync()

    async def end_save(self, meta: RoomMeta) -> None:
        self._set_meta(replace(meta, pending=None))
        if not self._logs.is_held:
            await self.sync()

    async def rewrite(self) -> None:
        if self.exists:
            self._began = False
            self._push(b"")
            await self.sync()

    async def close(self) -> None:
        await self.sync()
        self.is_closed = True

    def abandon(self) -> None:
        self.is_closed = True


class MemoryRoomLogs:
    """The fake of `RoomLogs`.

    Args:
        storage: what an earlier life left.
        root: as of the real one.
    """

    def __init__(self, storage: Storage | None = None, root: str = "") -> None:
        self.storage = storage or Storage()
        self.root = root
        self.is_held = False
        self.logs: dict[RoomId, MemoryRoomLog] = {}

    def hold(self) -> None:
        """From now on nothing becomes durable, as on a full disk."""
        self.is_held = True

    def let_go(self) -> None:
        """There is room again."""
        self.is_held = False
        for log in self.logs.values():
            log._write()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        for log in self.logs.values():
            log.abandon()

    def _metas(self) -> list[RoomMeta]:
        return [RoomMeta.from_json(read_journal(data).meta) for data in self.storage.files.values()]

    def rooms(self) -> list[RoomMeta]:
        return [meta for meta in self._metas() if meta.root == self.root]

    async def find(self, key: str) -> RoomId | None:
        found = [RoomId(meta.room_id) for meta in self._metas() if meta.key == key]
        return found[-1] if found else None

    def log(self, room_id: RoomId, owner: LogOwner, meta: RoomMeta) -> MemoryRoomLog:
        if room_id in self.logs and not self.logs[room_id].is_closed:
            raise RuntimeError(f"the log of room {room_id} is open already")
        self.logs[room_id] = MemoryRoomLog(self, room_id, owner, meta)
        return self.logs[room_id]

    async def load(self, room_id: RoomId) -> LoggedRoom | None:
        if room_id not in self.storage.files:
            return None
        journal = read_journal(self.storage.files[room_id])
        meta = RoomMeta.from_json(journal.meta)
        pending = self.storage.saves.get(room_id) if meta.pending is not None else None
        versions = list(journal.versions.values())
        return LoggedRoom(meta, journal.notebook, journal.runtime, pending, versions=versions, parts=journal.parts)

    async def move(self, room_id: RoomId, path: str, key: str) -> None:
        data = self.storage.files.pop(room_id)
        self.storage.files[room_id] = data + encode_meta({"path": path, "key": key})

    async def put_aside(self, room_id: RoomId, reason: str) -> None:
        self.storage.aside.append(self.storage.files.pop(room_id))

    async def purge(self, room_id: RoomId) -> None:
        self.storage.aside.clear()

    async def retire(self, room_id: RoomId) -> None:
        self.storage.files.pop(room_id, None)
        self.storage.saves.pop(room_id, None)
        self.logs.pop(room_id, None)

    async def expire(self, retention_s: float) -> list[RoomId]:
        open_rooms = {room_id for room_id, log in self.logs.items() if not log.is_closed}
        due = [
            RoomId(meta.room_id)
            for meta in self.rooms()
            if meta.room_id not in open_rooms and (meta.settled or meta.deleted_at) and retention_s <= 0
        ]
        for room_id in due:
            await self.retire(room_id)
        return due


_log: type[RoomLog] = MemoryRoomLog
_logs: type[RoomLogs] = MemoryRoomLogs
