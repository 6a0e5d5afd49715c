"""A port whose n-th call fails: before it does anything, or after it has done everything."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


class Faults:
    """Counts the calls of all ports it wraps, and lets one of them fail.

    Args:
        error: makes what the failing call raises.
        after: the call does its work first, so that its caller does not know that it was done.

    Attributes:
        calls: the names of the calls since `arm`.
        hit: the name of the call that failed; None when none did.
    """

    def __init__(self, error: Callable[[], Exception], *, after: bool) -> None:
        self.calls: list[str] = []
        self.hit: str | None = None
        self._error = error
        self._after = after
        self._at = 0

    def arm(self, at: int) -> None:
        """Let the call number `at` from now on fail, counted from 1; none with 0."""
        self.calls.clear()
        self._at = at

    def wrap(self, port: Any) -> Any:
        """The same port, with faults."""
        return None if port is None else _Faulty(port, self)

    async def call(self, name: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self.calls.append(name)
        is_due = len(self.calls) == self._at
        if is_due:
            self.hit = name
        if is_due and not self._after:
            raise self._error()
        result = await method(*arguments, **options)
        if is_due:
            raise self._error()
        return result


class _Faulty:
    def __init__(self, port: Any, faults: Faults) -> None:
        self._port = port
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if inspect.iscoroutinefunction(value):

            def call(*arguments: Any, **options: Any) -> Any:
                return self._faults.call(name, value, *arguments, **options)

            return call
        if name == "log":  # of a RoomLogs: each log is a port of its own
            return lambda *arguments: _Faulty(value(*arguments), self._faults)
        return value
