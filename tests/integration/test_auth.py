"""Who may do what: every route and every frame, for every kind of user.

The questions to the Authorizer are the contract's: `read` and `write` on `contents`, `execute` on `kernels`, and no
others.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from automerge.core import ROOT, ScalarType

from jupyter_runtimed.core.crdt import encode_sync
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.requests import ACTIONS
from jupyter_runtimed.handlers.content import RequestsHandler
from jupyter_runtimed.handlers.probe import NothingHere
from jupyter_runtimed.handlers.routes import ROUTES
from jupyter_runtimed.handlers.sync_socket import SyncSocket
from tests.architecture.test_handlers import own_methods
from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.integration.conftest import Served
from tests.support.bare_peer import PRESENCE, BarePeer
from tests.support.people import People, Roles

READ, WRITE, EXECUTE = ("read", "contents"), ("write", "contents"), ("execute", "kernels")

NAMES = ("stranger", "viewer", "editor", "executor")

# method, route, body, who may, what the Authorizer must have been asked
CALLS: list[tuple[str, str, Any, str, set[tuple[str, str]]]] = [
    ("GET", "", None, "viewer", {READ}),
    ("GET", "/rooms", None, "viewer", {READ}),
    ("POST", "/rooms", {"path": "b.ipynb"}, "viewer", {READ}),
    ("POST", "/rooms", {"untitled": True}, "editor", {READ, WRITE}),
    ("GET", "/rooms/{room}", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/doc", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/doc?document=runtime", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/metadata", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/metadata/key", None, "viewer", {READ, WRITE, EXECUTE}),
    ("GET", "/rooms/{room}/notebook", None, "viewer", {READ}),
    ("GET", "/blobs/" + "0" * 64, None, "viewer", {READ}),
    ("HEAD", "/blobs/" + "0" * 64, None, "viewer", {READ}),
    ("POST", "/blobs", b"bytes", "editor", {WRITE}),
    ("GET", "/storage", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/history", None, "viewer", {READ}),
    ("GET", "/rooms/{room}/history/0", None, "viewer", {READ}),
    ("POST", "/rooms/{room}/history/0/restore", None, "editor", {WRITE, EXECUTE}),
    ("DELETE", "/rooms/{room}/history", None, "editor", {WRITE}),
    ("PUT", "/rooms/{room}/metadata/key", {"value": 1}, "editor", {WRITE, EXECUTE}),
    ("DELETE", "/rooms/{room}/metadata/key", None, "editor", {WRITE, EXECUTE}),
    ("POST", "/rooms/{room}/merge", b"nothing", "editor", {WRITE}),
    ("DELETE", "/rooms/{room}", None, "editor", {WRITE}),
]

# action, its fields, who may
REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("get_doc_bytes", {}, "viewer"),
    ("get_raw_metadata", {"key": "x"}, "viewer"),
    ("wait_for_execution", {"execution_id": "none", "timeout": 0}, "viewer"),
    ("set_raw_metadata", {"key": "x", "value": 1}, "editor"),
    ("set_autosave", {"enabled": True}, "editor"),
    ("clear_outputs", {}, "editor"),
    ("put_outputs", {"cell_id": "none", "outputs": []}, "editor"),
    ("save_notebook", {}, "editor"),
    ("execute_cell", {"cell_id": "none"}, "executor"),
    ("run_all_cells", {"cell_ids": []}, "executor"),
    ("interrupt_kernel", {}, "executor"),
    ("restart_kernel", {}, "executor"),
    ("shutdown_kernel", {}, "executor"),
    ("start_kernel", {"kernel_name": "no-such-kernel"}, "executor"),
    ("complete", {"code": "", "cursor_pos": 0}, "executor"),
    ("inspect", {"code": "", "cursor_pos": 0}, "executor"),
    ("history", {"n": 1}, "executor"),
    ("is_complete", {"code": ""}, "executor"),
    ("input_reply", {"request_id": "none", "value": ""}, "executor"),
    ("comm", {"msg_type": "comm_msg", "content": {}}, "executor"),
]


def a_change(of: Callable[[BarePeer], Any], write: Callable[[Any], None]) -> Callable[[BarePeer], bytes]:
    """A sync message with one change of a document."""

    def message(peer: BarePeer) -> bytes:
        document = of(peer)
        before = document.get_heads()
        with document.transaction() as tx:
            write(tx)
        return encode_sync([change.bytes for change in document.get_changes(before)], document.get_heads())

    return message


# what is sent, who may, the code with which others are closed
FRAMES: dict[FrameType, tuple[Callable[[BarePeer], bytes], str | None, int]] = {
    FrameType.NOTEBOOK_SYNC: (a_change(lambda p: p.notebook, lambda tx: tx.put(ROOT, "k", ScalarType.Str, "v")), "editor", 4403),
    FrameType.REQUEST: (lambda _: b'{"id": "1", "action": "get_doc_bytes"}', "viewer", 0),
    FrameType.RESPONSE: (lambda _: b"{}", None, 1002),
    FrameType.EVENT: (lambda _: b"{}", None, 1002),
    FrameType.PRESENCE: (lambda _: b'{"focus": "a"}', "viewer", 0),
    FrameType.RUNTIME_SYNC: (a_change(lambda p: p.runtime, lambda tx: tx.put(ROOT, "k", ScalarType.Str, "v")), None, 4403),
    FrameType.STATUS: (lambda _: b"{}", None, 1002),
}  # fmt: skip


def may(name: str, least: str) -> bool:
    return NAMES.index(name) >= NAMES.index(least)


async def open_a_room(served: Served) -> dict[str, Any]:
    async with served.visit("executor") as v:
        v.write(notebook(code_cell("1", "a")), "b.ipynb")
        room = await v.open(v.write(notebook(code_cell("1", "a")), "a.ipynb"))
        status, _, _ = await v.call("GET", f"/rooms/{room['room_id']}/notebook")
        assert status == 200
        return room


async def send(visitor: Visitor, method: str, route: str, room: dict[str, Any], body: Any) -> tuple[int, Any, Any]:
    options = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
    return await visitor.call(method, route.replace("{room}", room["room_id"]), **options)


@pytest.mark.parametrize(("method", "route", "body", "least", "questions"), CALLS)
async def test_calls_are_for_those_who_may(
    served: Served, method: str, route: str, body: Any, least: str, questions: set[tuple[str, str]]
) -> None:
    room = await open_a_room(served)
    for name in NAMES:
        async with served.visit(name) as v:
            Roles.questions.clear()
            status, headers, answer = await send(v, method, route, room, body)
            assert {question[1:] for question in Roles.questions} <= {READ, WRITE, EXECUTE}
            if may(name, least):
                assert status != 403, (name, answer)
                assert {question[1:] for question in Roles.questions} == questions
            else:
                assert status == 403, (name, answer)
                if method != "HEAD":
                    assert headers["Content-Type"].startswith("application/json")
                    assert answer["code"] == "forbidden"
                    assert answer["message"]


@pytest.mark.parametrize(("method", "route", "body"), [call[:3] for call in CALLS])
async def test_without_a_token_or_a_cookie_nothing_is_answered(
    served: Served, method: str, route: str, body: Any
) -> None:
    room = await open_a_room(served)
    async with served.visit(None) as v:
        status, headers, answer = await send(v, method, route, room, body)
        assert status == 403
        if method != "HEAD":
            assert headers["Content-Type"].startswith("application/json")
            assert answer["code"] == "forbidden"


@pytest.mark.parametrize(("action", "fields", "least"), REQUESTS)
async def test_requests_are_for_those_who_may_over_http_and_over_the_socket(
    served: Served, action: str, fields: dict[str, Any], least: str
) -> None:
    room = await open_a_room(served)
    for name in ("viewer", "editor", "executor"):
        async with served.visit(name) as v:
            status, _, answer = await v.call(
                "POST", f"/rooms/{room['room_id']}/requests", json={"id": "1", "action": action, **fields}
            )
            async with v.peer(room) as peer:
                await peer.ready()
                told = await peer.request(action, **fields)
        for said in (answer, told):
            code = said.get("error", {}).get("code")
            assert (code == "forbidden") is not may(name, least), (name, said)
        assert (status == 403) is not may(name, least)


def test_nobody_is_left_out_of_the_tables() -> None:
    assert {action for action, _, _ in REQUESTS} | {"delete_raw_metadata"} == set(ACTIONS)
    assert set(FRAMES) == set(FrameType)


def test_every_route_and_method_is_in_the_table() -> None:
    elsewhere = {SyncSocket, RequestsHandler, NothingHere}  # tested below with every frame and action; nothing to see
    wanted = {
        (name.upper(), pattern)
        for pattern, handler in ROUTES
        for name in own_methods(handler)
        if handler not in elsewhere
    }
    found = set()
    for method, route, _, _, _ in CALLS:
        path = "/api/runtimed" + route.split("?")[0].replace("{room}", "an-id")
        found.add((method, next(pattern for pattern, _ in ROUTES if re.fullmatch(pattern, path))))
    assert found == wanted


@pytest.mark.parametrize("name", ["viewer", "editor", "executor"])
@pytest.mark.parametrize("kind", sorted(FRAMES), ids=lambda kind: kind.name)
async def test_every_frame_is_for_those_who_may(served: Served, kind: FrameType, name: str) -> None:
    room = await open_a_room(served)
    payload, least, code = FRAMES[kind]
    async with served.visit(name) as v, v.peer(room) as peer:
        await peer.ready()
        await peer.socket.send_bytes(bytes((kind,)) + payload(peer))
        if least is not None and may(name, least):
            assert (await peer.request("get_raw_metadata", key="x"))["ok"]
        else:
            await closed(peer)
            assert peer.close_code == code


@pytest.mark.parametrize("who", ["nobody", "stranger"])
async def test_no_route_tells_a_stranger_what_is_there(served: Served, who: str) -> None:
    """An address that exists and one that does not are refused alike."""
    await open_a_room(served)
    async with served.visit(None if who == "nobody" else who) as v:
        for _, route in sorted({(method, route) for method, route, *_ in CALLS if method == "GET"}):
            status, _, answer = await v.call("GET", route.replace("{room}", "no-such-room"))
            assert (status, answer["code"]) == (403, "forbidden"), route


@pytest.mark.parametrize("name", ["viewer", "editor", "executor"])
async def test_changes_are_taken_from_those_who_may_write(served: Served, name: str) -> None:
    room = await open_a_room(served)
    async with served.visit("executor") as v, v.peer(room) as other, served.visit(name) as mine:
        await other.ready()
        async with mine.peer(room) as peer:
            await peer.ready()
            status = peer.statuses[-1]
            assert status["writable"] is may(name, "editor")
            assert status["executable"] is may(name, "executor")
            peer.type_text("a", 0, "mine ")
            await peer.flush()
            if may(name, "editor"):
                await other.until(lambda: other.cells()[0]["source"] == "mine 1")
            else:
                await closed(peer)
                assert peer.close_code == 4403
                assert other.cells()[0]["source"] == "1"


@pytest.mark.parametrize("name", ["viewer", "editor", "executor"])
async def test_nobody_may_write_into_the_runtime_document(served: Served, name: str) -> None:
    room = await open_a_room(served)
    async with served.visit(name) as v, v.peer(room) as peer:
        await peer.ready()
        with peer.runtime.transaction() as tx:
            tx.put(ROOT, "forged", ScalarType.Str, "output")
        await peer.flush()
        await closed(peer)
        assert peer.close_code == 4403


async def test_presence_is_for_readers_and_names_who_they_are(served: Served) -> None:
    room = await open_a_room(served)
    async with served.visit("viewer") as v, v.peer(room) as viewer, served.visit("editor") as e, e.peer(room) as editor:
        await editor.ready()
        await viewer.ready()
        frame = {"focus": "a", "user": {"username": "executor"}}
        await viewer.socket.send_bytes(bytes((PRESENCE,)) + json.dumps(frame).encode())
        peer_id = viewer.statuses[-1]["peer_id"]
        await editor.until(lambda: any(p.get("peer_id") == peer_id and p.get("focus") for p in editor.presences))
        user = [p for p in editor.presences if p.get("peer_id") == peer_id][-1]["user"]
        assert user == {"username": "viewer", "name": "Viewer", "color": "#123456", "avatar_url": None}


async def test_a_socket_is_for_those_who_may_read(served: Served) -> None:
    room = await open_a_room(served)
    for name in ("stranger", None):
        async with served.visit(name) as v:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await v.session.ws_connect(v.peer(room).address)
            assert refused.value.status == 403


# Cookies: what a page from elsewhere could do with a visitor's.


async def test_a_cookie_alone_changes_nothing(served: Served) -> None:
    room = await open_a_room(served)
    async with served.browse("executor") as v:
        for method, route, body, _, _ in CALLS:
            if method not in ("GET", "HEAD"):
                status, _, answer = await send(v, method, route, room, body)
                assert (status, answer["code"]) == (403, "forbidden"), route
        (xsrf,) = [cookie.value for cookie in v.session.cookie_jar if cookie.key == "_xsrf"]
        status, _, _ = await v.call(
            "PUT", f"/rooms/{room['room_id']}/metadata/x", json={"value": 1}, headers={"X-XSRFToken": xsrf}
        )
        assert status == 200


@pytest.mark.parametrize("route", sorted({call[1] for call in CALLS if call[0] == "GET"}))
async def test_a_page_from_elsewhere_reads_nothing_with_a_visitors_cookie(served: Served, route: str) -> None:
    room = await open_a_room(served)
    async with served.browse("executor") as v:
        for headers in ({}, {"Referer": "http://elsewhere.example/page"}):
            status, _, answer = await v.call("GET", route.replace("{room}", room["room_id"]), headers=headers)
            assert (status, answer["code"]) == (403, "forbidden")
        status, _, _ = await v.call("GET", route.replace("{room}", room["room_id"]), headers={"Referer": served.url})
        assert status in (200, 404)


async def test_a_foreign_origin_gets_no_socket_with_a_visitors_cookie(served: Served) -> None:
    room = await open_a_room(served)
    async with served.browse("executor") as v:
        address = v.peer(room).address
        for origin in ("http://elsewhere.example", "null", served.origin + ".example"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await v.session.ws_connect(address, origin=origin)
            assert refused.value.status == 403, origin
        await (await v.session.ws_connect(address, origin=served.origin)).close()


# What changes while a socket lasts.


@pytest.mark.parametrize("runtimed_traits", [{"identity_check_s": 0.1}])
async def test_who_is_signed_out_loses_the_socket(served: Served) -> None:
    room = await open_a_room(served)
    async with served.visit("editor") as v, v.peer(room) as peer, served.browse("viewer") as b, b.peer(room) as other:
        await peer.ready()
        await other.ready()
        People.signed_out.update({"editor", "viewer"})
        await closed(peer)
        await closed(other)
        assert (peer.close_code, other.close_code) == (4401, 4401)


@pytest.mark.parametrize("runtimed_traits", [{"identity_check_s": 0.1}])
async def test_permissions_that_are_withdrawn_are_gone_from_open_sockets(served: Served) -> None:
    room = await open_a_room(served)
    async with served.visit("executor") as v, v.peer(room) as peer:
        await peer.ready()
        Roles.withdrawn.add(("executor", *EXECUTE))
        await peer.until(lambda: peer.statuses[-1]["executable"] is False)
        assert (await peer.request("interrupt_kernel"))["error"]["code"] == "forbidden"
        Roles.withdrawn.add(("executor", *WRITE))
        await peer.until(lambda: peer.statuses[-1]["writable"] is False)
        assert (await peer.request("save_notebook"))["error"]["code"] == "forbidden"
        Roles.withdrawn.add(("executor", *READ))
        await closed(peer)
        assert peer.close_code == 4401


async def closed(peer: BarePeer) -> None:
    """Wait until the server has closed a socket."""

    async def wait() -> None:
        while peer.close_code is None:
            peer.changed.clear()
            await peer.changed.wait()

    await asyncio.wait_for(wait(), 10)
