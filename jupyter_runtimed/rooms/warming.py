"""Make the engine of a document ready for its first change, without making others wait.

A document that was only read is not in the engine (`core.crdt.replica`). Its first change needs it there, which takes
a moment for each character. So where there are many, that change waits while the engine is fed one piece a turn, and
all others get their turns in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.tasks import Tasks
from jupyter_runtimed.rooms.turns import give_way


class Warming:
    """The warming of one room's notebook document.

    Args:
        replica: the document, as it is now.
        on_warm: called when changes can be taken, whether the engine got ready or not.
    """

    def __init__(self, replica: Callable[[], Replica], clock: Clock, tasks: Tasks, on_warm: Callable[[], None]) -> None:
        self._replica = replica
        self._clock = clock
        self._tasks = tasks
        self._on_warm = on_warm
        self._task: asyncio.Task[None] | None = None

    @property
    def is_due(self) -> bool:
        """Whether a change has to wait now, for this to be done."""
        return self._task is not None or self._replica().is_heavy

    def begin(self) -> bool:
        """Begin, unless it is under way or there is no need. Whether a change has to wait."""
        if self._task is None and self.is_due:
            self._task = self._tasks.start(self._run(), "warming")
        return self._task is not None

    async def done(self) -> None:
        """Return when changes can be taken. Who is cancelled does not stop it for others."""
        if self.begin():
            assert self._task is not None
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            for _ in self._replica().warm():
                await give_way(self._clock)
        finally:
            self._task = None
            self._on_warm()
