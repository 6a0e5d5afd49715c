"""`kill -9` of a real server: the history is there again, and what was forgotten is not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.integration.test_crash_server import HEADERS
from tests.support.server_process import ServerProcess

SECRET = "password=hunter2"


def log_bytes(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (home / "data" / "runtimed" / "rooms").iterdir())


async def test_versions_and_what_was_forgotten_survive_a_crash_as_they_were(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, arguments=("--RuntimedApp.autosave=False", "--RuntimedApp.version_pause_s=0.1"))
    (server.root / "x.ipynb").write_text(json.dumps(notebook(code_cell("x", "a"))))
    try:
        await asyncio.to_thread(server.start)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            visitor = Visitor(session, server)
            room = await visitor.open("x.ipynb")
            route = f"/rooms/{room['room_id']}/history"
            async with visitor.peer(room) as peer:
                await peer.ready()
                peer.type_text("a", 0, SECRET)
                await peer.flush()
                await peer.until(lambda: peer.statuses[-1]["durable_heads"] == peer.heads())
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await visitor.open("x.ipynb")
            _, _, said = await visitor.call("GET", route)
            latest, first = said["versions"]
            assert latest["cells"]["changed"] == ["a"] and len(latest["people"]) == 1 and latest["began"]
            assert first["version"] == "0"
            assert (await visitor.call("POST", f"{route}/0/restore"))[0] == 200
            assert SECRET.encode() in log_bytes(tmp_path)
            assert (await visitor.call("DELETE", route))[0] == 200
            await asyncio.to_thread(server.kill)
            assert SECRET.encode() not in log_bytes(tmp_path)
            await asyncio.to_thread(server.start)
            await visitor.open("x.ipynb")
            _, _, said = await visitor.call("GET", route)
            assert [version["version"] for version in said["versions"]] == ["0"]
            _, _, shown = await visitor.call("GET", f"/rooms/{room['room_id']}/notebook")
            assert ["".join(cell["source"]) for cell in shown["cells"]] == ["x"]
    finally:
        server.kill()
