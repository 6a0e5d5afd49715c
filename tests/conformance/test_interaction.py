"""Questions of the kernel and widgets: state of the room, for whoever is there now or comes later."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import Visitor, code_cell
from tests.conformance.test_running import finished, run, text_of
from tests.support.bare_peer import BarePeer
from tests.support.server_process import ServerProcess

SECRET = "tell-nobody-4711"


async def asked(peer: BarePeer, cell_id: str) -> dict[str, Any]:
    request: dict[str, Any] = await peer.until(lambda: peer.execution_of(cell_id).get("input_request"), 60)
    return request


async def test_a_password_is_asked_of_who_comes_later_answered_once_and_kept_nowhere(visit: Any) -> None:
    source = "from getpass import getpass\nprint(len(getpass('secret? ')))"
    async with visit() as v:
        async with v.joined(code_cell(source, "a")) as (peer, room):
            await peer.request("execute_cell", cell_id="a")
            first = await asked(peer, "a")
        async with v.peer(room) as peer, v.peer(room) as other:
            await peer.ready()
            await other.ready()
            question = peer.execution_of("a")["input_request"]
            assert question == first and (question["prompt"], question["password"]) == ("secret? ", True)
            answers = await asyncio.gather(
                *(
                    one.request("input_reply", request_id=question["request_id"], value=value)
                    for one, value in ((peer, SECRET), (other, SECRET + "!"))
                )
            )
            refused = [answer for answer in answers if not answer["ok"]]
            assert len(refused) == 1 and refused[0]["error"]["code"] == "already_answered"
            assert (await finished(peer, "a"))["status"] == "done" and peer.execution_of("a")["input_request"] is None
            length = len(SECRET) + (0 if answers[0]["ok"] else 1)
            assert text_of(peer.outputs_of("a")[0]) == f"secret? ········\n{length}\n"
            assert (await peer.request("save_notebook"))["ok"]
            await peer.until(lambda: not peer.statuses[-1]["dirty"])
        files = [path for path in v.server.home.rglob("*") if path.is_file()]
        keeping = [path for path in files if SECRET.encode() in path.read_bytes()]
        assert len(files) > 3 and keeping == []


async def test_a_server_that_logs_everything_logs_no_password(tmp_path: Path, visit: Any) -> None:
    source = "from getpass import getpass\nprint(len(getpass('secret? ')))"
    with ServerProcess(tmp_path, arguments=("--debug",)) as server:
        async with visit() as v:
            v = Visitor(v.session, server)
            async with v.joined(code_cell(source, "a")) as (peer, room):
                await peer.request("execute_cell", cell_id="a")
                question = await asked(peer, "a")
                body = {"id": "1", "action": "input_reply", "request_id": question["request_id"], "value": SECRET}
                status, _, _ = await v.call("POST", f"/rooms/{room['room_id']}/requests", json=body)
                assert status == 200 and (await finished(peer, "a"))["status"] == "done"
        assert "[D " in server.log
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("how", ["interrupt_kernel", "restart_kernel", "kill"])
async def test_a_question_ends_with_what_asks_it(visit: Any, how: str) -> None:
    source = "import os\nprint(os.getpid(), flush=True)\ninput('never answered ')"
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, _):
        await peer.request("execute_cell", cell_id="a")
        question = await asked(peer, "a")
        if how == "kill":
            # A question comes by another channel than what was printed before.
            await peer.until(lambda: peer.outputs_of("a"), what="the process id")
            os.kill(int(text_of(peer.outputs_of("a")[0])), signal.SIGKILL)
        else:
            assert (await peer.request(how))["ok"]
        ended = await finished(peer, "a")
        assert ended["status"] == "error" and ended["input_request"] is None
        late = await peer.request("input_reply", request_id=question["request_id"], value="x")
        assert late["error"]["code"] in ("already_answered", "no_kernel")


WIDGETS = """
import ipywidgets as widgets
slider = widgets.IntSlider(value=3, description="how many")
picture = widgets.Image(value=b"\\x89PNG" + bytes(5000), format="png")
heard = []
slider.on_msg(lambda _, content, buffers: heard.append((content, [bytes(b) for b in buffers])))
display(slider, picture)
"""


def model(peer: BarePeer, name: str) -> tuple[str, dict[str, Any]]:
    """(comm id, state) of the widget of this class."""
    found = [(key, comm["state"]) for key, comm in peer.comms().items() if comm["state"].get("_model_name") == name]
    assert len(found) == 1, found
    return found[0]


async def test_a_widget_is_the_same_for_a_second_user_and_for_who_comes_later(visit: Any) -> None:
    cells = [
        code_cell(WIDGETS, "w"),
        code_cell("slider.value = 5", "five"),
        code_cell("print(slider.value, heard)", "p"),
    ]
    async with visit() as v, v.joined(*cells) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        await run(alice, "w")
        shown = alice.outputs_of("w")[0]["data"]["application/vnd.jupyter.widget-view+json"]
        comm_id, state = model(alice, "IntSliderModel")
        assert shown["model_id"] == comm_id and (state["value"], state["description"]) == (3, "how many")
        _, picture = model(alice, "ImageModel")
        assert picture["value"]["buffer"] is True and picture["value"]["size"] == 5004
        status, _, body = await v.call("GET", f"/blobs/{picture['value']['blob']}")
        assert status == 200 and body == b"\x89PNG" + bytes(5000)

        data = {"method": "update", "state": {"value": 8}, "buffer_paths": []}
        moved = await bob.request("comm", msg_type="comm_msg", content={"comm_id": comm_id, "data": data})
        assert moved["ok"], moved
        await alice.until(lambda: model(alice, "IntSliderModel")[1]["value"] == 8)
        data = {"method": "custom", "content": {"hello": "kernel"}}
        buffers = [base64.b64encode(b"\x00\xff").decode()]
        await bob.request("comm", msg_type="comm_msg", content={"comm_id": comm_id, "data": data}, buffers=buffers)
        await run(alice, "p")
        assert text_of(alice.outputs_of("p")[0]) == "8 [({'hello': 'kernel'}, [b'\\x00\\xff'])]\n"

        await run(bob, "five")
        async with v.peer(room) as late:
            await late.ready()
            assert late.comms() == bob.comms() and model(late, "IntSliderModel")[1]["value"] == 5
        assert (await alice.request("restart_kernel"))["ok"]
        await bob.until(lambda: bob.comms() == {})


async def test_a_widgets_own_messages_reach_who_is_there_and_nobody_else(visit: Any) -> None:
    say = "slider.send({'n': 1}, buffers=[b'xyz'])\nslider.value = 4\nslider.send({'n': 2})"
    async with (
        visit() as v,
        v.joined(code_cell(WIDGETS, "w"), code_cell(say, "s")) as (alice, room),
        v.peer(room) as bob,
    ):
        await bob.ready()
        await run(alice, "w")
        await run(alice, "s")
        for peer in (alice, bob):
            await peer.until(lambda peer=peer: len(peer.events) >= 2)
            said = [(e["content"]["data"]["content"], e["buffers"]) for e in peer.events]
            assert said == [({"n": 1}, [base64.b64encode(b"xyz").decode()]), ({"n": 2}, [])]
        async with v.peer(room) as late:
            await late.ready()
            assert late.events == [] and model(late, "IntSliderModel")[1]["value"] == 4


async def test_an_output_widget_shows_what_it_captured_to_everybody(visit: Any) -> None:
    make = "import ipywidgets as widgets\nout = widgets.Output()\ndisplay(out)"
    use = "print('outside')\nwith out:\n    print('inside')\n    display('shown')\nprint(len(out.outputs))"
    fail = "with out:\n    1/0\nprint('goes on')"
    async with (
        visit() as v,
        v.joined(code_cell(make, "m"), code_cell(use, "u"), code_cell(fail, "f")) as (peer, room),
    ):
        await run(peer, "m")
        await run(peer, "u")
        texts = [text_of(output) for output in peer.outputs_of("u")]
        assert "".join(texts).startswith("outside\n") and "inside" not in "".join(texts)
        await run(peer, "f")
        assert [text_of(output) for output in peer.outputs_of("f")] == ["goes on\n"]
        async with v.peer(room) as late:
            await late.ready()
            captured = model(late, "OutputModel")[1]["outputs"]
            if isinstance(captured, dict):  # by now too long to stand in the document
                status, _, captured = await v.call("GET", f"/blobs/{captured['blob']}?type=application/json")
                assert status == 200
            kinds = [output["output_type"] for output in captured]
            assert kinds == ["stream", "display_data", "error"] and captured[0]["text"] == "inside\n"
            assert captured[2]["ename"] == "ZeroDivisionError"
