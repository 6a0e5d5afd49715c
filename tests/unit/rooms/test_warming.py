"""The first change of a large notebook: its engine is made in steps, and nobody else waits for it."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.core.crdt import Engine, EngineRefused
from jupyter_runtimed.rooms.room import Room
from tests.support.manual_clock import settle
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest, step_until

CELLS = 400


async def opened() -> tuple[World, Room, Client, Client]:
    w = World(a=notebook(CELLS))
    room = await w.open("a.ipynb")
    alice, bob = Client("alice"), Client("bob")
    for client in (alice, bob):
        client.connect(room.hub)
    await rest(alice, bob)
    assert room.notebook.replica.is_heavy and not room.notebook.replica.is_hot
    return w, room, alice, bob


async def warmed(room: Room, *clients: Client) -> None:
    await step_until(lambda: not room.warming.is_due, *clients)
    await rest(*clients)


async def test_others_have_their_turns_while_the_engine_is_made() -> None:
    _, room, alice, _ = await opened()
    alice.type_text("c0", 0, "first ")
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while not room.notebook.replica.is_hot:
            turns += 1
            await asyncio.sleep(0)

    await asyncio.wait_for(somebody_else(), 30)
    assert turns > CELLS / 10, "it was made in one go"
    await rest(alice)
    assert room.notebook.cells()[0].source == "first x = 0"


async def test_what_is_said_meanwhile_is_taken_in_order_and_reaches_everybody() -> None:
    _, room, alice, bob = await opened()
    for number in range(5):
        alice.type_text("c0", 0, f"a{number} ")
        bob.type_text("c1", 0, f"b{number} ")
    name = alice.request("set_raw_metadata", key="seen", value=1, required_heads=alice.hex_heads())
    await settle(3)
    assert not room.notebook.replica.is_hot and alice.answer(name) is None
    await warmed(room, alice, bob)
    for sources in (alice.sources(), bob.sources()):
        assert sources[:2] == ["a4 a3 a2 a1 a0 x = 0", "b4 b3 b2 b1 b0 x = 1"]
    answer = alice.answer(name)
    assert answer is not None and answer["ok"] and room.notebook.get_metadata("seen") == 1


async def test_a_request_that_edits_waits_too() -> None:
    w, room, alice, _ = await opened()
    name = alice.request("execute_cell", cell_id="c3")
    await settle(3)
    assert alice.answer(name) is None and not room.notebook.replica.is_hot
    await warmed(room, alice)
    answer = alice.answer(name)
    assert answer is not None and answer["ok"] and w.executor(room).calls


async def test_reading_requests_and_joining_do_not_make_it() -> None:
    _, room, alice, _ = await opened()
    name = alice.request("get_raw_metadata", key="x")
    await rest(alice)
    assert alice.answer(name) is not None
    carol = Client("carol").connect(room.hub)
    await rest(carol)
    assert len(carol.sources()) == CELLS and not room.notebook.replica.is_hot


async def test_a_peer_that_leaves_meanwhile_leaves_the_others_their_turn() -> None:
    _, room, alice, bob = await opened()
    alice.type_text("c0", 0, "gone ")
    bob.type_text("c1", 0, "kept ")
    await settle(3)
    assert not room.notebook.replica.is_hot
    room.leave(alice.peer)
    await warmed(room, bob)
    assert bob.sources()[1] == "kept x = 1"


async def test_an_engine_that_cannot_be_made_in_steps_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, room, alice, bob = await opened()
    apply, calls = Engine.apply, 0

    def refuses_once(self: Engine, chunks: list[bytes]) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise EngineRefused("not now")
        apply(self, chunks)

    monkeypatch.setattr(Engine, "apply", refuses_once)
    alice.type_text("c0", 0, "still ")
    await warmed(room, alice, bob)
    assert bob.sources()[0] == "still x = 0" and alice.socket.closed is None


async def test_a_server_side_edit_that_cannot_wait_does_not_disturb_it() -> None:
    _, room, alice, bob = await opened()
    alice.type_text("c0", 0, "alice ")
    await settle(3)
    room.notebook.set_metadata("server", 1)
    assert room.notebook.replica.is_hot
    await warmed(room, alice, bob)
    assert bob.sources()[0] == "alice x = 0" and room.notebook.get_metadata("server") == 1
