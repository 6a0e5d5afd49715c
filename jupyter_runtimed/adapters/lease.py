"""Leases: which server process owns a file, among all that share a state folder.

```
servers/<server id>   who the process is; its time of change is the process's heartbeat
leases/<hash of name> which server owns the name
```

Rules:

1. A lease is taken by making its file, which only one process can do; there are no file locks.
2. A server is dead when its file is gone; when it ran on this machine and its process is gone; or when its heart has
   not beaten for `expiry_s`. Times are compared as the file system gives them, so clocks may differ.
3. A lease of a dead server is moved away before a new one is made, so that of two who try only one gets it.
4. With each heartbeat a process asks whether its leases are still its own. One that is not (the process slept and was
   taken for dead, or somebody removed the file) is lost for good: another process may have begun to write.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import platform
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from jupyter_runtimed.adapters.disk import Disk
from jupyter_runtimed.core.errors import ActiveElsewhere

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Who a server process is. `machine` is equal for processes that see each other's process ids."""

    server: str
    machine: str
    host: str
    pid: int
    began: str

    @classmethod
    def of_this_process(cls) -> ServerInfo:
        """This process, under a new server id."""
        pid = os.getpid()
        return cls(uuid.uuid4().hex, _machine(), platform.node(), pid, _process_began(pid))

    def is_running(self) -> bool:
        """Whether the process is there, on this machine."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return _process_began(self.pid) == self.began


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _machine() -> str:
    """The running system and the namespace of process ids in it."""
    if os.name == "nt":  # asking after a process would end it there: heartbeats alone have to do
        return uuid.uuid4().hex
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return "/".join((platform.node(), _read("/proc/sys/kernel/random/boot_id").strip(), namespace))


def _process_began(pid: int) -> str:
    """When a process began, in whatever the system counts; "" where that is not to be known."""
    # The name of the program may hold spaces and brackets, so the fields are counted from behind it.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


class FileLeases:
    """The `Leases` port over a folder.

    Args:
        state_dir: the state folder that the servers share.
        heartbeat_s: how often this process says that it lives.
        expiry_s: how long a process on another machine is believed to live without a heartbeat.
        on_lost: called with the name of a lease that is held no longer; somebody else may have it.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        heartbeat_s: float = 4.0,
        expiry_s: float = 15.0,
        on_lost: Callable[[str], None] = lambda name: None,
        info: ServerInfo | None = None,
    ) -> None:
        self.info = info or ServerInfo.of_this_process()
        self.on_lost = on_lost
        self._servers = state_dir / "servers"
        self._leases = state_dir / "leases"
        self._heartbeat_s = heartbeat_s
        self._expiry_s = expiry_s
        self._disk = Disk()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="runtimed-lease")
        self._held: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False

    async def start(self) -> None:
        """Say that this server is there."""
        await self._in_thread(self._announce)
        self._schedule()

    async def stop(self) -> None:
        """Give up all leases."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for name in list(self._held):
            await self.release(name)
        await self._in_thread(self._disk.remove, self._servers / self.info.server)
        self._pool.shutdown(wait=False)

    async def acquire(self, name: str) -> None:
        first_beat: int | None = None
        while True:
            holder = await self._in_thread(self._try, name)
            if holder is None:
                self._held.add(name)
                return
            info, beat = holder
            if info.machine == self.info.machine or (first_beat is not None and beat != first_beat):
                raise ActiveElsewhere(
                    f"this notebook is open in another Jupyter server (process {info.pid} on {info.host}); close it"
                    " there, or work there",
                    host=info.host,
                    pid=info.pid,
                )
            first_beat = beat
            # On another machine: either its heart beats within this time, or it is dead at the end of it.
            await asyncio.sleep(self._heartbeat_s / 4)

    async def release(self, name: str) -> None:
        if name in self._held:
            self._held.discard(name)
            await self._in_thread(self._give_up, name)

    async def others(self) -> int:
        """How many other servers that live share the folder."""
        return await self._in_thread(self._count_others)

    # On the thread.

    def _announce(self) -> None:
        self._disk.make_folder(self._servers)
        self._disk.make_folder(self._leases)
        self._disk.write_file(self._servers / self.info.server, [json.dumps(asdict(self.info)).encode()])

    def _path(self, name: str) -> Path:
        return self._leases / hashlib.sha256(name.encode()).hexdigest()[:40]

    def _try(self, name: str) -> tuple[ServerInfo, int] | None:
        """Take the lease; or who has it, and their last heartbeat."""
        path = self._path(name)
        while True:
            if self._make(path, name):
                return None
            server = self._owner(path)
            if server == self.info.server:
                return None
            if server is None:
                continue
            found = self._look(server)
            if found is not None:
                return found
            self._move_away(path, server)

    def _make(self, path: Path, name: str) -> bool:
        """Rule 1: the file appears with its content, or not at all.

        It is not synced, which is the slowest part of opening a notebook on many disks: with the machine's power its
        owner is gone too, and whatever is left of the file is moved away like any lease of the dead.
        """
        fresh = path.with_name(f"{path.name}.{self.info.server}")
        data = json.dumps({"server": self.info.server, "name": name}).encode()
        try:
            self._write(self._disk.create(fresh), data)
            return self._link(fresh, path, data)
        finally:
            self._disk.remove(fresh)

    def _link(self, fresh: Path, path: Path, data: bytes) -> bool:
        try:
            os.link(fresh, path)
        except FileExistsError:
            return False
        except OSError:  # no hard links here
            try:
                fd = self._disk.create(path, exclusive=True)
            except FileExistsError:
                return False
            self._write(fd, data)
        return True

    def _write(self, fd: int, data: bytes) -> None:
        try:
            self._disk.write(fd, data)
        finally:
            self._disk.close(fd)

    def _owner(self, path: Path) -> str | None:
        """The server that has a lease; "" when the file says nothing, None when it is gone."""
        try:
            return str(json.loads(path.read_bytes())["server"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return ""

    def _look(self, server: str) -> tuple[ServerInfo, int] | None:
        """A server that lives, and its last heartbeat; None for a dead one (rule 2)."""
        path = self._servers / server
        try:
            beat = path.stat().st_mtime_ns if server else 0
            info = ServerInfo(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        if info.machine == self.info.machine:
            return (info, beat) if info.is_running() else None
        return (info, beat) if self._now() - beat < self._expiry_s * 1e9 else None

    def _now(self) -> int:
        """The file system's time."""
        probe = self._servers / f"{self.info.server}.now"
        self._disk.close(self._disk.create(probe))
        os.utime(probe)
        now = probe.stat().st_mtime_ns
        self._disk.remove(probe)
        return now

    def _move_away(self, path: Path, server: str) -> None:
        """Rule 3."""
        aside = path.with_name(f"{path.name}.stale-{self.info.server}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        if self._owner(aside) != server:
            # Somebody was faster, and this is their new lease: back with it.
            with contextlib.suppress(OSError):
                os.link(aside, path)
        self._disk.remove(aside)

    def _give_up(self, name: str) -> None:
        path = self._path(name)
        if self._owner(path) == self.info.server:
            self._disk.remove(path)

    def _count_others(self) -> int:
        return sum(
            1
            for path in self._servers.glob("*")
            if path.name != self.info.server and "." not in path.name and self._look(path.name) is not None
        )

    # The heartbeat.

    def _schedule(self) -> None:
        if not self._is_stopped:
            self._timer = asyncio.get_running_loop().call_later(self._heartbeat_s, self._beat)

    def _beat(self) -> None:
        names = list(self._held)

        def work() -> list[str]:
            path = self._servers / self.info.server
            try:
                os.utime(path)
            except FileNotFoundError:
                self._announce()
            return [name for name in names if self._owner(self._path(name)) != self.info.server]

        def done(future: asyncio.Future[list[str]]) -> None:
            if future.cancelled() or self._is_stopped:
                return
            if future.exception() is not None:
                logger.warning("heartbeat failed: %s", future.exception())
            else:
                for name in self._held.intersection(future.result()):  # what was given up meanwhile is not lost
                    self._held.discard(name)
                    logger.error("lease lost name=%s", name)
                    self.on_lost(name)
            self._schedule()

        asyncio.get_running_loop().run_in_executor(self._pool, work).add_done_callback(done)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
