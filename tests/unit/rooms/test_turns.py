"""Long work gives way to others until they have nothing to do, within reason."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.rooms.turns import MAX_TURNS, give_way
from tests.support.manual_clock import ManualClock


class BusyLoop(ManualClock):
    """Others take a millisecond of so many turns."""

    def __init__(self, busy: int) -> None:
        super().__init__()
        self.busy, self.turns = busy, 0

    async def sleep(self, delay_s: float) -> None:
        assert delay_s == 0
        self.turns += 1
        await asyncio.sleep(0)
        if self.turns <= self.busy:
            self._elapsed_s += 0.001


@pytest.mark.parametrize(("busy", "turns"), [(0, 1), (1, 2), (3, 4), (MAX_TURNS, MAX_TURNS), (1000, MAX_TURNS)])
async def test_others_run_until_they_have_nothing_to_do_but_not_for_ever(busy: int, turns: int) -> None:
    clock = BusyLoop(busy)
    assert await give_way(clock) == clock.monotonic() == pytest.approx(min(busy, MAX_TURNS) * 0.001)
    assert clock.turns == turns


async def test_what_takes_several_turns_is_done_before_the_work_goes_on() -> None:
    clock = BusyLoop(4)
    steps: list[int] = []

    async def answer() -> None:
        for step in range(4):
            steps.append(step)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(answer())
    await give_way(clock)
    assert steps == [0, 1, 2, 3]
    await task
