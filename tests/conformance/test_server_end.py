"""The server ends while cells run: what they had said is kept, and nothing is running afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.conformance.test_running import finished, run, text_of
from tests.support.bare_peer import BarePeer
from tests.support.server_process import TOKEN, ServerProcess

SLEEP = "import time\nprint('said', flush=True)\ntime.sleep(60)"


def is_durable(peer: BarePeer) -> bool:
    """Whether the server has said that all that is here survives its death."""
    status, runtime = peer.statuses[-1], sorted(head.hex() for head in peer.runtime.get_heads())
    return bool(status["durable_heads"] == peer.heads() and status["durable_runtime_heads"] == runtime)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_what_ran_has_ended_and_what_it_said_is_there(tmp_path: Path, how: str) -> None:
    with ServerProcess(tmp_path) as server:
        async with aiohttp.ClientSession(headers={"Authorization": f"token {TOKEN}"}) as session:
            visitor = Visitor(session, server)
            path = visitor.write(notebook(code_cell(SLEEP, "a"), code_cell("print('queued')", "b")))
            room = await visitor.open(path)
            async with visitor.peer(room) as peer:
                await peer.ready()
                await peer.request("execute_cell", cell_id="a")
                await peer.request("execute_cell", cell_id="b")
                await peer.until(lambda: peer.outputs_of("a"), 60)
                if how == "kill":
                    await peer.until(lambda: is_durable(peer))
            await asyncio.to_thread(server.stop if how == "stop" else server.kill)
            if how == "stop":
                saved = visitor.read(path)["cells"]
                assert "".join(saved[0]["outputs"][0]["text"]) == "said\n" and saved[1]["outputs"] == []
            await asyncio.to_thread(server.start)
            again = await visitor.open(path)
            assert again["room_id"] == room["room_id"]
            async with visitor.peer(again) as peer:
                await peer.ready()
                first = await finished(peer, "a")
                assert first["status"] == "error" and first["error"]["code"] == "kernel_died"
                assert (await finished(peer, "b"))["status"] == "cancelled"
                assert text_of(peer.outputs_of("a")[0]) == "said\n"
                assert (await run(peer, "b"))["status"] == "done"
