"""Long work on the event loop gives way to others between its steps."""

from __future__ import annotations

from jupyter_runtimed.rooms.ports.clock import Clock

MAX_TURNS = 8
"""In a row; about as many as it takes to answer a request, or to accept a WebSocket."""

SHORT_TURN_S = 0.0002
"""A turn of the event loop that took no longer had nothing to do."""


async def give_way(clock: Clock) -> float:
    """Let others run until they have nothing to do, within reason: one turn would only begin what they want.

    Returns:
        When the turn of the caller begins, in seconds of the clock.
    """
    began = clock.monotonic()
    for _ in range(MAX_TURNS):
        before = began
        await clock.sleep(0)
        began = clock.monotonic()
        if began - before <= SHORT_TURN_S:
            break
    return began
