"""The extension's objects, wired together in one place, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.adapters.clock import LoopClock
from jupyter_runtimed.adapters.contents import ServerContents
from jupyter_runtimed.adapters.contents_events import ContentsListener
from jupyter_runtimed.adapters.kernels import JupyterKernels
from jupyter_runtimed.adapters.lease import FileLeases
from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.adapters.signatures import NotarySignatures
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import Internal
from jupyter_runtimed.core.files import ContentsEvent
from jupyter_runtimed.handlers.blob_access import BlobAccess
from jupyter_runtimed.handlers.services import Services as HandlerServices
from jupyter_runtimed.handlers.upload_quota import UploadQuota
from jupyter_runtimed.rooms.blob_collector import BlobCollector
from jupyter_runtimed.rooms.blob_references import BlobReferences
from jupyter_runtimed.rooms.executor import Executor
from jupyter_runtimed.rooms.registry import RoomRegistry
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.services import Services
from jupyter_runtimed.rooms.storage import storage_object
from jupyter_runtimed.rooms.tasks import Tasks

if TYPE_CHECKING:
    from jupyter_runtimed.app.extension import RuntimedApp

DAY_S = 86_400.0

CLOSE_S = 5.0
"""What closing may take when the server stops, beside saving."""

log = logging.getLogger("jupyter_runtimed")


class RuntimedServer:
    """The extension's objects, from start to stop.

    Args:
        app: the extension, linked to a server that has its managers.
    """

    def __init__(self, app: RuntimedApp) -> None:
        server: Any = app.serverapp
        state_dir = self._state_dir = Path(app.state_dir).expanduser()
        self._tasks = Tasks("jupyter_runtimed")
        self._blobs = BlobStore(state_dir / "blobs")
        self._clock = LoopClock()
        self._executor_settings = app.executor_settings()
        self._logs = FileRoomLogs(state_dir, root=_root_of(server.contents_manager))
        self._leases = FileLeases(state_dir)
        self._log_retention_s = app.log_retention_s
        self._stop_save_s = app.stop_save_s
        self._kernels = JupyterKernels(
            server.session_manager,
            server.kernel_manager,
            server.kernel_spec_manager,
            self._tasks.start,
            event_logger=server.event_logger,
            start_timeout_seconds=app.kernel_start_timeout_s,
        )
        self._registry = RoomRegistry(
            Services(
                contents=ServerContents(server.contents_manager),
                signatures=_signatures(server.contents_manager),
                blobs=self._blobs,
                clock=self._clock,
                make_executor=self._make_executor,
                new_id=lambda: str(uuid.uuid4()),
                new_actor=new_actor,
                settings=app.room_settings(),
                logs=self._logs,
                leases=self._leases,
            )
        )
        self._collector = BlobCollector(
            self._registry.rooms,
            self._logs,
            self._blobs,
            self._clock,
            grace_s=app.blob_grace_s,
            is_settled=lambda: self._registry.is_settled,
            is_alone=self._is_alone,
        )
        self._blob_check_s = app.blob_check_s
        self._leases.on_lost = self._registry.lease_lost
        self._listener = ContentsListener(server.event_logger, self._on_contents_event)
        self._starting: asyncio.Task[None] | None = None
        self.services = HandlerServices(
            rooms=self._registry,
            blobs=BlobAccess(
                self._blobs,
                BlobReferences(self._registry.rooms).is_shown,
                UploadQuota(app.max_upload_bytes_per_hour, time.monotonic),
            ),
            start=self.start,
            storage=lambda: storage_object(self._logs, self._blobs, self._collector),
            limits=app.limits(),
            identity_check_s=app.identity_check_s,
        )

    def _make_executor(self, room: Room) -> Executor:
        file = room.file
        executor = Executor(
            room.notebook,
            room.runtime,
            self._kernels.session(room.id, file.path, file.directory),
            self._blobs,
            self._clock,
            room.tasks,
            new_id=lambda: str(uuid.uuid4()),
            settings=self._executor_settings,
            kernel_name=room.kernel_name,
            on_event=room.hub.tell_event,
            on_idle=room.unused,
        )
        executor.begin()
        return executor

    async def start(self) -> None:
        """Begin. Whoever calls next waits for the same beginning; one that failed is tried again.

        Raises:
            Internal: the state folder cannot be used; says why.
        """
        if self._starting is None:
            self._starting = self._tasks.start(self._start(), "start")
        if not self._starting.done():
            await asyncio.wait([self._starting])
        error = self._starting.exception()
        if error is not None:
            self._starting = None
            raise Internal(f"the state folder {self._state_dir} cannot be used: {error}") from error

    async def _start(self) -> None:
        await self._logs.start()
        await self._leases.start()
        self._listener.start()
        self._tasks.start(self._expire(), "expire logs")
        self._tasks.start(self._collect(), "collect blobs")

    async def _expire(self) -> None:
        while True:
            await self._logs.expire(self._log_retention_s)
            await self._clock.sleep(DAY_S)

    async def _collect(self) -> None:
        while True:
            await self._clock.sleep(self._blob_check_s)
            await self._collector.collect()

    async def _is_alone(self) -> bool:
        return await self._leases.others() == 0

    async def stop(self) -> None:
        """Save and close what is open, within the time that is given for it and a little more."""
        if self._starting is None:
            return
        task = self._tasks.start(self._stop(), "stop")
        await asyncio.wait([task], timeout=self._stop_save_s + CLOSE_S)
        if not task.done():
            log.critical("the server stops before everything is closed; what is not saved is in the rooms' logs")
            task.cancel()

    async def _stop(self) -> None:
        self._listener.stop()
        await self._registry.stop()
        await self._kernels.stop()
        await self._logs.stop()
        await self._leases.stop()
        await self._tasks.stop()
        self._blobs.close()

    def busy_rooms(self) -> list[str] | None:
        """The ids of rooms in which something runs or waits to run."""
        return [room.id for room in self._registry.rooms() if room.executor and room.executor.is_active] or None

    async def _on_contents_event(self, event: ContentsEvent) -> None:
        if event.action == "renamed" and event.new_path is not None:
            await self._registry.path_renamed(event.path, event.new_path)
        elif event.action == "deleted":
            self._registry.path_deleted(event.path)


def _signatures(contents_manager: Any) -> NotarySignatures | None:
    """By the server's notary; a contents manager of another kind may have none."""
    notary = getattr(contents_manager, "notary", None)
    return None if notary is None else NotarySignatures(notary)


def _root_of(contents_manager: Any) -> str:
    """What the paths of this server are relative to. Storage that is no file system has one root for all."""
    root = getattr(contents_manager, "root_dir", "")
    return str(Path(root).resolve()) if root else ""
