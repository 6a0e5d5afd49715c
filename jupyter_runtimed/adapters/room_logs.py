"""All room logs of a state folder: `rooms/<room id>.log`, readable by their owner only.

Several servers may share a state folder. Each keeps to the rooms of its own root, and to those whose lease it holds
(`adapters.lease`), so no two write one file; the list of what is there is read again whenever a file is looked for.
Nothing unreadable is ever deleted: it is renamed and reported.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Container, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from jupyter_runtimed.adapters.disk import Disk, disk_error
from jupyter_runtimed.adapters.log_mentions import check_readable, is_set_aside, log_mentions
from jupyter_runtimed.adapters.log_progress import Pace
from jupyter_runtimed.adapters.room_log import FileRoomLog, Owner, save_path
from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.core.files import StoredFile, StoredLog
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import (
    CorruptJournal,
    Journal,
    LoggedRoom,
    RoomMeta,
    encode_meta,
    read_journal,
    read_meta,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

_THREADS = 4
"""Several rooms sync at the same time; a large save in one of them holds up nobody."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a log said when it was last looked at, and the file's size and time then."""

    stamp: tuple[int, int]
    meta: RoomMeta


class FileRoomLogs:
    """The `RoomLogs` port over a folder.

    Args:
        state_dir: the state folder; made when it is missing.
        root: names what paths are relative to; rooms of another root are not listed.
    """

    def __init__(self, state_dir: Path, root: str = "", *, disk: Disk | None = None, pace: Pace | None = None) -> None:
        self.folder = state_dir / "rooms"
        self.root = root
        self.set_aside = 0
        self._disk = disk or Disk()
        self._pace = pace or Pace()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="runtimed-log")
        self._seen: dict[RoomId, _Seen] = {}
        self._open: dict[RoomId, FileRoomLog] = {}

    async def start(self) -> None:
        await self._in_thread(self._disk.make_folder, self.folder)
        await self._refresh()

    async def stop(self) -> None:
        for room_id, log in self._open.items():
            try:
                await log.close()
            except RuntimedError as error:
                logger.warning("a log could not be completed room=%s: %s", room_id, error.message)
        self._pool.shutdown(wait=False)

    # Looking around.

    def rooms(self) -> list[RoomMeta]:
        return [seen.meta for seen in self._seen.values() if seen.meta.root == self.root]

    async def find(self, key: str) -> RoomId | None:
        await self._refresh()
        found = [(seen.stamp[0], room_id) for room_id, seen in self._seen.items() if seen.meta.key == key]
        return max(found)[1] if found else None

    async def _refresh(self) -> None:
        """Take note of logs that other processes wrote or removed since."""
        known = {room_id: seen for room_id, seen in self._seen.items() if not self._is_open(room_id)}
        fresh = await self._in_thread(_look_around, self.folder, known)
        for room_id in known:
            if room_id not in fresh and not self._is_open(room_id):
                self._seen.pop(room_id, None)
        self._seen.update((room_id, seen) for room_id, seen in fresh.items() if not self._is_open(room_id))

    def _is_open(self, room_id: RoomId) -> bool:
        log = self._open.get(room_id)
        return log is not None and not log.is_closed

    def _note(self, room_id: RoomId, meta: RoomMeta) -> None:
        self._seen[room_id] = _Seen((time.time_ns(), -1), meta)

    # Reading and writing.

    def log(self, room_id: RoomId, owner: Owner, meta: RoomMeta) -> FileRoomLog:
        if self._is_open(room_id):
            raise RuntimeError(f"the log of room {room_id} is open already")
        log = FileRoomLog(
            self._path(room_id),
            owner,
            meta,
            pool=self._pool,
            disk=self._disk,
            pace=self._pace,
            on_meta=lambda changed: self._note(room_id, changed),
        )
        self._open[room_id] = log
        return log

    async def load(self, room_id: RoomId) -> LoggedRoom | None:
        if not _is_room_id(room_id):
            return None
        return await self._in_thread(self._load, room_id)

    def _load(self, room_id: RoomId) -> LoggedRoom | None:
        path = self._path(room_id)
        self._disk.remove(path.with_name(path.name + ".new"))
        try:
            journal = read_journal(path.read_bytes())
            meta = RoomMeta.from_json(journal.meta)
            if meta.room_id != room_id or not journal.notebook:
                raise CorruptJournal("the log does not hold the room it is named after")
        except FileNotFoundError:
            return None
        except CorruptJournal as error:
            self._put_aside(path, error.message)
            return None
        if journal.damage is not None:
            self._report_damage(path, journal)
        return LoggedRoom(
            meta,
            journal.notebook,
            journal.runtime,
            self._pending(path, meta),
            journal.damage is not None,
            list(journal.versions.values()),
            journal.parts,
        )

    def _pending(self, path: Path, meta: RoomMeta) -> bytes | None:
        side = save_path(path)
        if meta.pending is None:
            self._disk.remove(side)
            return None
        try:
            return side.read_bytes()
        except FileNotFoundError:
            return None

    def _put_aside(self, path: Path, reason: str) -> None:
        aside = _free_name(path, "unreadable")
        self.set_aside += 1
        logger.error("log set aside path=%s as=%s: %s", path, aside.name, reason)
        path.rename(aside)

    def _report_damage(self, path: Path, journal: Journal) -> None:
        lost = path.stat().st_size - journal.good_length
        if journal.damage == "corrupt":
            # What follows the damage may still be worth something to somebody; the log itself is cut when it is
            # written next.
            aside = _free_name(path, "damaged")
            self.set_aside += 1
            self._disk.write_file(aside, [path.read_bytes()])
            logger.error("log is damaged path=%s cut_bytes=%d kept_as=%s", path, lost, aside.name)
        else:
            logger.warning("the end of a log was torn off path=%s cut_bytes=%d", path, lost)

    async def move(self, room_id: RoomId, path: str, key: str) -> None:
        if self._is_open(room_id):
            return
        try:
            await self._in_thread(self._move, self._path(room_id), {"path": path, "key": key})
        except (OSError, CorruptJournal) as error:
            raise disk_error(error) from error
        seen = self._seen.get(room_id)
        if seen is not None:
            self._note(room_id, replace(seen.meta, path=path, key=key))

    def _move(self, log: Path, fields: dict[str, Any]) -> None:
        data = log.read_bytes()
        good = data[: read_journal(data).good_length]  # nothing is appended to a tail that nobody can read
        self._disk.write_file(log, [good, encode_meta(fields)])

    async def put_aside(self, room_id: RoomId, reason: str) -> None:
        self._seen.pop(room_id, None)
        await self._in_thread(self._put_aside, self._path(room_id), reason)

    async def purge(self, room_id: RoomId) -> None:
        for path in await self._in_thread(lambda: list(self.folder.glob(f"{self._path(room_id).name}.*"))):
            if is_set_aside(path.name):
                await self._in_thread(self._disk.remove, path)

    async def retire(self, room_id: RoomId) -> None:
        self._open.pop(room_id, None)
        self._seen.pop(room_id, None)
        path = self._path(room_id)
        for name in (path, save_path(path), path.with_name(path.name + ".new")):
            await self._in_thread(self._disk.remove, name)

    async def expire(self, retention_s: float) -> list[RoomId]:
        await self._refresh()
        before = time.time_ns() - int(retention_s * 1e9)
        due = [
            room_id
            for room_id, seen in self._seen.items()
            if not self._is_open(room_id)
            and seen.meta.root == self.root
            and seen.stamp[0] < before
            and (seen.meta.settled or seen.meta.deleted_at is not None)
        ]
        for room_id in due:
            logger.info("log retired room=%s", room_id)
            await self.retire(room_id)
        return due

    # What they hold and how large they are.

    async def mentions(self, wanted: Set[bytes], skip: Container[RoomId]) -> set[bytes]:
        await self._in_thread(check_readable, self.folder)
        found: set[bytes] = set()
        for path in await self._in_thread(lambda: sorted(self.folder.glob("*.log"))):
            if RoomId(path.stem) not in skip:
                found |= await self._in_thread(log_mentions, path, wanted)
        return found

    async def usage(self) -> tuple[list[StoredLog], int]:
        """The logs of this server's root with their sizes, largest first; and the bytes of the whole folder."""
        await self._refresh()
        sizes = await self._in_thread(_sizes, self.folder)
        logs = [
            StoredLog(room_id, seen.meta.path, sizes.get(f"{room_id}.log", 0))
            for room_id, seen in self._seen.items()
            if seen.meta.root == self.root
        ]
        return sorted(logs, key=lambda log: log.size, reverse=True), sum(sizes.values())

    async def aside(self) -> list[StoredFile]:
        """The logs, and copies of logs, that could not be read and were set aside, largest first."""
        sizes = await self._in_thread(_sizes, self.folder)
        found = [StoredFile(name, size) for name, size in sizes.items() if is_set_aside(name)]
        return sorted(found, key=lambda file: file.size, reverse=True)

    def _path(self, room_id: RoomId) -> Path:
        if not _is_room_id(room_id):
            raise ValueError("room ids are UUIDs")
        return self.folder / f"{room_id}.log"

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def _look_around(folder: Path, known: dict[RoomId, _Seen]) -> dict[RoomId, _Seen]:
    found: dict[RoomId, _Seen] = {}
    for path in folder.glob("*.log"):
        room_id = RoomId(path.stem)
        if not _is_room_id(room_id):
            continue
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            seen = known.get(room_id)
            if seen is None or seen.stamp != stamp:
                with path.open("rb") as file:
                    seen = _Seen(stamp, RoomMeta.from_json(read_meta(file)))
            found[room_id] = seen
        except (OSError, CorruptJournal) as error:
            logger.warning("a log cannot be read path=%s: %s", path, error)
    return found


def _sizes(folder: Path) -> dict[str, int]:
    found = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            found[path.name] = path.stat().st_size
    return found


def _is_room_id(value: str) -> bool:
    try:
        return str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _free_name(path: Path, word: str) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.{word}-{number}")).exists():
        number += 1
    return candidate
