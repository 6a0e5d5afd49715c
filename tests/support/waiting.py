"""Waiting for what no event tells: a file, a process, an answer of Jupyter's own API."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

_LOOK_S = 0.02


async def becomes(condition: Callable[[], Any], what: str, deadline_s: float = 20.0) -> Any:
    """Wait until a condition gives something true, and give that.

    Args:
        condition: asked again and again; it may be asynchronous.
        what: what is waited for, for people.
        deadline_s: seconds.

    Raises:
        AssertionError: it has not become true.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert loop.time() < end, f"{what}: not within {deadline_s:g} s"
        await asyncio.sleep(_LOOK_S)
