"""The states of a room, as a table.

```
from       event    to         when
─────────  ───────  ─────────  ─────────────────────────────────────────────────────
LOADING    loaded   READY      every cell of the file is in the document
LOADING    failed   FAILED     the file cannot be read; nothing of it is in the document
FAILED     retry    LOADING    somebody opens the file again
LOADING    close    CLOSING    discarded, or given up before anybody wanted it
READY      close    CLOSING    deleted, discarded or evicted; whatever had to be saved is saved
FAILED     close    CLOSING    likewise; there is nothing to save
CLOSING    closed   CLOSED     sockets and kernel are gone
```

A room without a file begins READY. No other arrow exists; an event without one raises `InvalidState` and changes
nothing. This module does not know what a room is.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from jupyter_runtimed.core.errors import RuntimedError


class State(str, Enum):
    """The state of a room; the first three are spelled as in the room object."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    CLOSING = "closing"
    CLOSED = "closed"


class Event(str, Enum):
    """What can happen to a room's state."""

    LOADED = "loaded"
    LOAD_FAILED = "failed"
    RETRY = "retry"
    CLOSE = "close"
    CLOSE_DONE = "closed"


TABLE: dict[tuple[State, Event], State] = {
    (State.LOADING, Event.LOADED): State.READY,
    (State.LOADING, Event.LOAD_FAILED): State.FAILED,
    (State.FAILED, Event.RETRY): State.LOADING,
    (State.LOADING, Event.CLOSE): State.CLOSING,
    (State.READY, Event.CLOSE): State.CLOSING,
    (State.FAILED, Event.CLOSE): State.CLOSING,
    (State.CLOSING, Event.CLOSE_DONE): State.CLOSED,
}


class InvalidState(Exception):
    """The event has no arrow from the present state: a mistake of ours. Nothing was changed."""


class Lifecycle:
    """The state of one room, and why a load failed.

    Attributes:
        error: the failure while FAILED, else None.
    """

    def __init__(self, state: State = State.LOADING) -> None:
        self._state = state
        self.error: RuntimedError | None = None

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_open(self) -> bool:
        """Whether the room can still be used: not closing, not closed."""
        return self._state not in (State.CLOSING, State.CLOSED)

    def loaded(self) -> None:
        self._go(Event.LOADED)

    def failed(self, error: RuntimedError) -> None:
        self._go(Event.LOAD_FAILED)
        self.error = error

    def retry(self) -> None:
        self._go(Event.RETRY)
        self.error = None

    def close(self) -> None:
        self._go(Event.CLOSE)

    def closed(self) -> None:
        self._go(Event.CLOSE_DONE)

    def error_json(self) -> dict[str, Any] | None:
        """`{"code", "message"}` of a failed load, else None."""
        if self.error is None:
            return None
        return {"code": self.error.code, "message": self.error.message}

    def _go(self, event: Event) -> None:
        target = TABLE.get((self._state, event))
        if target is None:
            raise InvalidState(f"a room that is {self._state.value} cannot take {event.name}")
        self._state = target
