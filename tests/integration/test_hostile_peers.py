"""Peers that mean harm, through real sockets: each loses its own socket, and everybody else types on."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import psutil
import pytest
from automerge.core import ROOT, ScalarType

from jupyter_runtimed.core.crdt import Engine, EnginePanic, encode_sync
from jupyter_runtimed.core.crdt.columns import uleb
from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.integration.conftest import Served, soon
from tests.integration.test_socket_life import slow_peer
from tests.support.bare_peer import NOTEBOOK, PRESENCE, REQUEST, RUNTIME, STATUS, BarePeer
from tests.support.gate_fuzz import damage
from tests.unit.crdt.test_gate import BOMBS

MIB = 1024 * 1024
HEADS = [bytes(range(32))]

Attack = Callable[[BarePeer], Awaitable[None]]


class Place:
    """A room in which two people type, and whoever else comes."""

    def __init__(self, visitor: Visitor, room: dict[str, Any], alice: BarePeer, bob: BarePeer) -> None:
        self.visitor = visitor
        self.room = room
        self.alice = alice
        self.bob = bob
        self.typed = 0

    async def type_on(self) -> None:
        """What alice types, bob sees."""
        self.typed += 1
        word = f"<{self.typed}>"
        self.alice.type_text("a", 0, word)
        await self.alice.flush()
        await self.bob.until(lambda: word in self.bob.cells()[0]["source"])

    async def raw(self) -> aiohttp.ClientWebSocketResponse[Any]:
        return await self.visitor.session.ws_connect(self.visitor.peer(self.room).address, max_msg_size=0)

    async def closed_with(self, *frames: bytes | str) -> int | None:
        """The code with which a socket that sends these frames is closed; None when it is not."""
        ws = await self.raw()
        try:
            for frame in frames:
                await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
            await ws.send_bytes(bytes((REQUEST,)) + b'{"id": "end", "action": "get_raw_metadata", "key": "x"}')
        except (ConnectionError, aiohttp.ClientError):
            pass  # it was closed while we were sending
        async for message in ws:
            if message.type is aiohttp.WSMsgType.BINARY and message.data[0] == 2:
                await ws.close()
                return None
        return ws.close_code


@pytest.fixture
def place(served: Served) -> Callable[[], Any]:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def enter() -> Any:
        async with served.visit("executor") as v:
            room = await v.open(v.write(notebook(code_cell("1", "a"), code_cell("2", "b"))))
            async with v.peer(room) as alice, v.peer(room) as bob:
                await alice.ready()
                await bob.ready()
                yield Place(v, room, alice, bob)

    return enter


def bloom(entries: int) -> bytes:
    """A sync message whose filter claims so many entries and has none."""
    have = bytes((1,)) + HEADS[0] + (lambda body: uleb(len(body)) + body)(uleb(entries) + uleb(10) + uleb(7))
    return bytes((0x42,)) + uleb(0) + uleb(0) + uleb(1) + have + uleb(0)


FRAMES: dict[str, tuple[list[bytes | str], set[int | None]]] = {
    "empty": ([b""], {1002}),
    "text": (["hello"], {1002}),
    "a sync frame without a message": ([bytes((NOTEBOOK,))], {1002}),
    "garbage": ([bytes((NOTEBOOK,)) + random.Random(1).randbytes(2000)], {1002}),
    "a request that is no JSON": ([bytes((REQUEST,)) + b"{"], {1002}),
    "deeply nested JSON": ([bytes((REQUEST,)) + b"[" * 100_000], {1002}),
    "a status, which only servers send": ([bytes((STATUS,)) + b"{}"], {1002}),
    "a presence that is too large": ([bytes((PRESENCE,)) + json.dumps({"focus": "x" * 10_000}).encode()], {1009}),
    "a filter of milliards": ([bytes((NOTEBOOK,)) + bloom(2**40)], {1002, 1009}),
    "a presence for everything": ([bytes((PRESENCE,)) + b'{"focus": "a"}'] * 200, {None}),
    "frames of types to come": ([bytes((kind,)) + b"?" for kind in range(8, 256)], {None}),
    "presence before anything else": ([bytes((PRESENCE,)) + b"{}", bytes((RUNTIME,)) + encode_sync((), ())], {None}),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_broken_frame_costs_its_sender_the_socket(place: Any, name: str) -> None:
    frames, codes = FRAMES[name]
    async with place() as p:
        assert await p.closed_with(*frames) in codes
        await p.type_on()


async def test_bombs_take_no_memory(place: Any) -> None:
    async with place() as p:
        before = psutil.Process(os.getpid()).memory_info().rss
        for name, bomb in BOMBS.items():
            assert await p.closed_with(bytes((NOTEBOOK,)) + encode_sync(bomb(), HEADS)) in (1002, 1009), name
            await p.type_on()
        assert psutil.Process(os.getpid()).memory_info().rss - before < 150 * MIB


async def check_damaged(place: Any, seed: int, times: int) -> None:
    """What an honest peer says, with some bytes wrong."""
    dice = random.Random(seed)
    async with place() as p:
        honest: list[bytes] = []
        async with p.visitor.peer(p.room) as peer:
            await peer.ready()
            original = peer.socket.send_bytes

            async def noted(data: bytes) -> None:
                honest.append(data)
                await original(data)

            peer.socket.send_bytes = noted  # type: ignore[method-assign]
            for index in range(5):
                peer.type_text("b", index, "é🎉x")
                await peer.flush()
        codes = set()
        for _ in range(times):
            frames = dice.sample(honest, dice.randrange(1, 4))  # out of order, too
            at = dice.randrange(len(frames))
            frames[at] = bytes((dice.choice((NOTEBOOK, RUNTIME)),)) + damage(dice, frames[at][1:])
            codes.add(await p.closed_with(*frames))
        assert codes <= {None, 1002, 1009, 4403, 4410}, codes
        await p.type_on()
        assert p.alice.heads() == p.bob.heads()


async def test_damaged_messages_cost_nobody_but_their_sender(place: Any) -> None:
    await check_damaged(place, seed=1, times=60)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
async def test_very_many_damaged_messages(place: Any, seed: int) -> None:
    await check_damaged(place, seed, times=3000)


async def test_a_flood_of_small_frames_is_ended(place: Any) -> None:
    async with place() as p:
        frame = bytes((PRESENCE,)) + b'{"focus": "a"}'
        assert await p.closed_with(*[frame] * 20_000) == 1008
        await p.type_on()


async def test_who_asks_and_does_not_read_is_ended(place: Any, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runtimed.rooms.peer.MAX_OUTBOX_BYTES", MIB)
    async with place() as p:
        hub = served.runtimed.server.services.rooms.get(p.room["room_id"]).hub
        ws = await p.raw()
        assert await soon(lambda: len(hub.peers) == 3)
        ws._conn.transport.pause_reading()  # type: ignore[union-attr]
        p.alice.type_text("b", 0, "x" * 20_000)
        await p.alice.flush()
        ask = bytes((REQUEST,)) + b'{"id": "%d", "action": "get_doc_bytes"}'
        for number in range(900):
            if ws.closed or len(hub.peers) < 3:
                break
            try:
                await ws.send_bytes(ask % number)
            except (ConnectionError, aiohttp.ClientError):
                break
            await asyncio.sleep(0)
        assert await soon(lambda: len(hub.peers) == 2)
        await p.type_on()


async def test_a_connection_that_is_dead_without_saying_so_is_noticed(
    place: Any, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half open: nothing comes any more, not even an answer to a ping."""
    settings = served.app.web_app.settings
    async with place() as p:
        hub = served.runtimed.server.services.rooms.get(p.room["room_id"]).hub
        monkeypatch.setitem(settings, "ws_ping_interval", 50)
        monkeypatch.setitem(settings, "ws_ping_timeout", 200)
        _, writer = await slow_peer(served, p.room)
        assert await soon(lambda: len(hub.peers) == 3)
        assert await soon(lambda: len(hub.peers) == 2)
        writer.transport.abort()
        await p.type_on()


async def test_when_the_engine_panics_the_room_is_rebuilt(
    place: Any, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place() as p:
        await p.type_on()
        room = served.runtimed.server.services.rooms.get(p.room["room_id"])
        original = Engine.apply

        def panic(self: Engine, chunks: Any) -> None:
            monkeypatch.setattr(Engine, "apply", original)
            raise EnginePanic("the test says so")

        async with p.visitor.peer(p.room) as mallory:
            await mallory.ready()
            mallory.type_text("b", 0, "poison")
            monkeypatch.setattr(Engine, "apply", panic)
            await mallory.flush()
            assert await soon(lambda: mallory.close_code is not None)
            assert mallory.close_code == 1002
        await p.type_on()
        assert room.notebook.replica.panics == 1 and "poison" not in room.notebook.cell("b").source
        assert p.alice.heads() == p.bob.heads()


async def test_a_forged_identity_is_not_believed(place: Any) -> None:
    async with place() as p:
        ws = await p.raw()
        forged = {
            "focus": "a",
            "user": {"username": "admin", "name": "Admin"},
            "peer_id": p.bob.statuses[-1]["peer_id"],
        }
        await ws.send_bytes(bytes((PRESENCE,)) + json.dumps(forged).encode())
        await p.alice.until(lambda: any(found.get("focus") == "a" for found in p.alice.presences))
        said = [found for found in p.alice.presences if found.get("focus") == "a"][-1]
        assert said["user"]["username"] == "executor" and said["peer_id"] != forged["peer_id"]
        await ws.close()
        await p.type_on()


async def test_forged_outputs_are_refused_and_cost_the_socket(place: Any) -> None:
    async with place() as p:
        async with p.visitor.peer(p.room) as mallory:
            await mallory.ready()
            with mallory.runtime.transaction() as tx:
                tx.put(ROOT, "forged", ScalarType.Str, "output")
            await mallory.flush()
            assert await soon(lambda: mallory.close_code is not None)
            assert mallory.close_code == 4403
        await p.type_on()
