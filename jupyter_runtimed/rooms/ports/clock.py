"""Time, as rooms see it: a port, so that tests can turn the hands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not call. No error when it was called already."""
        ...


class Clock(Protocol):
    """Now and later."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call a plain function on the event loop in so many seconds."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait so many seconds; 0 lets everything else that is due run first."""
        ...
