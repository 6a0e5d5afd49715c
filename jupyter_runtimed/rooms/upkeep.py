"""How a room stays as small as what it shows.

A document that has been quiet goes back to bytes; the next change wakes its engine again. A runtime document whose
history has grown too long is written anew, without the executions that no cell shows any more: as soon as nothing
runs, and when something always does, in the middle of it.
"""

from __future__ import annotations

from typing import Protocol

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.ports.clock import Clock, Timer

_PATIENCE = 4
"""So many times as long as it should be may a history become while something runs."""


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
        quiet_s: how long nothing must have happened before a document cools.
        max_runtime_changes: how many changes the runtime document's history may have.
    """

    def __init__(self, room: QuietRoom, clock: Clock, *, quiet_s: float, max_runtime_changes: int) -> None:
        self._room = room
        self._clock = clock
        self._quiet_s = quiet_s
        self._max_runtime_changes = max_runtime_changes
        self._renewal: Timer | None = None
        self._touched_at = 0.0
        self._timer: Timer | None = None
        self._is_stopped = False

    def touched(self) -> None:
        """A document has changed. Costs next to nothing: one timer is set, and looks again when it is due."""
        self._touched_at = self._clock.monotonic()
        if self._timer is None and not self._is_stopped:
            self._timer = self._clock.call_later(self._quiet_s, self._on_timer)
        if self._renewal is None and not self._is_stopped and self._has_outgrown():
            # Not within the edit that has made it too long.
            self._renewal = self._clock.call_later(0.0, self._renew)

    def stop(self) -> None:
        """Do nothing more."""
        self._is_stopped = True
        for timer in (self._timer, self._renewal):
            if timer is not None:
                timer.cancel()
        self._timer = self._renewal = None

    def _on_timer(self) -> None:
        self._timer = None
        left = self._touched_at + self._quiet_s - self._clock.monotonic()
        if left > 0 or self._room.is_running:
            self._timer = self._clock.call_later(max(left, self._quiet_s / 10, 0.1), self._on_timer)
            return
        self._room.notebook.cells()  # what is read now need not wake the engine later
        for replica in self._replicas():
            replica.cool()

    def _has_outgrown(self) -> bool:
        changes = self._room.runtime.replica.n_changes
        return changes > self._max_runtime_changes * (_PATIENCE if self._room.is_running else 1)

    def _renew(self) -> None:
        self._renewal = None
        if self._has_outgrown():
            self._forget_unshown()
            self._room.renew_runtime()

    def _replicas(self) -> tuple[Replica, Replica]:
        return self._room.notebook.replica, self._room.runtime.replica

    def _forget_unshown(self) -> None:
        shown = self._room.notebook.shown_executions()
        executions = self._room.runtime.executions
        for execution_id in [key for key, value in executions.items() if value.has_ended and key not in shown]:
            del executions[execution_id]
