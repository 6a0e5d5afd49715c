"""Versions of a notebook: who edited when, seen and brought back; and everything forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jupyter_runtimed.core.errors import BadRequest, NoSuchVersion, OutOfSpace
from jupyter_runtimed.core.journal import HEADER, RecordKind, encode_record, iter_records
from jupyter_runtimed.core.versions import Person
from jupyter_runtimed.rooms.authors import acting_as
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.room_peers import Client, level
from tests.unit.rooms.test_durability import Life
from tests.unit.rooms.test_room_loading import notebook, rest

SETTINGS = RoomSettings(load_step_s=0.0, publish_s=0.0, autosave=False, idle_s=1e9, cool_s=1e9)
BOB = {"username": "bob", "name": "Bob", "color": None, "avatar_url": None}
PAUSE_S = SETTINGS.version_pause_s + 1


async def opened(before: Life | None = None, settings: RoomSettings = SETTINGS) -> tuple[Life, Room, Client]:
    life = Life(before, settings=settings, **({} if before is not None else {"a": notebook(3)}))
    room, alice = await life.open()
    return life, room, alice


async def versions(room: Room) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await room.history.versions())["versions"]
    return found


async def test_a_pause_ends_a_version_and_everybody_who_edited_is_named() -> None:
    life, room, alice = await opened()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    alice.type_text("c0", 0, "alice ")
    await rest(alice, bob)
    await life.world.clock.advance(100)
    bob.type_text("c1", 0, "bob ")
    await rest(alice, bob)
    await life.world.clock.advance(PAUSE_S)
    bob.add_cell("new", "later", "z")
    bob.delete_cell("c2")
    await rest(alice, bob)
    latest, one, first = await versions(room)
    assert [person["username"] for person in one["people"]] == ["alice", "bob"]
    assert one["people"][1] == {"username": "bob", "name": "Bob"}
    assert one["cells"] == {"added": [], "changed": ["c0", "c1"], "removed": []}
    assert latest["cells"] == {"added": ["new"], "changed": [], "removed": ["c2"]}
    assert (first["version"], first["began"], first["people"]) == ("0", None, [])
    assert one["began"] < one["ended"] < latest["began"]
    assert latest["heads"] == [head.hex() for head in room.notebook.replica.heads]


async def test_a_long_session_is_several_versions() -> None:
    life, room, alice = await opened()
    for _ in range(60):
        alice.type_text("c0", 0, "x")
        await rest(alice)
        await life.world.clock.advance(60)
    assert len(await versions(room)) == 3  # the first state, half an hour, the rest


async def test_any_version_can_be_seen_and_restored_as_an_edit() -> None:
    life, room, alice = await opened()
    alice.type_text("c0", 0, "good ")
    room.notebook.set_metadata("k", {"a": 1})
    await rest(alice)
    good = room.notebook.cells()
    await life.world.clock.advance(PAUSE_S)
    alice.type_text("c0", 0, "bad ")
    alice.delete_cell("c1")
    alice.add_cell("more", "?", "a")
    room.notebook.set_metadata("k", {"b": 2})
    room.notebook.move_cell("c2", index=0)
    await rest(alice)
    seen = await room.history.view("1")
    assert [cell["source"] for cell in seen["notebook"]["cells"]] == ["good x = 0", "x = 1", "x = 2"]
    assert seen["notebook"]["metadata"] == {"k": {"a": 1}} and seen["version"] == "1"
    heads = room.notebook.replica.heads
    with acting_as(Person("carol")):
        await room.history.restore("1")
    await rest(alice)
    cells = room.notebook.cells()
    assert [(cell.id, cell.source) for cell in cells] == [(cell.id, cell.source) for cell in good]
    assert room.notebook.metadata() == {"k": {"a": 1}} and room.contains(heads), "an edit of the present"
    assert alice.socket.closed is None and level(room.notebook.replica, alice)
    latest, bad, *_ = await versions(room)
    assert [person["username"] for person in latest["people"]] == ["carol"]
    assert bad["cells"]["removed"] == ["c1"]
    await room.history.restore(bad["version"])
    assert [cell.source for cell in room.notebook.cells()] == ["x = 2", "?", "bad good x = 0"]


@pytest.mark.parametrize(("number", "error"), [("7", NoSuchVersion), ("-1", BadRequest), ("x", BadRequest)])
async def test_what_is_no_version_is_refused(number: str, error: type[Exception]) -> None:
    _, room, _ = await opened()
    for look in (room.history.view, room.history.restore):
        with pytest.raises(error):
            await look(number)


async def test_running_cells_makes_no_version() -> None:
    life, room, alice = await opened()
    alice.request("execute_cell", cell_id="c0")
    await rest(alice)
    await life.world.clock.advance(PAUSE_S)
    assert [version["version"] for version in await versions(room)] == ["0"]


async def test_who_only_runs_cells_is_not_among_those_who_edited() -> None:
    _, room, alice = await opened()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    bob.type_text("c1", 0, "bob ")
    await rest(alice, bob)
    alice.request("execute_cell", cell_id="c0")
    await rest(alice, bob)
    latest, _ = await versions(room)
    assert [person["username"] for person in latest["people"]] == ["bob"]
    alice.request("set_raw_metadata", key="k", value=1)
    await rest(alice, bob)
    latest, _ = await versions(room)
    assert [person["username"] for person in latest["people"]] == ["bob", "alice"] and latest["metadata"]


async def test_changes_of_the_file_are_named_so() -> None:
    life, room, _ = await opened()
    content = json.loads(life.files["a.ipynb"])
    content["cells"][0]["source"] = "pulled"
    life.files["a.ipynb"] = json.dumps(content).encode()
    await room.saver.look()
    latest, _ = await versions(room)
    assert latest["people"] == [{"username": "", "name": "changed on disk"}] and latest["cells"]["changed"] == ["c0"]


async def test_versions_survive_a_crash_the_one_that_went_on_too() -> None:
    life, room, alice = await opened()
    alice.type_text("c0", 0, "one ")
    await rest(alice)
    await life.world.clock.advance(PAUSE_S)
    alice.type_text("c1", 0, "two ")
    await rest(alice)
    before = await versions(room)
    _, again, _ = await opened(life)
    after = await versions(again)
    assert again.id == room.id
    assert [(v["version"], v["people"], v["cells"], v["heads"]) for v in after] == [
        (v["version"], v["people"], v["cells"], v["heads"]) for v in before
    ]
    assert (await again.history.view("1"))["notebook"]["cells"][1]["source"] == "x = 1"


async def test_a_log_of_before_there_were_versions_opens_with_its_state_as_the_first() -> None:
    life, room, alice = await opened()
    alice.type_text("c0", 0, "one ")
    await rest(alice)
    records = iter_records(life.storage.files[room.id])
    life.storage.files[room.id] = HEADER + b"".join(
        encode_record(RecordKind(kind), bytes(payload)) for kind, payload, _ in records if kind != RecordKind.VERSION
    )
    _, again, alice = await opened(life)
    assert [version["version"] for version in await versions(again)] == ["0"]
    alice.type_text("c0", 0, "two ")
    await rest(alice)
    assert [version["version"] for version in await versions(again)] == ["1", "0"]
    assert (await again.history.view("0"))["notebook"]["cells"][0]["source"] == "one x = 0"


async def test_what_is_too_old_is_not_listed_but_the_last_one_is() -> None:
    life, room, alice = await opened(settings=replace(SETTINGS, version_retention_s=1000.0))
    alice.type_text("c0", 0, "one ")
    await rest(alice)
    await life.world.clock.advance(1000 + PAUSE_S)
    assert [version["version"] for version in await versions(room)] == ["1"]


# Forgetting.

SECRET = "password=hunter2"


async def with_a_secret() -> tuple[Life, Room, Client]:
    """A room whose history has a secret, and whose present has not."""
    life, room, alice = await opened()
    alice.add_cell("s", SECRET, "z")
    await rest(alice)
    await life.world.clock.advance(PAUSE_S)
    alice.type_text("c0", 0, "kept ")
    alice.delete_cell("s")
    await rest(alice)
    assert SECRET.encode() in life.storage.files[room.id]
    return life, room, alice


async def test_what_is_forgotten_is_nowhere_and_the_present_is_whole() -> None:
    life, room, alice = await with_a_secret()
    cells, metadata, runtime = room.notebook.cells(), room.notebook.metadata(), room.runtime.state()
    await room.history.forget()
    assert SECRET.encode() not in life.storage.files[room.id]
    for name in ("notebook", "runtime"):
        assert SECRET.encode() not in room.document_bytes(name)[0]
    assert SECRET not in str(room.notebook.replica.engine.extract())
    assert room.notebook.cells() == cells and room.notebook.metadata() == metadata and room.runtime.state() == runtime
    assert [version["version"] for version in await versions(room)] == ["0"]
    assert life.cells() == {"c0": "kept x = 0", "c1": "x = 1", "c2": "x = 2"} and not room.saver.has_unsaved
    assert alice.socket.close_code == 4410


async def test_life_goes_on_after_forgetting() -> None:
    life, room, _ = await with_a_secret()
    await room.history.forget()
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    assert alice.sources() == ["kept x = 0", "x = 1", "x = 2"]
    alice.type_text("c1", 0, "new ")
    await rest(alice)
    await room.saver.save(is_explicit=True)
    assert life.cells()["c1"] == "new x = 1"
    _, again, _ = await opened(life)
    assert again.id == room.id and [cell.source for cell in again.notebook.cells()][1] == "new x = 1"
    assert again.status()["epochs"]["notebook"] == room.status()["epochs"]["notebook"]


async def test_a_peer_of_before_brings_only_what_was_never_there() -> None:
    life, room, alice = await with_a_secret()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    bob.disconnect()
    bob.type_text("c2", 0, "offline ")
    alice.type_text("c1", 0, "here ")
    await rest(alice)
    await room.history.forget()
    room.notebook.append("c0", "!")
    heads = room.notebook.replica.heads
    assert (await room.merge(alice.notebook.save()))["kept_aside"] == []
    assert room.notebook.replica.heads == heads, "she has nothing that the room has not"
    bob.connect(room.hub, user=BOB)
    await rest(bob)
    assert bob.socket.close_code == 4410
    await room.merge(bob.notebook.save())
    assert [cell.source for cell in room.notebook.cells()] == ["kept x = 0!", "here x = 1", "offline x = 2"]
    _, again, _ = await opened(life)  # what was forgotten is still known to be
    await again.merge(alice.notebook.save())
    assert SECRET not in str(again.notebook.replica.engine.extract())
    assert [cell.source for cell in again.notebook.cells()] == ["kept x = 0!", "here x = 1", "offline x = 2"]


async def test_an_untitled_notebook_forgets_too() -> None:
    life = Life(settings=SETTINGS)
    room = await life.world.registry.create_untitled()
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.add_cell("s", SECRET)
    alice.delete_cell("s")
    alice.add_cell("k", "kept")
    await rest(alice)
    await room.history.forget()
    assert SECRET.encode() not in life.storage.files[room.id] and alice.socket.close_code == 4410
    assert [cell.source for cell in room.notebook.cells()] == ["kept"] and room.has_unsaved
    alice.connect(room.hub)
    await rest(alice)
    assert alice.socket.close_code == 4410, "the old replica is of another lineage"


async def test_what_cannot_be_saved_is_not_forgotten() -> None:
    life, room, alice = await with_a_secret()
    life.world.contents.doors.errors["write"] = OutOfSpace("full")
    heads = room.notebook.replica.heads
    with pytest.raises(OutOfSpace):
        await room.history.forget()
    assert room.notebook.replica.heads == heads and alice.socket.closed is None
