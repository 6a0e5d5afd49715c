"""Rooms that nobody uses: after a while of it, they may go."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.room import Room


class IdleRooms:
    """One timer a room, however often it falls idle.

    Args:
        clock: tells the time and calls later.
        idle_s: how long a room has to be unused at a stretch, in seconds.
        is_current: whether the registry still knows a room as the object it is.
        evict: called with a room that has been unused for that long.
    """

    def __init__(
        self, clock: Clock, idle_s: float, *, is_current: Callable[[Room], bool], evict: Callable[[Room], object]
    ) -> None:
        self._clock = clock
        self._idle_s = idle_s
        self._is_current = is_current
        self._evict = evict
        self._unused_since: dict[Room, float] = {}

    def look_after(self, room: Room) -> None:
        """Nobody uses a room: look again later whether it may go."""
        is_awaited = room in self._unused_since
        self._unused_since[room] = self._clock.monotonic()
        if not is_awaited:
            self._look_in(room, self._idle_s)

    def _look_in(self, room: Room, delay_s: float) -> None:
        self._clock.call_later(delay_s, lambda: self._look_again(room))

    def _look_again(self, room: Room) -> None:
        """The timer means the room it was set for, whoever has its file now."""
        left = self._unused_since[room] + self._idle_s - self._clock.monotonic()
        is_unused = self._is_current(room) and not room.is_in_use
        if is_unused and left > 0:
            self._look_in(room, left)  # it was used in between
            return
        del self._unused_since[room]
        if is_unused:
            self._evict(room)
