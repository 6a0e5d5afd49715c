"""Lost connections and lost servers, with real sockets and a real `kill -9`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runtimed.client import Backoff, Client, Disconnected
from tests.integration.client.conftest import Place
from tests.integration.client.test_client_story import eventually
from tests.support.server_process import TOKEN, ServerProcess
from tests.support.tcp_proxy import Wire


async def test_edits_made_while_the_wire_is_cut_go_up_when_it_is_mended(place: Place) -> None:
    path = place.write("a")
    async with (
        Wire(place.server.port) as wire,
        place.client() as near,
        place.client(port=wire.port) as far,
        near.open(path) as bob,
        far.open(path) as alice,
    ):
        wire.cut()
        await eventually(lambda: not alice.is_connected)
        await alice.cells[0].append(" offline")
        await alice.cells.create("new")
        await bob.cells[0].splice(0, 0, "meanwhile ")
        await bob.confirm_sync()
        wire.mend()
        await alice.confirm_sync(20)
        assert alice.cells[0].source == "meanwhile a offline"
        await eventually(lambda: bob.heads == alice.heads)
        assert [cell.source for cell in bob.cells] == ["meanwhile a offline", "new"]


async def test_a_run_is_followed_over_a_cut(place: Place) -> None:
    source = "import time\nprint('go', flush=True)\ntime.sleep(1.5)\nprint('end')"
    async with (
        Wire(place.server.port) as wire,
        place.client(port=wire.port) as client,
        client.open(place.write(source)) as notebook,
    ):
        execution = await notebook.cells[0].execute()
        async for _ in execution.stream(timeout=60):
            break
        wire.cut()
        await eventually(lambda: not notebook.is_connected)
        waiting = asyncio.ensure_future(execution.result(60))
        wire.mend()
        assert (await waiting).stdout == "go\nend\n"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Place]:
    """A server of its own, to be killed."""
    with ServerProcess(tmp_path) as process:
        yield Place(process)


async def test_a_killed_server_loses_nothing_that_a_client_has(mortal: Place) -> None:
    path = mortal.write("a", "b")
    async with mortal.client() as client, client.open(path) as notebook:
        await notebook.cells[0].append(" sent")
        await notebook.wait_durable()
        mortal.server.kill()
        await eventually(lambda: not notebook.is_connected)
        await notebook.cells[1].append(" unsent")
        await asyncio.to_thread(mortal.server.start)
        await notebook.confirm_sync(30)
        await notebook.save()
        assert [cell.source for cell in notebook.cells] == ["a sent", "b unsent"]
    assert ["".join(cell["source"]) for cell in mortal.read(path)["cells"]] == ["a sent", "b unsent"]


async def test_a_server_that_forgot_everything_but_the_file_goes_on_as_if_nothing_had_happened(mortal: Place) -> None:
    """Deterministic import: equal bytes make equal histories."""
    path = mortal.write("a", "b")
    async with mortal.client() as client, client.open(path) as notebook:
        mortal.server.kill()
        forget(mortal)
        await eventually(lambda: not notebook.is_connected)
        await notebook.cells[1].append(" unsent")
        await asyncio.to_thread(mortal.server.start)
        await notebook.confirm_sync(30)
        assert [cell.source for cell in notebook.cells] == ["a", "b unsent"]
        async with client.open(path) as other:
            assert [cell.source for cell in other.cells] == ["a", "b unsent"] and other.room_id == notebook.room_id


async def test_a_file_that_became_another_gets_our_edits_by_the_merge(mortal: Place) -> None:
    path = mortal.write("a = 1", "b = 2")
    async with mortal.client() as client, client.open(path) as notebook:
        mortal.server.kill()
        forget(mortal)
        on_disk = mortal.read(path)
        on_disk["cells"][1]["source"] = "b = 3"
        mortal.file(path).write_text(json.dumps(on_disk, indent=1))
        await eventually(lambda: not notebook.is_connected)
        await notebook.cells[0].append("  # unsent")
        await asyncio.to_thread(mortal.server.start)
        await eventually(lambda: [cell.source for cell in notebook.cells] == ["a = 1  # unsent", "b = 3"], 30)
        await notebook.cells[0].append("!")
        await notebook.confirm_sync(30)
        async with client.open(path) as other:
            assert [cell.source for cell in other.cells] == ["a = 1  # unsent!", "b = 3"]


def forget(place: Place) -> None:
    """Throw away everything the server keeps but the notebooks."""
    for folder in (place.server.home / "data", place.server.home / "runtime"):
        for file in sorted(folder.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()


async def test_a_client_that_never_comes_back_is_told_of_once(mortal: Place) -> None:
    path = mortal.write("a")
    client = Client(mortal.server.url, TOKEN, backoff=Backoff(give_up_after_s=0.5))
    async with client, client.open(path) as notebook:
        mortal.server.kill()
        await notebook.cells[0].append("b")
        with pytest.raises(Disconnected):
            await notebook.wait_durable(30)
        assert notebook.cells[0].source == "ab"
