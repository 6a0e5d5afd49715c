"""A gateway that speaks badly: a real socket, and nonsense on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiohttp import web
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1

from jupyter_runtimed.adapters.kernels_gateway import GatewayChannels
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.rooms.tasks import Tasks
from tests.support.server_process import free_port

NEWER = "v1.kernel.websocket.jupyter.org"
PARTS = ({"msg_type": "stream", "msg_id": "m"}, {}, {}, {"name": "stdout", "text": "after all that"})
NONSENSE_V1: list[bytes | str] = [
    b"",
    b"\x01",
    b"\xff" * 8,
    b"\xff" * 80,
    (2).to_bytes(8, "little") + b"\xff" * 16,
    b"\x01" + b"\0" * 30,
]
NONSENSE: list[bytes | str] = [
    b"",
    b"\x00\x00\x00\xff",
    b"\xff" * 40,
    "",
    "no JSON",
    "[]",
    "7",
    '{"header": []}',
    "[" * 50_000,
]


class Owner:
    """Hears what comes."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[KernelMessage] = asyncio.Queue()

    def take(self, message: KernelMessage) -> None:
        self.heard.put_nowait(message)

    async def room(self) -> None:
        """There is always room."""

    def broken(self, message: str) -> None:
        raise AssertionError(message)


@asynccontextmanager
async def gateway(frames: Sequence[bytes | str], protocol: str | None) -> AsyncIterator[None]:
    """One that sends these to whoever connects."""
    asked: list[web.WebSocketResponse] = []

    async def connect(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(protocol,) if protocol else ())
        await socket.prepare(request)
        asked.append(socket)
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        async for _ in socket:
            """Whatever it is told."""
        return socket

    app = web.Application()
    app.router.add_get("/api/kernels/{kernel}/channels", connect)
    runner, port = web.AppRunner(app, shutdown_timeout=1), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    GatewayClient.clear_instance()
    GatewayClient.instance(url=f"http://127.0.0.1:{port}")
    try:
        yield
    finally:
        GatewayClient.clear_instance()
        await runner.cleanup()
    assert len(asked) == 1, "the line was opened again"


@pytest.mark.parametrize("protocol", [NEWER, None])
async def test_what_is_no_message_is_skipped_and_the_line_stays(protocol: str | None) -> None:
    parts = [json.dumps(part).encode() for part in PARTS]
    message = dict(zip(("header", "parent_header", "metadata", "content"), PARTS, strict=True))
    good: bytes | str = (
        serialize_msg_to_ws_v1(parts, "iopub") if protocol else json.dumps({**message, "channel": "iopub"})
    )
    nonsense = [*NONSENSE_V1, *NONSENSE] if protocol else NONSENSE
    tasks, owner = Tasks("gateway"), Owner()
    async with gateway([*nonsense, good], protocol):
        closing: list[asyncio.Task[None]] = []
        channels = GatewayChannels(
            SimpleNamespace(kernel_id="k"), owner, tasks.start, lambda it: closing.append(asyncio.ensure_future(it))
        )
        await channels.open()
        heard = await asyncio.wait_for(owner.heard.get(), 20)
        assert (heard.channel, heard.msg_type, heard.content["text"]) == ("iopub", "stream", "after all that")
        channels.close()
        await asyncio.gather(*closing)
        await tasks.stop()
