"""Ports of a room in memory, with doors that the test can shut and failures it can order."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import FileChanged, FileExists, NoSuchCell, NotANotebook, NotFound
from jupyter_runtimed.core.files import FileState, Identity
from jupyter_runtimed.core.ids import BlobHash
from jupyter_runtimed.core.requests import Comm, Complete, History, InputReply, Inspect, IsComplete, PutOutputs
from jupyter_runtimed.rooms.ports.log import Leases, RoomLogs
from jupyter_runtimed.rooms.ports.signatures import Signatures
from jupyter_runtimed.rooms.registry import RoomRegistry
from jupyter_runtimed.rooms.services import Services
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room


class Doors:
    """Operations wait at doors that are shut, and raise what was ordered.

    Attributes:
        calls: the operations so far, as (name, argument).
        errors: by operation, what the next one raises.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.errors: dict[str, Exception] = {}
        self._doors: dict[tuple[str, str | None], asyncio.Event] = {}

    def shut(self, operation: str, argument: str | None = None) -> None:
        """Let an operation wait, always or for one argument."""
        self._doors[operation, argument] = asyncio.Event()

    def open(self, operation: str, argument: str | None = None) -> None:
        self._doors.pop((operation, argument)).set()

    async def enter(self, operation: str, argument: str) -> None:
        self.calls.append((operation, argument))
        await asyncio.sleep(0)
        for door in ((operation, None), (operation, argument)):
            if door in self._doors:
                await self._doors[door].wait()
        if operation in self.errors:
            raise self.errors.pop(operation)

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.calls)


class FakeContents:
    """`rooms.ports.contents.Contents` over a dict.

    Attributes:
        files: bytes by API path.
        folders: besides those of files.
        links: symbolic links, from API path to API path.
        checkpoints: bytes by API path.
    """

    def __init__(self, **files: bytes) -> None:
        self.files: dict[str, bytes] = dict(files)
        self.folders: set[str] = {""}
        self.links: dict[str, str] = {}
        self.checkpoints: dict[str, bytes] = {}
        self.doors = Doors()

    async def identify(self, path: str) -> Identity:
        await self.doors.enter("identify", path)
        normal = posixpath.normpath("/" + path.strip("/"))[1:] if path else ""
        if posixpath.normpath(path.strip("/") or ".").startswith(".."):
            raise NotFound(f"{path} is outside the root")
        normal = self.links.get(normal, normal)
        if not normal.endswith(".ipynb"):
            raise NotANotebook(f"{path} is no notebook")
        if self._is_folder(normal):
            raise NotANotebook(f"{path} is a folder")
        return Identity(unicodedata.normalize("NFC", normal), "key:" + unicodedata.normalize("NFC", normal))

    async def read(self, path: str) -> FileState:
        await self.doors.enter("read", path)
        return self._state(path)

    async def sha256(self, path: str) -> str | None:
        await self.doors.enter("sha256", path)
        return self._state(path).sha256 if path in self.files else None

    async def moved_to(self, path: str, sha256: str) -> str | None:
        await self.doors.enter("moved_to", path)
        same = [name for name in self.files if self._state(name).sha256 == sha256]
        return same[0] if path not in self.files and len(same) == 1 else None

    async def write(self, path: str, data: bytes, *, expected: str | None = None, create: bool = False) -> FileState:
        await self.doors.enter("write", path)
        if create and path in self.files:
            raise FileExists(f"{path} exists")
        if expected is not None and (path not in self.files or self._state(path).sha256 != expected):
            raise FileChanged(f"{path} changed")
        if not self._is_folder(posixpath.dirname(path)):
            raise NotFound("no such folder")
        self.files[path] = data
        return self._state(path)

    async def checkpoint(self, path: str) -> None:
        await self.doors.enter("checkpoint", path)
        self.checkpoints[path] = self._state(path).content

    async def exists(self, path: str) -> bool:
        await self.doors.enter("exists", path)
        return path in self.files

    async def directory_exists(self, path: str) -> bool:
        await self.doors.enter("directory", path)
        return self._is_folder(path)

    def _is_folder(self, path: str) -> bool:
        return path in self.folders or any(name.startswith(path + "/") for name in self.files)

    def rename(self, old: str, new: str) -> None:
        """Rename a file or folder, as the contents API would."""
        for name in [name for name in self.files if name == old or name.startswith(old + "/")]:
            self.files[new + name[len(old) :]] = self.files.pop(name)

    def _state(self, path: str) -> FileState:
        if path not in self.files:
            raise NotFound(f"there is no file {path}")
        data = self.files[path]
        return FileState(path, data, hashlib.sha256(data).hexdigest(), True)


class FakeBlobs:
    """`rooms.ports.blobs.Blobs` over a dict."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.doors = Doors()

    async def put(self, data: bytes) -> BlobHash:
        return (await self.put_many([data]))[0]

    async def put_many(self, items: Sequence[bytes]) -> list[BlobHash]:
        await self.doors.enter("put", str(len(items)))
        names = [BlobHash(hashlib.sha256(data).hexdigest()) for data in items]
        self.blobs.update(zip(names, items, strict=True))
        return names

    async def get(self, name: str) -> bytes:
        await self.doors.enter("get", name)
        return self.read(name)

    def read(self, name: str) -> bytes:
        if name not in self.blobs:
            raise NotFound(f"there is no blob {name}")
        return self.blobs[name]

    def has(self, name: str) -> bool:
        return name in self.blobs

    def size(self, name: str) -> int | None:
        return len(self.blobs[name]) if name in self.blobs else None


class FakeExecutor:
    """The part of a room that runs cells, without any: it writes down what it is asked."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.is_active = False
        self.has_kernel = False
        self.calls: list[tuple[str, Any]] = []
        self.door: asyncio.Event | None = None

    def kernel_object(self) -> dict[str, Any]:
        return {"name": "fake" if self.has_kernel else None, "status": "not_started", "kernel_id": None}

    async def execute_cell(self, cell_id: str, submitted_by: str) -> dict[str, Any]:
        cell = self.room.notebook.cell(cell_id)
        if cell.cell_type != "code":
            raise NoSuchCell("no code cell")
        self.calls.append(("execute", (cell_id, cell.source, submitted_by)))
        execution_id = f"execution-{len(self.calls)}"
        with self.room.runtime.edit() as edit:
            seq = self.room.runtime.next_seq()
            edit.add_execution(execution_id, cell_id, seq=seq, status="queued", submitted_by=submitted_by)
        self.room.notebook.set_execution_id(cell_id, execution_id)
        return {"execution_id": execution_id, "cell_id": cell_id}

    def output(self, execution_id: str, text: str) -> None:
        """The kernel says something."""
        with self.room.runtime.edit() as edit:
            seq = len(self.room.runtime.executions[execution_id].outputs)
            edit.add_output(
                execution_id, f"{execution_id}-{seq}", seq, {"output_type": "stream", "name": "stdout", "text": [text]}
            )

    async def run_all(self, cell_ids: list[str] | None, submitted_by: str) -> list[dict[str, Any]]:
        wanted = self.room.notebook.cell_ids() if cell_ids is None else cell_ids
        return [await self.execute_cell(cell_id, submitted_by) for cell_id in wanted]

    async def interrupt(self) -> None:
        self.calls.append(("interrupt", None))

    async def restart(self) -> dict[str, Any]:
        self.calls.append(("restart", None))
        return self.kernel_object()

    async def shutdown(self) -> dict[str, Any]:
        self.calls.append(("shutdown", None))
        self.has_kernel = self.is_active = False
        return self.kernel_object()

    async def start(self, kernel_name: str | None) -> dict[str, Any]:
        self.calls.append(("start", kernel_name))
        self.has_kernel = True
        return self.kernel_object()

    async def clear_outputs(self, cell_ids: list[str] | None) -> None:
        wanted = self.room.notebook.cell_ids() if cell_ids is None else cell_ids
        self.room.notebook.set_execution_ids(dict.fromkeys(wanted))

    async def put_outputs(self, request: PutOutputs, submitted_by: str) -> str:
        self.room.notebook.set_execution_id(request.cell_id, submitted_by)
        return submitted_by

    async def complete(self, request: Complete) -> dict[str, Any]:
        if self.door is not None:
            await self.door.wait()
        return {"matches": [request.code], "cursor_start": 0, "cursor_end": request.cursor_pos}

    async def inspect(self, request: Inspect) -> dict[str, Any]:
        return {"found": False, "detail": request.detail_level}

    async def history(self, request: History) -> dict[str, Any]:
        return {"history": [], "n": request.n}

    async def is_complete(self, request: IsComplete) -> dict[str, Any]:
        return {"status": "complete", "code": request.code}

    async def input_reply(self, request: InputReply) -> None:
        self.calls.append(("input", (request.request_id, request.value)))

    async def comm(self, request: Comm) -> None:
        self.calls.append(("comm", request.msg_type))

    async def wait(self, execution_id: str, timeout_s: float) -> dict[str, Any]:
        self.calls.append(("wait", timeout_s))
        return {"status": self.room.runtime.executions[execution_id].status, "execution_count": None}

    def notebook_changed(self) -> None:
        self.calls.append(("changed", None))

    async def path_changed(self, path: str) -> None:
        self.calls.append(("path", path))

    async def stop(self, *, shutdown_kernel: bool) -> None:
        self.calls.append(("stop", shutdown_kernel))


class World:
    """A registry over fake ports, and the hands that move them.

    Args:
        settings: of the rooms.
        logs: where rooms are logged; none without it.
        leases: what other servers own.
        signatures: what the server signs; nothing without it.
        before: the life of the server before this one, whose files and blobs are still there.
        wrap: what the rooms see of each port.
        files: bytes by name, without the ending.
    """

    def __init__(
        self,
        *,
        settings: RoomSettings | None = None,
        logs: RoomLogs | None = None,
        leases: Leases | None = None,
        signatures: Signatures | None = None,
        before: World | None = None,
        wrap: Callable[[Any], Any] = lambda port: port,
        **files: bytes,
    ) -> None:
        self.clock = ManualClock()
        self.contents = FakeContents()
        self.blobs = FakeBlobs()
        if before is not None:
            self.contents.files = before.contents.files
            self.blobs.blobs = before.blobs.blobs
        self.contents.files.update({f"{name}.ipynb": data for name, data in files.items()})
        self._ids = before._ids if before is not None else 0
        self.registry = RoomRegistry(
            Services(
                contents=wrap(self.contents),
                blobs=wrap(self.blobs),
                clock=self.clock,
                make_executor=FakeExecutor,
                new_id=self._new_id,
                new_actor=new_actor,
                settings=settings or RoomSettings(load_step_s=0.0, publish_s=0.0),
                logs=wrap(logs),
                leases=wrap(leases),
                signatures=signatures,
            )
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"room-{self._ids}"

    async def open(self, path: str) -> Room:
        """Open a file and wait until it is loaded."""
        room, _ = await self.registry.open(path)
        await room.until_ready()
        return room

    @staticmethod
    def executor(room: Room) -> FakeExecutor:
        assert isinstance(room.executor, FakeExecutor)
        return room.executor
