"""One press is enough: an interrupt reaches what runs, even when the kernel is not listening yet.

A kernel ignores interrupts between two executions, and so for a moment after it was sent the next one. An interrupt
that comes in that moment waits until the kernel says that it has begun; but not for long, because some never say it,
and a kernel that others share may be at work for them.
"""

from __future__ import annotations

from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.rooms.kernel_keeper import KernelKeeper
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.runner import Runner
from jupyter_runtimed.rooms.tasks import Tasks

_EARLY_SECONDS = 0.05
"""The code itself begins a moment after the kernel says so."""

_LONG_SECONDS = 1.0


class Interrupts:
    """See the module.

    Args:
        keeper: has the line to the kernel.
        runner: knows what runs.
        clock: the time.
        tasks: the room's.
    """

    def __init__(self, keeper: KernelKeeper, runner: Runner, clock: Clock, tasks: Tasks) -> None:
        self._keeper = keeper
        self._runner = runner
        self._clock = clock
        self._tasks = tasks
        self._waits_for: ExecutionId | None = None

    async def interrupt(self) -> None:
        """Interrupt what the kernel does."""
        running = self._runner.running
        if running is not None and not self._runner.has_begun:
            self._waits_for = running
            self._clock.call_later(_LONG_SECONDS, lambda: self._interrupt_anyway(running))
        elif self._keeper.is_ready:
            await self._keeper.session.interrupt()

    def begun(self) -> None:
        """The kernel has begun with what runs."""
        if self._waits_for is not None and self._waits_for == self._runner.running:
            execution_id, self._waits_for = self._waits_for, None
            self._clock.call_later(_EARLY_SECONDS, lambda: self._interrupt_late(execution_id))

    def _interrupt_anyway(self, execution_id: ExecutionId) -> None:
        if self._waits_for == execution_id:
            self._interrupt_late(execution_id)

    def _interrupt_late(self, execution_id: ExecutionId) -> None:
        if self._runner.running == execution_id and self._keeper.is_ready:
            self._tasks.start(self._keeper.session.interrupt(), "interrupt")
