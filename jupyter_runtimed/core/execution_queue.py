"""The executions of one room that have not ended, as a state machine.

```
from       event                      to          also
─────────  ─────────────────────────  ──────────  ─────────────────────────────────────────────
–          queue                      queued
queued     start (nothing runs)       running
queued     interrupt                  cancelled   everything that is queued at that moment
queued     cell deleted               cancelled
queued     kernel gone                cancelled
queued     launch failed              error       there is no kernel it could run on
queued     an error in its batch      cancelled   the rest of that batch, nothing else
running    done                       done
running    failed                     error       the rest of its batch becomes cancelled
running    aborted by the kernel      cancelled   the rest of its batch becomes cancelled
running    kernel gone                error       code `kernel_died`
```

`done`, `error` and `cancelled` are final. One execution runs at a time and the others start in the order in which they
were queued. An event that has no row changes nothing and raises `InvalidTransition`. The table is the only place that
knows these rules; every method returns the transitions it made, in order, for its caller to write down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from jupyter_runtimed.core.ids import CellId, ExecutionId


class Status(str, Enum):
    """The state of an execution, spelled as in the runtime document."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the execution has ended."""
        return self in _FINAL


_FINAL = frozenset({Status.DONE, Status.ERROR, Status.CANCELLED})


class InvalidTransition(Exception):
    """The event has no row in the table for the state the execution is in. Our own mistake; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was asked for: one run of one cell.

    Attributes:
        source: the text to run, as it was when the cell was queued.
        batch: executions that were queued together stop together; None for one that was queued alone.
    """

    execution_id: ExecutionId
    cell_id: CellId
    source: str
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """An execution has a new state.

    Attributes:
        error: `{"code", "message"}` for ends that were not the code's own doing, else None.
    """

    entry: Entry
    status: Status
    error: dict[str, Any] | None = None


class ExecutionQueue:
    """What runs and what waits."""

    def __init__(self) -> None:
        self._running: Entry | None = None
        self._queued: dict[ExecutionId, Entry] = {}

    @property
    def running(self) -> Entry | None:
        """The execution the kernel works on."""
        return self._running

    @property
    def queued(self) -> tuple[Entry, ...]:
        """What waits, the next one first."""
        return tuple(self._queued.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._running is None and not self._queued

    def status(self, execution_id: ExecutionId) -> Status | None:
        """The state of an execution, or None when it is not (or no longer) in the queue."""
        if self._running is not None and self._running.execution_id == execution_id:
            return Status.RUNNING
        return Status.QUEUED if execution_id in self._queued else None

    def queue(self, entry: Entry) -> Transition:
        """Take an execution in, behind all others."""
        if self.status(entry.execution_id) is not None:
            raise InvalidTransition(f"execution {entry.execution_id} is in the queue already")
        self._queued[entry.execution_id] = entry
        return Transition(entry, Status.QUEUED)

    def start(self) -> Transition | None:
        """The next execution runs from now on; None when one runs already or none waits."""
        if self._running is not None or not self._queued:
            return None
        entry = self._queued.pop(next(iter(self._queued)))
        self._running = entry
        return Transition(entry, Status.RUNNING)

    def done(self, execution_id: ExecutionId) -> list[Transition]:
        """The kernel ran it to its end."""
        return [Transition(self._take_running(execution_id), Status.DONE)]

    def failed(self, execution_id: ExecutionId, error: dict[str, Any] | None = None) -> list[Transition]:
        """It ended in an error, which also ends the batch it was part of."""
        entry = self._take_running(execution_id)
        return [Transition(entry, Status.ERROR, error), *self._cancel_batch(entry)]

    def aborted(self, execution_id: ExecutionId) -> list[Transition]:
        """The kernel refused to run it, because something else it was asked to do had failed."""
        entry = self._take_running(execution_id)
        return [Transition(entry, Status.CANCELLED), *self._cancel_batch(entry)]

    def interrupt(self) -> list[Transition]:
        """Cancel what is queued now. What runs ends by itself, with the error the kernel makes of the interrupt."""
        return self._cancel(self._queued.values())

    def cell_deleted(self, cell_id: CellId) -> list[Transition]:
        """Cancel what is queued for a cell; a run that has begun goes on."""
        return self._cancel(entry for entry in self._queued.values() if entry.cell_id == cell_id)

    def kernel_gone(self, error: dict[str, Any]) -> list[Transition]:
        """The kernel died, was restarted or shut down: nothing of what it was asked will come."""
        ended = []
        if self._running is not None:
            ended.append(Transition(self._running, Status.ERROR, error))
            self._running = None
        return ended + self._cancel(self._queued.values())

    def launch_failed(self, error: dict[str, Any]) -> list[Transition]:
        """There is no kernel and none can be had: everything that waited for it is an error."""
        if self._running is not None:
            raise InvalidTransition("a launch cannot fail while a kernel runs something")
        ended = [Transition(entry, Status.ERROR, error) for entry in self._queued.values()]
        self._queued.clear()
        return ended

    def _take_running(self, execution_id: ExecutionId) -> Entry:
        entry = self._running
        if entry is None or entry.execution_id != execution_id:
            raise InvalidTransition(f"execution {execution_id} is not the one that runs")
        self._running = None
        return entry

    def _cancel_batch(self, failed: Entry) -> list[Transition]:
        if failed.batch is None:
            return []
        return self._cancel(entry for entry in self._queued.values() if entry.batch == failed.batch)

    def _cancel(self, entries: Iterable[Entry]) -> list[Transition]:
        cancelled = list(entries)
        for entry in cancelled:
            del self._queued[entry.execution_id]
        return [Transition(entry, Status.CANCELLED) for entry in cancelled]
