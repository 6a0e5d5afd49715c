"""Running cells: a handle per execution, which follows the runtime document until its end.

What a handle says comes out of the document alone, so it is the same for whoever looks, and survives a reconnect.
"Done" is written after the last output, so a result is whole when it is there.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.errors import Disconnected, TimedOut
from jupyter_runtimed.client.feed import OutputFeed
from jupyter_runtimed.client.outputs import (
    ExecutionError,
    ExecutionResult,
    Output,
    error_of,
    output_from_manifest,
)
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.core.errors import AlreadyAnswered, NoSuchExecution, RuntimedError
from jupyter_runtimed.core.runtime import ENDED
from jupyter_runtimed.core.runtime import Execution as Record
from jupyter_runtimed.core.runtime_reader import RuntimeReader

InputCallback = Callable[[str, bool], "str | Awaitable[str]"]
"""Answers `input()`: takes the prompt and whether it is a password, returns the line or an awaitable of it."""

# An answer may overtake the document; only after this is the server asked what became of an execution.
_GRACE_S = 2.0


class Execution:
    """One run of one cell. Await it for its result.

    Attributes:
        execution_id: the Jupyter message id of the request as well.
        cell_id: the cell whose source was taken.
    """

    def __init__(self, peer: Peer, blobs: BlobCache, execution_id: str, cell_id: str) -> None:
        self.execution_id = execution_id
        self.cell_id = cell_id
        self._peer = peer
        self._blobs = blobs
        self._seen: tuple[RuntimeReader, int] | None = None
        self._now: Record | None = None
        self._last: Record | None = None
        self._input_failure: Exception | None = None

    def __repr__(self) -> str:
        return f"<Execution {self.execution_id} of cell {self.cell_id}: {self.status}>"

    def __await__(self) -> Generator[Any, None, ExecutionResult]:
        return self.result().__await__()

    # ---- what is known now ----

    def _look(self) -> Record | None:
        """What the document says of it now; None when it says nothing.

        The last that was said is kept, because an execution that no cell shows any more is removed from the document.
        """
        runtime = self._peer.view.runtime
        seen = (runtime, runtime.replica.log_end)
        if seen != self._seen:
            self._seen = seen
            self._now = runtime.execution(self.execution_id)
            self._last = self._now or self._last
        return self._now

    @property
    def _record(self) -> Record:
        self._look()
        return self._last or Record(self.execution_id, self.cell_id)

    @property
    def status(self) -> str:
        """One of "queued", "running", "done", "error", "cancelled"."""
        return self._record.status

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._record.has_ended

    @property
    def execution_count(self) -> int | None:
        return self._record.execution_count

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs so far; large values as references until they are fetched."""
        kept = self._blobs.kept
        return tuple(output_from_manifest(key, manifest, kept) for key, manifest in self._record.ordered_outputs())

    @property
    def error(self) -> ExecutionError | None:
        """Why it did not end well, or None."""
        return error_of(self.outputs, self._record.error)

    # ---- waiting ----

    async def result(self, timeout: float | None = None) -> ExecutionResult:
        """Wait until it has ended, and give what it left. A cell that raised is a result too.

        Args:
            timeout: seconds; None waits as long as the cell runs.

        Raises:
            TimedOut: it has not ended yet; it goes on, and the handle can be awaited again.
            NoSuchExecution: the server knows nothing of it any more (it was restarted).
        """
        await self._until(lambda: self.is_done, timeout)
        record = self._record
        outputs = await self._blobs.load(record.ordered_outputs())
        return ExecutionResult(
            cell_id=self.cell_id,
            execution_id=self.execution_id,
            status=record.status,
            execution_count=record.execution_count,
            outputs=outputs,
            error=error_of(outputs, record.error),
        )

    async def stream(self, timeout: float | None = None) -> AsyncIterator[Output]:
        """Outputs as they come, until the execution ends.

        An output that changes (a stream that grows, a display that is updated) is given again, whole, with the same
        `id`. What changes faster than it is taken is given once, in its newest form.

        Args:
            timeout: seconds between two of them; None waits as long as the cell runs.
        """
        feed = OutputFeed(self._blobs)
        while True:
            await self._until(lambda: self.is_done or feed.news(self._record.ordered_outputs()), timeout)
            ended = self.is_done
            for output_id, manifest in feed.news(self._record.ordered_outputs()):
                yield await feed.take(output_id, manifest)
            if ended and not feed.news(self._record.ordered_outputs()):
                return

    async def _until(self, test: Callable[[], object], timeout: float | None) -> None:
        what = f"execution {self.execution_id} of cell {self.cell_id}"
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout

        def came() -> object:
            if self._input_failure is not None:
                raise self._input_failure
            return test() or self._is_missing()

        while True:
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0 and not test():
                raise TimedOut(f"{what}: not within {timeout:g} s")
            await self._peer.waiters.until(came, left, what)
            if test():
                return
            await self._look_for_it(test)

    def _is_missing(self) -> bool:
        """Whether a runtime document that is complete says nothing of it."""
        return self._look() is None and self._peer.view.is_level

    async def _look_for_it(self, test: Callable[[], object]) -> None:
        """The document lacks it: it has not come yet, or was replaced, or the server has lost it."""
        try:
            await self._peer.waiters.until(
                lambda: test() or not self._is_missing(), _GRACE_S, "the execution to appear"
            )
        except TimedOut:
            try:
                answer = await self._peer.request("wait_for_execution", execution_id=self.execution_id, timeout=0)
            except (Disconnected, TimedOut):
                return
            if answer.get("status") in ENDED and self._is_missing():
                gone = f"execution {self.execution_id} ended ({answer['status']}); another run's outputs took its place"
                raise NoSuchExecution(gone, status=answer["status"]) from None

    # ---- input() ----

    def answer_with(self, callback: InputCallback) -> None:
        """Answer each `input()` of this execution with a callback."""
        self._peer.tasks.start(self._answer_inputs(callback), f"input of {self.execution_id}")

    async def _answer_inputs(self, callback: InputCallback) -> None:
        answered: set[str] = set()

        def asked() -> dict[str, Any] | None:
            request = self._record.input_request
            return dict(request) if request and request["request_id"] not in answered else None

        while True:
            try:
                await self._peer.waiters.until(lambda: self.is_done or asked(), None, "a question")
            except RuntimedError:
                return
            request = asked()
            if request is None:
                return
            answered.add(request["request_id"])
            try:
                reply = callback(str(request.get("prompt", "")), bool(request.get("password", False)))
                value = await reply if inspect.isawaitable(reply) else reply
                await self._peer.request("input_reply", request_id=request["request_id"], value=value)
            except AlreadyAnswered:
                continue
            except Exception as error:  # the caller's own code: whoever awaits this execution hears of it
                self._input_failure = error
                self._peer.waiters.notice()
                return


class Runner:
    """Asks a room to run cells and makes the handles."""

    def __init__(self, peer: Peer, blobs: BlobCache) -> None:
        self._peer = peer
        self.blobs = blobs
        self.on_input: InputCallback | None = None

    async def execute(self, cell_id: str, on_input: InputCallback | None = None) -> Execution:
        """Queue a cell, as we see it now, and return when the server has taken it."""
        answer = await self._peer.request("execute_cell", with_heads=True, cell_id=cell_id)
        return self._handle(answer["execution_id"], cell_id, on_input)

    async def execute_all(self, cell_ids: list[str] | None, on_input: InputCallback | None) -> list[Execution]:
        """Queue cells (None: every code cell) as we see them now; the first error cancels the rest."""
        fields: dict[str, Any] = {} if cell_ids is None else {"cell_ids": cell_ids}
        answer = await self._peer.request("run_all_cells", with_heads=True, **fields)
        return [self._handle(entry["execution_id"], entry["cell_id"], on_input) for entry in answer["queued"]]

    def follow(self, execution_id: str, cell_id: str) -> Execution:
        """The handle of an execution that anybody started."""
        return Execution(self._peer, self.blobs, execution_id, cell_id)

    def _handle(self, execution_id: str, cell_id: str, callback: InputCallback | None) -> Execution:
        execution = self.follow(execution_id, cell_id)
        answer = callback or self.on_input
        if answer is not None:
            execution.answer_with(answer)
        return execution
