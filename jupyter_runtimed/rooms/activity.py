"""Tells who looks for idle kernels that this one is at work, for as long as it is."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.ports.kernel import KernelSession


class Activity:
    """See the module.

    Args:
        session: the line to the kernel.
        clock: the time.
        every_s: seconds between two reports.
        is_at_work: whether something runs or waits.
    """

    def __init__(self, session: KernelSession, clock: Clock, every_s: float, is_at_work: Callable[[], bool]) -> None:
        self._session = session
        self._clock = clock
        self._every_s = every_s
        self._is_at_work = is_at_work
        self._timer: Timer | None = None
        self._is_stopped = False

    def report(self) -> None:
        """Report now, unless that was done a moment ago, and again until nothing runs any more."""
        if self._timer is None and self._is_at_work() and not self._is_stopped:
            self._session.report_activity()
            self._timer = self._clock.call_later(self._every_s, self._report_again)

    def stop(self) -> None:
        """Report nothing more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _report_again(self) -> None:
        self._timer = None
        self.report()
