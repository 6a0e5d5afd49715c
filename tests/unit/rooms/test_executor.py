"""Running cells on a kernel that says what the test makes it say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_runtimed.core.errors import (
    BadRequest,
    KernelBusy,
    KernelDied,
    NoKernel,
    NoSuchCell,
    NoSuchExecution,
    OutOfSpace,
)
from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.manifest import manifest_to_output
from jupyter_runtimed.core.requests import Complete, History, InputReply, Inspect, IsComplete, PutOutputs
from tests.support.cell_runner import cell_runner
from tests.support.manual_clock import settle
from tests.support.notebooks import b64, png

# ---- one cell -------------------------------------------------------------------------------------------------------


async def test_a_cell_runs_from_the_document_and_ends_after_its_last_output() -> None:
    async with cell_runner() as r:
        execution_id = await r.run("a")
        (request,) = r.kernel.requests()
        assert request.channel == "shell" and request.msg_id == execution_id and request.metadata == {"cellId": "a"}
        assert request.content["code"] == "source of a" and request.content["allow_stdin"] is True
        assert request.content["stop_on_error"] is False and request.content["silent"] is False
        execution = r.execution(execution_id)
        assert execution.status == "running" and execution.submitted_by == "alice" and execution.cell_id == "a"
        assert execution.queued_at == execution.started_at == "2026-01-01T00:00:01.000Z"
        assert r.notebook.cell("a").execution_id == execution_id and r.executor.is_active
        r.kernel.busy(execution_id, 7)
        r.kernel.print(execution_id, "hello\n")
        await settle()
        assert r.shown(execution_id) == [("stdout", "hello\n")] and r.statuses(execution_id) == ["running"]
        r.kernel.end(execution_id, execution_count=7)
        await settle()
        execution = r.execution(execution_id)
        assert (execution.status, execution.execution_count) == ("done", 7) and execution.finished_at is not None
        assert r.idles == 1 and r.is_mirrored()


async def test_a_run_is_over_when_reply_and_idle_have_come_in_any_order() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id)
        r.kernel.idle(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["running"]
        r.kernel.reply(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["done"]


async def test_a_flood_after_the_reply_is_waited_for() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.reply(execution_id)
        for number in range(8):
            r.kernel.print(execution_id, f"{number}\n")
            await r.clock.advance(2)
        assert r.statuses(execution_id) == ["running"]
        r.kernel.idle(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["done"]
        assert r.shown(execution_id) == [("stdout", "".join(f"{n}\n" for n in range(8)))]


@pytest.mark.parametrize(("half", "status"), [("reply", "done"), ("idle", "error")])
async def test_a_kernel_that_never_says_the_other_half_does_not_block_the_queue(half: str, status: str) -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        if half == "reply":
            r.kernel.reply(first)
        else:
            r.kernel.idle(first)
        await r.clock.advance(6)
        assert r.statuses(first, second) == [status, "running"]


async def test_an_error_is_an_error() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.error(execution_id, "ZeroDivisionError")
        r.kernel.end(execution_id, "error", ename="ZeroDivisionError", evalue="", traceback=[])
        await settle()
        assert r.statuses(execution_id) == ["error"] and r.shown(execution_id) == ["ZeroDivisionError"]
        assert r.execution(execution_id).error is None


async def test_an_error_that_only_the_reply_tells_is_shown() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.end(execution_id, "error", ename="OnlyInReply", evalue="", traceback=["x"])
        await settle()
        assert r.statuses(execution_id) == ["error"] and r.shown(execution_id) == ["OnlyInReply"]


async def test_what_the_kernel_refuses_to_run_is_cancelled() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.end(execution_id, "aborted")
        await settle()
        assert r.statuses(execution_id) == ["cancelled"]


async def test_only_code_cells_that_exist_run() -> None:
    async with cell_runner() as r:
        with pytest.raises(NoSuchCell):
            await r.run("none")
        with pytest.raises(BadRequest):
            await r.run("m")
        with pytest.raises(NoSuchCell):
            await r.run_all("a", "none")
        assert r.kernel.requests() == [] and r.runtime.executions == {}


async def test_the_source_is_taken_when_the_cell_is_queued() -> None:
    async with cell_runner() as r:
        first = await r.run("a")
        await r.run("b")
        r.notebook.set_source("b", "changed")
        r.kernel.end(first)
        await settle()
        assert [request.content["code"] for request in r.kernel.requests()] == ["source of a", "source of b"]


async def test_a_request_acts_before_its_first_wait() -> None:
    async with cell_runner() as r:
        calls = [r.executor.execute_cell("a", "x"), r.executor.execute_cell("b", "x")]
        for call in calls:
            with pytest.raises(StopIteration):
                call.send(None)
        assert [execution.cell_id for execution in r.runtime.executions.values()] == ["a", "b"]


async def test_a_new_run_replaces_the_old_one_in_the_document() -> None:
    async with cell_runner() as r:
        first = await r.run()
        r.kernel.end(first)
        await settle()
        second = await r.run()
        assert list(r.runtime.executions) == [second]
        assert await r.executor.wait(first, 1) == {"status": "done", "execution_count": None}


async def test_what_a_copied_cell_shows_outlives_its_original() -> None:
    async with cell_runner() as r:
        first = await r.run("a")
        r.kernel.print(first, "out")
        r.kernel.end(first)
        await settle()
        r.notebook.set_execution_id("b", first)
        second = await r.run("a")
        r.kernel.end(second)
        await settle()
        assert r.shown(first) == [("stdout", "out")] and r.execution(second).status == "done"
        r.notebook.set_execution_id("c", second)
        await r.executor.clear_outputs(["a"])
        await settle()
        assert {first, second} <= set(r.runtime.executions)
        await r.executor.clear_outputs(["b", "c"])
        await settle()
        assert not {first, second} & set(r.runtime.executions) and r.is_mirrored()


async def test_a_pasted_cell_shows_what_it_was_pasted_with_until_it_runs() -> None:
    picture = {"output_type": "display_data", "data": {"image/png": b64(png(3000))}, "metadata": {}, "mine": 1}
    said = {"output_type": "stream", "name": "stdout", "text": "from elsewhere\n"}
    request = PutOutputs(id="1", cell_id="a", outputs=[said, picture], execution_count=7)
    async with cell_runner() as r:
        execution_id = await r.executor.put_outputs(request, "alice")
        await settle()
        execution = r.execution(execution_id)
        assert (execution.status, execution.execution_count, execution.queued_at) == ("done", 7, None)
        outputs = [manifest_to_output(manifest, r.blobs.read) for _, manifest in execution.ordered_outputs()]
        assert outputs == [said, picture] and r.notebook.cell("a").execution_id == execution_id
        assert r.is_mirrored()
        with pytest.raises(BadRequest, match="shows outputs already"):
            await r.executor.put_outputs(request, "alice")
        ran = await r.run("a")
        r.kernel.end(ran)
        await settle()
        assert list(r.runtime.executions) == [ran]


async def test_outputs_that_cannot_be_pasted_change_nothing() -> None:
    async with cell_runner() as r:
        heads = r.notebook.replica.heads
        picture = {"output_type": "display_data", "data": {"image/png": b64(png(3000))}, "metadata": {}}
        with pytest.raises(NoSuchCell):
            await r.executor.put_outputs(PutOutputs(id="1", cell_id="none", outputs=[]), "alice")
        r.blobs.doors.errors["put"] = OutOfSpace("the disk is full")
        with pytest.raises(OutOfSpace):
            await r.executor.put_outputs(PutOutputs(id="1", cell_id="a", outputs=[picture]), "alice")
        await settle()
        assert r.notebook.replica.heads == heads and not r.runtime.executions


async def test_a_run_that_was_asked_again_while_it_ran_is_removed_when_it_ends() -> None:
    async with cell_runner() as r:
        first, second = await r.run(), await r.run()
        assert list(r.runtime.executions) == [first, second]
        r.kernel.print(first, "old")
        r.kernel.end(first)
        await settle()
        assert list(r.runtime.executions) == [second] and r.statuses(second) == ["running"]


async def test_late_outputs_of_a_run_that_is_over_are_shown() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.end(execution_id)
        await r.clock.advance(5)
        r.kernel.print(execution_id, "from a thread\n")
        await settle()
        assert r.shown(execution_id) == [("stdout", "from a thread\n")] and r.statuses(execution_id) == ["done"]


async def test_what_others_do_with_the_kernel_is_not_ours() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.print("somebody", "else")
        r.kernel.error("somebody")
        r.kernel.end("somebody", "error")
        await settle()
        assert r.statuses(execution_id) == ["running"] and r.shown(execution_id) == []


# ---- the queue ------------------------------------------------------------------------------------------------------


async def test_cells_run_one_after_the_other() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        assert r.statuses(first, second) == ["running", "queued"] and len(r.kernel.requests()) == 1
        r.kernel.end(first)
        await settle()
        assert r.statuses(first, second) == ["done", "running"]
        assert [request.msg_id for request in r.kernel.requests()] == [first, second]


async def test_run_all_takes_every_code_cell_and_stops_at_an_error() -> None:
    async with cell_runner() as r:
        first, second, third = await r.run_all()
        alone = await r.run("a")
        r.kernel.end(first)
        await settle()
        r.kernel.end(second, "error")
        await settle()
        assert r.statuses(second, third, alone) == ["error", "cancelled", "running"]
        assert [r.execution(x).cell_id for x in (second, third, alone)] == ["b", "c", "a"]


async def test_run_all_of_no_cells_is_nothing() -> None:
    async with cell_runner() as r:
        assert await r.executor.run_all([], "alice") == [] and not r.executor.is_active


async def test_one_interrupt_ends_what_runs_and_what_waits_but_not_what_comes() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.kernel.busy(first)
        await settle()
        await r.executor.interrupt()
        await settle()
        assert r.kernel.calls == ["interrupt"] and r.statuses(first, second) == ["running", "cancelled"]
        third = await r.run("c")
        r.kernel.error(first, "KeyboardInterrupt")
        r.kernel.end(first, "error")
        await settle()
        assert r.statuses(first, second, third) == ["error", "cancelled", "running"]


async def test_an_interrupt_that_is_too_early_for_the_kernel_waits_until_it_listens() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        await r.executor.interrupt()
        await r.clock.advance(0.5)
        assert r.kernel.calls == []
        r.kernel.busy(execution_id)
        await r.clock.advance(1)
        assert r.kernel.calls == ["interrupt"]


async def test_an_interrupt_does_not_wait_for_a_kernel_that_never_says_it_began() -> None:
    async with cell_runner() as r:
        await r.run()
        await r.executor.interrupt()
        await r.clock.advance(2)
        assert r.kernel.calls == ["interrupt"]


async def test_an_early_interrupt_does_not_hit_the_next_cell() -> None:
    async with cell_runner() as r:
        first = await r.run("a")
        await r.executor.interrupt()
        second = await r.run("b")
        r.kernel.busy(first)
        r.kernel.end(first)
        await r.clock.advance(1)
        assert r.kernel.calls == [] and r.statuses(first, second) == ["done", "running"]


async def test_a_deleted_cell_that_waits_is_cancelled() -> None:
    async with cell_runner() as r:
        await r.run("a")
        second = await r.run("b")
        r.notebook.delete_cell("b")
        r.executor.notebook_changed()
        await settle()
        assert second not in r.runtime.executions
        assert (await r.executor.wait(second, 1))["status"] == "cancelled"


async def test_waiting_for_an_execution_ends_with_it_or_with_the_time() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        waiting = asyncio.ensure_future(r.executor.wait(execution_id, 30))
        short = asyncio.ensure_future(r.executor.wait(execution_id, 1))
        await r.clock.advance(2)
        assert short.result() == {"status": "running", "execution_count": None} and not waiting.done()
        r.kernel.end(execution_id, execution_count=3)
        await settle()
        assert waiting.result() == {"status": "done", "execution_count": 3}
        assert (await r.executor.wait(execution_id, 0))["status"] == "done"
        with pytest.raises(NoSuchExecution):
            await r.executor.wait("nobody", 1)


async def test_clearing_outputs_empties_cells_and_leaves_what_runs_running() -> None:
    async with cell_runner() as r:
        over, running = await r.run("a"), await r.run("b")
        r.kernel.print(over, "old")
        r.kernel.end(over)
        await settle()
        r.kernel.busy(running)
        r.kernel.print(running, "so far")
        await r.clock.advance(1)
        await r.executor.clear_outputs(None)
        await settle()
        assert r.notebook.cell("a").execution_id is None and over not in r.runtime.executions
        assert r.notebook.cell("b").execution_id == running and r.shown(running) == []
        r.kernel.print(running, "what comes")
        await r.clock.advance(1)
        assert r.shown(running) == [("stdout", "what comes")] and r.is_mirrored()
        with pytest.raises(NoSuchCell):
            await r.executor.clear_outputs(["none"])


# ---- the kernel's life ----------------------------------------------------------------------------------------------


async def test_the_first_cell_starts_the_kernel_and_waits_for_it() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        first, second = await r.run("a"), await r.run("b")
        await r.clock.advance(1)
        assert r.kernel.calls == ["start None"] and r.statuses(first, second) == ["queued", "queued"]
        assert r.executor.kernel_object()["status"] == "starting" and r.executor.has_kernel
        r.kernel.launched()
        await r.clock.advance(1)
        assert r.statuses(first, second) == ["running", "queued"]
        assert r.runtime.kernel == {
            "name": "python3", "display_name": "The python3", "language": "python",
            "kernel_id": "kernel-1", "status": "idle",
        }  # fmt: skip
        assert r.notebook.get_metadata("kernelspec") == {
            "name": "python3", "display_name": "The python3", "language": "python",
        }  # fmt: skip
        assert r.notebook.get_metadata("language_info") == {"name": "python", "version": "3"}


async def test_the_notebook_says_which_kernel() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.notebook.set_metadata("kernelspec", {"name": "bash", "display_name": "Bash"})
        before = r.notebook.metadata()
        await r.run()
        await r.clock.advance(1)
        assert r.kernel.calls == ["start bash"] and r.notebook.metadata() == before


async def test_a_kernel_that_cannot_be_had_is_an_error_of_all_that_waits() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.refuses = NoKernel("there is no kernel named 'x'")
        first, *rest = await r.run_all()
        await r.clock.advance(1)
        assert r.statuses(first, *rest) == ["error"] * 3
        assert r.execution(first).error == {"code": "no_kernel", "message": "there is no kernel named 'x'"}
        assert r.runtime.kernel["status"] == "error" and r.runtime.kernel["error"]["code"] == "no_kernel"
        assert not r.executor.has_kernel and not r.executor.is_active and r.idles == 1


async def test_a_failed_launch_is_not_tried_again_at_once() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.refuses = KernelDied("ended at once")
        await r.run("a")
        await r.clock.advance(1)
        again = await r.run("b")
        assert r.statuses(again) == ["error"] and r.kernel.calls == ["start None"]
        await r.clock.advance(5)
        later = await r.run("c")
        await r.clock.advance(1)
        assert r.statuses(later) == ["running"] and r.kernel.calls == ["start None", "start None"]
        assert "error" not in r.runtime.kernel or r.runtime.kernel["error"] is None


async def test_who_asks_for_a_kernel_gets_one_in_spite_of_the_pause() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.refuses = KernelDied("ended at once")
        await r.run("a")
        await r.clock.advance(1)
        assert (await r.executor.start(None))["kernel_id"] == "kernel-1"


async def test_many_requests_make_one_launch() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        for _ in range(20):
            await r.run("a")
        starting = [asyncio.ensure_future(r.executor.start(None)) for _ in range(5)]
        await settle()
        r.kernel.launched()
        await r.clock.advance(1)
        assert r.kernel.calls == ["start None"]
        assert {(await task)["kernel_id"] for task in starting} == {"kernel-1"}


async def test_another_kernel_by_name_ends_what_the_old_one_did() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        assert (await r.executor.start("bash"))["name"] == "bash"
        await r.clock.advance(1)
        assert r.statuses(first, second) == ["error", "cancelled"]
        assert r.notebook.get_metadata("kernelspec")["name"] == "bash"
        assert (await r.executor.start("bash"))["kernel_id"] == (await r.executor.start(None))["kernel_id"]
        assert r.kernel.calls == ["start bash"]


async def test_a_kernel_that_dies_ends_everything_and_what_comes_later_runs_on_the_next() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.kernel.print(first, "last words")
        r.kernel.lose()
        await settle()
        assert r.statuses(first, second) == ["error", "cancelled"]
        assert r.execution(first).error == {"code": "kernel_died", "message": "the kernel died"}
        assert r.shown(first) == [("stdout", "last words")]
        third = await r.run("c")
        await r.clock.advance(1)
        assert r.statuses(third) == ["queued"] and r.runtime.kernel["status"] == "restarting"
        r.kernel.live()
        await r.clock.advance(1)
        assert r.statuses(third) == ["running"] and r.runtime.kernel["status"] == "idle" and r.kernel.calls == []


async def test_what_is_asked_after_a_restart_by_others_runs_even_if_its_notice_comes_later() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.kernel.is_replaced = True
        third = await r.run("c")
        assert r.statuses(first, second, third) == ["error", "cancelled", "queued"]
        r.kernel.lose("the kernel was restarted")
        await settle()
        assert r.statuses(third) == ["queued"] and len(r.kernel.requests()) == 1
        r.kernel.live()
        await r.clock.advance(1)
        assert r.statuses(third) == ["running"] and r.kernel.calls == []


async def test_a_kernel_that_does_not_come_back_is_started_anew_for_what_waits() -> None:
    async with cell_runner() as r:
        r.kernel.lose()
        await settle()
        execution_id = await r.run()
        r.kernel.go("it did not come back", "dead")
        await r.clock.advance(1)
        assert r.kernel.calls == ["start None"] and r.statuses(execution_id) == ["running"]


async def test_a_shutdown_by_others_ends_everything() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.kernel.go()
        await r.clock.advance(1)
        assert r.statuses(first, second) == ["error", "cancelled"] and r.kernel.calls == []
        assert r.runtime.kernel["status"] == "not_started" and not r.executor.has_kernel


async def test_a_restart_is_over_for_the_cells_at_once() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        restarting = asyncio.ensure_future(r.executor.restart())
        await asyncio.sleep(0)
        assert r.statuses(first, second) == ["error", "cancelled"]
        third = await r.run("c")
        await r.clock.advance(1)
        assert (await restarting)["kernel_id"] is not None and r.statuses(third) == ["running"]
        assert r.kernel.calls == ["restart"]


async def test_a_restart_that_fails_is_told_to_all() -> None:
    async with cell_runner() as r:
        r.kernel.refuses = KernelDied("it does not start any more")
        restarting = asyncio.ensure_future(r.executor.restart())
        await asyncio.sleep(0)
        waiting = await r.run("a")
        with pytest.raises(KernelDied):
            await restarting
        await r.clock.advance(1)
        assert r.statuses(waiting) == ["error"] and r.runtime.kernel["status"] == "error"


async def test_a_shutdown_ends_everything_and_the_next_cell_starts_a_kernel() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        assert (await r.executor.shutdown())["status"] == "not_started"
        await settle()
        assert r.statuses(first, second) == ["error", "cancelled"] and r.kernel.calls == ["shutdown"]
        third = await r.run("c")
        await r.clock.advance(1)
        assert r.statuses(third) == ["running"]
        await r.executor.shutdown()
        assert (await r.executor.shutdown())["kernel_id"] is None


async def test_who_asked_for_a_kernel_that_was_shut_down_meanwhile_is_told() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        first, second = (asyncio.ensure_future(r.executor.start(name)) for name in ("python3", "bash"))
        await settle()
        await r.executor.shutdown()
        with pytest.raises(NoKernel, match="shut down"):
            await first
        await settle()
        r.kernel.launched()
        assert (await second)["name"] == "bash", "asked for by somebody else, and begun after the shutdown"


async def test_a_shutdown_ends_a_launch() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.starts_by_itself = False
        execution_id = await r.run()
        await r.executor.shutdown()
        await r.clock.advance(1)
        assert r.statuses(execution_id) == ["cancelled"] and not r.executor.has_kernel and not r.executor.is_active


async def test_without_a_kernel_there_is_nothing_to_interrupt_restart_or_ask() -> None:
    async with cell_runner(with_kernel=False) as r:
        for call in (
            r.executor.interrupt(),
            r.executor.restart(),
            r.executor.is_complete(IsComplete(id="1", code="1")),
            r.executor.input_reply(InputReply(id="1", request_id="x", value="y")),
        ):
            with pytest.raises(NoKernel):
                await call


async def test_a_kernel_of_others_is_taken_and_used() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.live("bash")
        await r.clock.advance(1)
        assert r.executor.kernel_object() == {
            "name": "bash", "display_name": "The bash", "language": "python", "status": "idle", "kernel_id": "kernel-1",
        }  # fmt: skip
        assert r.notebook.metadata() == {}
        execution_id = await r.run()
        assert r.statuses(execution_id) == ["running"] and r.kernel.calls == []


async def test_the_kernel_is_busy_with_cells_and_not_with_completions() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id)
        await r.clock.advance(1)
        assert r.runtime.kernel["status"] == "busy"
        r.kernel.end(execution_id)
        await r.clock.advance(1)
        assert r.runtime.kernel["status"] == "idle"
        before = r.changes
        r.kernel.say("status", "x", parent_type="complete_request", execution_state="busy")
        await r.clock.advance(1)
        assert r.runtime.kernel["status"] == "idle" and r.changes == before


async def test_activity_is_reported_while_something_runs() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        await r.clock.advance(35)
        assert r.kernel.activity == 4
        r.kernel.end(execution_id)
        await r.clock.advance(100)
        assert r.kernel.activity == 4


async def test_stopping_writes_what_has_come_and_lets_go_of_the_kernel() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.kernel.print(first, "x" * 1000)
        await settle()
        await r.executor.stop(shutdown_kernel=False)
        assert r.statuses(first, second) == ["error", "cancelled"] and r.shown(first) == [("stdout", "x" * 1000)]
        assert r.kernel.calls == ["close"]
        await r.executor.stop(shutdown_kernel=True)
        assert r.kernel.calls == ["close", "shutdown", "close"]


async def test_what_an_earlier_life_left_unfinished_is_over() -> None:
    async with cell_runner() as r:
        with r.runtime.edit() as edit:
            edit.add_execution("old", "a", seq=1, status="running")
            edit.add_execution("older", "b", seq=2, status="queued", input_request={"request_id": "x"})
            edit.put_comm("c", {"target_name": "jupyter.widget", "state": {}})
        r.executor.begin()
        await r.clock.advance(1)
        assert r.statuses("old", "older") == ["error", "cancelled"] and r.runtime.comms == {}
        assert r.execution("old").error is not None and r.execution("older").input_request is None


async def test_the_session_follows_the_path() -> None:
    async with cell_runner() as r:
        await r.executor.path_changed("b.ipynb")
        assert r.kernel.path == "b.ipynb"


# ---- outputs and time -----------------------------------------------------------------------------------------------


async def test_the_first_output_is_written_at_once_and_a_burst_as_one_change() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        before = r.changes
        for number in range(100):
            r.kernel.print(execution_id, f"{number}\n")
        await settle()
        assert r.changes == before + 1
        for number in range(100):
            r.kernel.print(execution_id, f"{number}\n")
            await settle()
        assert r.changes == before + 1
        await r.clock.advance(0.03)
        assert r.changes == before + 2


async def test_an_end_is_written_at_once() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.print(execution_id, "1")
        await settle()
        r.kernel.print(execution_id, "2")
        r.kernel.end(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["done"] and r.shown(execution_id) == [("stdout", "12")]


async def test_blobs_are_stored_before_they_are_named_and_an_end_waits_for_them() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.blobs.doors.shut("put")
        r.kernel.print(execution_id, "x" * 1000)
        r.kernel.end(execution_id)
        await r.clock.advance(1)
        assert r.shown(execution_id) == [] and r.statuses(execution_id) == ["running"] and r.executor.is_active
        next_one = await r.run("b")
        assert len(r.kernel.requests()) == 2, "the next cell runs meanwhile"
        r.blobs.doors.open("put")
        await settle()
        assert r.shown(execution_id) == [("stdout", "x" * 1000)] and r.statuses(execution_id) == ["done"]
        assert r.statuses(next_one) == ["running"]


async def test_a_full_disk_is_an_error_of_the_execution_and_nothing_else() -> None:
    async with cell_runner() as r:
        first, second = await r.run("a"), await r.run("b")
        r.blobs.doors.errors["put"] = OutOfSpace("no space left")
        r.kernel.print(first, "x" * 1000)
        await settle()
        r.kernel.end(first)
        await settle()
        assert r.execution(first).status == "error"
        assert r.execution(first).error == {"code": "out_of_space", "message": "no space left"}
        assert "no space left" in r.shown(first)[0][1]
        r.kernel.print(second, "y" * 1000)
        r.kernel.end(second)
        await settle()
        assert r.statuses(second) == ["done"] and r.shown(second) == [("stdout", "y" * 1000)] and r.is_mirrored()


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": "display_data", "data": {"text/plain": "x" * 1000, "text/html": "ok"}, "metadata": {}},
        {"msg_type": "error", "ename": "E", "evalue": "", "traceback": ["x" * 1000]},
        {"msg_type": "display_data", "data": {"text/plain": "x" * 1000}, "metadata": {}, "mine": "x" * 2000},
        {"msg_type": "stream", "name": "stdout", "text": "x" * 1000, "mine": "x" * 2000},
    ],
)
async def test_any_output_whose_blob_is_lost_says_so(message: dict[str, Any]) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.blobs.doors.errors["put"] = OSError("broken disk")
        r.kernel.say(message.pop("msg_type"), execution_id, **message)
        await settle()
        ((_, manifest),) = r.runtime.outputs(execution_id)
        assert "broken disk" in str(manifest) and "blob" not in manifest and r.is_mirrored()


async def test_what_was_removed_while_its_blobs_were_stored_is_not_written() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.end(execution_id)
        await settle()
        r.blobs.doors.shut("put")
        r.kernel.print(execution_id, "x" * 1000)
        await settle()
        await r.run("a")
        r.blobs.doors.open("put")
        await settle()
        assert execution_id not in r.runtime.executions and r.is_mirrored()


async def test_while_too_much_waits_no_more_is_taken() -> None:
    async with cell_runner(output_limits=OutputLimits(max_bytes=1 << 30)) as r:
        execution_id = await r.run()
        r.blobs.doors.shut("put")
        for _ in range(20):
            r.kernel.print(execution_id, "x" * 1_000_000)
        await r.clock.advance(1)
        r.kernel.print(execution_id, "the end")
        r.kernel.end(execution_id)
        await r.clock.advance(1)
        assert len(r.kernel._events) == 3, "left with the kernel"
        r.blobs.doors.open("put")
        await settle(200)
        assert r.statuses(execution_id) == ["done"]
        assert r.shown(execution_id) == [("stdout", "x" * 20_000_000 + "the end")]


async def test_pages_are_outputs_and_the_next_input_is_a_cell() -> None:
    async with cell_runner() as r:
        execution_id = await r.run("a")
        payload = [
            {"source": "page", "data": {"text/plain": "help text"}, "start": 0},
            {"source": "set_next_input", "text": "next", "replace": False},
            {"source": "unknown"},
            "nonsense",
        ]
        r.kernel.end(execution_id, payload=payload)
        await settle()
        assert r.shown(execution_id) == ["help text"]
        order = r.notebook.cell_ids()
        assert order[0] == "a" and r.notebook.cell(order[1]).source == "next" and order[2] == "b"
        execution_id = await r.run("a")
        r.kernel.end(execution_id, payload=[{"source": "set_next_input", "text": "replaced", "replace": True}])
        await settle()
        assert r.notebook.cell("a").source == "replaced"


async def test_a_mistake_in_one_message_ends_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        with monkeypatch.context() as patch:
            patch.setattr(r.executor._comms, "receive", lambda message: 1 / 0)
            r.kernel.say("comm_msg", comm_id="x")
            r.kernel.print(execution_id, "still here")
            await settle()
        assert r.shown(execution_id) == [("stdout", "still here")] and "kernel event failed" in caplog.text


async def test_an_event_that_breaks_something_ends_nothing_else() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.say("status", execution_id, execution_state={"no": "state"})
        r.kernel.say("execute_input", execution_id, execution_count="one")
        r.kernel.say("comm_msg", execution_id, comm_id=[1])
        r.kernel.reply(execution_id, payload={"a": 1}, execution_count=-1)
        r.kernel.idle(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["done"]


# ---- questions ------------------------------------------------------------------------------------------------------


async def test_questions_are_answered_with_the_kernels_words() -> None:
    async with cell_runner() as r:
        asked = [
            asyncio.ensure_future(r.executor.complete(Complete(id="1", code="é.x", cursor_pos=3))),
            asyncio.ensure_future(r.executor.inspect(Inspect(id="2", code="x", cursor_pos=1, detail_level=1))),
            asyncio.ensure_future(r.executor.history(History(id="3", n=5))),
            asyncio.ensure_future(r.executor.history(History(id="4", n=5, pattern="x*"))),
            asyncio.ensure_future(r.executor.is_complete(IsComplete(id="5", code="x"))),
        ]
        await settle()
        assert [(sent.msg_type, sent.content) for sent in r.kernel.sent] == [
            ("complete_request", {"code": "é.x", "cursor_pos": 3}),
            ("inspect_request", {"code": "x", "cursor_pos": 1, "detail_level": 1}),
            ("history_request", {"output": False, "raw": True, "hist_access_type": "tail", "n": 5}),
            (
                "history_request",
                {"output": False, "raw": True, "hist_access_type": "search", "n": 5, "pattern": "x*", "unique": True},
            ),
            ("is_complete_request", {"code": "x"}),
        ]
        for number, sent in reversed(list(enumerate(r.kernel.sent))):
            r.kernel.say(sent.msg_type.replace("request", "reply"), sent.msg_id, channel="shell", answer=number)
        await settle()
        assert [task.result() for task in asked] == [{"answer": number} for number in range(5)]


async def test_a_busy_kernel_is_not_waited_for_and_a_dead_one_neither() -> None:
    async with cell_runner() as r:
        first = asyncio.ensure_future(r.executor.is_complete(IsComplete(id="1", code="x")))
        await r.clock.advance(20)
        with pytest.raises(KernelBusy):
            await first
        second = asyncio.ensure_future(r.executor.is_complete(IsComplete(id="1", code="x")))
        await settle()
        r.kernel.lose()
        await settle()
        with pytest.raises(KernelDied):
            await second


async def test_questions_wait_for_the_end_of_a_cell_and_not_in_the_kernel() -> None:
    async with cell_runner(busy_question_s=2.0) as r:
        first, second = await r.run("a"), await r.run("b")
        impatient = asyncio.ensure_future(r.executor.is_complete(IsComplete(id="1", code="old")))
        await r.clock.advance(3)
        with pytest.raises(KernelBusy):
            await impatient
        patient = asyncio.ensure_future(r.executor.is_complete(IsComplete(id="2", code="new")))
        await r.clock.advance(1)
        assert [sent.msg_type for sent in r.kernel.sent] == ["execute_request"]
        r.kernel.end(first)
        await settle()
        asked = r.kernel.sent[1:]
        assert [(sent.msg_type, sent.content.get("code")) for sent in asked] == [
            ("is_complete_request", "new"),
            ("execute_request", "source of b"),
        ]
        await r.clock.advance(1.5)
        r.kernel.say("is_complete_reply", asked[0].msg_id, channel="shell", status="complete")
        r.kernel.end(second)
        assert await patient == {"status": "complete"}


async def test_what_waited_for_the_end_of_a_cell_fails_with_the_kernel() -> None:
    async with cell_runner() as r:
        await r.run("a")
        asked = asyncio.ensure_future(r.executor.is_complete(IsComplete(id="1", code="x")))
        await settle()
        r.kernel.lose()
        await settle()
        with pytest.raises(KernelDied):
            await asked
        assert r.kernel.requests("is_complete_request") == []
