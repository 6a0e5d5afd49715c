"""Running cells: handles follow the runtime document to the end, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_runtimed.client import execution as module
from jupyter_runtimed.client.errors import TimedOut
from jupyter_runtimed.client.execution import Execution
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.outputs import BlobRef, ExecutionError, Output
from jupyter_runtimed.core.errors import AlreadyAnswered, HeadsMissing, NoSuchExecution
from jupyter_runtimed.core.ids import heads_to_hex
from jupyter_runtimed.core.references import blob_reference
from tests.support.client_hub import Hub
from tests.support.memory_transport import settle
from tests.unit.client.conftest import Join
from tests.unit.client.test_notebook import hub_with

PNG = b"\x89PNG" + bytes(2000)


def stdout(*pieces: Any) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": list(pieces)}


def value(text: str) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {"text/plain": text}, "metadata": {}, "execution_count": 1}


def running_hub(*sources: str) -> Hub:
    """Cells are queued as they are asked for: `e1`, `e2`, …"""
    hub = hub_with(*sources)

    def execute(request: dict[str, Any]) -> dict[str, Any]:
        execution_id = f"e{len(hub.runtime.executions) + 1}"
        hub.execute(execution_id, request["cell_id"])
        return {"execution_id": execution_id, "cell_id": request["cell_id"], "heads": hub.heads}

    def run_all(request: dict[str, Any]) -> dict[str, Any]:
        ids = request.get("cell_ids") or hub.notebook.cell_ids()
        return {"queued": [execute({"cell_id": cell_id}) for cell_id in ids], "heads": hub.heads}

    hub.answers.update(execute_cell=execute, run_all_cells=run_all)
    return hub


def finish(hub: Hub, execution_id: str, status: str = "done", **fields: Any) -> None:
    hub.update(execution_id, status=status, execution_count=1, input_request=None, **fields)


async def started(notebook: Notebook, index: int = 0, **options: Any) -> Execution:
    return await notebook.cells[index].execute(**options)


async def test_a_run_names_what_it_must_see_and_ends_with_a_whole_result(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        await notebook.cells[0].set_source("print(1)")
        execution = await started(notebook)
        assert hub.requests[0]["required_heads"] == heads_to_hex(notebook.heads) or hub.notebook.replica.contains(
            [bytes.fromhex(head) for head in hub.requests[0]["required_heads"]]
        )
        waiting = asyncio.ensure_future(execution.result(5))
        await settle()
        assert execution.status == "queued" and not execution.is_done
        hub.update("e1", status="running")
        hub.output("e1", "o1", stdout("1\n"))
        await settle()
        assert execution.status == "running" and not waiting.done()
        assert [output.text for output in notebook.cells[0].outputs] == ["1\n"]
        hub.output("e1", "o2", value("2"))
        finish(hub, "e1")
        result = await waiting
        assert (result.status, result.execution_count, result.text) == ("done", 1, "1\n2")
        assert notebook.cells[0].execution_count == 1
        assert notebook.cells[0].execution is not None and notebook.cells[0].execution.is_done


async def test_run_is_execute_and_its_result(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        running = asyncio.ensure_future(notebook.cells[0].run(timeout=5))
        await settle()
        hub.output("e1", "o1", value("45"))
        finish(hub, "e1")
        assert (await running).text == "45"


async def test_a_cell_that_raised_is_a_result_too(join: Join) -> None:
    hub = running_hub("1/0")
    async with join(hub) as notebook:
        running = asyncio.ensure_future(notebook.cells[0].run(timeout=5))
        await settle()
        raised = {
            "output_type": "error",
            "ename": "ZeroDivisionError",
            "evalue": "division by zero",
            "traceback": ["t"],
        }
        hub.output("e1", "o1", raised)
        finish(hub, "e1", "error")
        result = await running
        assert not result.success and result.error == ExecutionError("ZeroDivisionError", "division by zero", ("t",))


async def test_a_kernel_that_died_is_the_error(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        execution = await started(notebook)
        finish(hub, "e1", "error", error={"code": "kernel_died", "message": "it died"})
        assert (await execution).error == execution.error == ExecutionError("kernel_died", "it died")


async def test_time_that_is_up_leaves_the_execution_and_its_handle_alone(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        execution = await started(notebook)
        with pytest.raises(TimedOut, match="execution e1 of cell c0"):
            await execution.result(0.01)
        finish(hub, "e1")
        assert (await execution.result(5)).success


async def test_what_the_server_refuses_is_raised(join: Join) -> None:
    hub = hub_with("a")

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise HeadsMissing("your changes did not come")

    hub.answers["execute_cell"] = refuse
    async with join(hub) as notebook:
        with pytest.raises(HeadsMissing):
            await notebook.cells[0].run()


async def test_run_all_gives_the_results_in_order(join: Join) -> None:
    hub = running_hub("a", "b", "c")
    async with join(hub) as notebook:
        running = asyncio.ensure_future(notebook.run_all(timeout=5))
        await settle()
        finish(hub, "e1")
        finish(hub, "e2", "error")
        finish(hub, "e3", "cancelled")
        assert [(r.cell_id, r.status) for r in await running] == [("c0", "done"), ("c1", "error"), ("c2", "cancelled")]
        handles = await notebook.execute_all([notebook.cells[2], "c0"])
        assert [handle.cell_id for handle in handles] == ["c2", "c0"]
        assert hub.requests[-1]["cell_ids"] == ["c2", "c0"] and "cell_ids" not in hub.requests[0]


async def test_blobs_are_references_until_they_are_awaited(join: Join) -> None:
    hub = running_hub("a")
    reference = blob_reference(PNG)
    display = {"output_type": "display_data", "data": {"image/png": reference}, "metadata": {}}
    async with join(hub, blobs={reference["blob"]: PNG}) as notebook:
        execution = await started(notebook)
        hub.output("e1", "o1", display)
        finish(hub, "e1")
        await settle()
        assert notebook.cells[0].outputs[0].data["image/png"] == BlobRef(reference["blob"], len(PNG))
        assert (await execution).outputs[0].data["image/png"] == PNG
        assert notebook.cells[0].outputs[0].data["image/png"] == PNG == execution.outputs[0].data["image/png"]
        (output,) = await notebook.cells[0].read_outputs()
        assert output.is_loaded


async def test_outputs_stream_as_they_come_each_in_its_newest_form(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        execution = await started(notebook)

        async def follow() -> list[Output]:
            return [output async for output in execution.stream(timeout=5)]

        following = asyncio.ensure_future(follow())
        for pieces in (["one\n"], ["one\n", "two"], ["one\n", "TWO"]):
            hub.output("e1", "o1", stdout(*pieces))
            await settle()
        hub.output("e1", "o2", value("45"))
        finish(hub, "e1")
        assert [(o.id, o.text, o.new_text) for o in await following] == [
            ("o1", "one\n", "one\n"),
            ("o1", "one\ntwo", "two"),
            ("o1", "one\nTWO", "one\nTWO"),
            ("o2", "45", "45"),
        ]


async def test_a_stream_of_an_execution_that_has_ended_gives_what_there_is(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        execution = await started(notebook)
        hub.output("e1", "o1", stdout("x"))
        finish(hub, "e1")
        await settle()
        assert [output.text async for output in execution.stream()] == ["x"]


async def test_a_lost_connection_does_not_end_a_wait(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        execution = await started(notebook)
        waiting = asyncio.ensure_future(execution.result(5))
        await settle()
        hub.drop()
        with hub.runtime.edit() as edit:
            edit.update_execution("e1", status="done", execution_count=7)
        assert (await waiting).execution_count == 7 and len(hub.transports) == 2


async def test_an_execution_that_came_before_its_document_is_waited_for(join: Join) -> None:
    """The answer may overtake the runtime document."""
    hub = hub_with("a")
    hub.answers["execute_cell"] = lambda _: {"execution_id": "e1", "cell_id": "c0", "heads": hub.heads}
    async with join(hub) as notebook:
        execution = await started(notebook)
        waiting = asyncio.ensure_future(execution.result(5))
        await settle()
        assert not waiting.done() and execution.status == "queued"
        hub.execute("e1", "c0")
        finish(hub, "e1")
        assert (await waiting).success


async def test_an_end_is_kept_though_another_run_took_the_cell(join: Join) -> None:
    hub = running_hub("a")
    async with join(hub) as notebook:
        first = await started(notebook)
        hub.output("e1", "o1", stdout("first"))
        finish(hub, "e1")
        await settle()
        assert first.is_done
        with hub.runtime.edit() as edit:
            edit.remove_execution("e1")
        hub.flush()
        await settle()
        assert (await first).stdout == "first"


async def test_an_execution_the_server_has_lost_is_an_error(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    hub = running_hub("a")
    states = iter(["running", "cancelled"])
    hub.answers["wait_for_execution"] = lambda _: {"status": next(states), "execution_count": None}
    async with join(hub) as notebook:
        execution = await started(notebook)
        with hub.runtime.edit() as edit:
            edit.remove_execution("e1")
        hub.flush()
        with pytest.raises(NoSuchExecution, match="another run's"):
            await execution.result(5)
        assert [r["action"] for r in hub.requests].count("wait_for_execution") == 2


async def test_a_question_is_answered_by_the_callback_once(join: Join) -> None:
    hub = running_hub("a")
    asked: list[tuple[str, bool]] = []

    async def answer(prompt: str, password: bool) -> str:
        asked.append((prompt, password))
        await asyncio.sleep(0)
        return "bob"

    async with join(hub) as notebook:
        execution = await started(notebook, on_input=answer)
        hub.update("e1", status="running", input_request={"request_id": "q1", "prompt": "who? ", "password": True})
        await settle()
        hub.output("e1", "o1", stdout("…"))
        await settle()
        hub.update("e1", input_request={"request_id": "q2", "prompt": "and? ", "password": False})
        await settle()
        finish(hub, "e1")
        await execution
        assert asked == [("who? ", True), ("and? ", False)]
        replies = [(r["request_id"], r["value"]) for r in hub.requests if r["action"] == "input_reply"]
        assert replies == [("q1", "bob"), ("q2", "bob")]


async def test_a_notebooks_callback_answers_for_what_it_runs_and_only_that(join: Join) -> None:
    hub = running_hub("a", "b")
    async with join(hub) as notebook:
        notebook.on_input = lambda _prompt, _password: "plain"
        execution = await started(notebook)
        hub.execute("other", "c1", "running")
        hub.update("other", input_request={"request_id": "q0", "prompt": "", "password": False})
        hub.update("e1", status="running", input_request={"request_id": "q1", "prompt": "", "password": False})
        await settle()
        finish(hub, "e1")
        await execution
        assert [r["request_id"] for r in hub.requests if r["action"] == "input_reply"] == ["q1"]


async def test_somebody_elses_answer_is_no_trouble(join: Join) -> None:
    hub = running_hub("a")

    def late(_: dict[str, Any]) -> dict[str, Any]:
        raise AlreadyAnswered("somebody was faster")

    hub.answers["input_reply"] = late
    async with join(hub) as notebook:
        execution = await started(notebook, on_input=lambda _prompt, _password: "x")
        hub.update("e1", status="running", input_request={"request_id": "q1", "prompt": "", "password": False})
        await settle()
        finish(hub, "e1")
        assert (await execution).success


async def test_a_callback_that_fails_is_heard_of_where_the_execution_is_awaited(join: Join) -> None:
    hub = running_hub("a")

    def fail(_prompt: str, _password: bool) -> str:
        raise EOFError("no terminal")

    async with join(hub) as notebook:
        execution = await started(notebook, on_input=fail)
        waiting = asyncio.ensure_future(execution.result(5))
        await settle()
        hub.update("e1", status="running", input_request={"request_id": "q1", "prompt": "", "password": False})
        with pytest.raises(EOFError):
            await waiting
