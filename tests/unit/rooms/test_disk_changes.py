"""Changes that others make to the file of an open room: seen within `disk_check_s`, merged, never overwritten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.memory_log import MemoryRoomLogs, Storage
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

CHECK_S = Limits().disk_check_s


async def opened(data: bytes = b"", **settings: Any) -> tuple[World, Room, Client]:
    """A world with one file, its room, and alice in it."""
    w = World(
        a=data or notebook(3),
        settings=RoomSettings(load_step_s=0.0, publish_s=0.0, **settings),
        logs=MemoryRoomLogs(Storage()),
    )
    room = await w.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    return w, room, alice


def change(w: World, edit: Any) -> bytes:
    """Change the file behind the server's back."""
    content = json.loads(w.contents.files["a.ipynb"])
    edit(content)
    w.contents.files["a.ipynb"] = json.dumps(content).encode()
    return w.contents.files["a.ipynb"]


def set_source(index: int, text: str) -> Any:
    return lambda content: content["cells"][index].update(source=text)


def saved(w: World) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(w.contents.files["a.ipynb"])["cells"]]


def writes(w: World) -> int:
    return w.contents.doors.count("write")


async def look(w: World, *clients: Client, seconds: float = CHECK_S + 0.1) -> None:
    await w.clock.advance(seconds)
    await rest(*clients)


async def test_a_change_is_seen_by_who_is_connected() -> None:
    w, _, alice = await opened()
    theirs = change(w, set_source(1, "from outside"))
    await look(w, alice)
    assert alice.sources() == ["x = 0", "from outside", "x = 2"]
    assert alice.socket.status["dirty"] is False and w.contents.files["a.ipynb"] == theirs
    await w.clock.advance(60)
    assert writes(w) == 0, "what is in the file already is not written again"


async def test_the_file_is_not_looked_at_while_nobody_is_there() -> None:
    w, _, alice = await opened()
    alice.disconnect()
    before = w.contents.doors.count("sha256")
    await w.clock.advance(30)
    assert w.contents.doors.count("sha256") == before


async def test_own_saves_never_look_foreign() -> None:
    w, room, alice = await opened()
    reads = w.contents.doors.count("read")
    for number in range(50):
        alice.type_text("c0", 0, str(number % 10))
        await rest(alice)
        await w.clock.advance(3)
    await rest(alice)
    assert writes(w) >= 40 and w.contents.doors.count("read") == reads
    assert room.saver.error is None and saved(w)[0] == alice.sources()[0]


async def test_edits_here_and_there_both_stay() -> None:
    w, _, alice = await opened(autosave=False)
    alice.type_text("c0", 0, "mine ")
    await rest(alice)
    change(w, set_source(1, "theirs"))
    await look(w, alice)
    assert alice.sources() == ["mine x = 0", "theirs", "x = 2"] and alice.socket.status["dirty"] is True
    change(w, set_source(2, "theirs too"))
    await look(w, alice)
    assert alice.sources() == ["mine x = 0", "theirs", "theirs too"]


async def test_both_in_one_cell_merge_by_character() -> None:
    w, _, alice = await opened(autosave=False)
    alice.type_text("c0", 5, " + 1")
    await rest(alice)
    change(w, set_source(0, "y = 0"))
    await look(w, alice)
    assert alice.sources()[0] == "y = 0 + 1"


async def test_an_agent_that_read_the_room_and_wrote_the_file_doubles_nothing() -> None:
    w, room, alice = await opened(autosave=False)
    alice.type_text("c0", 0, "unsaved ")
    alice.add_cell("new", "also unsaved", "zi")
    await rest(alice)
    content = json.loads(await room.notebook_bytes())
    content["cells"][1]["source"] = "by the agent"
    w.contents.files["a.ipynb"] = json.dumps(content).encode()
    await look(w, alice)
    assert alice.sources() == ["unsaved x = 0", "by the agent", "x = 2", "also unsaved"]


async def test_wholesale_replacement_is_followed() -> None:
    w, _, alice = await opened(autosave=False)
    alice.type_text("c1", 0, "keep me ")
    await rest(alice)
    w.contents.files["a.ipynb"] = notebook(0)
    await look(w, alice)
    assert alice.sources() == ["keep me x = 1"]
    w.contents.files["a.ipynb"] = notebook(3)
    await look(w, alice)
    assert sorted(alice.sources()) == ["keep me x = 1", "x = 0", "x = 2"]


async def test_outputs_that_came_with_the_file_are_shown() -> None:
    w, room, alice = await opened()
    change(w, lambda content: content["cells"][0].update(outputs=[text("theirs")], execution_count=7))
    await look(w, alice)
    shown = json.loads(await room.notebook_bytes())["cells"][0]
    assert shown["outputs"] == [text("theirs", lines=True)] and shown["execution_count"] == 7
    change(w, lambda content: content["cells"][0].update(outputs=[], execution_count=None))
    await look(w, alice)
    assert json.loads(await room.notebook_bytes())["cells"][0]["outputs"] == []


async def test_what_was_run_here_stays_whatever_the_file_brings() -> None:
    w, room, alice = await opened(autosave=False)
    name = alice.request("execute_cell", cell_id="c0")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None
    execution = answer["result"]["execution_id"]
    w.executor(room).output(execution, "mine")
    with room.runtime.edit() as edit:
        edit.update_execution(execution, status="done")
    change(w, lambda content: content["cells"][0].update(outputs=[text("theirs")], execution_count=7))
    await look(w, alice)
    assert json.loads(await room.notebook_bytes())["cells"][0]["outputs"][0]["text"] in ("mine", ["mine"])
    await room.saver.save(is_explicit=True)
    change(w, lambda content: content["cells"][0].update(outputs=[text("later")], execution_count=8))
    await look(w, alice)
    assert json.loads(await room.notebook_bytes())["cells"][0]["outputs"][0]["text"] in ("later", ["later"])


def text(value: str, *, lines: bool = False) -> dict[str, Any]:
    return {"name": "stdout", "output_type": "stream", "text": [value] if lines else value}


async def test_a_half_written_file_is_waited_for() -> None:
    w, room, alice = await opened()
    whole = change(w, set_source(1, "from outside"))
    w.contents.files["a.ipynb"] = whole[:-20]
    await w.clock.advance(CHECK_S + 0.1)
    w.contents.files["a.ipynb"] = whole
    await look(w, alice, seconds=1)
    assert alice.sources()[1] == "from outside" and room.saver.error is None


async def test_a_file_that_stays_broken_is_told_and_then_mended() -> None:
    w, _, alice = await opened()
    whole = change(w, set_source(1, "from outside"))
    w.contents.files["a.ipynb"] = b"<<<<<<< HEAD"
    await look(w, alice, seconds=10)
    assert alice.socket.status["save_error"]["code"] == "file_changed"
    reads = w.contents.doors.count("read")
    await w.clock.advance(20)
    assert w.contents.doors.count("read") == reads, "what was refused is not read again and again"
    w.contents.files["a.ipynb"] = whole
    await look(w, alice, seconds=5)
    assert alice.socket.status["save_error"] is None and alice.sources()[1] == "from outside"


async def test_a_file_that_is_gone_for_a_moment_is_not_deleted() -> None:
    w, room, alice = await opened()
    whole = w.contents.files.pop("a.ipynb")
    await w.clock.advance(CHECK_S + 0.1)
    w.contents.files["a.ipynb"] = whole
    await look(w, alice, seconds=10)
    assert not room.file.is_deleted and alice.socket.status["dirty"] is False


async def test_a_file_that_comes_back_is_followed_again() -> None:
    w, room, alice = await opened()
    whole = w.contents.files.pop("a.ipynb")
    await look(w, alice, seconds=10)
    assert room.file.is_deleted and alice.socket.status["dirty"] is True
    alice.type_text("c0", 0, "mine ")
    await rest(alice)
    await w.clock.advance(60)
    assert "a.ipynb" not in w.contents.files
    w.contents.files["a.ipynb"] = whole
    await look(w, alice, seconds=30)
    assert not room.file.is_deleted and saved(w)[0] == "mine x = 0"


async def test_a_cell_without_an_id_in_the_file_keeps_its_id_here() -> None:
    old = json.loads(notebook(3))
    for cell in old["cells"]:
        del cell["id"]
    old["nbformat_minor"] = 4
    w, _, alice = await opened(json.dumps(old).encode())
    before = sorted(alice.cells())
    change(w, set_source(1, "x = 1 + 1"))
    change(w, lambda content: content["cells"].insert(0, {**content["cells"][0], "source": "# a new first cell"}))
    await look(w, alice)
    assert alice.sources() == ["# a new first cell", "x = 0", "x = 1 + 1", "x = 2"]
    assert set(before) < set(alice.cells())


@pytest.mark.parametrize("seed", range(5))
async def test_attachments_and_odd_values_come_along(seed: int) -> None:
    w, room, alice = await opened()
    picture = {"p.png": {"image/png": "iVBORw0KGgo="}}
    change(w, lambda content: content["cells"][1].update(attachments=picture, metadata={"big": 2**80 + seed}))
    change(w, lambda content: content["metadata"].update(nan=float("nan"), name=f"\ud800{seed}"))
    await look(w, alice)
    alice.type_text("c0", 0, "mine ")
    await rest(alice)
    await room.saver.save(is_explicit=True)
    content = json.loads(w.contents.files["a.ipynb"])
    assert content["cells"][1]["attachments"] == picture and content["cells"][1]["metadata"] == {"big": 2**80 + seed}
    assert content["metadata"]["name"] == f"\ud800{seed}" and content["metadata"]["nan"] != content["metadata"]["nan"]
