"""The WebSocket of a room as a connection: handshake, limits, back-pressure, keepalive, end."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from tornado.websocket import WebSocketHandler

from jupyter_runtimed.handlers.sync_socket import SUB_PROTOCOL, SyncSocket
from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.integration.conftest import Served, soon
from tests.support.bare_peer import NOTEBOOK, BarePeer

MIB = 1024 * 1024


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[SyncSocket]:
    """The server's ends of all sockets, in the order they were opened."""
    opened: list[SyncSocket] = []
    original = SyncSocket.open

    def note(self: SyncSocket, room_id: str) -> None:
        opened.append(self)
        original(self, room_id)

    monkeypatch.setattr(SyncSocket, "open", note)
    return opened


async def a_room(v: Visitor, *sources: str) -> dict[str, Any]:
    return await v.open(v.write(notebook(*(code_cell(source, f"c{i}") for i, source in enumerate(sources or ("1",))))))


async def the_close(ws: aiohttp.ClientWebSocketResponse[Any]) -> int | None:
    """Read until the server closes; the code."""
    async for _ in ws:
        pass
    return ws.close_code


async def raw_handshake(served: Served, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The answer to a handshake as it stands on the wire; what a library would make of it is not of interest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.origin.rsplit(":", 1)[1]))
    wanted = {
        "Host": served.origin.split("//")[1],
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    lines = [f"GET {served.url.removeprefix(served.origin)}api/runtimed{path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in wanted.items() if value]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    answer = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
    body = await reader.readexactly(int(answer.get("content-length", 0)))
    writer.close()
    return int(head.split()[1]), answer, body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 403),
        ({"Authorization": "token wrong"}, 403),
        ({"Authorization": "token token-of-stranger"}, 403),
        ({"Upgrade": ""}, 400),
        ({"Connection": "close"}, 400),
    ],
)
async def test_a_refused_handshake_says_why_in_json(served: Served, headers: dict[str, str], status: int) -> None:
    async with served.visit() as v:
        room = await a_room(v)
    sent = {"Authorization": "token token-of-viewer", **headers}
    got, answer, body = await raw_handshake(served, f"/rooms/{room['room_id']}/sync", **sent)
    assert got == status
    assert answer["content-type"].startswith("application/json")
    said = json.loads(body)
    assert said["code"] == {403: "forbidden", 400: "bad_request"}[status]
    assert said["message"]


async def test_a_foreign_origin_is_refused_in_json(served: Served) -> None:
    async with served.visit() as v:
        room = await a_room(v)
    async with served.browse("executor") as v:
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in v.session.cookie_jar)
    path = f"/rooms/{room['room_id']}/sync"
    status, answer, body = await raw_handshake(served, path, Cookie=cookies, Origin="http://elsewhere.example")
    assert (status, json.loads(body)["code"]) == (403, "forbidden")
    assert answer["content-type"].startswith("application/json")


async def test_the_sub_protocol_is_agreed_to_when_it_is_offered(served: Served) -> None:
    async with served.visit() as v:
        address = v.peer(await a_room(v)).address
        for offered, agreed in (((), None), (("other",), None), (("other", SUB_PROTOCOL), SUB_PROTOCOL)):
            ws = await v.session.ws_connect(address, protocols=offered)
            assert ws.protocol == agreed
            await ws.close()


async def test_small_frames_are_not_held_back(served: Served, sockets: list[SyncSocket]) -> None:
    """Nagle's algorithm costs 40 ms a keystroke."""
    async with served.visit() as v, v.peer(await a_room(v)) as peer:
        await peer.ready()
        connection = sockets[-1].ws_connection
        assert connection is not None and connection.stream is not None
        assert connection.stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_messages_are_not_compressed_twice(served: Served) -> None:
    async with served.visit() as v:
        ws = await v.session.ws_connect(v.peer(await a_room(v)).address, compress=15)
        assert ws.compress == 0
        await ws.close()


async def test_there_is_one_keepalive_and_it_ends_with_the_socket(served: Served, sockets: list[SyncSocket]) -> None:
    async with served.visit() as v:
        async with v.peer(await a_room(v)) as peer:
            await peer.ready()
            end: Any = sockets[-1]
            assert end.ping_callback.callback_time == 30_000
            assert end.ws_connection._ping_coroutine is None  # Tornado's own
        assert await soon(lambda: not end.ping_callback.is_running())
        assert not end._identity_check.is_running()


async def test_a_message_over_the_limit_is_answered_with_1009(served: Served) -> None:
    """Tornado's own limit would cut the connection, which looks like a failure of the network."""
    async with served.visit() as v, v.peer(await a_room(v)) as other:
        await other.ready()
        room = served.runtimed.server.services.rooms.rooms()[0]
        ws = await v.session.ws_connect(v.peer({"room_id": room.id}).address, max_msg_size=0)
        await ws.send_bytes(b"\x00" + bytes(64 * MIB))
        assert await the_close(ws) == 1009
        assert (await other.request("get_raw_metadata", key="x"))["ok"]


async def test_a_closed_rooms_socket_takes_no_more_messages(served: Served) -> None:
    async with served.visit() as v:
        room = await a_room(v)
        ws = await v.session.ws_connect(v.peer(room).address)
        await v.call("DELETE", f"/rooms/{room['room_id']}")
        for _ in range(10):
            await ws.send_bytes(b"\x01{}")
        assert await the_close(ws) == 4409


async def test_an_unknown_room_is_told_after_the_handshake_without_a_frame(served: Served) -> None:
    async with served.visit() as v:
        for room_id in ("no-such-room", "00000000-0000-4000-8000-000000000000"):
            ws = await v.session.ws_connect(v.api + f"/rooms/{room_id}/sync")
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 4404


async def test_a_peer_that_does_not_read_gets_fewer_larger_messages_and_delays_nobody(
    served: Served, sockets: list[SyncSocket]
) -> None:
    """The document is the queue: what is kept for a peer that is slow does not grow with what others do."""
    changes, size = 60, 20_000
    async with served.visit() as v:
        room = await a_room(v)
        async with v.peer(room) as fast, v.peer(room) as slow:
            await fast.ready()
            await slow.ready()
            connection: Any = sockets[-1].ws_connection
            client: Any = slow.socket
            stream, transport = connection.stream, client._conn.transport
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            transport.pause_reading()
            sent, kept = sent_by(sockets[-1]), []
            for number in range(changes):
                value = secrets.token_hex(size // 2)
                status, _, _ = await v.call(
                    "PUT", f"/rooms/{room['room_id']}/metadata/k{number}", json={"value": value}
                )
                assert status == 200
                await fast.until(lambda: f"k{number}" in fast.root()["metadata"], deadline_s=5)
                kept.append(len(stream._write_buffer))
            # What the system's buffers took is gone; of the rest there is one message, however much was written since.
            assert sum(after != before for before, after in pairwise(kept)) <= len(sent) < changes / 4
            transport.resume_reading()
            await slow.until(lambda: slow.heads() == fast.heads())
            assert len(sent) < changes / 2
            assert fast.frames.count(NOTEBOOK) >= changes


def sent_by(end: SyncSocket) -> list[int]:
    """The sizes of the frames that are sent from now on."""
    sizes: list[int] = []
    original = end.send

    def send(frame: bytes) -> bool:
        sizes.append(len(frame))
        return original(frame)

    end.send = send  # type: ignore[method-assign]
    return sizes


async def slow_peer(served: Served, room: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Join with a small receive buffer, and read nothing."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", int(served.origin.rsplit(":", 1)[1])))
    reader, writer = await asyncio.open_connection(sock=plain, limit=2)
    path = f"{served.url.removeprefix(served.origin)}api/runtimed/rooms/{room['room_id']}/sync"
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {served.origin.split('//')[1]}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Authorization: token token-of-viewer",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()
    return reader, writer


async def test_a_connection_that_is_cut_leaves_the_room(served: Served) -> None:
    async with served.visit() as v:
        room = await a_room(v)
        async with v.peer(room) as peer:
            await peer.ready()
            _, writer = await slow_peer(served, room)
            hub = served.runtimed.server.services.rooms.get(room["room_id"]).hub
            assert await soon(lambda: len(hub.peers) == 2)
            writer.transport.abort()
            assert await soon(lambda: len(hub.peers) == 1)
            await peer.until(lambda: any(presence.get("left") for presence in peer.presences))


async def test_sockets_are_told_that_the_server_stops(served: Served) -> None:
    async with served.visit() as v:
        ws = await v.session.ws_connect(v.peer(await a_room(v)).address)
        stopping = asyncio.ensure_future(served.runtimed.stop_extension())
        assert await the_close(ws) == 1001
        await stopping


@pytest.mark.parametrize("runtimed_traits", [{"stop_save_s": 0.1}])
async def test_a_stop_does_not_wait_for_ever(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    async with served.visit() as v:
        await a_room(v)
        monkeypatch.setattr("jupyter_runtimed.app.server.CLOSE_S", 0.1)
        monkeypatch.setattr("jupyter_runtimed.rooms.registry.RoomRegistry.stop", hang)
        await asyncio.wait_for(served.runtimed.stop_extension(), 5)


async def test_what_is_typed_last_before_a_stop_is_in_the_file(served: Served) -> None:
    async with served.visit() as v:
        path = v.write(notebook(code_cell("x", "c0")))
        async with v.peer(await v.open(path)) as peer:
            await peer.ready()
            peer.type_text("c0", 1, " = 1")
            await peer.flush()
            assert (await peer.request("get_raw_metadata", key="x", required_heads=peer.heads()))["ok"]
            await served.runtimed.stop_extension()
        assert v.read(path)["cells"][0]["source"] == ["x = 1"]


async def test_two_peers_and_rest_see_one_document(served: Served) -> None:
    async with served.visit("editor") as v, served.visit("executor") as w:
        room = await a_room(v, "hello", "world")
        async with v.peer(room) as alice, w.peer(room) as bob:
            await alice.ready()
            await bob.ready()
            alice.type_text("c0", 5, " é🎉")
            bob.add_cell("c2", "new", "zz")
            await asyncio.gather(alice.flush(), bob.flush())
            route = f"/rooms/{room['room_id']}"
            await v.call("PUT", f"{route}/metadata/mine", json={"value": [1], "required_heads": alice.heads()})
            for peer in (alice, bob):
                await agreed(peer, ["hello é🎉", "world", "new"])
            _, _, whole = await w.call("GET", f"{route}/notebook")
            assert ["".join(cell["source"]) for cell in whole["cells"]] == ["hello é🎉", "world", "new"]
            assert whole["metadata"]["mine"] == [1]
            _, _, told = await w.call("GET", route)
            assert (told["cells"], told["peers"], told["heads"]) == (3, 2, alice.heads())


async def agreed(peer: BarePeer, sources: list[str]) -> None:
    await peer.until(
        lambda: [cell["source"] for cell in peer.cells()] == sources and peer.root()["metadata"].get("mine")
    )


def test_the_order_of_base_classes_keeps_jupyters_checks() -> None:
    """WebSocketMixin before WebSocketHandler before JupyterHandler, as jupyter_server's own sockets have it."""
    names = [kind.__name__ for kind in SyncSocket.__mro__]
    assert names.index("WebSocketMixin") < names.index("WebSocketHandler") < names.index("JupyterHandler")
    assert SyncSocket.check_origin is not WebSocketHandler.check_origin
    assert NOTEBOOK == 0


@pytest.mark.parametrize("runtimed_traits", [{"required_heads_timeout_s": 0.5}])
async def test_heads_that_never_come_fail_closed_and_run_nothing(served: Served) -> None:
    async with served.visit() as v, v.joined(code_cell("print('no')", "a")) as (peer, _):
        answer = await peer.request("execute_cell", cell_id="a", required_heads=["0" * 64])
        assert answer["ok"] is False and answer["error"]["code"] == "heads_missing"
        assert peer.execution_of("a") == {}
        bad = await peer.request("execute_cell", cell_id="a", required_heads=["short"])
        assert bad["error"]["code"] == "bad_request"
        old = peer.heads()
        peer.type_text("a", 0, "# more\n")
        await peer.flush()
        assert (await peer.request("get_raw_metadata", key="x", required_heads=old))["ok"]
