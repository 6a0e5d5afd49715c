"""The WebSocket of a client: whatever becomes of it is one end, and an end is something to come back from."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from jupyter_runtimed.client.transport import TransportClosed, WebSocketTransport


async def _ping_at_once(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.ping()
    await socket.receive()
    return socket


async def test_a_ping_that_finds_the_connection_going_ends_it_as_any_end_does() -> None:
    app = web.Application()
    app.router.add_get("/", _ping_at_once)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        transport = WebSocketTransport(socket)
        # The pong cannot be written any more, while what has come can still be read.
        connection = socket._writer.transport
        assert connection is not None
        connection.is_closing = lambda: True  # type: ignore[method-assign]
        with pytest.raises(TransportClosed):
            await transport.receive()
        del connection.is_closing


async def test_a_failure_that_is_received_is_an_end_too() -> None:
    app = web.Application()
    app.router.add_get("/", _ping_at_once)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        transport = WebSocketTransport(socket)
        await transport.close()
        with pytest.raises(TransportClosed):
            await transport.receive()
