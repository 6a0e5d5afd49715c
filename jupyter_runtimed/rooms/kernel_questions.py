"""What clients ask the kernel beside running cells: completion, inspection, history, is it complete.

Each question has a short limit and blocks nothing. While a cell runs the kernel answers none; questions wait here then,
not in the kernel, and those whose time is up are never put to it: what is run next need not wait for answers that
nobody wants any more. The others are put before the next cell begins, as if the kernel had had them all along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_runtimed.core.errors import KernelBusy, KernelDied, NoKernel
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.core.requests import Complete, History, Inspect, IsComplete
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.ports.clock import Clock, Timer

Ask = Callable[[str, dict[str, Any], str], None]
"""Sends a request on shell: type, content, message id. Raises NoKernel."""


@dataclass(slots=True)
class _Question:
    msg_type: str
    content: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]
    is_put: bool = False
    timer: Timer | None = None


class KernelQuestions:
    """Questions under way.

    Args:
        ask: sends one.
        new_id: a fresh message id.
        clock: the time.
        settings: how long to wait.
        is_free: whether the kernel has nothing to run for us.
    """

    def __init__(
        self,
        ask: Ask,
        new_id: Callable[[], str],
        clock: Clock,
        settings: ExecutorSettings,
        *,
        is_free: Callable[[], bool],
    ) -> None:
        self._ask = ask
        self._new_id = new_id
        self._clock = clock
        self._settings = settings
        self._is_free = is_free
        self._waiting: dict[str, _Question] = {}

    async def complete(self, request: Complete) -> dict[str, Any]:
        """The kernel's completions."""
        return await self.ask("complete_request", {"code": request.code, "cursor_pos": request.cursor_pos})

    async def inspect(self, request: Inspect) -> dict[str, Any]:
        """What the kernel knows of the word at the cursor."""
        content = {"code": request.code, "cursor_pos": request.cursor_pos, "detail_level": request.detail_level}
        return await self.ask("inspect_request", content)

    async def history(self, request: History) -> dict[str, Any]:
        """The last `n` inputs, or the last that match a pattern."""
        content = {"output": False, "raw": True, "hist_access_type": "tail", "n": request.n}
        if request.pattern is not None:
            content.update(hist_access_type="search", pattern=request.pattern, unique=True)
        return await self.ask("history_request", content)

    async def is_complete(self, request: IsComplete) -> dict[str, Any]:
        """Whether the kernel could run the code as it stands."""
        return await self.ask("is_complete_request", {"code": request.code})

    async def comms(self, target_name: str) -> dict[str, Any]:
        """The comms the kernel has, by id."""
        comms = (await self.ask("comm_info_request", {"target_name": target_name})).get("comms")
        return comms if isinstance(comms, dict) else {}

    async def ask(self, msg_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """Ask, and give the content of the reply.

        Raises:
            NoKernel: there is nobody to ask.
            KernelBusy: it did not answer in time.
            KernelDied: it ended meanwhile.
        """
        msg_id = self._new_id()
        question = _Question(msg_type, content, asyncio.get_running_loop().create_future())
        self._waiting[msg_id] = question
        try:
            if self._is_free():
                self._put(msg_id, question)
            else:
                self._limit(question, self._settings.busy_question_s, "is running a cell")
            return await question.answer
        finally:
            if question.timer is not None:
                question.timer.cancel()
            self._waiting.pop(msg_id, None)

    def release(self) -> None:
        """The kernel has ended a cell: put what has waited for it."""
        for msg_id, question in self._waiting.items():
            if not question.is_put and not question.answer.done():
                try:
                    self._put(msg_id, question)
                except NoKernel as error:
                    question.answer.set_exception(error)

    def receive(self, message: KernelMessage) -> bool:
        """Whether a message on shell is an answer to a question."""
        question = self._waiting.get(message.parent_id)
        if question is None:
            return False
        if not question.answer.done():
            question.answer.set_result(message.content)
        return True

    def fail_all(self, message: str) -> None:
        """The kernel is gone; nobody will answer."""
        for question in self._waiting.values():
            if not question.answer.done():
                question.answer.set_exception(KernelDied(message))

    def _put(self, msg_id: str, question: _Question) -> None:
        self._ask(question.msg_type, question.content, msg_id)
        question.is_put = True
        self._limit(question, self._settings.question_s, "is busy")

    def _limit(self, question: _Question, seconds: float, why: str) -> None:
        def give_up() -> None:
            if not question.answer.done():
                message = f"the kernel {why} and did not answer within {seconds:g} seconds"
                question.answer.set_exception(KernelBusy(message))

        if question.timer is not None:
            question.timer.cancel()
        question.timer = self._clock.call_later(seconds, give_up)
