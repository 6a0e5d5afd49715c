"""The WebSocket page: handshake, order, sync, closing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from automerge.core import ROOT, Document, ScalarType

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.support.bare_peer import NOTEBOOK, PRESENCE, REQUEST, BarePeer
from tests.support.server_process import TOKEN


async def closed_with(v: Visitor, room: dict[str, Any], *frames: bytes | str) -> int | None:
    """Join, send frames, and return the code the server closes with."""
    async with v.peer(room) as peer:
        await peer.ready()
        for frame in frames:
            if isinstance(frame, str):
                await peer.socket.send_str(frame)
            else:
                await peer.socket.send_bytes(frame)
        await peer.until(lambda: peer.close_code)
        return peer.close_code


async def test_a_socket_without_a_token_or_from_a_foreign_origin_gets_403(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
        address = v.peer(room).address
    async with aiohttp.ClientSession() as nobody:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await nobody.ws_connect(address)
        assert refused.value.status == 403
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        # A browser that logged in has a cookie; Jupyter lets a token, not a cookie, come from anywhere.
        async with browser.get(f"{v.server.url}api/status?token={TOKEN}") as login:
            assert login.status == 200
        await (await browser.ws_connect(address, origin=v.server.url.rsplit("/", 3)[0])).close()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.ws_connect(address, origin="http://elsewhere.example")
        assert refused.value.status == 403


async def test_no_such_room_closes_with_4404_and_no_frame(visit: Any) -> None:
    async with visit() as v:
        socket = await v.session.ws_connect(v.peer({"room_id": "00000000-0000-4000-8000-000000000000"}).address)
        message = await socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert socket.close_code == 4404


async def test_the_sub_protocol_is_optional_and_the_first_frame_is_the_notebooks(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
        for protocols in ((), ("v1.runtimed.jupyter.org",)):
            socket = await v.session.ws_connect(v.peer(room).address, protocols=protocols)
            message = await socket.receive(timeout=5)
            assert message.data[0] == NOTEBOOK
            if protocols:
                assert socket.protocol == protocols[0]
            await socket.close()


async def test_status_and_presence_come_at_connect(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, room):
        status = peer.statuses[-1]
        assert set(status) >= {
            "load", "path", "peer_id", "writable", "executable", "dirty", "epochs", "durable_heads", "saved_heads", "last_saved",
        }  # fmt: skip
        assert status["path"] == room["path"] and status["writable"] is True and status["executable"] is True
        assert set(status["epochs"]) == {"notebook", "runtime"} and status["dirty"] is False
        assert status["load"]["error"] is None and {"phase", "done", "total"} <= set(status["load"])
        await peer.until(lambda: peer.presences)
        assert "peers" in peer.presences[0]


async def test_two_peers_type_and_see_each_other(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        alice.type_text("a", 5, " wörld 🎉")
        bob.type_text("a", 0, ">> ")
        await asyncio.gather(alice.flush(), bob.flush())
        for peer in (alice, bob):
            await peer.until(lambda peer=peer: peer.cells()[0]["source"] == ">> hello wörld 🎉")
        await alice.until(lambda: alice.heads() == bob.heads())
        _, headers, _ = await v.call("GET", f"/rooms/{room['room_id']}/doc")
        assert sorted(headers["X-Automerge-Heads"].split(",")) == alice.heads()


async def test_a_peer_that_was_away_brings_its_edits(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room):
        async with v.peer(room) as bob:
            await bob.ready()
            replica = bob.notebook
        alice.type_text("a", 0, "A")
        await alice.flush()
        bob.type_text("a", 5, "B")
        async with v.peer(room, replica) as again:
            await again.until(lambda: again.cells()[0]["source"] == "AhelloB")
            await alice.until(lambda: alice.cells()[0]["source"] == "AhelloB")


async def test_a_replica_of_an_equal_file_on_another_server_life_merges_as_if_nothing_had_happened(visit: Any) -> None:
    content = notebook(code_cell("hello", "a"), code_cell("x", "b"))
    async with visit() as v:
        first = await v.open(v.write(content))
        async with v.peer(first) as peer:
            await peer.ready()
            replica = peer.notebook
        peer.type_text("a", 0, "offline ")
        second = await v.open(v.write(content))
        async with v.peer(second, replica) as again:
            await again.ready()
            assert (await again.request("get_raw_metadata", key="x", required_heads=again.heads()))["ok"]
            _, _, nb = await v.call("GET", f"/rooms/{second['room_id']}/notebook")
            assert ["".join(cell["source"]) for cell in nb["cells"]] == ["offline hello", "x"]
            assert again.close_code is None


async def test_a_replica_of_another_import_is_closed_with_4410_and_merged_by_the_call(visit: Any) -> None:
    async with visit() as v:
        first = await v.open(v.write(notebook(code_cell("hello", "a"))))
        async with v.peer(first) as peer:
            await peer.ready()
        peer.type_text("a", 0, "offline ")
        peer.add_cell("mine", "my cell", "zz")
        second = await v.open(v.write(notebook(code_cell("hello", "a"), code_cell("new on disk", "b"))))
        async with v.peer(second, peer.notebook) as again:
            assert await again.until(lambda: again.close_code) == 4410
        status, _, body = await v.call("POST", f"/rooms/{second['room_id']}/merge", data=peer.notebook.save())
        assert status == 200 and body["heads"] and isinstance(body["kept_aside"], list)
        async with v.peer(second) as fresh:
            await fresh.ready()
            assert [cell["source"] for cell in fresh.cells()] == ["offline hello", "new on disk", "my cell"] or sorted(
                cell["source"] for cell in fresh.cells()
            ) == ["my cell", "new on disk", "offline hello"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((b"",), 1002),
        (("text",), 1002),
        ((b"\x02{}",), 1002),
        ((b"\x03{}",), 1002),
        ((b"\x07{}",), 1002),
        ((b"\x00not a sync message",), 1002),
        ((b"\x00",), 1002),
        ((b"\x05\x42\xff\xff\xff\xff",), 1002),
        ((b"\x01{not json",), 1002),
        ((b"\x04[",), 1002),
        ((b"\x04" + json.dumps({"cursor": "x" * 5000}).encode(),), 1009),
    ],
)
async def test_broken_frames_close_that_socket_alone(visit: Any, frames: tuple[bytes | str, ...], code: int) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        assert await closed_with(v, room, *frames) == code
        alice.type_text("a", 0, "still ")
        await alice.flush()
        await bob.until(lambda: bob.cells()[0]["source"] == "still hello")


async def test_nesting_beyond_the_limit_is_malformed(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (_, room):
        deep = b"[" * 100 + b"]" * 100
        assert (
            await closed_with(v, room, b'\x01{"id": "1", "action": "comm", "msg_type": "x", "content": ' + deep + b"}")
            == 1002
        )


async def test_unknown_frame_types_are_skipped(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (peer, _):
        for kind in (0x06, 0x08, 0x7F, 0xFF):
            await peer.socket.send_bytes(bytes((kind,)) + b"whatever")
        assert (await peer.request("get_raw_metadata", key="x"))["ok"]


async def test_runtime_changes_from_a_client_are_refused_and_not_applied(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room):
        async with v.peer(room) as mallory:
            await mallory.ready()
            with mallory.runtime.transaction() as tx:
                tx.put(ROOT, "forged", ScalarType.Str, "output")
            await mallory.flush()
            assert await mallory.until(lambda: mallory.close_code) == 4403
        _, _, body = await v.call("GET", f"/rooms/{room['room_id']}/doc?document=runtime")
        assert Document.load(body).get(ROOT, "forged") is None
        assert (await alice.request("get_raw_metadata", key="x"))["ok"]


async def test_a_document_chunk_from_a_client_is_malformed(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (peer, room):
        chunk = peer.notebook.save()
        size = bytearray()
        number = len(chunk)
        while True:
            size.append(number & 0x7F | (0x80 if number > 0x7F else 0))
            number >>= 7
            if not number:
                break
        message = b"\x43" + b"\x00\x00\x00" + b"\x01" + bytes(size) + chunk
        assert await closed_with(v, room, b"\x00" + message) == 1002


async def test_presence_is_stamped_by_the_server_and_told_to_the_others(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room):
        async with v.peer(room) as bob:
            await bob.ready()
            bob_id = bob.statuses[-1]["peer_id"]
            cursor = {"cell_id": "a", "anchor": 1, "head": 3}
            frame = {"cursor": cursor, "focus": "a", "user": {"username": "the queen"}, "peer_id": "forged"}
            await bob.socket.send_bytes(bytes((PRESENCE,)) + json.dumps(frame).encode())
            await alice.until(
                lambda: any(p.get("peer_id") == bob_id and p.get("cursor") == cursor for p in alice.presences)
            )
            seen = [p for p in alice.presences if p.get("peer_id") == bob_id and p.get("cursor")][-1]
            assert seen["user"]["username"] != "the queen" and seen["focus"] == "a"
            assert {"username", "name", "color", "avatar_url"} <= set(seen["user"])
            async with v.peer(room) as late:
                await late.until(lambda: late.presences)
                assert late.presences[0]["peers"][bob_id]["cursor"] == cursor
        await alice.until(lambda: {"peer_id": bob_id, "left": True} in alice.presences)


async def test_a_peer_that_never_answers_delays_nobody(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        dumb = await v.session.ws_connect(v.peer(room).address)
        alice.type_text("a", 0, "x")
        await alice.flush()
        await bob.until(lambda: bob.cells()[0]["source"] == "xhello", deadline_s=2)
        await dumb.close()


async def test_status_never_overtakes_the_sync_it_speaks_of(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        missing: list[str] = []

        class Watched(list[dict[str, Any]]):
            def append(self, status: dict[str, Any]) -> None:
                have = {change.hash.hex() for change in bob.notebook.get_changes([])}
                missing.extend(head for head in status["saved_heads"] + status["durable_heads"] if head not in have)
                super().append(status)

        bob.statuses = Watched(bob.statuses)
        for index in range(5):
            alice.type_text("a", 0, str(index))
            await alice.flush()
            answer = await alice.request("save_notebook", required_heads=alice.heads())
            assert answer["ok"], answer
        await bob.until(lambda: bob.statuses and bob.statuses[-1]["saved_heads"] == alice.heads())
        assert missing == []


async def test_a_room_closed_under_a_socket_says_4409(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (peer, room):
        assert (await v.call("DELETE", f"/rooms/{room['room_id']}"))[0] == 204
        assert await peer.until(lambda: peer.close_code) == 4409


async def test_a_wrong_request_envelope_is_answered_not_closed(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("hello", "a")) as (peer, _):
        for body in (
            {"id": "q1", "action": "fly"},
            {"id": "q1", "action": "execute_cell"},
            {"id": "q1", "action": "execute_cell", "cell_id": 4},
        ):
            future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            peer.answers["q1"] = future
            await peer.socket.send_bytes(bytes((REQUEST,)) + json.dumps(body).encode())
            answer = await asyncio.wait_for(future, 5)
            assert answer["ok"] is False and answer["error"]["code"] == "bad_request" and answer["error"]["message"]


async def test_large_notebooks_show_cells_before_they_are_complete(visit: Any) -> None:
    """Seed 672: the first cells come before the last, and a second peer joins in the middle."""
    async with visit() as v:
        cells = [code_cell("value = 1 + %d\n" % i * 40, f"c{i}") for i in range(2500)]
        room = await v.open(v.write(notebook(*cells)))
        async with v.peer(room) as alice, v.peer(room) as bob:
            seen: set[int] = set()

            def count(peer: BarePeer) -> int:
                cells = peer.notebook.get(ROOT, "cells")
                return peer.notebook.length(cells[1]) if cells else 0

            def progress() -> bool:
                seen.add(count(alice))
                return any(s["load"]["phase"] == "ready" for s in alice.statuses) and count(alice) == 2500

            await alice.until(progress, deadline_s=60)
            await bob.until(lambda: count(bob) == 2500 and bob.heads() == alice.heads(), deadline_s=60)
            assert any(0 < number < 2500 for number in seen), sorted(seen)[:5]
            assert room["state"] in ("loading", "ready")
