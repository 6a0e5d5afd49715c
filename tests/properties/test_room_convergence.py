"""A whole room with all its peers: typing, delays, broken connections, slow readers, late comers, while it loads.

Nothing travels by itself, so every schedule of messages is possible. At the end everybody has the same document, each
cell once, nothing that a client saw acknowledged is missing, and the file has it too.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.rooms.room import Room
from tests.support.js_peer import JsProcess, requires_js
from tests.support.manual_clock import settle
from tests.support.room_peers import Client, JsClient, level
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest, step_until

PIECES = ("a", "é", "🎉", "日本", "x = 1\n", "👩‍🔬", "long " * 30)


class Drunkard:
    """Does with a client whatever can be done with one."""

    def __init__(self, client: Client, room: Room, dice: random.Random) -> None:
        self.client = client
        self.room = room
        self.dice = dice
        self.held: list[bytes] | None = None
        self.made = 0

    def step(self) -> None:
        client, dice = self.client, self.dice
        if not client.is_connected:
            if dice.random() < 0.4:
                self.held = None
                client.let_go([])
                client.connect(self.room.hub)
            else:
                self.edit()  # offline
            return
        match dice.randrange(12):
            case 0:
                client.disconnect()
            case 1:
                client.socket.is_slow = not client.socket.is_slow
                if not client.socket.is_slow:
                    self.room.on_drained(client.peer)
            case 2 if self.held is None:
                self.held = client.hold_back()
            case 3:
                self.release()
            case 4 | 5 | 6:
                client.read(dice.randrange(1, 4))
            case 7:
                client.read()
            case _:
                self.edit()

    def edit(self) -> None:
        client, dice = self.client, self.dice
        cells = client.cells()
        if not cells:
            return
        cell_id = dice.choice(sorted(cells))
        match dice.randrange(6):
            case 0 if len(cells) > 3:
                client.delete_cell(cell_id)
            case 1:
                self.made += 1
                client.add_cell(f"{client.name}{self.made}", dice.choice(PIECES), f"{dice.randrange(10**6):06}i")
            case _ if isinstance(cells[cell_id].get("source"), str):
                length = len(cells[cell_id]["source"])
                index = dice.randrange(length + 1)
                client.type_text(cell_id, index, dice.choice(PIECES), min(dice.randrange(3), length - index))

    def release(self) -> None:
        if self.held is not None:
            held, self.held = self.held, None
            self.client.let_go(held if self.client.is_connected else [])

    def sober_up(self) -> None:
        """Back to a good connection on which everything is delivered."""
        client = self.client
        if not client.is_connected:
            self.held = None
            client.let_go([])
            client.connect(self.room.hub)
        self.release()
        client.socket.is_slow = False
        self.room.on_drained(client.peer)


async def run(seed: int, steps: int, peers: Sequence[Client], cells: int = 30) -> None:
    dice = random.Random(seed)
    w = World(a=notebook(cells, outputs=True))
    room, _ = await w.registry.open("a.ipynb")
    everybody = [Drunkard(client, room, dice) for client in peers]
    for _ in range(steps):
        dice.choice(everybody).step()
        if dice.random() < 0.5:
            await settle(dice.randrange(1, 3))
        if not room.is_loading and dice.random() < 0.05:
            room.notebook.set_metadata("server", dice.randrange(100))
        if dice.random() < 0.03:
            await w.clock.advance(dice.choice((0.3, 2.0)))
    await room.until_ready()
    for one in everybody:
        one.sober_up()
    await rest(*peers)
    assert level(room.notebook.replica, *peers)
    values = [client.notebook.extract() for client in peers]
    assert all(value == values[0] for value in values)
    assert all(client.runtime.heads == room.runtime.replica.heads for client in peers)
    assert sorted(room.notebook.cell_ids()) == sorted(values[0]["cells"])
    await room.saver.save(is_explicit=True)
    saved = json.loads(w.contents.files["a.ipynb"])["cells"]
    assert ["".join(cell["source"]) for cell in saved] == [cell.source for cell in room.notebook.cells()]
    for client in peers:
        for frame in client.socket.sent:
            assert frame[0] != FrameType.STATUS or json.loads(frame[1:])["load"]["error"] is None
    await w.registry.stop()


def people(number: int) -> list[Client]:
    return [Client(name) for name in ("alice", "bob", "carol", "dave")[:number]]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(2, 4))
def test_whatever_happens_to_the_connections_everybody_converges(seed: int, number: int) -> None:
    asyncio.run(run(seed, 150, people(number)))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_long_lives_converge(seed: int) -> None:
    asyncio.run(run(seed, 3000, people(4)))


@requires_js
@pytest.mark.parametrize("seed", range(4))
def test_browsers_and_scripts_converge(seed: int) -> None:
    with JsProcess() as process:
        asyncio.run(run(seed, 120, [JsClient("anna", process), JsClient("ben", process), Client("script")], 9))


async def bytes_to(cells: int, keys: int) -> int:
    """What a client that only reads is sent while another types so many keys, one by one."""
    w = World(a=notebook(cells))
    room = await w.open("a.ipynb")
    alice, bob = Client("alice").connect(room.hub), Client("bob").connect(room.hub)
    await rest(alice, bob)
    alice.type_text("c0", 0, "x")
    await step_until(lambda: room.notebook.replica.is_hot, alice, bob)  # before that keys travel together
    await rest(alice, bob)
    before = sum(len(frame) for frame in bob.socket.sent if frame[0] == FrameType.NOTEBOOK_SYNC)
    for _ in range(keys):
        alice.type_text("c0", 0, "x")
        await settle(3)
        alice.read()
        bob.read()
    await rest(alice, bob)
    assert level(room.notebook.replica, alice, bob)
    return sum(len(frame) for frame in bob.socket.sent if frame[0] == FrameType.NOTEBOOK_SYNC) - before


async def test_what_typing_sends_is_linear_in_the_keys_and_knows_nothing_of_the_document() -> None:
    few, many, large = await bytes_to(3, 50), await bytes_to(3, 200), await bytes_to(300, 50)
    assert many < 4.5 * few and few < 400 * 50
    assert abs(large - few) < 50 * 8, (few, large)
