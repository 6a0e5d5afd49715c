"""Requests: waited for off the reader, in order, answered once; what needs changes fails closed (seed 713)."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import Engine, new_actor
from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.requests import ACTIONS
from jupyter_runtimed.rooms import dispatch
from jupyter_runtimed.rooms.peer import Caller
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.core.test_requests import SAMPLES
from tests.unit.rooms.test_room_loading import notebook, rest

ANYONE = Caller("script", can_write=True, can_execute=True)


async def opened(**options: Any) -> tuple[World, Room, Client]:
    w = World(a=notebook(3), **options)
    room = await w.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    return w, room, alice


def error_of(client: Client, name: str) -> str | None:
    answer = client.answer(name)
    assert answer is not None, "not answered"
    return None if answer["ok"] else answer["error"]["code"]


def result_of(client: Client, name: str) -> dict[str, Any]:
    answer = client.answer(name)
    assert answer is not None and answer["ok"], answer
    return dict(answer["result"])


async def test_insert_and_run_without_a_pause_never_misses_the_cell() -> None:
    """Seed 713: a thousand times."""
    w, room, alice = await opened()
    names = []
    for index in range(1000):
        alice.add_cell(f"n{index}", f"print({index})", f"k{index:05}i")
        names.append(alice.request("execute_cell", cell_id=f"n{index}", required_heads=alice.hex_heads()))
        if index % 100 == 0:
            await rest(alice)
    await rest(alice)
    answers = {body["id"]: body for body in alice.socket.bodies(FrameType.RESPONSE)}
    for index, name in enumerate(names):
        assert answers[name]["ok"], answers[name]
        assert answers[name]["result"]["cell_id"] == f"n{index}" and answers[name]["result"]["heads"]
    ran = [call[1] for call in w.executor(room).calls if call[0] == "execute"]
    assert ran == [(f"n{index}", f"print({index})", "alice") for index in range(1000)]


async def test_a_request_whose_changes_come_late_waits_for_them() -> None:
    w, room, alice = await opened()
    frames = alice.hold_back()
    alice.type_text("c0", 0, "late ")
    name = alice.request("execute_cell", cell_id="c0", required_heads=alice.hex_heads())
    await w.clock.advance(9)
    assert alice.answer(name) is None and not w.executor(room).calls
    alice.let_go(frames)
    await rest(alice)
    assert result_of(alice, name)
    assert ("execute", ("c0", "late x = 0", "alice")) in w.executor(room).calls


async def test_changes_that_never_come_are_an_error_and_nothing_is_done() -> None:
    w, room, alice = await opened()
    name = alice.request("execute_cell", cell_id="c0", required_heads=["ab" * 32])
    meanwhile = alice.request("get_raw_metadata", key="x")
    await rest(alice)
    assert result_of(alice, meanwhile) == {"value": None}, "the wait blocks nothing else"
    alice.type_text("c0", 0, "typing goes on ")
    await rest(alice)
    assert room.notebook.cell("c0").source.startswith("typing")
    await w.clock.advance(11)
    await rest(alice)
    assert error_of(alice, name) == "heads_missing" and w.executor(room).calls == []


async def test_heads_need_only_be_in_the_history() -> None:
    _, room, alice = await opened()
    old = alice.hex_heads()
    alice.type_text("c0", 0, "newer ")
    await rest(alice)
    assert alice.hex_heads() != old and room.notebook.replica.heads == alice.heads
    name = alice.request("get_raw_metadata", key="x", required_heads=old)
    await rest(alice)
    assert error_of(alice, name) is None


@pytest.mark.parametrize("heads", [["ab"], ["AB" * 32], "ab", [1], [None]])
async def test_heads_that_are_none_are_a_bad_request(heads: Any) -> None:
    w, room, alice = await opened()
    name = alice.request("execute_cell", cell_id="c0", required_heads=heads)
    await rest(alice)
    assert error_of(alice, name) == "bad_request" and w.executor(room).calls == []


async def test_leaving_while_waiting_ends_the_wait_and_nothing_is_done() -> None:
    w, room, alice = await opened()
    other = Client("bob").connect(room.hub)
    await rest(other)
    with other.notebook.transaction() as writer:
        writer.put(b"\x00", "x", 1)
    heads = other.hex_heads()
    name = alice.request("execute_cell", cell_id="c0", required_heads=heads)
    await settle()
    assert len(room.waiters) == 1
    alice.disconnect()
    await settle()
    assert len(room.waiters) == 0 and room.requests.under_way == 0
    other.send_all()
    await rest(other)
    assert not [call for call in w.executor(room).calls if call[0] == "execute"]
    assert alice.answer(name) is None


async def test_a_save_that_was_begun_goes_on_when_the_peer_leaves() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("write")
    alice.request("save_notebook")
    await settle()
    alice.disconnect()
    w.contents.doors.open("write")
    await settle(50)
    assert not room.has_unsaved and b"1x = 0" in w.contents.files["a.ipynb"]


async def test_answers_are_matched_by_id_whatever_their_order() -> None:
    w, room, alice = await opened()
    executor = w.executor(room)
    executor.door = asyncio.Event()
    slow = alice.request("complete", code="pri", cursor_pos=3)
    quick = [alice.request("get_raw_metadata", key=str(index)) for index in range(5)]
    await rest(alice)
    assert alice.answer(slow) is None and all(error_of(alice, name) is None for name in quick)
    executor.door.set()
    await rest(alice)
    assert result_of(alice, slow)["matches"] == ["pri"]


async def test_a_slow_request_holds_up_no_keystroke() -> None:
    w, room, alice = await opened()
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    w.executor(room).door = asyncio.Event()
    alice.request("complete", code="x", cursor_pos=1)
    alice.type_text("c0", 0, "fast ")
    await rest(alice, bob)
    assert bob.sources()[0] == "fast x = 0"
    await room.tasks.stop()


async def test_requests_whose_heads_are_there_act_in_order_of_arrival() -> None:
    _, room, alice = await opened()
    for index in range(50):
        alice.request("set_raw_metadata", key="last", value=index, required_heads=alice.hex_heads())
    await rest(alice)
    assert room.notebook.get_metadata("last") == 49


async def test_a_request_that_is_none_is_answered_and_the_socket_stays() -> None:
    _, _, alice = await opened()
    for body in (
        {"id": "q", "action": "fly"},
        {"id": "q", "action": "execute_cell"},
        {"id": "q", "action": "execute_cell", "cell_id": 4},
    ):
        alice.socket.sent.clear()
        alice.send(FrameType.REQUEST, json.dumps(body).encode())
        await rest(alice)
        assert error_of(alice, "q") == "bad_request" and alice.socket.closed is None


async def test_what_is_no_json_closes_the_socket() -> None:
    _, _, alice = await opened()
    alice.send_raw(b"\x01{not json")
    assert alice.socket.close_code == 1002


async def test_a_request_that_is_too_large_closes_the_socket() -> None:
    _, _, alice = await opened(settings=RoomSettings(limits=Limits(max_request_bytes=1000)))
    alice.request("is_complete", code="x" * 2000)
    assert alice.socket.close_code == 1009


async def test_too_many_requests_at_a_time_are_an_attack() -> None:
    w, room, alice = await opened(settings=RoomSettings(max_requests=10))
    for _ in range(10):
        alice.request("execute_cell", cell_id="c0", required_heads=["ab" * 32])
    assert alice.socket.closed is None
    alice.request("get_raw_metadata", key="x")
    assert alice.socket.close_code == 1008
    await settle()
    assert room.requests.under_way == 0 and w.executor(room).calls == []


async def test_a_fault_of_ours_is_an_internal_error_and_the_room_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _, room, alice = await opened()
    monkeypatch.setattr(type(room.notebook), "get_metadata", lambda *_: 1 / 0)
    name = alice.request("get_raw_metadata", key="x")
    await rest(alice)
    assert error_of(alice, name) == "internal" and alice.socket.closed is None
    assert "division" not in json.dumps(alice.answer(name)), "what went wrong inside is for the log"


# Permissions.


def test_every_action_has_a_permission_and_a_function() -> None:
    assert set(dispatch.ACTIONS) == set(ACTIONS.values())


EXECUTE = {
    "execute_cell", "run_all_cells", "interrupt_kernel", "restart_kernel", "shutdown_kernel", "start_kernel",
    "complete", "inspect", "history", "is_complete", "input_reply", "comm",
}  # fmt: skip
WRITE = {"save_notebook", "set_autosave", "clear_outputs", "put_outputs", "set_raw_metadata", "delete_raw_metadata"}


@pytest.mark.parametrize("action", sorted(ACTIONS))
async def test_an_action_needs_its_permission_and_no_other(action: str) -> None:
    w, room, _ = await opened()
    w.executor(room)
    permission = "execute" if action in EXECUTE else "write" if action in WRITE else "read"
    body = json.dumps({"id": "1", "action": action, **SAMPLES[action]}).encode()
    without = Caller("x", can_write=permission != "write", can_execute=permission != "execute")
    only = Caller("x", can_write=permission == "write", can_execute=permission == "execute")
    before = room.notebook.replica.heads
    refused = await room.requests.answer(without, body)
    if permission == "read":
        assert refused["ok"] or refused["error"]["code"] != "forbidden"
    else:
        assert refused["error"]["code"] == "forbidden"
        assert room.notebook.replica.heads == before and w.executor(room).calls == []
    allowed = await room.requests.answer(only, body)
    assert allowed["ok"] or allowed["error"]["code"] != "forbidden"


async def test_a_right_that_is_taken_away_while_waiting_is_gone() -> None:
    w, room, alice = await opened()
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    with bob.notebook.transaction() as writer:
        writer.put(b"\x00", "x", 1)
    name = alice.request("execute_cell", cell_id="c0", required_heads=bob.hex_heads())
    await settle()
    alice.socket.can_execute = False
    bob.send_all()
    await rest(alice, bob)
    assert error_of(alice, name) == "forbidden" and not [c for c in w.executor(room).calls if c[0] == "execute"]


# Results.


async def test_document_bytes_hold_the_whole_document() -> None:
    _, room, alice = await opened()
    alice.type_text("c0", 0, "edited ")
    name = alice.request("get_doc_bytes", required_heads=alice.hex_heads())
    other = alice.request("get_doc_bytes", document="runtime")
    await rest(alice)
    result = result_of(alice, name)
    document = Engine.load(base64.b64decode(result["bytes"]), new_actor())
    assert [head.hex() for head in document.heads] == result["heads"] == alice.hex_heads()
    assert document.extract()["cells"]["c0"]["source"] == "edited x = 0"
    runtime = Engine.load(base64.b64decode(result_of(alice, other)["bytes"]), new_actor())
    assert runtime.heads == room.runtime.replica.heads


async def test_metadata_is_set_as_any_edit_and_seen_and_saved() -> None:
    """Seed 608: SetRawMetadata goes the way of every change."""
    w, room, alice = await opened()
    value = {"deep": [1, 2.5, None, True, {"é": "🎉"}]}
    body = json.dumps({"id": "1", "action": "set_raw_metadata", "key": "mine", "value": value}).encode()
    answer = await room.requests.answer(ANYONE, body)
    await rest(alice)
    assert answer["ok"] and answer["result"]["heads"] == alice.hex_heads()
    assert alice.notebook.extract()["metadata"]["mine"] == value
    await w.clock.advance(2)
    assert json.loads(w.contents.files["a.ipynb"])["metadata"]["mine"] == value
    gone = alice.request("delete_raw_metadata", key="mine")
    await rest(alice)
    assert result_of(alice, gone)["heads"] == alice.hex_heads() and "mine" not in alice.notebook.extract()["metadata"]


@pytest.mark.parametrize("value", [2**64, {"deep": 2**70}, {"": 1}])
async def test_a_value_the_document_cannot_hold_is_a_bad_request(value: Any) -> None:
    _, room, alice = await opened()
    before = room.notebook.replica.heads
    name = alice.request("set_raw_metadata", key="k", value=value)
    await rest(alice)
    assert error_of(alice, name) == "bad_request" and room.notebook.replica.heads == before


async def test_metadata_needs_a_key() -> None:
    _, _, alice = await opened()
    name = alice.request("set_raw_metadata", key="", value=1)
    await rest(alice)
    assert error_of(alice, name) == "bad_request"


async def test_clearing_outputs_answers_with_heads() -> None:
    _, room, alice = await opened()
    run = alice.request("execute_cell", cell_id="c0")
    await rest(alice)
    assert room.notebook.cell("c0").execution_id == result_of(alice, run)["execution_id"]
    name = alice.request("clear_outputs")
    await rest(alice)
    assert room.notebook.cell("c0").execution_id is None and result_of(alice, name)["heads"] == alice.hex_heads()


async def test_run_all_answers_with_what_was_queued() -> None:
    _, _, alice = await opened()
    name = alice.request("run_all_cells")
    await rest(alice)
    result = result_of(alice, name)
    assert [item["cell_id"] for item in result["queued"]] == ["c0", "c1", "c2"] and result["heads"] == alice.hex_heads()


async def test_waiting_for_an_execution_is_bounded() -> None:
    w, room, alice = await opened()
    run = alice.request("execute_cell", cell_id="c0")
    await rest(alice)
    execution_id = result_of(alice, run)["execution_id"]
    for timeout in (-3, 2, 10**9):
        alice.request("wait_for_execution", execution_id=execution_id, timeout=timeout)
    await rest(alice)
    assert [call[1] for call in w.executor(room).calls if call[0] == "wait"] == [0.0, 2.0, 3600.0]


async def test_a_request_without_a_socket_is_answered_the_same() -> None:
    _, room, _ = await opened()
    body = json.dumps({"id": "7", "action": "get_raw_metadata", "key": "none"}).encode()
    assert await room.requests.answer(ANYONE, body) == {"id": "7", "ok": True, "result": {"value": None}}
    assert (await room.requests.answer(ANYONE, b'{"id": "8", "action": "fly"}'))["error"]["code"] == "bad_request"
    with pytest.raises(Malformed):
        await room.requests.answer(ANYONE, b"{")
    with pytest.raises(OverLimit):
        await room.requests.answer(ANYONE, b" " * (Limits().max_request_bytes + 1))
