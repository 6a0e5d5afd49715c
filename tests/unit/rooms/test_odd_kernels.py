"""What a kernel says may have no place in a document: it is left out, and everything else is written and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import BadRequest
from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.requests import Comm
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit
from jupyter_runtimed.rooms.output_sink import OutputSink, Urgency
from jupyter_runtimed.rooms.tasks import Tasks
from tests.support.cell_runner import CellRunner, cell_runner
from tests.support.manual_clock import ManualClock
from tests.support.room_ports import FakeBlobs

HALF = "\ud800"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


async def ends_well(r: CellRunner, execution_id: str) -> None:
    """It does, and so does the next one."""
    r.kernel.print(execution_id, "x")
    r.kernel.end(execution_id)
    await r.clock.advance(5)
    assert r.statuses(execution_id) == ["done"] and ("stdout", "x") in r.shown(execution_id) and r.is_mirrored()
    following = await r.run("b")
    r.kernel.end(following)
    await r.clock.advance(5)
    assert r.statuses(following) == ["done"] and r.is_mirrored()


@pytest.mark.parametrize(
    ("comm_id", "state", "kept"),
    [
        ("c", {"x": nested(300), "y": 1}, {"y": 1}),
        ("c", {"": 1, "y": 1}, {"y": 1}),
        ("c", {f"a{HALF}": 1, "y": 1}, {"y": 1}),
        ("", {"y": 1}, None),
        (f"c{HALF}", {"y": 1}, None),
    ],
)
async def test_widgets(comm_id: str, state: dict[str, Any], kept: Any) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id)
        data = {"state": state, "method": "update"}
        r.kernel.say("comm_open", execution_id, comm_id=comm_id, target_name="jupyter.widget", data=data)
        await ends_well(r, execution_id)
        assert {key: comm["state"] for key, comm in r.runtime.comms.items()} == ({comm_id: kept} if kept else {})


async def test_a_client_cannot_name_a_comm_so_either() -> None:
    async with cell_runner() as r:
        for comm_id in ("", HALF, 7):
            request = Comm(id="1", msg_type="comm_open", content={"comm_id": comm_id, "target_name": "t", "data": {}})
            with pytest.raises(BadRequest, match="comm_id"):
                await r.executor.comm(request)


async def test_questions() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id)
        r.kernel.say("input_request", execution_id, channel="stdin", prompt=HALF + "x" * 1_000_000)
        await r.clock.advance(1)
        asked = r.execution(execution_id).input_request
        assert asked is not None and 1000 < len(asked["prompt"]) < 100_000
        await ends_well(r, execution_id)


@pytest.mark.parametrize(
    ("count", "shown"), [(2**63, None), (-1, None), (True, None), (1.5, None), (2**63 - 1, 2**63 - 1)]
)
async def test_counts(count: Any, shown: int | None) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id, count)
        r.kernel.say("execute_result", execution_id, data={"text/plain": "1"}, metadata={}, execution_count=count)
        await ends_well(r, execution_id)
        ((_, result), _) = r.runtime.outputs(execution_id)
        assert result["execution_count"] == shown == r.execution(execution_id).execution_count


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [
        ("stream", {"name": HALF, "text": HALF}),
        ("error", {"ename": HALF, "evalue": HALF, "traceback": [HALF]}),
        (
            "display_data",
            {"data": {"text/plain": "y", "a": 2**80, "": 1}, "metadata": {"a": 2**80}, "mine": 2**80, "": 1},
        ),
        ("display_data", {"data": {"text/plain": "y"}, "transient": {"display_id": HALF}}),
        (
            "execute_result",
            {"data": {"text/plain": "y", "a/b": nested(300)}, "metadata": {"a": nested(300)}, "mine": nested(300)},
        ),
    ],
)
async def test_outputs(msg_type: str, content: dict[str, Any]) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.busy(execution_id)
        r.kernel.say(msg_type, execution_id, **content)
        await ends_well(r, execution_id)


@pytest.mark.parametrize("blobs", [(), (b"of the one that can be written",)])
async def test_an_edit_that_cannot_be_made_takes_no_other_with_it(
    blobs: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    runtime, clock, tasks, told = RuntimeDocument(new_actor()), ManualClock(), Tasks("sink"), []
    sink = OutputSink(
        runtime, FakeBlobs(), clock, tasks, limits=Limits(), output_limits=OutputLimits(), on_lost=lambda *_: None
    )

    def impossible(edit: RuntimeEdit) -> None:
        edit.set_kernel(name="half of it")
        edit.put_comm("", {"state": {}})

    def unprepared() -> Any:
        raise KeyError("what is not there")

    sink.change(lambda edit: edit.put_comm("before", {"state": {}}))
    sink.change(impossible)
    sink.later(unprepared, Urgency.LAZY)
    sink.after(lambda: told.append("once"), Urgency.NOW)
    sink.change(lambda edit: edit.put_comm("after", {"state": {}}), blobs=blobs)
    sink.wake()
    await sink.settle()
    assert set(runtime.comms) == {"before", "after"} and runtime.kernel["name"] == "" and told == ["once"]
    assert runtime.replica.engine.extract()["comms"].keys() == {"before", "after"}
    assert len([record for record in caplog.records if "lost" in record.message]) == 2
    await tasks.stop()
