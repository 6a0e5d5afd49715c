"""Waiting for required heads: bounded, in order, and closed when they do not come (seed 713)."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.core.errors import HeadsMissing, LoadFailed
from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.rooms.head_waiters import HeadWaiters
from tests.support.manual_clock import ManualClock, settle

ONE, TWO, THREE = (bytes([n]) * 32 for n in (1, 2, 3))


class Setting:
    def __init__(self) -> None:
        self.known: set[bytes] = {ONE}
        self.clock = ManualClock()
        self.waiters = HeadWaiters(self.contains, self.clock, 10.0)
        self.done: list[str] = []

    def contains(self, heads: Heads) -> bool:
        return self.known.issuperset(heads)

    def arrive(self, *heads: bytes) -> None:
        self.known.update(heads)
        self.waiters.advanced()

    async def waits(self, name: str, *heads: bytes) -> None:
        await self.waiters.wait(heads)
        self.done.append(name)


async def test_what_is_in_the_history_is_not_waited_for() -> None:
    s = Setting()
    await s.waits("now", ONE)
    assert s.done == ["now"] and len(s.waiters) == 0


async def test_a_wait_ends_when_all_its_changes_are_there() -> None:
    s = Setting()
    task = asyncio.ensure_future(s.waits("later", ONE, TWO, THREE))
    await settle()
    s.arrive(TWO)
    await settle()
    assert s.done == []
    s.arrive(THREE)
    await task
    assert s.done == ["later"] and len(s.waiters) == 0


async def test_a_wait_is_bounded_and_fails_closed() -> None:
    s = Setting()
    task = asyncio.ensure_future(s.waits("never", TWO))
    await s.clock.advance(9.9)
    assert not task.done()
    await s.clock.advance(0.2)
    with pytest.raises(HeadsMissing) as caught:
        await task
    assert caught.value.details["missing"] == [TWO.hex()]
    s.arrive(TWO)
    assert s.done == [] and len(s.waiters) == 0


async def test_waits_end_in_the_order_in_which_they_began() -> None:
    s = Setting()
    tasks = [asyncio.ensure_future(s.waits(name, TWO)) for name in "abc"]
    await settle()
    s.arrive(TWO)
    await asyncio.gather(*tasks)
    assert s.done == ["a", "b", "c"]


async def test_two_clients_wait_for_their_own_changes_at_once() -> None:
    s = Setting()
    alice = asyncio.ensure_future(s.waits("alice", TWO))
    bob = asyncio.ensure_future(s.waits("bob", THREE))
    await settle()
    s.arrive(THREE)
    await bob
    assert not alice.done()
    s.arrive(TWO)
    await alice
    assert s.done == ["bob", "alice"]


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    s = Setting()
    task = asyncio.ensure_future(s.waits("gone", TWO))
    await settle()
    task.cancel()
    await settle()
    assert len(s.waiters) == 0
    s.arrive(TWO)
    await s.clock.advance(20)
    assert s.done == []


async def test_a_room_that_fails_ends_all_waits() -> None:
    s = Setting()
    task = asyncio.ensure_future(s.waits("x", TWO))
    await settle()
    s.waiters.fail(LoadFailed("broken"))
    with pytest.raises(LoadFailed):
        await task
