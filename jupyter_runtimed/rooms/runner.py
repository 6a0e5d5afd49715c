"""Runs a room's queued cells one after the other, and writes down what becomes of each.

The queue's table (`core.execution_queue`) decides; here its transitions meet the kernel and the document. An
execution's id is the message id of its request, so everything the kernel says about it carries its name. It is over
when the kernel has both replied and become idle, in whatever order; its end is written after its last output.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_runtimed.core.document import Cell, NotebookDocument
from jupyter_runtimed.core.errors import NoKernel, NoSuchExecution, RuntimedError
from jupyter_runtimed.core.execution_queue import Entry, ExecutionQueue, Status, Transition
from jupyter_runtimed.core.ids import CellId, ExecutionId
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.core.native import is_count
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit
from jupyter_runtimed.rooms.output_sink import OutputSink, Urgency
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.ports.kernel import KernelSession

_log = logging.getLogger("jupyter_runtimed.rooms.runner")

_REMEMBERED = 4096
_HALF_OVER_SECONDS = 5.0
"""A kernel that has replied but does not become idle, or the other way round, is waited for so long."""

_NO_REPLY = {"code": "internal", "message": "the kernel did not say how it ended"}

Ended = tuple[str, int | None]
"""Status and execution count of an execution that is over."""


@dataclass(slots=True)
class _Run:
    """What the kernel works on for us."""

    entry: Entry
    reply: dict[str, Any] | None = None
    is_idle: bool = False
    has_begun: bool = False
    timer: Timer | None = None


class Runner:
    """See the module.

    Args:
        notebook: where sources are, and where cells point to executions.
        runtime: where executions are.
        sink: writes into it.
        session: the line to the kernel.
        clock: the time.
        new_id: a fresh execution id.
        on_begun: called when the kernel begins with an execution.
        on_free: called when the kernel has ended one, before it gets the next.
        on_ended: called when an execution is over and written.
        on_next_input: called with a cell id and a `set_next_input` payload.

    Attributes:
        latest: the execution that began last, over or not.
    """

    def __init__(
        self,
        notebook: NotebookDocument,
        runtime: RuntimeDocument,
        sink: OutputSink,
        session: KernelSession,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        on_begun: Callable[[], None],
        on_free: Callable[[], None],
        on_ended: Callable[[ExecutionId], None],
        on_next_input: Callable[[CellId, dict[str, Any]], None],
    ) -> None:
        self._notebook = notebook
        self._runtime = runtime
        self._sink = sink
        self._session = session
        self._clock = clock
        self._new_id = new_id
        self._on_begun = on_begun
        self._on_free = on_free
        self._on_ended = on_ended
        self._on_next_input = on_next_input
        self._queue = ExecutionQueue()
        self._run: _Run | None = None
        self.latest: ExecutionId | None = None
        self._lost: dict[ExecutionId, RuntimedError] = {}
        self._ended: OrderedDict[ExecutionId, Ended] = OrderedDict()
        self._waiting: dict[ExecutionId, list[asyncio.Future[None]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._queue.is_empty

    @property
    def running(self) -> ExecutionId | None:
        """The execution the kernel works on."""
        return self._run.entry.execution_id if self._run is not None else None

    def is_known(self, execution_id: ExecutionId) -> bool:
        """Whether an execution runs or waits."""
        return self._queue.status(execution_id) is not None

    @property
    def has_begun(self) -> bool:
        """Whether the kernel has said that it began with what runs."""
        return self._run is not None and self._run.has_begun

    # ---- queueing ------------------------------------------------------------------------------------------------

    def queue(self, cells: Sequence[Cell], submitted_by: str, *, is_batch: bool, may_begin: bool) -> list[ExecutionId]:
        """Queue code cells with their present sources, and let them show what comes of it.

        Args:
            cells: in the order in which they shall run.
            submitted_by: who asked.
            is_batch: whether an error in one of them cancels the others.
            may_begin: whether there is a kernel to begin with.

        Returns:
            The execution of each cell.
        """
        now = self._now()
        batch = self._new_id() if is_batch else None
        entries = [Entry(ExecutionId(self._new_id()), CellId(cell.id), cell.source, batch) for cell in cells]
        for entry in entries:
            self._queue.queue(entry)
        queued = {entry.cell_id for entry in entries}
        kept = {cell.execution_id for cell in self._notebook.cells() if cell.id not in queued}
        begun = self._begin() if may_begin else None
        with self._runtime.edit() as edit:
            for cell, entry in zip(cells, entries, strict=True):
                runs = entry is begun
                edit.add_execution(
                    entry.execution_id,
                    cell.id,
                    seq=self._runtime.next_seq(),
                    status=(Status.RUNNING if runs else Status.QUEUED).value,
                    submitted_by=submitted_by,
                    queued_at=now,
                    started_at=now if runs else None,
                )
                if cell.execution_id not in kept:
                    self._remove_if_over(edit, cell.execution_id)
        self._notebook.set_execution_ids({entry.cell_id: entry.execution_id for entry in entries})
        return [entry.execution_id for entry in entries]

    def kernel_ready(self) -> None:
        """There is a kernel: begin with what waits."""
        self._begin_next()

    # ---- what the kernel says ------------------------------------------------------------------------------------

    def receive(self, message: KernelMessage) -> None:
        """Take in an IOPub message or a reply of ours or of an execution that is over."""
        run = self._run
        if run is None or message.parent_id != run.entry.execution_id:
            self._sink.receive(ExecutionId(message.parent_id), message.msg_type, message.content)
            return
        if message.msg_type == "status":
            run.is_idle = run.is_idle or message.content.get("execution_state") == "idle"
        elif message.msg_type == "execute_reply":
            run.reply = message.content
            self._take_payloads(run, message.content.get("payload"))
        elif message.msg_type == "execute_input":
            self._set_count(run.entry.execution_id, message.content.get("execution_count"))
            self._note_begun(run)
        else:
            self._note_begun(run)
            self._sink.receive(run.entry.execution_id, message.msg_type, message.content)
        if run.reply is not None and run.is_idle:
            self._finish(run)
        elif run.reply is not None or run.is_idle:
            self._wait_for_other_half(run)

    def _note_begun(self, run: _Run) -> None:
        if not run.has_begun:
            run.has_begun = True
            self._on_begun()

    def _take_payloads(self, run: _Run, payloads: Any) -> None:
        for payload in payloads if isinstance(payloads, list) else []:
            if not isinstance(payload, dict):
                continue
            if payload.get("source") == "page":
                data = payload.get("data")
                if isinstance(data, dict):
                    self._sink.receive(run.entry.execution_id, "display_data", {"data": data, "metadata": {}})
            elif payload.get("source") == "set_next_input":
                self._on_next_input(run.entry.cell_id, payload)

    def _set_count(self, execution_id: ExecutionId, count: Any) -> None:
        if is_count(count):
            self._sink.change_execution(
                execution_id, lambda edit: edit.update_execution(execution_id, execution_count=count)
            )

    def _wait_for_other_half(self, run: _Run) -> None:
        """From the last message on: a flood may take long after the reply."""
        if run.timer is not None:
            run.timer.cancel()
        run.timer = self._clock.call_later(_HALF_OVER_SECONDS, lambda: self._give_up(run))

    def _give_up(self, run: _Run) -> None:
        if self._run is run:
            _log.warning("execution half over execution=%s has_reply=%s", run.entry.execution_id, run.reply is not None)
            self._finish(run)
            self._sink.wake()

    # ---- ends ----------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Cancel what is queued now."""
        self._write_down(self._queue.interrupt())

    def cells_deleted(self) -> None:
        """Cancel what is queued for cells that are not there any more."""
        gone = {entry.cell_id for entry in self._queue.queued if not self._notebook.has_cell(entry.cell_id)}
        for cell_id in gone:
            self._write_down(self._queue.cell_deleted(cell_id))

    def kernel_gone(self, error: RuntimedError) -> None:
        """End everything; nothing will come of it."""
        if self._run is not None:
            self._sink.outputs.end(self._run.entry.execution_id)
        self._drop_run()
        self._write_down(self._queue.kernel_gone(error.to_json()))

    def launch_failed(self, error: RuntimedError) -> None:
        """There is no kernel for what waits."""
        if self._run is None:
            self._write_down(self._queue.launch_failed(error.to_json()))

    def output_lost(self, execution_id: ExecutionId, error: RuntimedError) -> None:
        """Some of its output could not be stored: the execution will say so."""
        self._lost.setdefault(execution_id, error)

    def _finish(self, run: _Run) -> None:
        execution_id = run.entry.execution_id
        reply = run.reply if run.reply is not None else {"status": "error"}
        status = reply.get("status", "ok")
        if status == "error" and not self._sink.outputs.has_error(execution_id) and "ename" in reply:
            # Some kernels say so in the reply alone.
            raised = {key: reply[key] for key in ("ename", "evalue", "traceback") if key in reply}
            self._sink.receive(execution_id, "error", raised)
        self._sink.outputs.end(execution_id)
        self._set_count(execution_id, reply.get("execution_count"))
        self._drop_run()
        if status == "ok":
            self._write_down(self._queue.done(execution_id))
        elif status == "error":
            self._write_down(self._queue.failed(execution_id, None if run.reply is not None else _NO_REPLY))
        else:
            self._write_down(self._queue.aborted(execution_id))
        self._on_free()
        self._begin_next()

    def _drop_run(self) -> None:
        if self._run is not None and self._run.timer is not None:
            self._run.timer.cancel()
        self._run = None

    def _write_down(self, transitions: Sequence[Transition]) -> None:
        now = self._now()
        for transition in transitions:
            self._write_end(transition, now)

    def _write_end(self, transition: Transition, now: str) -> None:
        execution_id = transition.entry.execution_id

        def write(edit: RuntimeEdit) -> None:
            status, error = transition.status, transition.error
            lost = self._lost.get(execution_id)
            if lost is not None and status is Status.DONE:
                status, error = Status.ERROR, lost.to_json()
            edit.update_execution(execution_id, status=status.value, finished_at=now, error=error, input_request=None)
            execution = self._runtime.executions[execution_id]
            self._remember(execution_id, (status.value, execution.execution_count))
            if not self._is_shown(execution_id, transition.entry.cell_id):
                self._remove_if_over(edit, execution_id)

        self._sink.change_execution(execution_id, write, Urgency.NOW)
        self._sink.after(lambda: self._tell_ended(execution_id), Urgency.NOW)

    def _remember(self, execution_id: ExecutionId, ended: Ended) -> None:
        self._ended[execution_id] = ended
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def _tell_ended(self, execution_id: ExecutionId) -> None:
        self._lost.pop(execution_id, None)
        for future in self._waiting.pop(execution_id, ()):
            if not future.done():
                future.set_result(None)
        self._on_ended(execution_id)

    # ---- looking -------------------------------------------------------------------------------------------------

    async def wait(self, execution_id: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the end of an execution; how it stands then.

        Raises:
            NoSuchExecution: nobody knows of it.
        """
        wanted = ExecutionId(execution_id)
        if self._queue.status(wanted) is not None or (wanted in self._runtime.executions and not self._is_over(wanted)):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(wanted, []).append(future)
            timer = self._clock.call_later(timeout_s, lambda: None if future.done() else future.set_result(None))
            try:
                await future
            finally:
                timer.cancel()
                futures = self._waiting.get(wanted, [])
                if future in futures:
                    futures.remove(future)
        execution = self._runtime.execution(execution_id)
        if execution is not None:
            return {"status": execution.status, "execution_count": execution.execution_count}
        if wanted not in self._ended:
            raise NoSuchExecution(f"there is no execution {execution_id[:80]!r}", execution_id=execution_id[:80])
        status, count = self._ended[wanted]
        return {"status": status, "execution_count": count}

    # ---- beginning -----------------------------------------------------------------------------------------------

    def _begin_next(self) -> None:
        entry = self._begin()
        if entry is not None:
            execution_id, now = entry.execution_id, self._now()
            self._sink.change_execution(
                execution_id,
                lambda edit: edit.update_execution(execution_id, status=Status.RUNNING.value, started_at=now),
            )

    def _begin(self) -> Entry | None:
        """Send the next execution to the kernel, when it has nothing to do for us."""
        transition = self._queue.start()
        if transition is None:
            return None
        entry = transition.entry
        self._run = _Run(entry)
        self.latest = entry.execution_id
        self._sink.begin(entry.execution_id)
        content = {
            "code": entry.source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            # What an error stops is for our queue to say, not for the kernel's.
            "stop_on_error": False,
        }
        try:
            self._session.send(
                "shell", "execute_request", content, msg_id=entry.execution_id, metadata={"cellId": entry.cell_id}
            )
        except NoKernel:
            # It has just gone; the notice that ends this execution is on its way.
            _log.info("kernel gone before execution=%s", entry.execution_id)
        return entry

    def _is_shown(self, execution_id: ExecutionId, cell_id: CellId) -> bool:
        if self._notebook.has_cell(cell_id) and self._notebook.cell(cell_id).execution_id == execution_id:
            return True
        return execution_id in self._notebook.shown_executions()

    def _is_over(self, execution_id: ExecutionId) -> bool:
        execution = self._runtime.executions.get(execution_id)
        return execution is not None and execution.has_ended and self._queue.status(execution_id) is None

    def _remove_if_over(self, edit: RuntimeEdit, execution_id: str | None) -> None:
        """Remove an execution that no cell shows any more."""
        if execution_id is not None and self._is_over(ExecutionId(execution_id)):
            self._sink.forget(ExecutionId(execution_id))
            edit.remove_execution(execution_id)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
