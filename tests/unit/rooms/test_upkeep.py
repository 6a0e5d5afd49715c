"""A quiet room becomes as small as what it shows."""

from __future__ import annotations

import json

from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.room_peers import Client, level
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

SETTINGS = RoomSettings(cool_s=300.0, idle_s=1e9, max_runtime_changes=20)


async def opened() -> tuple[World, Room, Client]:
    w = World(a=notebook(3), settings=SETTINGS)
    room = await w.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    return w, room, alice


async def test_a_document_that_has_been_quiet_goes_back_to_bytes_and_wakes_with_the_next_change() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    await rest(alice)
    assert room.notebook.replica.is_hot
    await w.clock.advance(299)
    assert room.notebook.replica.is_hot
    await w.clock.advance(60)
    await rest(alice)
    assert not room.notebook.replica.is_hot and not room.runtime.replica.is_hot
    assert room.notebook.cell("c0").source == "1x = 0" and await room.notebook_bytes()
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob) and not room.notebook.replica.is_hot
    alice.type_text("c0", 0, "2")
    bob.type_text("c1", 0, "3")
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob) and bob.sources()[:2] == ["21x = 0", "3x = 1"]


async def test_who_types_all_the_time_never_waits_for_an_engine() -> None:
    w, room, alice = await opened()
    for _ in range(10):
        alice.type_text("c0", 0, "x")
        await w.clock.advance(200)
        assert room.notebook.replica.is_hot


async def test_nothing_is_cooled_while_a_cell_runs() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "x")
    w.executor(room).is_active = True
    await w.clock.advance(1000)
    assert room.notebook.replica.is_hot
    w.executor(room).is_active = False
    await w.clock.advance(1000)
    assert not room.notebook.replica.is_hot


async def test_a_long_runtime_history_is_renewed_under_standing_connections() -> None:
    w, room, alice = await opened()
    executor = w.executor(room)
    executor.is_active = True
    first = await executor.execute_cell("c0", "alice")
    for index in range(30):
        executor.output(first["execution_id"], str(index))
    second = await executor.execute_cell("c0", "alice")
    executor.output(second["execution_id"], "kept")
    for execution in room.runtime.executions.values():
        execution.status = "done"
    await rest(alice)
    epoch, heads = alice.socket.status["epochs"]["runtime"], alice.runtime.heads
    assert room.runtime.replica.n_changes > 30, "it can wait for the end of what runs"
    alice.peer.is_drained = False  # reads slowly just then
    executor.is_active = False
    executor.output(second["execution_id"], "last")
    await w.clock.advance(1)
    room.on_drained(alice.peer)
    await rest(alice)
    assert alice.socket.status["epochs"]["runtime"] != epoch
    assert alice.runtime.heads == room.runtime.replica.heads != heads and room.runtime.replica.n_changes == 1
    executions = alice.runtime.extract()["executions"]
    assert list(executions) == [second["execution_id"]], "what no cell shows is forgotten"
    shown = [output["text"] for output in executions[second["execution_id"]]["outputs"].values()]
    assert shown == [["kept"], ["last"]]
    executor.output(second["execution_id"], "more")
    await rest(alice)
    assert alice.runtime.heads == room.runtime.replica.heads
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    assert bob.runtime.heads == room.runtime.replica.heads


async def test_a_room_that_always_runs_something_does_not_grow_with_its_runs() -> None:
    w, room, alice = await opened()
    executor = w.executor(room)
    executor.is_active = True
    running = await executor.execute_cell("c0", "alice")
    longest = 0
    for index in range(300):
        executor.output(running["execution_id"], str(index))
        await w.clock.advance(0.03)
        longest = max(longest, room.runtime.replica.n_changes)
    await rest(alice)
    assert longest < 100
    shown = alice.runtime.extract()["executions"][running["execution_id"]]["outputs"]
    assert len(shown) == 300 and alice.runtime.heads == room.runtime.replica.heads


async def test_a_renewed_runtime_document_is_announced_before_any_of_it_is_sent() -> None:
    _, room, alice = await opened()
    await settle(2)
    at = len(alice.socket.sent)
    alice.type_text("c0", 0, "x")
    room.renew_runtime()
    await settle(2)
    kinds = alice.socket.kinds()[at:]
    assert kinds[:3] == [FrameType.NOTEBOOK_SYNC, FrameType.STATUS, FrameType.RUNTIME_SYNC]
    status = json.loads(alice.socket.sent[at + 1][1:])
    assert status["epochs"]["runtime"] == room.runtime_epoch
    await rest(alice)
    assert alice.runtime.heads == room.runtime.replica.heads


async def test_what_a_peer_says_of_the_old_runtime_document_is_left_unheard() -> None:
    _, room, alice = await opened()
    with room.runtime.edit() as edit:
        edit.set_kernel(status="busy")
    await settle(2)
    room.renew_runtime()
    alice.read()  # acknowledges the old document, without knowing of the new one
    await rest(alice)
    assert alice.socket.closed is None and alice.runtime.heads == room.runtime.replica.heads
    assert alice.runtime.extract()["kernel"]["status"] == "busy"
