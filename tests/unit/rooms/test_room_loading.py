"""Opening a file: cells come before the end, edits survive, a failure leaves nothing (seed 672)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import Engine, new_actor
from jupyter_runtimed.core.errors import Forbidden, LoadFailed, Loading
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.ids import BlobHash
from jupyter_runtimed.core.ipynb import Import
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.room_peers import Client, level
from tests.support.room_ports import World

PNG = base64.b64encode(b"\x89PNG" + bytes(range(256)) * 8).decode()


def notebook(cells: int = 40, *, outputs: bool = False, **changes: Any) -> bytes:
    """A notebook; small enough to be parsed at once."""
    out = [{"output_type": "display_data", "data": {"image/png": PNG}, "metadata": {}}] if outputs else []
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{i}", "source": f"x = {i}", "metadata": {}, "outputs": out, "execution_count": 1 if out else None}
        for i in range(cells)
    ]  # fmt: skip
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **changes}).encode()


def broken_at(cell: int, cells: int = 40) -> bytes:
    """A notebook whose n-th cell is none."""
    content = json.loads(notebook(cells))
    content["cells"][cell] = {"cell_type": "code", "source": {"no": "text"}}
    return json.dumps(content).encode()


async def rest(*clients: Client) -> None:
    """Let everything go on until nobody has had anything to say for a while."""
    quiet = 0
    for _ in range(500):
        await settle(10)
        quiet = quiet + 1 if sum(client.read() for client in clients) == 0 else 0
        if quiet == 3:
            return
    raise AssertionError("the peers never come to rest")


async def step_until(condition: Any, *clients: Client, steps: int = 500) -> None:
    """Give the loop single turns, and let frames travel between them."""
    for _ in range(steps):
        if condition():
            return
        await asyncio.sleep(0)
        for client in clients:
            client.read()
    raise AssertionError("it never came to that")


async def test_a_client_sees_cells_before_the_last_is_loaded() -> None:
    w = World(a=notebook(60))
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    seen: set[int] = set()

    def is_over() -> bool:
        seen.add(len(alice.cells()))
        return not room.is_loading

    await step_until(is_over, alice)
    await rest(alice)
    assert any(0 < number < 60 for number in seen), seen
    assert level(room.notebook.replica, alice) and len(alice.cells()) == 60
    phases = [(body["load"]["phase"], body["load"]["done"]) for body in alice.socket.bodies(FrameType.STATUS)]
    assert phases[-1] == ("ready", 60) and any(phase == "loading" and done for phase, done in phases)


async def test_a_notebook_that_is_loaded_in_one_turn_is_one_message() -> None:
    w = World(a=notebook(60), settings=RoomSettings())
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await room.until_ready()
    await rest(alice)
    with_cells = [frame for frame in alice.socket.sent if frame[0] == FrameType.NOTEBOOK_SYNC and len(frame) > 500]
    assert len(with_cells) == 1 and not room.notebook.replica.is_hot
    assert len(alice.cells()) == 60


async def test_a_second_client_joins_in_the_middle_and_the_first_may_leave() -> None:
    w = World(a=notebook(60))
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await step_until(lambda: len(alice.cells()) > 5, alice)
    bob = Client("bob").connect(room.hub)
    alice.disconnect()
    assert room.is_loading
    await room.until_ready()
    await rest(bob)
    assert level(room.notebook.replica, bob) and len(bob.cells()) == 60


async def test_a_client_that_reads_slowly_during_the_load_gets_every_cell_once() -> None:
    w = World(a=notebook(60))
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await step_until(lambda: len(alice.cells()) > 5, alice)
    alice.socket.is_slow = True
    await step_until(lambda: not alice.peer.is_drained, alice)
    await room.until_ready()
    alice.socket.is_slow = False
    room.hub.drained(alice.peer)
    await rest(alice)
    assert level(room.notebook.replica, alice)
    told = [frame for frame in alice.socket.sent if frame[0] == FrameType.NOTEBOOK_SYNC]
    whole = len(room.notebook.replica.snapshot)
    assert len(told[-1]) > whole and sum(len(frame) > whole for frame in told) == 1


async def test_edits_made_during_the_load_survive_it() -> None:
    w = World(a=notebook(60))
    room, _ = await w.registry.open("a.ipynb")
    alice, bob = Client("alice").connect(room.hub), Client("bob").connect(room.hub)
    await step_until(lambda: len(alice.cells()) > 5, alice, bob)
    alice.type_text("c1", 0, "# early\n")
    alice.add_cell("mine", "new", "zz")
    await room.until_ready()
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob)
    sources = bob.sources()
    assert sources[1] == "# early\nx = 1" and sources[-1] == "new" and len(sources) == 61
    assert room.saver.has_unsaved and alice.socket.status["dirty"] is True
    carol = Client("carol").connect(room.hub)
    await rest(carol)
    assert level(room.notebook.replica, carol) and carol.sources() == sources
    await w.clock.advance(10)
    saved = ["".join(cell["source"]) for cell in json.loads(w.contents.files["a.ipynb"])["cells"]]
    assert saved == sources and not room.saver.has_unsaved


async def test_a_peer_that_was_here_before_brings_its_edits_when_the_load_has_ended() -> None:
    data = notebook(60)
    imported = Import(data, Limits())
    chunks = [batch.change[0] for batch in imported.batches()]
    old = Engine.load(imported.snapshot(), new_actor())
    assert chunks
    returning = Client("old", old)
    returning.type_text("c3", 0, "offline ")
    w = World(a=data)
    room, _ = await w.registry.open("a.ipynb")
    returning.connect(room.hub)
    await step_until(lambda: not room.is_loading, returning)
    await rest(returning)
    assert level(room.notebook.replica, returning)
    assert room.notebook.cell("c3").source == "offline x = 3" and len(room.notebook.cells()) == 60


async def test_cells_are_sent_before_work_begins_on_the_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(a=notebook(1, outputs=True), settings=RoomSettings(load_step_s=60))
    w.contents.doors.shut("read", "a.ipynb")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    sent: list[int] = []
    store = w.blobs.put_many

    async def put_many(items: Sequence[bytes]) -> list[BlobHash]:
        sent.append(sum(frame[0] == FrameType.NOTEBOOK_SYNC and len(frame) > 200 for frame in alice.socket.sent))
        return await store(items)

    monkeypatch.setattr(w.blobs, "put_many", put_many)
    w.contents.doors.open("read", "a.ipynb")
    await room.until_ready()
    assert sent[:1] == [1]


async def test_outputs_become_blobs_before_the_runtime_document_names_them() -> None:
    w = World(a=notebook(3, outputs=True))
    w.blobs.doors.shut("put")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await step_until(lambda: w.blobs.doors.count("put") == 1, alice)
    await rest(alice)
    assert len(alice.cells()) == 3 and alice.runtime.heads == (), "cells are there, outputs are not"
    w.blobs.doors.open("put")
    await room.until_ready()
    await rest(alice)
    executions = alice.runtime.extract()["executions"]
    reference = next(iter(executions[alice.cells()["c0"]["execution_id"]]["outputs"].values()))["data"]["image/png"]
    assert base64.b64encode(w.blobs.blobs[reference["blob"]]).decode() == PNG


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"{not json", "line 1"),
        (notebook()[:-40], "line 1"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "cells"),
        (b"[]", "object"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"{\n" + "\u2014".encode() * 20_000 + b"\n\xe2\x80", "on line 3 (0xe2)"),
        (broken_at(0), "cells[0]"),
        (broken_at(39), "cells[39]"),
    ],
)
async def test_what_is_no_notebook_leaves_nothing_and_says_why(data: bytes, says: str) -> None:
    w = World(a=data)
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    with pytest.raises(LoadFailed) as caught:
        await room.until_ready()
    assert says in caught.value.message
    await rest(alice)
    assert alice.cells() == {} and room.notebook.cell_ids() == [] and room.runtime.executions == {}
    assert alice.socket.closed is None, "the socket stays"
    load = alice.socket.status["load"]
    assert load["phase"] == "failed" and load["error"]["code"] == "load_failed" and says in load["error"]["message"]
    body = room.to_json()
    assert body["state"] == "failed" and says in body["error"]["message"] and body["cells"] == 0
    await w.clock.advance(3600)
    assert w.contents.doors.count("write") == 0 and w.contents.files["a.ipynb"] == data


@pytest.mark.parametrize("error", [Forbidden("may not be read"), OSError("disk on fire")])
async def test_a_file_that_cannot_be_read_is_a_failed_load(error: Exception) -> None:
    w = World(a=notebook())
    w.contents.doors.errors["read"] = error
    room, _ = await w.registry.open("a.ipynb")
    with pytest.raises(LoadFailed, match=str(error)):
        await room.until_ready()


async def test_a_failure_after_cells_were_published_takes_them_back_everywhere() -> None:
    """The reviewer's worry at seed 672: peers that have received a part must lose it too."""
    w = World(a=broken_at(50, 60))
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await step_until(lambda: len(alice.cells()) > 5, alice)
    alice.type_text("c1", 0, "early")
    with pytest.raises(LoadFailed):
        await room.until_ready()
    await rest(alice)
    assert alice.cells() == {} and room.notebook.cell_ids() == [] and level(room.notebook.replica, alice)
    assert alice.socket.status["load"]["phase"] == "failed" and alice.socket.closed is None
    await w.clock.advance(3600)
    assert w.contents.doors.count("write") == 0


async def test_a_blob_store_that_fails_fails_the_load_and_takes_the_cells_back() -> None:
    w = World(a=notebook(10, outputs=True))
    w.blobs.doors.errors["put"] = OSError("full")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    with pytest.raises(LoadFailed, match="full"):
        await room.until_ready()
    await rest(alice)
    assert alice.cells() == {} and room.runtime.executions == {}


async def test_requests_to_a_failed_room_say_so_and_save_nothing() -> None:
    w = World(a=b"{")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    with pytest.raises(LoadFailed):
        await room.until_ready()
    names = [
        alice.request("save_notebook"),
        alice.request("save_notebook", path="b.ipynb"),
        alice.request("get_doc_bytes"),
    ]
    await rest(alice)
    for name in names:
        answer = alice.answer(name)
        assert answer is not None and answer["error"]["code"] == "load_failed"
    assert w.contents.files == {"a.ipynb": b"{"}


async def test_changes_sent_to_a_failed_room_are_not_applied() -> None:
    w = World(a=b"{")
    room, _ = await w.registry.open("a.ipynb")
    with pytest.raises(LoadFailed):
        await room.until_ready()
    before = room.notebook.replica.heads
    old = Engine.empty(new_actor())
    old.apply([entry.chunk for entry in room.notebook.replica.log(0)])
    alice = Client("alice", old)
    alice.add_cell("mine", "x")
    alice.connect(room.hub)
    await rest(alice)
    assert room.notebook.replica.heads == before and alice.socket.closed is None


async def fail_then_repair(w: World, room: Room) -> None:
    with pytest.raises(LoadFailed):
        await room.until_ready()
    w.contents.files["a.ipynb"] = notebook(60)


async def test_opening_a_failed_room_again_loads_it_and_keeps_the_sockets_that_got_nothing() -> None:
    w = World(a=b"{")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await fail_then_repair(w, room)
    await rest(alice)
    again, is_new = await w.registry.open("./a.ipynb")
    assert again is room and not is_new and room.is_loading
    await room.until_ready()
    await rest(alice)
    assert alice.socket.closed is None and len(alice.cells()) == 60
    assert alice.socket.status["load"] == {"phase": "ready", "done": 60, "total": 60, "error": None}


async def test_a_new_load_of_what_was_taken_back_is_another_document() -> None:
    w = World(a=broken_at(50, 60))
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await step_until(lambda: len(alice.cells()) > 5, alice)
    await fail_then_repair(w, room)
    await rest(alice)
    await w.registry.open("a.ipynb")
    assert alice.socket.close_code == 4410
    bob = Client("bob").connect(room.hub)
    await room.until_ready()
    await rest(bob)
    assert len(bob.cells()) == 60


async def test_calls_on_a_loading_room_wait_and_then_say_that_it_is_loading() -> None:
    w = World(a=notebook(3))
    w.contents.doors.shut("read")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    name = alice.request("get_raw_metadata", key="x")
    waiting = asyncio.ensure_future(room.notebook_bytes())
    await w.clock.advance(29)
    assert not waiting.done() and alice.answer(name) is None
    await w.clock.advance(2)
    with pytest.raises(Loading):
        await waiting
    answer = alice.answer(name)
    assert answer is not None and answer["error"]["code"] == "loading"
    later = alice.request("get_raw_metadata", key="x")
    w.contents.doors.open("read")
    await room.until_ready()
    await rest(alice)
    answer = alice.answer(later)
    assert answer is not None and answer["ok"]


async def test_requests_that_wait_for_the_load_act_in_the_order_in_which_they_came() -> None:
    w = World(a=notebook(3))
    w.contents.doors.shut("read")
    room, _ = await w.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    for index in range(10):
        alice.request("set_raw_metadata", key="last", value=index)
    w.contents.doors.open("read")
    await room.until_ready()
    await rest(alice)
    assert room.notebook.get_metadata("last") == 9


async def test_equal_files_make_equal_documents_and_equal_epochs() -> None:
    w = World(a=notebook(20), b=notebook(20))
    one, other = await w.open("a.ipynb"), await w.open("b.ipynb")
    assert one.notebook.replica.heads == other.notebook.replica.heads
    assert one.status()["epochs"]["notebook"] == other.status()["epochs"]["notebook"]
    assert one.status()["epochs"]["runtime"] != other.status()["epochs"]["runtime"]


async def test_a_room_that_nobody_edits_never_makes_an_engine_document() -> None:
    w = World(a=notebook(20, outputs=True), settings=RoomSettings())
    room = await w.open("a.ipynb")
    alice, bob = Client("alice").connect(room.hub), Client("bob").connect(room.hub)
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob)
    assert room.to_json()["cells"] == 20 and room.document_bytes("notebook")[0]
    assert await room.notebook_bytes()
    assert not room.notebook.replica.is_hot and not room.runtime.replica.is_hot
