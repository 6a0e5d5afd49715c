"""The table of a room's states: one test an arrow, and one for every arrow that is not there."""

from __future__ import annotations

import itertools

import pytest

from jupyter_runtimed.core.errors import LoadFailed
from jupyter_runtimed.core.lifecycle import TABLE, Event, InvalidState, Lifecycle, State

STEPS = {
    Event.LOADED: lambda room: room.loaded(),
    Event.LOAD_FAILED: lambda room: room.failed(LoadFailed("broken at line 3")),
    Event.RETRY: lambda room: room.retry(),
    Event.CLOSE: lambda room: room.close(),
    Event.CLOSE_DONE: lambda room: room.closed(),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_an_event_follows_its_arrow_or_changes_nothing(state: State, event: Event) -> None:
    room = Lifecycle(state)
    if (state, event) in TABLE:
        STEPS[event](room)
        assert room.state is TABLE[state, event]
    else:
        with pytest.raises(InvalidState):
            STEPS[event](room)
        assert room.state is state and room.error is None


def test_a_failure_is_told_until_the_load_is_tried_again() -> None:
    room = Lifecycle()
    assert room.error_json() is None
    room.failed(LoadFailed("broken at line 3"))
    assert room.error_json() == {"code": "load_failed", "message": "broken at line 3"}
    room.retry()
    assert room.error_json() is None and room.state is State.LOADING


def test_a_room_is_open_until_it_begins_to_close() -> None:
    assert [Lifecycle(state).is_open for state in State] == [True, True, True, False, False]
