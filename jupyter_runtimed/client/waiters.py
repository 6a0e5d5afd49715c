"""Waiting for something to become true, without looking again and again.

A waiter is passive: it holds a test and a future. Whoever changes the state calls `notice()`, which runs the tests
there and then, so that a state that lasts for one frame is seen too, and nothing is read by a waiter itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_runtimed.client.errors import TimedOut


class Waiters:
    """The waiters of one notebook."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        self._failure: Exception | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def until(
        self,
        test: Callable[[], object],
        timeout: float | None,
        what: str,
        error: Callable[[str], Exception] = TimedOut,
    ) -> None:
        """Wait until `test()` is true. It is asked at once, and after every notice.

        Args:
            test: may raise; that ends this wait with its exception.
            timeout: seconds; None waits as long as it takes.
            what: what is waited for, for the message.
            error: what is raised when time is up; called with the message.

        Raises:
            Exception: of `error`, of the test, or the one given to `fail`.
        """
        if test():
            return
        if self._failure is not None:
            raise self._failure
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (test, future)
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError as late:
            if future.done() and not future.cancelled():
                raise
            # The last word belongs to the state, not to the clock.
            if not test():
                raise error(f"{what}: not within {timeout:g} s") from late
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    def notice(self) -> None:
        """Something changed: ask every waiter's test again."""
        for entry in tuple(self._waiting):
            test, future = entry
            if future.done():
                continue
            try:
                came = test()
            except Exception as error:  # a test's error is its waiter's, never the notifier's
                future.set_exception(error)
            else:
                if not came:
                    continue
                future.set_result(None)
            self._waiting.remove(entry)

    def fail(self, error: Exception) -> None:
        """Nothing will change any more: end every wait, present and future, with this error."""
        self._failure = error
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)
