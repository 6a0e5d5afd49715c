"""Requests that wait for changes to arrive.

Invariants: a wait ends when the document contains the changes, or when its time is up, and then nothing was done.
Waits end in the order in which they began. There is a bound on their number, since each costs memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_runtimed.core.errors import HeadsMissing
from jupyter_runtimed.core.ids import Heads, heads_to_hex
from jupyter_runtimed.rooms.ports.clock import Clock

MAX_WAITERS = 10_000


class HeadWaiters:
    """The waits of one room.

    Args:
        contains: whether the document's history has all of these changes.
        clock: for the bound.
        timeout_s: how long a wait may last.
    """

    def __init__(self, contains: Callable[[Heads], bool], clock: Clock, timeout_s: float) -> None:
        self._contains = contains
        self._clock = clock
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Future[None], Heads] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, heads: Heads) -> None:
        """Return once the document contains `heads`; without giving up the turn when it does already.

        Raises:
            HeadsMissing: not in time.
        """
        if self._contains(heads):
            return
        if len(self._waiting) >= MAX_WAITERS:
            raise HeadsMissing("too many requests wait for changes in this room")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = heads
        timer = self._clock.call_later(self._timeout_s, lambda: self._give_up(future))
        try:
            await future
        finally:
            timer.cancel()
            self._waiting.pop(future, None)

    def advanced(self) -> None:
        """The document has changed: end the waits whose changes are there."""
        if not self._waiting:
            return
        for future, heads in list(self._waiting.items()):
            if self._contains(heads):
                del self._waiting[future]
                if not future.done():
                    future.set_result(None)

    def fail(self, error: Exception) -> None:
        """The room will never have them: end all waits."""
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _give_up(self, future: asyncio.Future[None]) -> None:
        heads = self._waiting.pop(future, ())
        if future.done():
            return
        missing = [head for head in heads if not self._contains((head,))]
        future.set_exception(
            HeadsMissing(
                f"{len(missing)} of the changes in required_heads did not arrive within {self._timeout_s:g} s;"
                " nothing was done. Send your changes and ask again.",
                missing=heads_to_hex(missing),
            )
        )
