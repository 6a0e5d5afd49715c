"""Open, edit, run, save, look: two clients and the file."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from jupyter_runtimed.client import Cursor, Disconnected, Forbidden, HeadsUnconfirmed, LoadFailed, NotebookClosed
from jupyter_runtimed.client.client import Client
from jupyter_runtimed.core.errors import FileExists, NoSuchRoom, NotANotebook, NotFound, NotSaved, PathAlreadyOpen
from tests.integration.client.conftest import Place
from tests.support.server_process import TOKEN, ServerProcess, free_port

REPOSITORY = Path(__file__).parents[3]


async def eventually(test: object, deadline_s: float = 10.0) -> None:
    """Wait until a condition over what has come is true."""
    assert callable(test)
    end = asyncio.get_running_loop().time() + deadline_s
    while not test():
        assert asyncio.get_running_loop().time() < end, "not in time"
        await asyncio.sleep(0.01)


async def test_two_clients_and_the_file_agree(place: Place) -> None:
    path = place.write("x = 20", "print(x)")
    async with place.client() as client, client.open(path) as alice, client.open("./" + path) as bob:
        assert alice.room_id == bob.room_id and alice.path == path
        await asyncio.gather(alice.cells[0].append(" + 1"), bob.cells[1].set_source("print(x * 2)"))
        heading = await bob.cells.insert(0, "# Wörld 🎉", "markdown")
        await alice.metadata.set("custom", {"words": ["a", None]})
        await asyncio.gather(alice.confirm_sync(), bob.confirm_sync())
        await eventually(lambda: alice.heads == bob.heads)
        results = await bob.run_all()
        assert [result.status for result in results] == ["done", "done"] and results[1].stdout == "42\n"
        await eventually(lambda: [o.text for o in alice.cells["c1"].outputs] == ["42\n"])
        assert alice.cells["c1"].execution_count == bob.cells["c1"].execution_count == 2
        await eventually(lambda: alice.heads == bob.heads)
        assert set(await alice.save()) == set(alice.heads)
        await eventually(lambda: not alice.dirty and set(alice.saved_heads) == set(alice.heads))
    saved = nbformat.reads(place.file(path).read_text(), 4)
    nbformat.validate(saved)
    assert [cell.source for cell in saved.cells] == ["# Wörld 🎉", "x = 20 + 1", "print(x * 2)"]
    assert saved.cells[0].id == heading.id and saved.metadata.custom == {"words": ["a", None]}
    assert saved.cells[2].outputs[0].text == "42\n" and saved.cells[2].execution_count == 2


async def test_create_then_run_in_a_tight_loop_never_fails(place: Place) -> None:
    """Seed 713: no pause, no confirmation, and never a missing cell or an old source."""
    async with place.client() as client, client.open(place.write("0")) as notebook:
        for number in range(50):
            cell = await notebook.cells.create(f"print({number})")
            await cell.set_source(f"print({number} * 7)")
            result = await cell.run(timeout=60)
            assert result.stdout == f"{number * 7}\n", (number, result)
        assert len(notebook.cells) == 51


async def test_what_the_server_does_not_acknowledge_is_not_confirmed(place: Place, server: ServerProcess) -> None:
    async with place.client() as client, client.open(place.write("a")) as notebook:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            await notebook.cells[0].append("b")
            with pytest.raises(HeadsUnconfirmed):
                await notebook.confirm_sync(0.3)
        finally:
            server.process.send_signal(signal.SIGCONT)
        await notebook.confirm_sync()
        await notebook.wait_durable()
        assert (await client.notebook_json(notebook.room_id))["cells"][0]["source"] in ("ab", ["ab"])


async def test_a_notebook_without_a_file_gets_one_by_saving(place: Place) -> None:
    taken, open_elsewhere = place.write("taken"), place.write("open")
    async with place.client() as client, client.create(kernel_name="python3") as notebook:
        assert notebook.path is None
        await notebook.cells.create("print('new')")
        assert (await notebook.run_all())[0].stdout == "new\n"
        with pytest.raises(FileExists):
            await notebook.save(taken)
        async with client.open(open_elsewhere) as other:
            with pytest.raises(PathAlreadyOpen) as refused:
                await notebook.save(open_elsewhere)
            assert refused.value.details["room_id"] == other.room_id
        with pytest.raises(NotFound):
            await notebook.save("no-such-folder/new.ipynb")
        await notebook.save("new.ipynb")
        await eventually(lambda: notebook.path == "new.ipynb")
        assert place.read("new.ipynb")["cells"][0]["outputs"][0]["text"] in ("new\n", ["new\n"])
        await notebook.save(taken, overwrite=True)
        async with client.open(taken) as again:
            assert again.room_id == notebook.room_id


async def test_rooms_can_be_listed_joined_and_closed(place: Place) -> None:
    path = place.write("a")
    async with place.client() as client, client.open(path) as notebook:
        rooms = {room.room_id: room for room in await client.rooms()}
        assert rooms[notebook.room_id].path == path and rooms[notebook.room_id].state == "ready"
        async with client.join(notebook.room_id) as same:
            assert same.cells.ids == notebook.cells.ids
        async with client.create() as untitled:
            await untitled.cells.create("content")
            await untitled.confirm_sync()
            with pytest.raises(NotSaved):
                await client.close_room(untitled.room_id)
            await client.close_room(untitled.room_id, discard=True)
        await notebook.cells[0].append("b")
        await notebook.confirm_sync()
        await client.close_room(notebook.room_id)
        assert place.read(path)["cells"][0]["source"] in ("ab", ["ab"])
        await eventually(lambda: not notebook.is_connected)
        with pytest.raises(NotebookClosed):
            await notebook.save()


async def test_what_cannot_be_opened_says_why(place: Place) -> None:
    place.file("broken.ipynb").write_text('{"cells": [{"cell_type": "code"')
    place.file("plain.txt").write_text("x")
    async with place.client() as client:
        for path, kind in [("none.ipynb", NotFound), ("../out.ipynb", NotFound), ("plain.txt", NotANotebook)]:
            with pytest.raises(kind):
                await client.open(path)
        with pytest.raises(LoadFailed) as failed:
            await client.open("broken.ipynb")
        assert failed.value.message
        with pytest.raises(NoSuchRoom):
            await client.join("00000000-0000-4000-8000-000000000000")
    async with place.client(token="wrong") as client:
        with pytest.raises(Forbidden):
            await client.open("none.ipynb")
    async with Client(f"http://127.0.0.1:{free_port()}/", TOKEN) as client:
        with pytest.raises(Disconnected):
            await client.open("none.ipynb")


async def test_people_see_each_other(place: Place) -> None:
    async with place.client() as client, client.open(place.write("abc")) as alice, client.join(alice.room_id) as bob:
        alice.presence.set(cursor=Cursor("c0", 1, 3), focus="c0")
        await eventually(lambda: any(person.cursor for person in bob.presence.peers.values()))
        (person,) = bob.presence.peers.values()
        assert person.cursor == Cursor("c0", 1, 3) and person.focus == "c0" and "name" in person.user
        assert person.peer_id == alice.status.peer_id
        await alice.close()
        await eventually(lambda: not bob.presence.peers)


async def test_blobs_and_the_servers_word_of_itself(place: Place) -> None:
    async with place.client() as client:
        reference = await client.put_blob(b"\x00bytes")
        assert reference["size"] == 6 and await client.blob(reference["blob"]) == b"\x00bytes"
        with pytest.raises(NotFound):
            await client.blob("0" * 64)
        assert (await client.info())["protocol"] == 1


def test_the_example_script_tells_the_whole_story(place: Place) -> None:
    examples = place.server.root / "examples"
    examples.mkdir(exist_ok=True)
    original = shutil.copy(REPOSITORY / "examples" / "welcome.ipynb", examples)
    before = Path(original).read_bytes()
    told = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / "edit_and_run.py"), place.server.url, "--token", TOKEN],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "the even chance is at {'text/plain': '23'} people" in told.stdout
    assert Path(original).read_bytes() == before
    copy = nbformat.read(examples / "welcome-copy.ipynb", 4)
    assert copy.metadata.edited_by == "examples/edit_and_run.py" and copy.cells[-1].outputs


@pytest.mark.parametrize("page", ["README.md", "docs/client.md"])
def test_the_first_lines_of_the_documentation_run(place: Place, page: str) -> None:
    block = (REPOSITORY / page).read_text().split("```python\n")[1].split("```")[0]
    path = place.write("1")
    for name in ("examples/welcome.ipynb", "a.ipynb"):
        block = block.replace(f'"{name}"', f'"{path}"')
    block = block.replace("http://localhost:8888", place.server.url).replace('token="…"', f'token="{TOKEN}"')
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    said = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60, env=environment)
    assert said.stdout == "45\n", said.stderr
    assert nbformat.reads(place.file(path).read_text(), 4).cells[-1].outputs[0].data["text/plain"] == "45"
