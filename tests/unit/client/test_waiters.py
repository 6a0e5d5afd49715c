"""Waits are passive: the state's owner asks, nobody polls, and every wait ends."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.client.errors import Disconnected, HeadsUnconfirmed, TimedOut
from jupyter_runtimed.client.waiters import Waiters


async def test_a_test_that_is_true_already_does_not_wait() -> None:
    waiters = Waiters()
    await waiters.until(lambda: True, 0, "nothing")
    assert len(waiters) == 0


async def test_a_notice_ends_the_waits_whose_test_came_true_and_no_other() -> None:
    waiters, state = Waiters(), {"n": 0}
    one = asyncio.ensure_future(waiters.until(lambda: state["n"] >= 1, None, "one"))
    two = asyncio.ensure_future(waiters.until(lambda: state["n"] >= 2, None, "two"))
    await asyncio.sleep(0)
    state["n"] = 1
    waiters.notice()
    await one
    assert not two.done() and len(waiters) == 1
    state["n"] = 2
    waiters.notice()
    await two


async def test_a_state_that_lasts_for_one_notice_is_seen() -> None:
    waiters, state = Waiters(), {"n": 0}
    waiting = asyncio.ensure_future(waiters.until(lambda: state["n"] == 1, None, "one"))
    await asyncio.sleep(0)
    for value in (1, 2):
        state["n"] = value
        waiters.notice()
    await waiting


async def test_time_that_is_up_raises_what_was_asked_for_and_says_what_was_waited_for() -> None:
    waiters = Waiters()
    with pytest.raises(TimedOut, match=r"the kernel: not within 0 s"):
        await waiters.until(lambda: False, 0, "the kernel")
    with pytest.raises(HeadsUnconfirmed):
        await waiters.until(lambda: False, 0, "heads", HeadsUnconfirmed)
    assert len(waiters) == 0


async def test_the_last_look_is_at_the_state_not_at_the_clock() -> None:
    """Seed 713: a wait that gave up without looking again reported a failure that was none."""
    answers = iter([False, True])
    await Waiters().until(lambda: next(answers), 0, "the second look")


async def test_an_exception_of_a_test_is_its_waiters_alone() -> None:
    waiters, state = Waiters(), {"broken": False}

    def check() -> bool:
        if state["broken"]:
            raise KeyError("x")
        return False

    broken = asyncio.ensure_future(waiters.until(check, None, "broken"))
    fine = asyncio.ensure_future(waiters.until(lambda: state["broken"], None, "fine"))
    await asyncio.sleep(0)
    state["broken"] = True
    waiters.notice()
    await fine
    with pytest.raises(KeyError):
        await broken


async def test_failure_ends_all_waits_and_those_to_come() -> None:
    waiters = Waiters()
    waiting = asyncio.ensure_future(waiters.until(lambda: False, 10, "never"))
    await asyncio.sleep(0)
    waiters.fail(Disconnected("gone"))
    with pytest.raises(Disconnected):
        await waiting
    with pytest.raises(Disconnected):
        await waiters.until(lambda: False, None, "never")
    await waiters.until(lambda: True, None, "what is true stays true")


async def test_a_failure_that_is_a_timeout_is_not_taken_for_this_waits_own() -> None:
    waiters = Waiters()
    waiting = asyncio.ensure_future(waiters.until(lambda: False, 10, "heads", HeadsUnconfirmed))
    await asyncio.sleep(0)
    waiters.fail(TimedOut("the server did not answer"))
    with pytest.raises(TimedOut, match="the server did not answer"):
        await waiting


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    waiters = Waiters()
    waiting = asyncio.ensure_future(waiters.until(lambda: False, None, "never"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(waiters) == 0
    waiters.notice()
