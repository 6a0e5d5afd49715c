"""An executor on a real kernel, with real blobs on disk, and no server around it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.adapters.clock import LoopClock
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.manifest import manifest_to_output
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument
from jupyter_runtimed.rooms.executor import Executor
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.tasks import Tasks
from tests.support.kernels import KernelServer, kernel_server


class KernelRoom:
    """A notebook whose cells run on a real kernel."""

    def __init__(self, server: KernelServer, folder: Path, kernel_name: str = "python3", **settings: Any) -> None:
        self.server = server
        self.blobs = BlobStore(folder / f"blobs-{uuid.uuid4().hex}")
        self.tasks = Tasks("kernel room")
        self.notebook = NotebookDocument(new_notebook_replica(new_actor()))
        self.notebook.set_metadata("kernelspec", {"name": kernel_name, "display_name": kernel_name, "language": ""})
        self.runtime = RuntimeDocument(new_actor())
        self.session = server.adapter.session(uuid.uuid4().hex, f"{uuid.uuid4().hex}.ipynb")
        self.events: list[dict[str, Any]] = []
        self.executor = Executor(
            self.notebook,
            self.runtime,
            self.session,
            self.blobs,
            LoopClock(),
            self.tasks,
            new_id=lambda: str(uuid.uuid4()),
            settings=ExecutorSettings(**settings),
            on_event=self.events.append,
        )

    async def begin(self, source: str, cell_id: str = "a") -> str:
        """Run some source in a cell; its execution."""
        if self.notebook.has_cell(cell_id):
            self.notebook.set_source(cell_id, source)
        else:
            self.notebook.insert_cell("code", source, id=cell_id)
        execution_id: str = (await self.executor.execute_cell(cell_id, "alice"))["execution_id"]
        return execution_id

    async def run(self, source: str, cell_id: str = "a", timeout_s: float = 60.0) -> Execution:
        """Run some source to its end."""
        execution_id = await self.begin(source, cell_id)
        await self.executor.wait(execution_id, timeout_s)
        execution = self.execution(execution_id)
        assert execution.has_ended, f"not over after {timeout_s} s"
        return execution

    async def until(self, condition: Callable[[], Any], deadline_s: float = 20.0) -> Any:
        """Wait until something is true; its value."""
        end = time.monotonic() + deadline_s
        while not (value := condition()):
            assert time.monotonic() < end, f"not within {deadline_s} s"
            await asyncio.sleep(0.01)
        return value

    def execution(self, execution_id: str) -> Execution:
        found = self.runtime.execution(execution_id)
        assert found is not None
        return found

    def outputs(self, execution: Execution | str) -> list[dict[str, Any]]:
        """The outputs as nbformat has them."""
        execution_id = execution if isinstance(execution, str) else execution.execution_id
        return [manifest_to_output(m, self.blobs.read) for _, m in self.runtime.outputs(execution_id)]

    def text(self, execution: Execution | str) -> str:
        """All that was printed."""
        return "".join(o["text"] for o in self.outputs(execution) if o["output_type"] == "stream")


@asynccontextmanager
async def kernel_room(
    folder: Path, kernel_name: str = "python3", *, kernel_manager: type[Any] | None = None, **settings: Any
) -> AsyncIterator[KernelRoom]:
    async with kernel_server(folder, kernel_manager) as server:
        room = KernelRoom(server, folder, kernel_name, **settings)
        room.executor.begin()
        try:
            yield room
        finally:
            await room.executor.stop(shutdown_kernel=True)
            await room.tasks.stop()
            room.blobs.close()
