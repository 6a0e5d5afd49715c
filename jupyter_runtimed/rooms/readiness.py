"""Whether a room's documents are whole, and waits for that."""

from __future__ import annotations

import asyncio

from jupyter_runtimed.core.errors import LoadFailed, Loading, NoSuchRoom
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.lifecycle import Lifecycle, State
from jupyter_runtimed.rooms.ports.clock import Clock


class Readiness:
    """See the module.

    Args:
        room_id: said in errors.
        lifecycle: of the room.
        clock: ends waits.
        wait_s: how long a wait takes at most.
    """

    def __init__(self, room_id: RoomId, lifecycle: Lifecycle, clock: Clock, wait_s: float) -> None:
        self._room_id = room_id
        self._lifecycle = lifecycle
        self._clock = clock
        self._wait_s = wait_s
        self._waiting: list[asyncio.Future[None]] = []

    def check(self) -> None:
        """Raise unless the documents are whole.

        Raises:
            Loading, LoadFailed, NoSuchRoom.
        """
        lifecycle = self._lifecycle
        if lifecycle.state is State.LOADING:
            raise Loading("the notebook is still being loaded")
        if lifecycle.error is not None:
            raise LoadFailed(lifecycle.error.message)
        if not lifecycle.is_open:
            raise NoSuchRoom("the room was closed", room_id=self._room_id)

    async def wait(self) -> None:
        """Wait for the end of a load; without giving up the turn when there is none. Raises as `check`."""
        if self._lifecycle.state is State.LOADING:
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            timer = self._clock.call_later(self._wait_s, self.settle)
            try:
                await settled
            finally:
                timer.cancel()
        self.check()

    def settle(self) -> None:
        """The load has ended, or has taken too long: nobody waits any longer."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
