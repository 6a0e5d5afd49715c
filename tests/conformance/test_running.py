"""Requests and the runtime document: what running cells looks like to a client that is not ours."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.conformance.conftest import code_cell, notebook
from tests.support.bare_peer import REQUEST, BarePeer
from tests.support.waiting import becomes

ENDED = ("done", "error", "cancelled")


def text_of(output: dict[str, Any]) -> str:
    return "".join(piece if isinstance(piece, str) else "<blob>" for piece in output["text"])


async def finished(peer: BarePeer, cell_id: str, deadline_s: float = 60.0) -> dict[str, Any]:
    found: dict[str, Any] = await peer.until(
        lambda: peer.execution_of(cell_id) if peer.execution_of(cell_id).get("status") in ENDED else None,
        deadline_s,
        f"the end of {cell_id}: {peer.execution_of(cell_id)}",
    )
    return found


async def run(peer: BarePeer, cell_id: str, **fields: Any) -> dict[str, Any]:
    answer = await peer.request("execute_cell", cell_id=cell_id, required_heads=peer.heads(), **fields)
    assert answer["ok"], answer
    assert answer["result"]["cell_id"] == cell_id and answer["result"]["execution_id"] and answer["result"]["heads"]
    await peer.until(
        lambda: any(
            c["id"] == cell_id and c.get("execution_id") == answer["result"]["execution_id"] for c in peer.cells()
        )
    )
    return await finished(peer, cell_id)


async def test_streams_results_displays_and_errors_reach_both_documents_and_the_file(visit: Any) -> None:
    async with visit() as v:
        cells = [
            code_cell("import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 + 1", "a"),
            code_cell("from IPython.display import HTML\ndisplay(HTML('<b>x</b>'))", "b"),
            code_cell("1/0", "c"),
        ]
        async with v.joined(*cells) as (peer, room), v.peer(room) as other:
            await other.ready()
            first = await run(peer, "a")
            assert (
                first["status"] == "done"
                and first["execution_count"] == 1
                and first["started_at"]
                and first["finished_at"]
            )
            assert first["cell_id"] == "a" and first["submitted_by"] and first["queued_at"]
            kinds = [(o["output_type"], o.get("name")) for o in peer.outputs_of("a")]
            assert kinds == [("stream", "stdout"), ("stream", "stderr"), ("execute_result", None)]
            assert text_of(peer.outputs_of("a")[0]) == "out\n" and peer.outputs_of("a")[2]["data"]["text/plain"] == "2"
            await run(peer, "b")
            assert peer.outputs_of("b")[0]["data"]["text/html"] == "<b>x</b>"
            failed = await run(peer, "c")
            assert failed["status"] == "error"
            error = peer.outputs_of("c")[0]
            assert error["output_type"] == "error" and error["ename"] == "ZeroDivisionError" and error["traceback"]
            await other.until(lambda: other.outputs_of("c") and other.outputs_of("a") == peer.outputs_of("a"))
            answer = await peer.request("save_notebook")
            assert answer["ok"] and answer["result"]["path"] == room["path"]
            saved = v.read(room["path"])
            assert saved["cells"][0]["execution_count"] == 1 and len(saved["cells"][0]["outputs"]) == 3
            assert saved["cells"][2]["outputs"][0]["ename"] == "ZeroDivisionError"
            assert peer.statuses[-1]["executable"] is True


async def test_create_then_run_in_a_tight_loop_runs_the_new_source(visit: Any) -> None:
    """Seed 713, with the heads in the request instead of a round of confirmation."""
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, _):
        await run(peer, "a")
        ids = []
        for index in range(30):
            cell_id = f"n{index}"
            peer.add_cell(cell_id, f"print({index} * 7)", f"m{index:03}i")
            frame, future = peer.request_nowait("execute_cell", cell_id=cell_id, required_heads=peer.heads())
            await peer.flush()
            await peer.socket.send_bytes(frame)
            answer = await asyncio.wait_for(future, 10)
            assert answer["ok"], answer
            ids.append(cell_id)
        for index, cell_id in enumerate(ids):
            await finished(peer, cell_id)
            assert text_of(peer.outputs_of(cell_id)[0]) == f"{index * 7}\n"


async def test_a_request_may_arrive_before_the_changes_it_needs(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, _):
        peer.silent = True  # the change is made, and kept back
        peer.type_text("a", 0, "print('late'); ")
        frame, future = peer.request_nowait("execute_cell", cell_id="a", required_heads=peer.heads())
        await peer.socket.send_bytes(frame)
        other = await peer.request("get_raw_metadata", key="x")
        assert other["ok"] and not future.done()
        peer.silent = False
        await peer.flush()
        assert (await asyncio.wait_for(future, 10))["ok"]
        await peer.until(lambda: peer.outputs_of("a"), 30)
        assert text_of(peer.outputs_of("a")[0]) == "late\n"


async def test_only_code_cells_that_exist_can_be_run(visit: Any) -> None:
    markdown = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# x"}
    async with visit() as v, v.joined(code_cell("1", "a"), markdown) as (peer, _):
        assert (await peer.request("execute_cell", cell_id="none"))["error"]["code"] == "no_such_cell"
        assert (await peer.request("execute_cell", cell_id="m"))["error"]["code"] == "bad_request"
        assert (await peer.request("wait_for_execution", execution_id="none"))["error"]["code"] == "no_such_execution"


async def test_run_all_stops_at_the_first_error(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("x = 1", "a"), code_cell("1/0", "b"), code_cell("print('never')", "c")) as (peer, _),
    ):
        answer = await peer.request("run_all_cells", required_heads=peer.heads())
        assert [entry["cell_id"] for entry in answer["result"]["queued"]] == ["a", "b", "c"] and answer["result"][
            "heads"
        ]
        by_cell = {entry["cell_id"]: entry["execution_id"] for entry in answer["result"]["queued"]}
        await peer.until(lambda: peer.executions().get(by_cell["c"], {}).get("status") == "cancelled", 60)
        assert peer.executions()[by_cell["a"]]["status"] == "done"
        assert peer.executions()[by_cell["b"]]["status"] == "error"
        waited = await peer.request("wait_for_execution", execution_id=by_cell["c"])
        assert waited["result"] == {"status": "cancelled", "execution_count": None}


async def test_one_interrupt_ends_what_runs_and_what_waits(visit: Any) -> None:
    async with visit() as v, v.joined(
        code_cell("import time\nprint('go', flush=True)\ntime.sleep(60)", "a"), code_cell("print('queued')", "b"), code_cell("print('after')", "c")
    ) as (peer, _):  # fmt: skip
        await peer.request("execute_cell", cell_id="a")
        await peer.request("execute_cell", cell_id="b")
        await peer.until(lambda: peer.outputs_of("a"), 60)
        assert (await peer.request("interrupt_kernel"))["ok"]
        assert (await finished(peer, "a"))["status"] == "error"
        assert peer.outputs_of("a")[-1]["ename"] == "KeyboardInterrupt"
        assert (await finished(peer, "b"))["status"] == "cancelled"
        assert (await run(peer, "c"))["status"] == "done"


async def test_restart_and_shutdown_leave_nothing_running(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("import time\nprint(1, flush=True)\ntime.sleep(60)", "a"), code_cell("print(2)", "b")) as (
            peer,
            _,
        ),
    ):
        for action in ("restart_kernel", "shutdown_kernel"):
            await peer.request("execute_cell", cell_id="a")
            await peer.request("execute_cell", cell_id="b")
            await peer.until(lambda: peer.execution_of("a").get("status") == "running" and peer.outputs_of("a"), 60)
            answer = await peer.request(action)
            assert answer["ok"] and "status" in answer["result"], answer
            first = await finished(peer, "a", 10)
            assert first["status"] == "error" and first["error"]["code"] == "kernel_died", first
            assert (await finished(peer, "b", 10))["status"] == "cancelled"
        assert (await run(peer, "b"))["status"] == "done"


async def test_a_kernel_that_is_killed_ends_its_execution(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("import os\nos.kill(os.getpid(), 9)", "a"), code_cell("1", "b")) as (peer, _),
    ):
        await peer.request("execute_cell", cell_id="a")
        ended = await finished(peer, "a")
        assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died"
        assert (await run(peer, "b"))["status"] == "done"


async def test_an_execution_goes_on_with_nobody_there_and_lands_in_the_file(visit: Any) -> None:
    async with visit() as v:
        async with v.joined(code_cell("import time\ntime.sleep(1.5)\nprint('done')", "a")) as (peer, room):
            await peer.request("execute_cell", cell_id="a")
        outputs = await becomes(lambda: v.read(room["path"])["cells"][0]["outputs"], "the output in the file")
        assert "".join(outputs[0]["text"]) == "done\n"
        async with v.peer(await v.open(room["path"])) as peer:
            await peer.ready()
            assert text_of(peer.outputs_of("a")[0]) == "done\n"


async def test_input_is_answered_by_anyone_once(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("name = input('who? ')\nprint('hi', name)", "a")) as (peer, room),
        v.peer(room) as other,
    ):
        await other.ready()
        await peer.request("execute_cell", cell_id="a")
        asked = await other.until(lambda: other.execution_of("a").get("input_request"), 60)
        assert asked["prompt"] == "who? " and asked["password"] is False
        assert (await other.request("input_reply", request_id=asked["request_id"], value="bob"))["ok"]
        again = await peer.request("input_reply", request_id=asked["request_id"], value="late")
        assert again["error"]["code"] == "already_answered"
        assert (await finished(peer, "a"))["status"] == "done"
        assert "hi bob" in "".join(text_of(o) for o in peer.outputs_of("a") if o["output_type"] == "stream")
        assert not peer.execution_of("a").get("input_request")


async def test_a_progress_bar_leaves_one_line_and_displays_update_in_place(visit: Any) -> None:
    progress = "for i in range(200):\n    print(f'\\r{i}%', end='')\nprint()"
    update = "h = display('first', display_id=True)\nfor i in range(5):\n    h.update(f'v{i}')"
    async with visit() as v, v.joined(code_cell(progress, "a"), code_cell(update, "b")) as (peer, _):
        await run(peer, "a")
        assert [text_of(o) for o in peer.outputs_of("a")] == ["199%\n"]
        await run(peer, "b")
        assert len(peer.outputs_of("b")) == 1 and "v4" in peer.outputs_of("b")[0]["data"]["text/plain"]


async def test_clear_output_waits_for_the_next_output(visit: Any) -> None:
    source = "from IPython.display import clear_output\nfor i in range(4):\n    clear_output(wait=True)\n    print(i)"
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, _):
        await run(peer, "a")
        assert [text_of(o) for o in peer.outputs_of("a")] == ["3\n"]


async def test_images_are_blobs_and_the_socket_carries_kilobytes(visit: Any) -> None:
    source = "import os\nfrom IPython.display import Image, display\ndisplay(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(300000), format='png'))"
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, room):
        before = sum(peer.received_bytes.values())
        await run(peer, "a")
        reference = peer.outputs_of("a")[0]["data"]["image/png"]
        assert reference["size"] == 300008 and sum(peer.received_bytes.values()) - before < 20_000
        status, _, body = await v.call("GET", f"/blobs/{reference['blob']}?type=image/png")
        assert status == 200 and len(body) == 300008
        assert (await peer.request("save_notebook"))["ok"]
        saved = v.read(room["path"])["cells"][0]["outputs"][0]["data"]["image/png"]
        assert base64.b64decode("".join(saved)) == body


async def test_clearing_outputs_sets_the_pointer_null(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("1", "a", [{"name": "stdout", "output_type": "stream", "text": "old"}], 5)) as (peer, _),
    ):
        assert text_of(peer.outputs_of("a")[0]) == "old" and peer.execution_of("a")["submitted_by"] == ""
        answer = await peer.request("clear_outputs", cell_ids=["a"])
        assert answer["ok"] and answer["result"]["heads"]
        await peer.until(lambda: peer.cells()[0]["execution_id"] is None)


async def test_completion_inspection_and_history_answer_with_the_kernels_words(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("value_of_mine = 3", "a")) as (peer, _):
        await run(peer, "a")
        answer = await peer.request("complete", code="é = value_of_m", cursor_pos=14)
        assert "value_of_mine" in answer["result"]["matches"], answer
        answer = await peer.request("inspect", code="value_of_mine", cursor_pos=5, detail_level=0)
        assert answer["result"]["found"] is True
        answer = await peer.request("history", n=5)
        assert "history" in answer["result"]
        assert (await peer.request("is_complete", code="for i in range(3):"))["result"]["status"] == "incomplete"


async def test_without_a_kernel_the_questions_to_it_say_so(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, _):
        for action, fields in (
            ("complete", {"code": "a", "cursor_pos": 1}),
            ("interrupt_kernel", {}),
            ("is_complete", {"code": "1"}),
        ):
            answer = await peer.request(action, **fields)
            assert answer["ok"] is False and answer["error"]["code"] == "no_kernel", (action, answer)


async def test_an_unknown_kernel_is_a_clear_error_of_the_execution(visit: Any) -> None:
    content = notebook(code_cell("1", "a"))
    content["metadata"]["kernelspec"] = {"name": "no-such-kernel", "display_name": "x", "language": "x"}
    async with visit() as v:
        room = await v.open(v.write(content))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="a")
            ended = await finished(peer, "a", 30)
            assert ended["status"] == "error" and ended["error"]["code"] == "no_kernel", ended
            assert "'no-such-kernel'" in ended["error"]["message"] and "python3" in ended["error"]["message"]


async def test_a_deleted_queued_cell_is_cancelled(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("import time\ntime.sleep(2)", "a"), code_cell("print(1)", "b")) as (peer, _),
    ):
        await peer.request("execute_cell", cell_id="a")
        answer = await peer.request("execute_cell", cell_id="b")
        peer.delete_cell("b")
        await peer.flush()
        execution = answer["result"]["execution_id"]
        waited = await peer.request("wait_for_execution", execution_id=execution, timeout=20)
        assert waited["result"]["status"] == "cancelled", waited


async def test_the_source_is_captured_when_the_cell_is_queued(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("import time\ntime.sleep(1)", "a"), code_cell("print('captured')", "b")) as (peer, _),
    ):
        await peer.request("execute_cell", cell_id="a")
        await peer.request("execute_cell", cell_id="b")
        peer.type_text("b", 0, "print('edited later')", delete=17)
        await peer.flush()
        await finished(peer, "b")
        assert text_of(peer.outputs_of("b")[0]) == "captured\n"


async def test_answers_come_by_id_whatever_their_order(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, _):
        frames = []
        futures = []
        for index in range(50):
            frame, future = peer.request_nowait("get_raw_metadata", key=f"k{index}")
            frames.append(frame)
            futures.append(future)
        for frame in frames:
            await peer.socket.send_bytes(frame)
        answers = await asyncio.wait_for(asyncio.gather(*futures), 10)
        assert all(answer["ok"] for answer in answers)
        assert json.loads(frames[0][1:])["id"] == answers[0]["id"] and frames[0][0] == REQUEST


async def test_document_bytes_and_metadata_by_request(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, _):
        answer = await peer.request("set_raw_metadata", key="k", value=[1, {"a": None}])
        assert answer["ok"] and answer["result"]["heads"]
        assert (await peer.request("get_raw_metadata", key="k"))["result"] == {"value": [1, {"a": None}]}
        for document in ("notebook", "runtime"):
            answer = await peer.request("get_doc_bytes", document=document)
            assert base64.b64decode(answer["result"]["bytes"])[:4] == b"\x85\x6f\x4a\x83" and answer["result"]["heads"]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_a_flood_is_kept_whole(visit: Any, name: str) -> None:
    source = f"import sys\nfor i in range(20000):\n    print('line', i, file=sys.{name})"
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, _):
        await run(peer, "a")
        text = ""
        for output in peer.outputs_of("a"):
            assert output["name"] == name
            for piece in output["text"]:
                if isinstance(piece, str):
                    text += piece
                else:
                    status, _, body = await v.call("GET", f"/blobs/{piece['blob']}")
                    assert status == 200
                    text += body.decode()
        assert text == "".join(f"line {i}\n" for i in range(20000))
