"""What a room does when nothing has happened for a while: it becomes as small as what it shows.

A document that has been quiet goes back to bytes; the next change wakes its engine again. A runtime document whose
history has outgrown its content is written anew, without the executions that no cell shows any more.
"""

from __future__ import annotations

from typing import Protocol

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.ports.clock import Clock, Timer

RENEW_CHANGES = 5000
"""A runtime document with more changes is renewed. A change costs a client about 2 µs each time it takes one in, and
the server some hundred bytes."""


class QuietRoom(Protocol):
    """The part of a room that its upkeep sees."""

    notebook: NotebookDocument
    runtime: RuntimeDocument

    @property
    def is_running(self) -> bool:
        """Whether something runs, waits to run, or is not written down yet."""

    def renew_runtime(self) -> None:
        """Write the runtime document anew."""


class Upkeep:
    """The upkeep of one room.

    Args:
        quiet_s: how long nothing must have happened.
    """

    def __init__(self, room: QuietRoom, clock: Clock, quiet_s: float) -> None:
        self._room = room
        self._clock = clock
        self._quiet_s = quiet_s
        self._touched_at = 0.0
        self._timer: Timer | None = None
        self._is_stopped = False

    def touched(self) -> None:
        """A document has changed. Costs next to nothing: one timer is set, and looks again when it is due."""
        self._touched_at = self._clock.monotonic()
        if self._timer is None and not self._is_stopped:
            self._timer = self._clock.call_later(self._quiet_s, self._on_timer)

    def stop(self) -> None:
        """Do nothing more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        left = self._touched_at + self._quiet_s - self._clock.monotonic()
        if left > 0 or self._room.is_running:
            self._timer = self._clock.call_later(max(left, self._quiet_s / 10, 0.1), self._on_timer)
            return
        if self._room.runtime.replica.n_changes > RENEW_CHANGES:
            self._forget_unshown()
            self._room.renew_runtime()
        self._room.notebook.cells()  # what is read now need not wake the engine later
        for replica in self._replicas():
            replica.cool()

    def _replicas(self) -> tuple[Replica, Replica]:
        return self._room.notebook.replica, self._room.runtime.replica

    def _forget_unshown(self) -> None:
        shown = {cell.execution_id for cell in self._room.notebook.cells()}
        executions = self._room.runtime.executions
        for execution_id in [key for key, value in executions.items() if value.has_ended and key not in shown]:
            del executions[execution_id]
