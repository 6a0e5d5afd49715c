"""A real server, as talkative as it can be, never writes a token down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.support.server_process import TOKEN, ServerProcess


async def test_tokens_are_never_logged(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, arguments=("--ServerApp.log_level=DEBUG",))
    try:
        await asyncio.to_thread(server.start)
        async with aiohttp.ClientSession(headers={"Authorization": f"token {TOKEN}"}) as session:
            visitor = Visitor(session, server)
            room = await visitor.open(visitor.write(notebook(code_cell("1", "a"))))
            async with visitor.peer(room) as peer:
                await peer.ready()
                assert (await peer.request("save_notebook"))["ok"]
            await visitor.call("GET", "/rooms/none")
            await visitor.call("POST", "/rooms", json={"path": "none.ipynb"})
        async with aiohttp.ClientSession() as session:
            visitor = Visitor(session, server)
            for route in (f"/rooms?token={TOKEN}", f"/rooms/none?token={TOKEN}", f"/blobs/none?token={TOKEN}"):
                await visitor.call("GET", route)
            ws = await session.ws_connect(f"{visitor.peer(room).address}?token={TOKEN}")
            await ws.send_bytes(b"")
            async for _ in ws:
                pass
            assert ws.close_code == 1002
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(
                    f"{visitor.peer(room).address}?token={TOKEN}x", origin="http://elsewhere.example"
                )
        await asyncio.to_thread(server.stop)
        assert "rooms" in server.log, "it did log"
        assert TOKEN not in server.log
    finally:
        server.kill()
