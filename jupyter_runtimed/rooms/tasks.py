"""The only place where tasks start: they are kept, named, their failures logged, and they end with their owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from jupyter_runtimed.core.errors import RuntimedError

T = TypeVar("T")

_log = logging.getLogger("jupyter_runtimed.tasks")


class Tasks:
    """The tasks of one owner (a room, a registry).

    Args:
        owner: said in the names of the tasks and in the log.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run a coroutine; tasks that are started in a row begin in that order.

        A failure is logged with its stack, unless it is an answer to a caller, and ends nothing else.
        """
        task = asyncio.create_task(coroutine, name=f"{self._owner}: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what runs, the caller itself excepted, and wait for its end."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not (isinstance(error, RuntimedError) and error.status < 500):
            _log.error("task failed task=%s error=%r", task.get_name(), error, exc_info=error)
