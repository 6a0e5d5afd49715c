"""Requests that are under way: each has an id, one answer, and a deadline longer than the server's own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import msgspec

from jupyter_runtimed.client.errors import TimedOut, error_from_json
from jupyter_runtimed.core.frames import FrameType, encode_frame

# The server waits at most 10 s for heads and 30 s for a load; what it does afterwards takes time as well.
DEADLINE_S = 60.0
_KERNEL_DEADLINE_S = 180.0
_DEADLINES_S = {
    "start_kernel": _KERNEL_DEADLINE_S,
    "restart_kernel": _KERNEL_DEADLINE_S,
    "shutdown_kernel": _KERNEL_DEADLINE_S,
    "save_notebook": _KERNEL_DEADLINE_S,
}


def deadline_of(action: str, fields: Mapping[str, Any]) -> float:
    """How long to wait for an answer, in seconds."""
    if action == "wait_for_execution":
        return float(fields.get("timeout", 30.0)) + 30.0
    return _DEADLINES_S.get(action, DEADLINE_S)


class Answers:
    """Matches answers with their requests by id, in whatever order they come."""

    def __init__(self) -> None:
        self._due: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._due)

    def expect(self, action: str, fields: Mapping[str, Any]) -> tuple[bytes, asyncio.Future[dict[str, Any]]]:
        """A request frame, and the future of its result; whoever asked waits for it or cancels it."""
        request_id = f"c{next(self._numbers)}"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._due[request_id] = future
        future.add_done_callback(lambda _: self._due.pop(request_id, None))
        body = {"id": request_id, "action": action, **fields}
        return encode_frame(FrameType.REQUEST, msgspec.json.encode(body)), future

    @staticmethod
    async def wait(answer: asyncio.Future[dict[str, Any]], timeout: float, action: str) -> dict[str, Any]:
        """The result of a request.

        Raises:
            RuntimedError: the server's refusal, or what was given to `fail`; TimedOut.
        """
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError as error:
            if answer.done() and not answer.cancelled():
                raise
            raise TimedOut(f"no answer to {action} within {timeout:g} s") from error

    def receive(self, payload: bytes) -> None:
        """Take a response frame. An answer nobody waits for any more is dropped."""
        answer = msgspec.json.decode(payload)
        future = self._due.get(str(answer.get("id")))
        if future is None or future.done():
            return
        if answer.get("ok"):
            future.set_result(answer.get("result") or {})
        else:
            future.set_exception(error_from_json(answer.get("error")))

    def fail(self, error: Exception) -> None:
        """The socket is gone: the answers that are due will not come."""
        for future in tuple(self._due.values()):
            if not future.done():
                future.set_exception(error)
