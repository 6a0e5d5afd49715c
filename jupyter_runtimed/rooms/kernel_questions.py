"""What clients ask the kernel beside running cells: completion, inspection, history, is it complete.

Each question has a short limit and blocks nothing: a kernel that is at work answers none of them in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jupyter_runtimed.core.errors import KernelBusy, KernelDied
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.core.requests import Complete, History, Inspect, IsComplete
from jupyter_runtimed.rooms.ports.clock import Clock

Ask = Callable[[str, dict[str, Any], str], None]
"""Sends a request on shell: type, content, message id. Raises NoKernel."""


class KernelQuestions:
    """Questions under way.

    Args:
        ask: sends one.
        new_id: a fresh message id.
        clock: the time.
        limit_seconds: how long to wait for an answer.
    """

    def __init__(self, ask: Ask, new_id: Callable[[], str], clock: Clock, limit_seconds: float) -> None:
        self._ask = ask
        self._new_id = new_id
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

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
        self._ask(msg_type, content, msg_id)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[msg_id] = answer
        timer = self._clock.call_later(self._limit_seconds, lambda: self._give_up(msg_id))
        try:
            return await answer
        finally:
            timer.cancel()
            self._waiting.pop(msg_id, None)

    def receive(self, message: KernelMessage) -> bool:
        """Whether a message on shell is an answer to a question."""
        answer = self._waiting.get(message.parent_id)
        if answer is None:
            return False
        if not answer.done():
            answer.set_result(message.content)
        return True

    def fail_all(self, message: str) -> None:
        """The kernel is gone; nobody will answer."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(KernelDied(message))

    def _give_up(self, msg_id: str) -> None:
        answer = self._waiting.get(msg_id)
        if answer is not None and not answer.done():
            answer.set_exception(
                KernelBusy(f"the kernel is busy and did not answer within {self._limit_seconds:g} seconds")
            )
