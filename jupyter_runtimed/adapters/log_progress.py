"""How far a log has come, who waits for it, and when it writes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jupyter_runtimed.core.errors import RuntimedError


@dataclass(frozen=True, slots=True)
class Pace:
    """When a log writes.

    Attributes:
        gather_s: how long appends are gathered before one fsync makes them durable together.
        retry_s: the first pause after a failure; it doubles up to `max_retry_s`.
        min_growth_bytes: the log is not rewritten before it has grown by so much.
        growth: it is rewritten when it is so many times as large as after the last rewrite.
        max_buffer_bytes: while writing fails, a larger buffer is given up for a rewrite, which covers it.
    """

    gather_s: float = 0.030
    retry_s: float = 0.5
    max_retry_s: float = 10.0
    min_growth_bytes: int = 2 << 20
    growth: float = 4.0
    max_buffer_bytes: int = 16 << 20

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.max_retry_s, self.retry_s * 2.0 ** min(failures - 1, 10))

    def is_grown(self, size: int, base_size: int) -> bool:
        """Whether a log of `size` bytes should be rewritten, which was `base_size` after the last time."""
        return size > max(self.growth * base_size, base_size + self.min_growth_bytes)


class Progress:
    """Appends are numbered from 1. `given` is the last one, all up to `durable` survive the process."""

    def __init__(self) -> None:
        self.given = 0
        self.durable = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def is_awaited(self) -> bool:
        return bool(self._waiters)

    def wait(self) -> asyncio.Future[None]:
        """Done when all that is given now is durable; fails with the next attempt that fails."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self.given, waiter))
        return waiter

    def reach(self, number: int) -> None:
        """All up to `number` is durable."""
        self.durable = number
        settle([waiter for wanted, waiter in self._waiters if wanted <= number])
        self._waiters = [(wanted, waiter) for wanted, waiter in self._waiters if wanted > number]

    def fail(self, error: RuntimedError) -> None:
        """An attempt failed."""
        waiters, self._waiters = self._waiters, []
        settle([waiter for _, waiter in waiters], error)


def settle(waiters: list[asyncio.Future[None]], error: RuntimedError | None = None) -> None:
    """End waits, those that were not given up meanwhile."""
    for waiter in waiters:
        if not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
