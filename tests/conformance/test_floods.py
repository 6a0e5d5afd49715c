"""Cells that say a great deal: nothing is lost, little goes over the sockets, and nobody else waits."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from tests.conformance.conftest import code_cell
from tests.conformance.test_running import text_of
from tests.support.bare_peer import RUNTIME, BarePeer

LINES = "for i in range(100_000):\n    print('line', i)"
DISPLAYS = "for i in range(2_000):\n    display(i)"
IMAGES = (
    "import hashlib, os\nfrom IPython.display import Image, display\n"
    "def image():\n    data = b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(1_000_000)\n"
    "    print(hashlib.sha256(data).hexdigest())\n    return Image(data=data, format='png')\n"
    "for i in range(20):\n    display(image())"
)
HUNDRED_MEGABYTES = (
    "import time\nline = 'x' * 99 + '\\n'\n"
    "for i in range(100):\n    print(line * 10_000, end='', flush=True)\n    time.sleep(0.05)"
)


async def run_to_end(peer: BarePeer, cell_id: str) -> None:
    """Run a cell, and wait until the end is in the replica, without looking at every message on the way."""
    answer = await peer.request("execute_cell", cell_id=cell_id, required_heads=peer.heads())
    execution_id = answer["result"]["execution_id"]
    ended = await peer.request("wait_for_execution", execution_id=execution_id, timeout=120, deadline_s=130)
    assert ended["result"]["status"] == "done", ended
    await peer.until(lambda: peer.executions().get(execution_id, {}).get("status") == "done", 30)


async def whole_text(v: Any, outputs: list[dict[str, Any]]) -> str:
    """What streams say, their blobs fetched."""
    parts: list[str] = []
    for output in outputs:
        for piece in output["text"] if output["output_type"] == "stream" else ():
            if isinstance(piece, dict):
                status, _, body = await v.call("GET", f"/blobs/{piece['blob']}")
                assert status == 200
                parts.append(body.decode())
            else:
                parts.append(piece)
    return "".join(parts)


async def test_a_hundred_thousand_lines_are_whole_for_who_was_there_and_who_comes_later(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell(LINES, "a")) as (peer, room):
        before = peer.received_bytes.get(RUNTIME, 0)
        await run_to_end(peer, "a")
        assert peer.received_bytes[RUNTIME] - before < 100_000
        expected = "".join(f"line {i}\n" for i in range(100_000))
        assert await whole_text(v, peer.outputs_of("a")) == expected
        async with v.peer(room) as late:
            await late.ready()
            assert late.received_bytes[RUNTIME] < 60_000
            assert late.outputs_of("a") == peer.outputs_of("a")


async def test_two_thousand_displays_are_all_there_and_in_order(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell(DISPLAYS, "a")) as (peer, room):
        await run_to_end(peer, "a")
        shown = [output["data"]["text/plain"] for output in peer.outputs_of("a")]
        assert shown == [str(i) for i in range(2_000)]
        async with v.peer(room) as late:
            await late.ready()
            assert late.outputs_of("a") == peer.outputs_of("a")


async def test_twenty_megabytes_of_images_are_kilobytes_on_the_sockets(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell(IMAGES, "a")) as (peer, room):
        before = sum(peer.received_bytes.values())
        await run_to_end(peer, "a")
        assert sum(peer.received_bytes.values()) - before < 50_000
        outputs = peer.outputs_of("a")
        images = [output["data"]["image/png"] for output in outputs if output["output_type"] == "display_data"]
        printed = "".join(text_of(output) for output in outputs if output["output_type"] == "stream")
        assert [image["blob"] for image in images] == printed.split() and len(images) == 20
        for image in images:
            status, _, body = await v.call("GET", f"/blobs/{image['blob']}?type=image/png")
            assert status == 200 and hashlib.sha256(body).hexdigest() == image["blob"]
        async with v.peer(room) as late:
            await late.ready()
            assert sum(late.received_bytes.values()) < 50_000 and late.outputs_of("a") == outputs


async def test_people_in_another_room_type_on_while_a_hundred_megabytes_pour_out(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell(HUNDRED_MEGABYTES, "a")) as (loud, _),
        v.joined(code_cell("", "a")) as (alice, room),
        v.peer(room) as bob,
    ):
        await bob.ready()
        answer = await loud.request("execute_cell", cell_id="a")
        execution_id = answer["result"]["execution_id"]
        ending = asyncio.ensure_future(
            loud.request("wait_for_execution", execution_id=execution_id, timeout=120, deadline_s=130)
        )
        await loud.until(lambda: loud.outputs_of("a"), 60)
        typed = ""
        while len(typed) < 40:
            alice.type_text("a", len(typed), "k")
            typed += "k"
            await alice.flush()
            await bob.until(lambda text=typed: bob.cells()[0]["source"] == text, 10)
            assert not ending.done(), f"the flood was over after {len(typed)} keys"
        assert (await ending)["result"]["status"] == "done"
        await loud.until(lambda: loud.executions()[execution_id]["status"] == "done", 30)
        pieces = [piece for output in loud.outputs_of("a") for piece in output["text"]]
        assert sum(piece["size"] if isinstance(piece, dict) else len(piece) for piece in pieces) == 100_000_000
