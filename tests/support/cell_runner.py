"""An executor between a notebook, a runtime document and a kernel in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jupyter_runtimed.core.crdt import ROOT, new_actor
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import manifest_to_output
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument
from jupyter_runtimed.rooms.executor import Executor
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.tasks import Tasks
from tests.support.fake_kernel import FakeKernelSession
from tests.support.manual_clock import ManualClock, settle
from tests.support.room_ports import FakeBlobs

ALICE = "alice"


class CellRunner:
    """Cells `a`, `b`, `c` (code) and `m` (markdown), and what runs them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.blobs = FakeBlobs()
        self.kernel = FakeKernelSession()
        self.tasks = Tasks("executor under test")
        self.notebook = NotebookDocument(new_notebook_replica(new_actor()))
        for name in ("a", "b", "c"):
            self.notebook.insert_cell("code", f"source of {name}", id=name)
        self.notebook.insert_cell("markdown", "# text", id="m")
        self.runtime = RuntimeDocument(new_actor())
        self.events: list[dict[str, Any]] = []
        self.idles = 0
        self._ids = 0
        self.executor = Executor(
            self.notebook,
            self.runtime,
            self.kernel,
            self.blobs,
            self.clock,
            self.tasks,
            new_id=self._new_id,
            settings=ExecutorSettings(limits=Limits(max_inline_bytes=100), **settings),
            on_event=self.events.append,
            on_idle=self._count_idle,
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def _count_idle(self) -> None:
        assert not self.executor.is_active
        self.idles += 1

    async def run(self, cell_id: str = "a", by: str = ALICE) -> str:
        """Ask for a cell; its execution."""
        result = await self.executor.execute_cell(cell_id, by)
        await settle()
        execution_id: str = result["execution_id"]
        return execution_id

    async def run_all(self, *cell_ids: str) -> list[str]:
        queued = await self.executor.run_all(list(cell_ids) or None, ALICE)
        await settle()
        return [entry["execution_id"] for entry in queued]

    def execution(self, execution_id: str) -> Execution:
        found = self.runtime.execution(execution_id)
        assert found is not None
        return found

    def statuses(self, *execution_ids: str) -> list[str]:
        return [self.execution(execution_id).status for execution_id in execution_ids]

    def shown(self, execution_id: str) -> list[Any]:
        """Each output: (stream name, text), text/plain, or the name of the error."""
        found: list[Any] = []
        for _, manifest in self.runtime.outputs(execution_id):
            output = manifest_to_output(manifest, self.blobs.read)
            if output["output_type"] == "stream":
                found.append((output["name"], output["text"]))
            else:
                found.append(output["data"]["text/plain"] if "data" in output else output["ename"])
        return found

    @property
    def changes(self) -> int:
        """How many changes the runtime document has had."""
        return self.runtime.replica.log_end

    def is_mirrored(self) -> bool:
        """Whether document and mirror say the same."""
        document = {key: self.runtime.replica.engine.value(ROOT, key) for key in ("kernel", "executions", "comms")}
        state = json.loads(json.dumps(self.runtime.state()))
        return all(document[key] == state[key] for key in document)


@asynccontextmanager
async def cell_runner(*, with_kernel: bool = True, **settings: Any) -> AsyncIterator[CellRunner]:
    runner = CellRunner(**settings)
    runner.executor.begin()
    try:
        if with_kernel:
            runner.kernel.live()
        await runner.clock.advance(1)
        runner.kernel.sent.clear()
        yield runner
        await runner.clock.advance(10)
    finally:
        await runner.tasks.stop()
