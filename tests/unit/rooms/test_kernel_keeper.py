"""Kernels that do not answer or do not go away, and what a room can do about them."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.core.errors import Internal, KernelDied, NoKernel
from tests.support.cell_runner import cell_runner
from tests.support.manual_clock import settle


async def test_a_kernel_of_others_that_does_not_answer_is_restarted() -> None:
    async with cell_runner(with_kernel=False) as r:
        with pytest.raises(NoKernel, match="no kernel to restart"):
            await r.executor.restart()
        r.kernel.is_mute = True
        assert (await r.executor.restart())["status"] == "idle"
        assert r.kernel.calls == ["restart"]
        execution_id = await r.run()
        assert r.statuses(execution_id) == ["running"]


async def test_what_waits_for_a_kernel_waits_for_it_to_be_restarted() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.is_mute, r.kernel.starts_by_itself = True, False
        execution_id = await r.run()
        asking = asyncio.ensure_future(r.executor.start(None))
        await settle()
        assert r.statuses(execution_id) == ["queued"] and r.kernel.calls == ["start None"]
        await r.executor.restart()
        assert (await asking)["kernel_id"] == "kernel-1" and r.kernel.calls == ["start None", "restart"]
        await r.clock.advance(1)
        assert r.statuses(execution_id) == ["running"]


async def test_a_launch_that_takes_long_is_made_anew() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        asking = asyncio.ensure_future(r.executor.start("bash"))
        await settle()
        r.kernel.starts_by_itself = True
        restarted = await r.executor.restart()
        assert r.kernel.calls == ["start bash", "start bash"] and (await asking)["name"] == "bash"
        assert restarted["kernel_id"] == "kernel-1"


async def test_a_restart_of_a_launch_that_fails_is_told_to_all_and_a_shutdown_ends_it() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        first = await r.run("a")
        r.kernel.is_mute, r.kernel.refuses = True, KernelDied("it does not start")
        with pytest.raises(KernelDied):
            await r.executor.restart()
        await r.clock.advance(1)
        assert r.statuses(first) == ["error"] and r.runtime.kernel["status"] == "error"
        r.kernel.is_mute = False
        asking = [asyncio.ensure_future(r.executor.start("bash"))]
        await settle()
        asking.append(asyncio.ensure_future(r.executor.restart()))
        await settle()
        await r.executor.shutdown()
        for one in asking:
            with pytest.raises(NoKernel, match="shut down before it had started"):
                await one


async def test_a_kernel_that_cannot_be_shut_down_is_an_error_and_still_there() -> None:
    async with cell_runner() as r:
        running = await r.run()
        await r.clock.advance(1)
        before = dict(r.runtime.kernel)
        r.kernel.refuses_shutdown = Internal("the kernel could not be shut down")
        with pytest.raises(Internal, match="could not be shut down"):
            await r.executor.shutdown()
        await r.clock.advance(1)
        assert r.runtime.kernel == before and r.statuses(running) == ["error"]
        r.kernel.live()
        await settle()
        assert r.statuses(await r.run()) == ["running"]


async def test_a_room_is_closed_even_if_its_kernel_cannot_be_shut_down() -> None:
    async with cell_runner() as r:
        r.kernel.refuses_shutdown = Internal("the kernel could not be shut down")
        await r.executor.stop(shutdown_kernel=True)
        assert r.kernel.calls == ["shutdown", "close"]


async def test_news_of_a_life_that_is_over_begin_nothing() -> None:
    """Others restarted the kernel, and somebody here did so too before anybody had heard of it."""
    async with cell_runner() as r:
        restarting = asyncio.ensure_future(r.executor.restart())
        r.kernel.lose("the kernel was restarted")
        r.kernel.live()
        await asyncio.sleep(0)
        asked = await r.run()
        await restarting
        await r.clock.advance(1)
        assert [sent.msg_id for sent in r.kernel.requests()] == [asked] and r.statuses(asked) == ["running"]
        r.kernel.end(asked)
        await settle()
        assert r.statuses(asked) == ["done"]


async def test_a_kernel_that_begins_another_life_ends_what_ran_in_the_one_before() -> None:
    async with cell_runner() as r:
        running = await r.run()
        r.kernel.live()
        asked = await r.run("b")
        await r.clock.advance(1)
        assert r.statuses(running, asked) == ["error", "cancelled"] and r.runtime.kernel["status"] == "idle"


async def test_news_of_before_a_shutdown_bring_no_kernel_back() -> None:
    async with cell_runner() as r:
        r.kernel.may_shut_down.clear()
        shutting = asyncio.ensure_future(r.executor.shutdown())
        await settle()
        r.kernel.lose("the kernel was restarted")
        await settle()
        r.kernel.may_shut_down.set()
        assert (await shutting)["status"] == "not_started"
        asked = await r.run()
        await r.clock.advance(1)
        assert r.statuses(asked) == ["running"] and r.kernel.calls == ["shutdown", "start None"]


async def test_who_starts_a_kernel_need_not_have_heard_of_the_end_of_the_last_one() -> None:
    async with cell_runner() as r:
        running = await r.run()
        r.kernel.go()
        assert (await r.executor.start("python3"))["kernel_id"] == "kernel-2"
        await r.clock.advance(1)
        asked = await r.run("b")
        assert r.statuses(running, asked) == ["error", "running"]


async def test_what_is_asked_before_anybody_has_heard_of_the_end_of_a_kernel_is_for_the_next_one() -> None:
    async with cell_runner() as r:
        running = await r.run()
        r.kernel.lose()
        asked = await r.run("b")
        r.kernel.live()
        await r.clock.advance(1)
        assert r.statuses(running, asked) == ["error", "running"]
