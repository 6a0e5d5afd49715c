"""What a server may expect of leases, whichever adapter keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_runtimed.adapters.lease import FileLeases
from jupyter_runtimed.core.errors import ActiveElsewhere
from jupyter_runtimed.rooms.ports.log import Leases
from tests.support.memory_leases import MemoryLeases

Servers = Callable[[], Any]


@pytest.fixture(params=["files", "memory"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Servers:
    """`async with servers() as start`: each `await start()` is one more server over the same folder."""

    @asynccontextmanager
    async def enter() -> AsyncIterator[Callable[[], Any]]:
        owners: dict[str, object] = {}
        async with AsyncExitStack() as stack:

            async def start() -> Leases:
                if request.param == "memory":
                    return MemoryLeases(owners)
                leases = FileLeases(tmp_path)
                await leases.start()
                stack.push_async_callback(leases.stop)
                return leases

            yield start

    return enter


async def test_a_name_belongs_to_one_server(servers: Servers) -> None:
    async with servers() as start:
        ours, theirs = await start(), await start()
        await ours.acquire("a")
        await ours.acquire("a")
        with pytest.raises(ActiveElsewhere) as refused:
            await theirs.acquire("a")
        assert refused.value.details.keys() == {"host", "pid"}
        await theirs.acquire("b")


async def test_a_released_name_is_free(servers: Servers) -> None:
    async with servers() as start:
        ours, theirs = await start(), await start()
        await ours.acquire("a")
        await theirs.release("a")
        with pytest.raises(ActiveElsewhere):
            await theirs.acquire("a")
        await ours.release("a")
        await ours.release("a")
        await theirs.acquire("a")
        with pytest.raises(ActiveElsewhere):
            await ours.acquire("a")


async def test_of_many_who_try_at_once_one_gets_it(servers: Servers) -> None:
    async with servers() as start:
        many = [await start() for _ in range(6)]
        results = await asyncio.gather(*(leases.acquire("a") for leases in many), return_exceptions=True)
        assert [isinstance(result, ActiveElsewhere) for result in results].count(False) == 1
