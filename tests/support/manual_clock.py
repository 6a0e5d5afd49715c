"""A clock that stands still until the test turns it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta, timezone


class ManualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """`rooms.ports.clock.Clock` by hand. `sleep(0)` only lets others run; everything else waits for `advance`."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._due: list[tuple[float, int, ManualTimer]] = []
        self._number = 0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(callback)
        self._number += 1
        heapq.heappush(self._due, (self._elapsed_s + max(0.0, delay_s), self._number, timer))
        return timer

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Let time pass; what is due is called at its moment, and what that starts is given turns to run."""
        end = self._elapsed_s + seconds
        await settle()
        while self._due and self._due[0][0] <= end:
            moment, _, timer = heapq.heappop(self._due)
            self._elapsed_s = max(self._elapsed_s, moment)
            if timer.callback is not None:
                timer.callback()
                await settle()
        self._elapsed_s = end
        await settle()


async def settle(turns: int = 20) -> None:
    """Let everything that can run now run."""
    for _ in range(turns):
        await asyncio.sleep(0)
