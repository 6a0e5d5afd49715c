"""The part of a room that runs cells: requests on one side, the kernel's messages on the other.

It composes what each does for itself: `kernel_keeper` (is there a kernel), `runner` (what runs and waits),
`output_sink` (writing outputs), `stdin`, `comms`, `kernel_questions`. Messages are taken in bursts, each burst without
a wait, and what became due is written at its end; while too much waits to be written no more is taken.

The first thing a request does it does before its first wait, so requests act in the order in which they came.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from jupyter_runtimed.core.document import Cell, NotebookDocument
from jupyter_runtimed.core.errors import BadRequest, KernelDied, NoKernel, RuntimedError
from jupyter_runtimed.core.ids import CellId, ExecutionId
from jupyter_runtimed.core.messages import KernelEvent, KernelMessage, KernelNews, KernelNotice
from jupyter_runtimed.core.requests import Comm, Complete, History, InputReply, Inspect, IsComplete, PutOutputs
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.activity import Activity
from jupyter_runtimed.rooms.comms import COMM_TYPES, Comms
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.interrupts import Interrupts
from jupyter_runtimed.rooms.kernel_keeper import KernelKeeper, KernelState
from jupyter_runtimed.rooms.kernel_listener import KernelListener
from jupyter_runtimed.rooms.kernel_questions import KernelQuestions
from jupyter_runtimed.rooms.kernel_view import KernelView
from jupyter_runtimed.rooms.leftovers import end_leftovers, has_leftovers
from jupyter_runtimed.rooms.next_input import put_next_input
from jupyter_runtimed.rooms.output_clearing import clear_outputs
from jupyter_runtimed.rooms.output_pasting import OutputPasting
from jupyter_runtimed.rooms.output_sink import OutputSink
from jupyter_runtimed.rooms.ports.blobs import Blobs
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.kernel import KernelSession
from jupyter_runtimed.rooms.runner import Runner
from jupyter_runtimed.rooms.stdin import Stdin
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms.executor")

_SHOWN_WHILE = frozenset({"execute_request", "comm_open", "comm_msg", "comm_close"})
"""The kernel is busy with these; with completions and the like it is too, but nobody wants to see that."""


class Executor:
    """A `rooms.services.RoomExecutor`. `begin` starts it, `stop` ends it.

    Args:
        notebook: the room's notebook document.
        runtime: the room's runtime document.
        session: the room's line to its kernel.
        blobs: where large and binary content goes.
        clock: the time.
        tasks: the room's.
        new_id: a fresh execution or message id.
        settings: what an operator may decide.
        kernel_name: the kernelspec to use when the notebook names none.
        on_event: takes what only those who listen now will hear.
        on_idle: called when nothing runs, waits or is unwritten any more.
    """

    def __init__(
        self,
        notebook: NotebookDocument,
        runtime: RuntimeDocument,
        session: KernelSession,
        blobs: Blobs,
        clock: Clock,
        tasks: Tasks,
        *,
        new_id: Callable[[], str],
        settings: ExecutorSettings | None = None,
        kernel_name: str | None = None,
        on_event: Callable[[dict[str, Any]], None] = lambda _: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._notebook = notebook
        self._runtime = runtime
        self._session = session
        self._clock = clock
        self._tasks = tasks
        self._new_id = new_id
        self._settings = settings or ExecutorSettings()
        self._on_idle = on_idle
        self._was_active = self._is_stopped = False
        limits = self._settings.limits
        self._sink = OutputSink(
            runtime,
            blobs,
            clock,
            tasks,
            limits=limits,
            output_limits=self._settings.output_limits,
            on_lost=lambda *lost: self._runner.output_lost(*lost),
            on_written=self._look_idle,
        )
        self._view = KernelView(notebook, runtime, self._sink, kernel_name)
        self._keeper = KernelKeeper(
            session,
            clock,
            tasks,
            cooldown_seconds=self._settings.cooldown_s,
            preferred=self._view.preferred,
            show=self._show_kernel,
            on_failed=self._launch_failed,
        )
        self._runner = Runner(
            notebook,
            runtime,
            self._sink,
            session,
            clock,
            new_id=new_id,
            on_begun=lambda: self._interrupts.begun(),
            on_free=lambda: self._questions.release(),
            on_ended=self._execution_ended,
            on_next_input=partial(put_next_input, notebook, new_id),
        )
        self._interrupts = Interrupts(self._keeper, self._runner, clock, tasks)
        self._activity = Activity(session, clock, self._settings.activity_s, lambda: not self._runner.is_empty)
        self._listener = KernelListener(session, self._sink, clock, self._take)
        self._pasting = OutputPasting(notebook, runtime, self._sink, blobs, limits, new_id)
        self._stdin = Stdin(self._sink)
        self._questions = KernelQuestions(
            self._ask, new_id, clock, self._settings, is_free=lambda: self._runner.running is None
        )
        self._comms = Comms(runtime, self._sink, limits, self._send_comm, on_event)

    # ---- life ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Listen to the kernel. What an earlier life of the server left unfinished is over."""
        self._view.show({"status": "not_started", "kernel_id": None, "error": None})
        self._comms.forget_all()
        if has_leftovers(self._runtime):
            self._sink.change(partial(end_leftovers, self._runtime, self._runner.is_known))
        self._sink.wake()
        self._tasks.start(self._listener.listen(), "kernel events")

    async def stop(self, *, shutdown_kernel: bool) -> None:
        """Let go of the kernel, or end it. Outputs that have come are in the document afterwards."""
        self._is_stopped = True
        self._activity.stop()
        self._lose("the notebook was closed")
        await self._sink.settle()
        if shutdown_kernel:
            try:
                await self._keeper.shutdown()
            except RuntimedError as error:
                _log.warning("kernel left to itself cause=%s", error.message)
        await self._session.close()

    @property
    def is_active(self) -> bool:
        """Whether something runs, waits, or is not written yet."""
        return not self._runner.is_empty or self._keeper.state is KernelState.STARTING or self._sink.is_busy

    @property
    def has_kernel(self) -> bool:
        """Whether there is a kernel, or one is being started."""
        return self._keeper.is_there

    def kernel_object(self) -> dict[str, Any]:
        """`{"name", "display_name", "language", "status", "kernel_id"}`."""
        return self._view.to_json()

    # ---- running -------------------------------------------------------------------------------------------------

    async def execute_cell(self, cell_id: str, submitted_by: str) -> dict[str, Any]:
        """Queue a cell. Raises NoSuchCell, BadRequest."""
        cell = self._code_cell(cell_id)
        (execution_id,) = self._queue([cell], submitted_by, is_batch=False)
        return {"execution_id": execution_id, "cell_id": cell_id}

    async def run_all(self, cell_ids: list[str] | None, submitted_by: str) -> list[dict[str, Any]]:
        """Queue these cells, or all code cells, which stop at their first error. Raises NoSuchCell, BadRequest."""
        if cell_ids is None:
            cells = [cell for cell in self._notebook.cells() if cell.cell_type == "code"]
        else:
            cells = [self._code_cell(cell_id) for cell_id in cell_ids]
        executions = self._queue(cells, submitted_by, is_batch=True) if cells else []
        return [
            {"cell_id": cell.id, "execution_id": execution_id}
            for cell, execution_id in zip(cells, executions, strict=True)
        ]

    async def interrupt(self) -> None:
        """Cancel what is queued now, and interrupt what runs. Raises NoKernel."""
        if not self._keeper.is_there:
            raise NoKernel("there is no kernel to interrupt")
        self._runner.interrupt()
        self._stdin.clear()
        self._sink.wake()
        await self._interrupts.interrupt()

    async def restart(self) -> dict[str, Any]:
        """Restart the kernel; what ran and waited for one that had answered is over. Raises NoKernel, KernelDied."""
        await self._keeper.look()
        if self._keeper.is_ready:
            self._lose("the kernel was restarted")
        await self._keeper.restart()
        return self.kernel_object()

    async def shutdown(self) -> dict[str, Any]:
        """Shut the kernel down; what ran and waited is over at once. Raises Internal when it is still there."""
        self._lose("the kernel was shut down")
        await self._keeper.shutdown()
        return self.kernel_object()

    async def start(self, kernel_name: str | None) -> dict[str, Any]:
        """Start a kernel, or replace one of another name. Raises NoKernel, KernelDied."""
        kernel = self._session.kernel
        if self._keeper.is_ready and (kernel is None or kernel_name not in {None, kernel.name}):
            self._lose("another kernel was chosen" if kernel is not None else "the kernel was shut down")
        self._was_active = True
        try:
            started = await self._keeper.start(kernel_name)
        finally:
            self._look_idle()
        self._view.remember(started, is_chosen=kernel_name is not None)
        return {**self.kernel_object(), "kernel_id": started.kernel_id, "name": started.name}

    async def clear_outputs(self, cell_ids: list[str] | None) -> None:
        """Empty these cells, or all. What runs goes on and shows what is to come. Raises NoSuchCell."""
        ids = self._notebook.cell_ids() if cell_ids is None else cell_ids
        clear_outputs(self._notebook, self._runtime, self._sink, [CellId(cell_id) for cell_id in ids])
        self._sink.wake()

    async def put_outputs(self, request: PutOutputs, submitted_by: str) -> str:
        """Let a cell show outputs that it was pasted with. Raises as `OutputPasting.put`."""
        execution_id = await self._pasting.put(request, submitted_by)
        self._sink.wake()
        return execution_id

    async def wait(self, execution_id: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the end of an execution; how it stands then. Raises NoSuchExecution."""
        return await self._runner.wait(execution_id, timeout_s)

    def notebook_changed(self) -> None:
        """Cells may have been deleted: cancel what is queued for those."""
        self._runner.cells_deleted()
        self._sink.wake()

    async def path_changed(self, path: str) -> None:
        """The notebook has another path."""
        await self._session.move(path)

    # ---- talking to the kernel -----------------------------------------------------------------------------------

    async def complete(self, request: Complete) -> dict[str, Any]:
        """The kernel's completions. Raises NoKernel, KernelBusy, as do the other questions."""
        return await self._questions.complete(request)

    async def inspect(self, request: Inspect) -> dict[str, Any]:
        """What the kernel knows of the word at the cursor."""
        return await self._questions.inspect(request)

    async def history(self, request: History) -> dict[str, Any]:
        """The last `n` inputs, or the last that match a pattern."""
        return await self._questions.history(request)

    async def is_complete(self, request: IsComplete) -> dict[str, Any]:
        """Whether the kernel could run the code as it stands."""
        return await self._questions.is_complete(request)

    async def input_reply(self, request: InputReply) -> None:
        """Answer `input()`. Raises AlreadyAnswered, NoKernel."""
        if not self._keeper.is_ready:
            raise NoKernel("there is no kernel that asks anything")
        self._stdin.answer(request.request_id, request.value)
        self._session.send("stdin", "input_reply", {"value": request.value}, msg_id=self._new_id())
        self._sink.wake()

    async def comm(self, request: Comm) -> None:
        """Pass a comm message on. Raises BadRequest, NoKernel."""
        self._comms.request(request.msg_type, request.content, request.metadata, request.buffers)
        self._sink.wake()

    # ---- what the kernel says ------------------------------------------------------------------------------------

    def _take(self, event: KernelEvent) -> None:
        if isinstance(event, KernelNotice):
            self._take_notice(event)
        elif event.channel == "stdin":
            if event.msg_type == "input_request":
                self._take_question(event)
        elif event.channel == "iopub":
            self._take_broadcast(event)
        elif not self._questions.receive(event):
            self._runner.receive(event)

    def _take_question(self, message: KernelMessage) -> None:
        # A widget's callback may ask too; it has no cell, so the one that ran last asks for it.
        asking = next(
            (asked for asked in (message.parent_id, self._runner.latest) if asked in self._runtime.executions), None
        )
        if asking is None:
            self._session.send("stdin", "input_reply", {"value": ""}, msg_id=self._new_id())
        else:
            self._stdin.ask(message, ExecutionId(asking))

    def _take_broadcast(self, message: KernelMessage) -> None:
        if message.msg_type in COMM_TYPES:
            self._comms.receive(message)
            return
        if message.msg_type == "status" and message.parent_type in _SHOWN_WHILE:
            state = message.content.get("execution_state")
            if state in ("busy", "idle"):
                self._view.show({"status": state})
        if not self._comms.capture(message.parent_id, message.msg_type, message.content):
            self._runner.receive(message)

    def _take_notice(self, notice: KernelNotice) -> None:
        if notice.news is KernelNews.READY and notice.kernel is not self._session.kernel:
            return  # that life is over already
        before = self._keeper.state
        if before is KernelState.READY:
            self._lose(notice.message)
        self._keeper.notice(notice)
        if notice.news is KernelNews.READY:
            if notice.kernel is not None and (notice.is_chosen or before is KernelState.STARTING):
                self._view.remember(notice.kernel, is_chosen=notice.is_chosen)
            elif before is KernelState.ABSENT:
                self._tasks.start(self._restore_comms(), "restore comms")
            self._runner.kernel_ready()
        elif not self._keeper.is_there and not self._runner.is_empty and not self._is_stopped:
            # It was asked for while the kernel was expected back.
            self._keeper.want()

    def _lose(self, message: str) -> None:
        """What the kernel was asked is lost."""
        self._runner.kernel_gone(KernelDied(message))
        self._comms.forget_all()
        self._stdin.clear()
        self._questions.fail_all(message)
        self._sink.wake()

    async def _restore_comms(self) -> None:
        """A kernel that was there before the room may have widgets."""
        try:
            comms = await self._questions.comms("jupyter.widget")
        except RuntimedError:
            return
        self._comms.restore(comms)
        self._sink.wake()

    # ---- parts -------------------------------------------------------------------------------------------------

    def _code_cell(self, cell_id: str) -> Cell:
        cell = self._notebook.cell(cell_id)
        if cell.cell_type != "code":
            raise BadRequest(f"only code cells run; {cell_id[:80]!r} is a {cell.cell_type} cell")
        return cell

    def _queue(self, cells: Sequence[Cell], submitted_by: str, *, is_batch: bool) -> list[ExecutionId]:
        if self._keeper.is_ready and (self._session.kernel is None or self._session.is_replaced):
            # What is asked for from now on is for the next kernel: its notice must not end it with what came before.
            self._lose("the kernel was restarted")
            self._keeper.replaced()
        executions = self._runner.queue(cells, submitted_by, is_batch=is_batch, may_begin=self._keeper.is_ready)
        self._was_active = True
        if not self._keeper.is_ready:
            self._keeper.want()
        self._activity.report()
        self._sink.wake()
        return executions

    def _execution_ended(self, execution_id: ExecutionId) -> None:
        self._stdin.end(execution_id)
        self._look_idle()

    def _launch_failed(self, error: RuntimedError) -> None:
        self._runner.launch_failed(error)
        self._sink.wake()

    def _look_idle(self) -> None:
        if self._was_active and not self.is_active:
            self._was_active = False
            self._on_idle()

    def _show_kernel(self, fields: dict[str, Any]) -> None:
        self._view.show(fields)
        if not self._listener.is_taking:
            self._sink.wake()

    def _ask(self, msg_type: str, content: dict[str, Any], msg_id: str) -> None:
        if not self._keeper.is_ready:
            raise NoKernel("there is no kernel; run a cell or start one")
        self._session.send("shell", msg_type, content, msg_id=msg_id)

    def _send_comm(
        self, msg_type: str, content: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[bytes]
    ) -> None:
        self._session.send("shell", msg_type, content, msg_id=self._new_id(), metadata=metadata, buffers=buffers)
