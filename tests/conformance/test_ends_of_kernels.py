"""Everything that was accepted has ended within two seconds of its kernel, for everybody and whoever ended it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.conformance.conftest import code_cell, notebook
from tests.conformance.test_running import finished, run, text_of
from tests.conformance.test_shared_kernels import jupyter, kernel_is, session_at
from tests.support.bare_peer import BarePeer
from tests.support.waiting import becomes

RUNS = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
WAITS = [code_cell("print('never')", f"w{number}") for number in range(3)]
IN_TIME_S = 2.0


async def end_kernel(v: Any, peer: BarePeer, path: str, how: str) -> None:
    """End it, and wait until it is done as far as they know who did it."""
    session = await session_at(v, path)
    match how:
        case "killed":
            os.kill(int(text_of(peer.outputs_of("a")[0])), signal.SIGKILL)
        case "restarted":
            assert (await peer.request("restart_kernel"))["ok"]
        case "shut down":
            assert (await peer.request("shutdown_kernel"))["ok"]
        case "restarted by others":
            await jupyter(v, "POST", f"kernels/{session['kernel']['id']}/restart")
        case "changed by others":
            await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "bash"}})
        case "shut down by others":
            await jupyter(v, "DELETE", f"sessions/{session['id']}")


@pytest.mark.parametrize(
    "how",
    ["killed", "restarted", "shut down", "restarted by others", "changed by others", "shut down by others"],
)
async def test_what_runs_and_what_waits_has_ended_in_time(visit: Any, how: str) -> None:
    async with visit() as v, v.joined(code_cell(RUNS, "a"), *WAITS) as (peer, room), v.peer(room) as other:
        await other.ready()
        accepted = [entry["execution_id"] for entry in (await peer.request("run_all_cells"))["result"]["queued"]]
        accepted.append((await other.request("execute_cell", cell_id="w0"))["result"]["execution_id"])
        await peer.until(lambda: peer.outputs_of("a"), 60)
        await end_kernel(v, peer, room["path"], how)
        ends = [other.request("wait_for_execution", execution_id=one, timeout=IN_TIME_S) for one in accepted]
        statuses = [end["result"]["status"] for end in await asyncio.gather(*ends)]
        assert statuses == ["error", "cancelled", "cancelled", "cancelled", "cancelled"]
        await finished(peer, "a")
        ended = peer.execution_of("a")
        assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died" and ended["finished_at"]
        # What is asked for afterwards runs, on the kernel there is then.
        peer.add_cell("after", "echo after" if how == "changed by others" else "print('after')", "z")
        await peer.flush()
        assert (await run(peer, "after"))["status"] == "done" and text_of(peer.outputs_of("after")[0]) == "after\n"


async def test_what_runs_and_what_waits_goes_on_with_nobody_there(visit: Any) -> None:
    go_on = (
        "import os, time\nprint('said', flush=True)\nwhile not os.path.exists('go-on'): time.sleep(0.05)\nprint('end')"
    )
    cells = [code_cell(go_on, "a"), code_cell("print('second')", "b"), code_cell("print('third')", "c")]
    async with visit() as v:
        path = v.write(notebook(*cells), "nobody/there.ipynb")
        room = await v.open(path)
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("run_all_cells")
            await peer.until(lambda: peer.outputs_of("a"), 60)
        async with v.peer(room) as back:
            await back.ready()
            statuses = [back.execution_of(cell_id)["status"] for cell_id in ("a", "b", "c")]
            assert statuses == ["running", "queued", "queued"] and text_of(back.outputs_of("a")[0]) == "said\n"
            await kernel_is(back, status="busy")
        v.file("nobody/go-on").touch()
        await becomes(
            lambda: all(cell["outputs"] for cell in v.read(path)["cells"]), "the outputs of every cell in the file", 30
        )
        said = ["".join(cell["outputs"][0]["text"]) for cell in v.read(path)["cells"]]
        assert said == ["said\nend\n", "second\n", "third\n"]
        async with v.peer(await v.open(path)) as back:
            await back.ready()
            assert [(await finished(back, cell_id))["status"] for cell_id in ("a", "b", "c")] == ["done"] * 3
            assert [text_of(back.outputs_of(cell_id)[0]) for cell_id in ("a", "b", "c")] == said
            await kernel_is(back, status="idle")


async def test_a_kernel_that_hangs_holds_up_nobody_and_nothing_but_itself(visit: Any) -> None:
    """Stopped as by a debugger: it neither answers nor dies."""
    questions: dict[str, dict[str, Any]] = {
        "complete": {"code": "pri", "cursor_pos": 3},
        "inspect": {"code": "print", "cursor_pos": 3, "detail_level": 0},
        "history": {"n": 1},
        "is_complete": {"code": "1"},
    }
    async with (
        visit() as v,
        v.joined(code_cell("import os\nprint(os.getpid())", "a"), code_cell("x", "b")) as (peer, room),
        v.peer(room) as other,
    ):
        await other.ready()
        await run(peer, "a")
        pid = int(text_of(peer.outputs_of("a")[0]))
        os.kill(pid, signal.SIGSTOP)
        asked = [asyncio.ensure_future(peer.request(action, **fields)) for action, fields in questions.items()]
        await peer.request("execute_cell", cell_id="b")
        peer.type_text("b", 0, "y")
        await peer.flush()
        await other.until(lambda: other.cells()[1]["source"] == "yx" and other.execution_of("b"))
        assert (await peer.request("get_raw_metadata", key="x"))["ok"] and (await peer.request("save_notebook"))["ok"]
        assert not any(question.done() for question in asked)
        answers = await asyncio.gather(*asked)
        assert [answer["error"]["code"] for answer in answers] == ["kernel_busy"] * 4
        assert (await other.request("restart_kernel"))["ok"]
        assert (await finished(peer, "b"))["error"]["code"] == "kernel_died"
        assert (await run(peer, "a"))["status"] == "done"
