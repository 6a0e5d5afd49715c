"""Widgets and other comms, between kernel, document and clients."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from jupyter_runtimed.core.errors import BadRequest, NoKernel
from jupyter_runtimed.core.requests import Comm
from tests.support.cell_runner import CellRunner, cell_runner
from tests.support.manual_clock import settle

SLIDER = {"_model_name": "IntSliderModel", "value": 3, "max": 10}


def reference(data: bytes) -> dict[str, Any]:
    return {"blob": hashlib.sha256(data).hexdigest(), "size": len(data)}


def opens(r: CellRunner, comm_id: str = "w", state: dict[str, Any] | None = None, **fields: Any) -> None:
    data = {"state": SLIDER if state is None else state, "buffer_paths": fields.pop("paths", [])}
    r.kernel.say("comm_open", comm_id=comm_id, target_name="jupyter.widget", target_module="", data=data, **fields)


def updates(r: CellRunner, state: dict[str, Any], comm_id: str = "w", method: str = "update", **fields: Any) -> None:
    data = {"method": method, "state": state, "buffer_paths": fields.pop("paths", [])}
    r.kernel.say("comm_msg", comm_id=comm_id, data=data, **fields)


async def asks(r: CellRunner, msg_type: str, content: dict[str, Any], *buffers: bytes) -> None:
    encoded = [base64.b64encode(buffer).decode() for buffer in buffers]
    await r.executor.comm(Comm(id="1", msg_type=msg_type, content=content, buffers=encoded))
    await r.clock.advance(1)


async def test_widget_state_is_in_the_document_and_follows_the_kernel() -> None:
    async with cell_runner() as r:
        opens(r)
        await settle()
        assert r.runtime.comms == {"w": {"target_name": "jupyter.widget", "state": SLIDER}}
        updates(r, {"value": 5})
        await r.clock.advance(1)
        updates(r, {"value": 6}, method="echo_update")
        await r.clock.advance(1)
        assert r.runtime.comms["w"]["state"] == {**SLIDER, "value": 6}
        r.kernel.say("comm_close", comm_id="w")
        await r.clock.advance(1)
        assert r.runtime.comms == {} and r.events == [] and r.is_mirrored()


async def test_a_slider_that_is_dragged_is_written_once_a_tick() -> None:
    async with cell_runner() as r:
        opens(r)
        await settle()
        before = r.changes
        for value in range(500):
            updates(r, {"value": value})
        await r.clock.advance(1)
        assert r.changes == before + 1 and r.runtime.comms["w"]["state"]["value"] == 499


async def test_large_values_and_buffers_are_blobs() -> None:
    async with cell_runner() as r:
        large = {"text": "x" * 200}
        state = {"big": large, "pixels": None, "nested": {"a": [1, None]}, "tricky": {"blob": "no reference"}}
        paths = [["pixels"], ["nested", "a", 1], ["only_buffer"]]
        opens(r, state=state, paths=paths, buffers=[b"\x00\xff", b"inner", b"alone"])
        await settle()
        shown = r.runtime.comms["w"]["state"]
        assert set(shown["big"]) == {"blob", "size"} and json.loads(r.blobs.read(shown["big"]["blob"])) == large
        assert shown["pixels"] == {**reference(b"\x00\xff"), "buffer": True}
        assert shown["only_buffer"] == {**reference(b"alone"), "buffer": True}
        nested = json.dumps(state["nested"], separators=(",", ":")).encode()
        assert shown["nested"] == {**reference(nested), "buffers": [{"path": ["a", 1], **reference(b"inner")}]}
        assert json.loads(r.blobs.read(shown["tricky"]["blob"])) == {"blob": "no reference"}
        named = json.dumps(shown)
        assert all(name in named for name in r.blobs.blobs) and len(r.blobs.blobs) == 6


async def test_custom_messages_are_events_after_the_state_they_follow() -> None:
    async with cell_runner() as r:
        opens(r)
        data = {"method": "custom", "content": {"what": "draw"}}
        r.kernel.say("comm_msg", comm_id="w", data=data, buffers=[b"\x01\x02"])
        await settle()
        assert r.events == [
            {"event": "comm", "msg_type": "comm_msg", "content": {"comm_id": "w", "data": data}, "metadata": {},
             "buffers": ["AQI="]}
        ]  # fmt: skip
        assert "w" in r.runtime.comms


async def test_an_event_waits_for_the_blobs_of_the_state_before_it() -> None:
    async with cell_runner() as r:
        r.blobs.doors.shut("put")
        opens(r, state={"big": "x" * 500})
        r.kernel.say("comm_msg", comm_id="w", data={"method": "custom", "content": {}})
        await settle()
        assert r.events == [] and r.runtime.comms == {}
        r.blobs.doors.open("put")
        await settle()
        assert len(r.events) == 1 and "w" in r.runtime.comms


async def test_comms_that_are_no_widgets_are_known_and_their_messages_events() -> None:
    async with cell_runner() as r:
        r.kernel.say("comm_open", comm_id="c", target_name="my.target", data={"a": 1})
        r.kernel.say("comm_msg", comm_id="c", data={"method": "update", "state": {"b": 2}})
        await settle()
        assert r.runtime.comms == {"c": {"target_name": "my.target", "data": {"a": 1}, "state": {}}}
        assert [event["content"]["data"] for event in r.events] == [{"method": "update", "state": {"b": 2}}]


async def test_what_a_client_sets_is_seen_by_all_and_told_to_the_kernel() -> None:
    async with cell_runner() as r:
        opens(r)
        await settle()
        content = {
            "comm_id": "w",
            "data": {"method": "update", "state": {"value": 9, "raw": None}, "buffer_paths": [["raw"]]},
        }
        await asks(r, "comm_msg", content, b"\x07")
        (sent,) = r.kernel.requests("comm_msg")
        assert sent.channel == "shell" and sent.content == content and sent.buffers == [b"\x07"]
        assert r.runtime.comms["w"]["state"]["value"] == 9
        assert r.runtime.comms["w"]["state"]["raw"] == {**reference(b"\x07"), "buffer": True}
        await asks(r, "comm_msg", {"comm_id": "w", "data": {"method": "custom", "content": {}}})
        assert len(r.kernel.requests("comm_msg")) == 2 and r.events == []


async def test_a_client_may_open_and_close_comms() -> None:
    async with cell_runner() as r:
        await asks(r, "comm_open", {"comm_id": "n", "target_name": "jupyter.widget", "data": {"state": {"value": 1}}})
        assert r.runtime.comms["n"]["state"] == {"value": 1}
        await asks(r, "comm_close", {"comm_id": "n"})
        assert r.runtime.comms == {}
        assert [sent.msg_type for sent in r.kernel.sent] == ["comm_open", "comm_close"]


@pytest.mark.parametrize(
    "request_",
    [
        Comm(id="1", msg_type="execute_request", content={"comm_id": "w"}),
        Comm(id="1", msg_type="comm_msg", content={}),
        Comm(id="1", msg_type="comm_msg", content={"comm_id": "w"}, buffers=["no base64!"]),
    ],
)
async def test_what_is_no_comm_message_is_refused(request_: Comm) -> None:
    async with cell_runner() as r:
        with pytest.raises(BadRequest):
            await r.executor.comm(request_)
        assert r.kernel.sent == []


async def test_without_a_kernel_there_is_nobody_to_tell() -> None:
    async with cell_runner(with_kernel=False) as r:
        with pytest.raises(NoKernel):
            await r.executor.comm(Comm(id="1", msg_type="comm_open", content={"comm_id": "w", "data": {"state": {}}}))
        assert r.runtime.comms == {}


@pytest.mark.parametrize("how", ["death", "restart", "shutdown"])
async def test_widgets_end_with_their_kernel(how: str) -> None:
    async with cell_runner() as r:
        opens(r)
        await settle()
        updates(r, {"value": 4})
        if how == "death":
            r.kernel.lose()
        else:
            await (r.executor.restart() if how == "restart" else r.executor.shutdown())
        await r.clock.advance(1)
        assert r.runtime.comms == {} and r.is_mirrored()


async def test_a_comm_of_the_next_kernel_may_have_an_old_name() -> None:
    async with cell_runner() as r:
        opens(r)
        await settle()
        r.kernel.lose()
        r.kernel.live()
        opens(r, state={"value": 1})
        await r.clock.advance(1)
        assert r.runtime.comms["w"]["state"] == {"value": 1} and r.is_mirrored()


async def test_a_kernel_that_was_there_before_is_asked_for_its_widgets() -> None:
    async with cell_runner(with_kernel=False) as r:
        r.kernel.live()
        await settle()
        (asked,) = r.kernel.requests("comm_info_request")
        comms = {"w": {"target_name": "jupyter.widget"}, "x": {"target_name": "other"}, "y": None}
        r.kernel.say("comm_info_reply", asked.msg_id, channel="shell", comms=comms)
        await settle()
        (request,) = r.kernel.requests("comm_msg")
        assert request.content == {"comm_id": "w", "data": {"method": "request_state"}}
        updates(r, SLIDER)
        await r.clock.advance(1)
        assert r.runtime.comms == {"w": {"target_name": "jupyter.widget", "state": SLIDER}}


async def output_widget(r: CellRunner, comm_id: str = "o") -> None:
    opens(r, comm_id, state={"_model_name": "OutputModel", "msg_id": "", "outputs": []})
    await settle()


def outputs_of(r: CellRunner, comm_id: str = "o") -> Any:
    content = r.runtime.comms[comm_id]["state"]["outputs"]
    return json.loads(r.blobs.read(content["blob"])) if isinstance(content, dict) else content


def text(value: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": value}


async def test_an_output_widget_takes_what_is_said_while_it_captures() -> None:
    async with cell_runner() as r:
        await output_widget(r)
        execution_id = await r.run()
        r.kernel.print(execution_id, "before\n")
        updates(r, {"msg_id": execution_id}, "o")
        r.kernel.print(execution_id, "inside ")
        r.kernel.print(execution_id, "the widget\n")
        updates(r, {"msg_id": ""}, "o")
        r.kernel.print(execution_id, "after\n")
        r.kernel.end(execution_id)
        await r.clock.advance(1)
        assert r.shown(execution_id) == [("stdout", "before\nafter\n")]
        assert outputs_of(r) == [text("inside the widget\n")]
        (told,) = r.kernel.requests("comm_msg")
        assert told.content["data"]["state"] == {"outputs": [text("inside the widget\n")]}


async def test_the_echo_of_what_the_kernel_was_told_takes_nothing_back() -> None:
    async with cell_runner() as r:
        await output_widget(r)
        execution_id = await r.run()
        updates(r, {"msg_id": execution_id}, "o")
        r.kernel.print(execution_id, "one ")
        updates(r, {"msg_id": ""}, "o")
        updates(r, {"msg_id": execution_id}, "o")
        r.kernel.print(execution_id, "two")
        updates(r, {"outputs": [text("one ")]}, "o", method="echo_update")
        await r.clock.advance(1)
        assert outputs_of(r) == [text("one two")]
        updates(r, {"outputs": []}, "o")
        await r.clock.advance(1)
        assert outputs_of(r) == []


async def test_callbacks_outside_of_any_cell_are_captured_too_and_inner_widgets_first() -> None:
    async with cell_runner() as r:
        await output_widget(r, "outer")
        await output_widget(r, "inner")
        updates(r, {"msg_id": "callback"}, "outer")
        updates(r, {"msg_id": "callback"}, "inner")
        r.kernel.print("callback", "in")
        updates(r, {"msg_id": ""}, "inner")
        r.kernel.print("callback", "out")
        await r.clock.advance(1)
        assert (outputs_of(r, "inner"), outputs_of(r, "outer")) == ([text("in")], [text("out")])


async def test_displays_in_a_widget_are_updated_from_anywhere() -> None:
    async with cell_runner() as r:
        await output_widget(r)
        updates(r, {"msg_id": "m"}, "o")
        shown: dict[str, Any] = {"data": {"text/plain": "old"}, "metadata": {}, "transient": {"display_id": "d"}}
        r.kernel.say("display_data", "m", **shown)
        r.kernel.say("update_display_data", "other", **{**shown, "data": {"text/plain": "new"}})
        await r.clock.advance(1)
        assert outputs_of(r)[0]["data"] == {"text/plain": "new"}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"comm_id": 5},
        {"comm_id": "w"},
        {"comm_id": "w", "data": []},
        {"comm_id": "w", "data": {"method": "update"}},
        {"comm_id": "w", "data": {"method": "update", "state": []}},
        {"comm_id": "w", "data": {"method": "update", "state": {"a": 1}, "buffer_paths": [5, [], [1], ["a", {}]]}},
    ],
)
@pytest.mark.parametrize("msg_type", ["comm_open", "comm_msg", "comm_close"])
async def test_odd_comm_messages_do_no_harm(msg_type: str, content: dict[str, Any]) -> None:
    async with cell_runner() as r:
        opens(r)
        r.kernel.say(msg_type, buffers=[b"1", b"2", b"3", b"4"], **content)
        updates(r, {"value": 8})
        await r.clock.advance(1)
        assert r.is_mirrored()
        execution_id = await r.run()
        r.kernel.end(execution_id)
        await settle()
        assert r.statuses(execution_id) == ["done"]
