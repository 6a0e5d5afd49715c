"""Look at a room's file every now and then while somebody is connected, so that a change by others is seen soon.

A change is known by the hash of the content, never by a time; what the room itself wrote is not a change. What
cannot be merged is asked about once and not again until it changes, and stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms")


class DiskWatch:
    """The watch of one room.

    Args:
        clock: counts the time between looks.
        every_s: from the end of one look to the beginning of the next.
        is_wanted: whether anybody would like to know.
        look: bring in what was changed on disk; raises what stands in the way.
        tasks: the room's.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        every_s: float,
        is_wanted: Callable[[], bool],
        look: Callable[[], Awaitable[None]],
        tasks: Tasks,
    ) -> None:
        self._clock = clock
        self._every_s = every_s
        self._is_wanted = is_wanted
        self._look = look
        self._tasks = tasks
        self._timer: Timer | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Begin; the first look is `every_s` from now."""
        if not self._is_stopped:
            self._timer = self._clock.call_later(self._every_s, self._on_timer)

    def stop(self) -> None:
        """Look no more. A look that is under way goes on."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        if self._is_wanted():
            self._tasks.start(self._run(), "look at the file")
        else:
            self.start()

    async def _run(self) -> None:
        try:
            await self._look()
        except RuntimedError as error:
            _log.debug("look at the file failed: %s", error.message)
        finally:
            self.start()
