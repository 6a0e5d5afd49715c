"""What survives `kill -9`: each test lets one life of the server end without a word, and begins another."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.crdt.parts import Parts
from jupyter_runtimed.core.errors import ActiveElsewhere, NoSuchRoom, NotFound, NotSaved
from jupyter_runtimed.core.ids import heads_to_hex
from jupyter_runtimed.core.journal import RecordKind, iter_records
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.memory_leases import MemoryLeases
from tests.support.memory_log import MemoryRoomLogs, Storage
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest, step_until

MANUAL = RoomSettings(load_step_s=0.0, publish_s=0.0, autosave=False)


class Life:
    """One life of a server over what the one before has left."""

    def __init__(self, before: Life | None = None, *, settings: RoomSettings = MANUAL, **files: bytes) -> None:
        self.storage: Storage = before.storage if before is not None else Storage()
        self.logs = MemoryRoomLogs(self.storage)
        self.world: World = World(
            settings=settings, logs=self.logs, before=before.world if before is not None else None, **files
        )

    @property
    def files(self) -> dict[str, bytes]:
        return self.world.contents.files

    async def open(self, path: str = "a.ipynb") -> tuple[Room, Client]:
        room = await self.world.open(path)
        alice = Client("alice").connect(room.hub)
        await rest(alice)
        return room, alice

    def cells(self, path: str = "a.ipynb") -> dict[str, str]:
        """The sources in a file, by id."""
        return {cell["id"]: "".join(cell["source"]) for cell in json.loads(self.files[path])["cells"]}


async def edited(**options: Any) -> tuple[Life, Room, Client]:
    """A life in which a cell was edited, and not saved."""
    life = Life(a=notebook(3), **options)
    room, alice = await life.open()
    alice.type_text("c0", 0, "mine ")
    await rest(alice)
    return life, room, alice


async def killed_in_a_save(life: Life, room: Room) -> bytes:
    """The server ends between logging a save and writing it; the bytes that it would have written."""
    life.world.contents.doors.shut("write")
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    await room.tasks.stop()
    await asyncio.gather(save, return_exceptions=True)
    return life.storage.saves[room.id]


async def test_opening_logs_nothing_and_changes_nothing() -> None:
    life = Life(a=notebook(3, outputs=True))
    room, alice = await life.open()
    await life.world.clock.advance(10)
    assert not life.storage.files and alice.socket.status["durable_heads"] == alice.hex_heads()
    assert life.files["a.ipynb"] == notebook(3, outputs=True) and room.durability.trouble is None


async def test_unsaved_edits_and_outputs_are_there_after_a_crash() -> None:
    life, room, alice = await edited()
    life.world.executor(room)
    name = alice.request("execute_cell", cell_id="c1")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None
    life.world.executor(room).output(answer["result"]["execution_id"], "printed")
    await rest(alice)

    second = Life(life)
    again, bob = await second.open()
    assert again.id == room.id and bob.sources() == ["mine x = 0", "x = 1", "x = 2"]
    assert again.notebook.replica.heads == room.notebook.replica.heads
    shown = json.loads(await again.notebook_bytes())["cells"][1]
    assert shown["outputs"][0]["text"] == ["printed"] or shown["outputs"][0]["text"] == "printed"
    assert bob.socket.status["dirty"] is True and bob.socket.status["durable_heads"] == bob.hex_heads()
    await again.saver.save(is_explicit=True)
    assert second.cells()["c0"] == "mine x = 0"


async def test_heads_are_durable_only_once_they_are_logged() -> None:
    life, _, alice = await edited()
    before = alice.hex_heads()
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_heads"] == before
    life.logs.hold()
    alice.type_text("c0", 0, "more ")
    await rest(alice)
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_heads"] == before != alice.hex_heads()
    life.logs.let_go()
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_heads"] == alice.hex_heads()


async def test_a_log_that_cannot_be_written_is_told_and_saving_still_works() -> None:
    life, room, alice = await edited()
    life.logs.hold()
    alice.type_text("c0", 0, "more ")
    await rest(alice)
    assert await room.durability.is_secured() is False
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["log_error"]
    await room.saver.save(is_explicit=True)
    assert life.cells()["c0"] == "more mine x = 0"


async def test_a_client_that_was_away_goes_on_with_its_own_edits() -> None:
    life, _, alice = await edited()
    alice.disconnect()
    alice.type_text("c1", 0, "offline ")

    second = Life(life)
    again = await second.world.open("a.ipynb")
    alice.connect(again.hub)
    await rest(alice)
    assert alice.socket.close_code is None
    assert alice.sources() == ["mine x = 0", "offline x = 1", "x = 2"] == [c.source for c in again.notebook.cells()]


async def test_twenty_restarts_lose_and_double_nothing() -> None:
    life, room, alice = await edited()
    room_id = room.id
    for number in range(20):
        alice.disconnect()
        alice.type_text("c2", 0, f"<{number}>")
        life = Life(life)
        room = await life.world.open("a.ipynb")
        assert room.id == room_id
        alice.connect(room.hub)
        alice.add_cell(f"n{number}", str(number), f"z{number:02}i")
        await rest(alice)
    assert alice.sources()[2] == "".join(f"<{number}>" for number in reversed(range(20))) + "x = 2"
    assert alice.sources()[3:] == [str(number) for number in range(20)]
    assert sorted(alice.cells()) == sorted(room.notebook.cell_ids())


async def test_with_the_state_gone_a_client_still_goes_on() -> None:
    """The import is deterministic: only the file is needed."""
    life, _, alice = await edited()
    alice.disconnect()
    alone = World(a=life.files["a.ipynb"])
    room = await alone.open("a.ipynb")
    alice.connect(room.hub)
    await rest(alice)
    assert alice.socket.close_code is None and room.notebook.cell("c0").source == "mine x = 0"


async def test_with_the_state_gone_and_the_file_saved_the_edits_are_merged() -> None:
    life, room, alice = await edited()
    await room.saver.save(is_explicit=True)
    alice.type_text("c0", 0, "saved? ")
    await rest(alice)
    await room.saver.save(is_explicit=True)
    alice.disconnect()
    alice.type_text("c1", 0, "offline ")
    alice.add_cell("new", "a cell", "zi")

    alone = World(a=life.files["a.ipynb"])
    again = await alone.open("a.ipynb")
    alice.connect(again.hub)
    await rest(alice)
    assert alice.socket.close_code == 4410
    answer = await again.merge(alice.notebook.save())
    assert answer["kept_aside"] == []
    assert [cell.source for cell in again.notebook.cells()] == ["saved? mine x = 0", "offline x = 1", "x = 2", "a cell"]
    heads = again.notebook.replica.heads
    await again.merge(alice.notebook.save())
    assert again.notebook.replica.heads == heads, "merging the same replica again does nothing"


async def test_an_offline_edit_of_a_cell_that_is_gone_is_kept_as_a_cell() -> None:
    life, _, alice = await edited()
    alice.disconnect()
    alice.type_text("c1", 0, "worth keeping ")
    content = json.loads(life.files["a.ipynb"])
    del content["cells"][1]
    alone = World(a=json.dumps(content).encode())
    again = await alone.open("a.ipynb")
    answer = await again.merge(alice.notebook.save())
    assert answer["kept_aside"] == ["c1"]
    assert [cell.source for cell in again.notebook.cells()] == ["mine x = 0", "worth keeping x = 1", "x = 2"]


async def test_the_pending_save_that_was_done_is_recognised() -> None:
    life, room, _ = await edited()
    data = await killed_in_a_save(life, room)
    life.files["a.ipynb"] = data

    second = Life(life)
    again, bob = await second.open()
    assert bob.sources()[0] == "mine x = 0" and second.files["a.ipynb"] == data
    await again.saver.save(is_explicit=True)
    assert second.cells() == {"c0": "mine x = 0", "c1": "x = 1", "c2": "x = 2"}


@pytest.mark.parametrize("left", [0, 1, 40, -1])
async def test_a_torn_file_is_completed_from_the_log(left: int) -> None:
    life, room, _ = await edited()
    data = await killed_in_a_save(life, room)
    life.files["a.ipynb"] = data[:left]

    second = Life(life)
    _, bob = await second.open()
    assert second.files["a.ipynb"] == data and bob.sources()[0] == "mine x = 0"


async def test_a_file_changed_while_the_server_was_down_is_merged() -> None:
    life, _, _ = await edited()
    content = json.loads(life.files["a.ipynb"])
    content["cells"][1]["source"] = "theirs"
    content["cells"].append({**content["cells"][2], "id": "new", "source": "brand new"})
    life.files["a.ipynb"] = json.dumps(content).encode()

    second = Life(life)
    _, bob = await second.open()
    assert bob.sources() == ["mine x = 0", "theirs", "x = 2", "brand new"]
    third = Life(second)
    _, carol = await third.open()
    assert carol.sources() == bob.sources(), "merged once, not twice"


async def test_a_file_that_is_no_notebook_any_more_leaves_the_room_as_it_was() -> None:
    life, _, _ = await edited()
    life.files["a.ipynb"] = b"<<<<<<< HEAD"
    second = Life(life, settings=RoomSettings(load_step_s=0.0, publish_s=0.0))
    room, bob = await second.open()
    assert bob.sources()[0] == "mine x = 0" and bob.socket.status["save_error"]["code"] == "file_changed"
    await second.world.clock.advance(100)
    assert second.files["a.ipynb"] == b"<<<<<<< HEAD" and room.has_unsaved


async def test_a_file_that_is_gone_can_be_saved_again() -> None:
    life, room, _ = await edited()
    del life.files["a.ipynb"]
    second = Life(life)
    again, bob = await second.open()
    assert again.id == room.id and bob.sources()[0] == "mine x = 0"
    await second.world.clock.advance(100)
    assert "a.ipynb" not in second.files
    await again.saver.save(is_explicit=True)
    assert second.cells()["c0"] == "mine x = 0"


async def test_a_file_that_is_gone_and_was_saved_is_not_found() -> None:
    life, room, _ = await edited()
    await room.saver.save(is_explicit=True)
    del life.files["a.ipynb"]
    with pytest.raises(NotFound):
        await Life(life).world.registry.open("a.ipynb")


async def test_what_ran_has_ended() -> None:
    life, room, alice = await edited()
    names = [alice.request("execute_cell", cell_id=cell) for cell in ("c0", "c1")]
    await rest(alice)
    ids = []
    for name in names:
        answer = alice.answer(name)
        assert answer is not None
        ids.append(answer["result"]["execution_id"])
    with room.runtime.edit() as edit:
        edit.update_execution(ids[0], status="running")
        edit.set_input_request(ids[0], {"request_id": "r", "prompt": "?", "password": False})
    await rest(alice)
    again, _ = await Life(life).open()
    first, second = (again.runtime.executions[execution] for execution in ids)
    assert (first.status, second.status) == ("error", "cancelled")
    assert first.error is not None and first.error["code"] == "kernel_died" and first.input_request is None
    assert again.runtime.kernel["status"] == "not_started"


async def test_untitled_rooms_come_back_too() -> None:
    life = Life()
    room = await life.world.registry.create_untitled("", "python3")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.add_cell("c", "print(1)")
    await rest(alice)

    second = Life(life)
    assert [found["room_id"] for found in second.world.registry.room_objects()] == [room.id]
    again = await second.world.registry.recall(room.id)
    await again.until_ready()
    assert again.id == room.id and again.file.path is None and again.kernel_name == "python3"
    assert [cell.source for cell in again.notebook.cells()] == ["print(1)"]
    assert again.notebook.metadata() == room.notebook.metadata()
    alice.connect(again.hub)
    await rest(alice)
    assert alice.socket.close_code is None
    await second.world.registry.save_as(again, "named.ipynb", False)
    assert second.cells("named.ipynb") == {"c": "print(1)"}
    third = Life(second)
    assert third.world.registry.room_objects() == []
    named, _ = await third.open("named.ipynb")
    assert named.id == room.id


async def test_a_room_is_found_by_its_id_after_a_restart() -> None:
    life, room, _ = await edited()
    second = Life(life)
    again = await second.world.registry.recall(room.id)
    await again.until_ready()
    assert again.id == room.id and again.file.path == "a.ipynb"
    assert await second.world.registry.recall(room.id) is again
    with pytest.raises(NoSuchRoom):
        await second.world.registry.recall("unknown")


async def test_a_room_that_somebody_closed_is_not_found_by_its_id_but_by_its_file() -> None:
    life, room, alice = await edited()
    alice.disconnect()
    await life.world.registry.close(room.id)
    with pytest.raises(NoSuchRoom):
        await life.world.registry.recall(room.id)
    second = Life(life)
    with pytest.raises(NoSuchRoom):
        await second.world.registry.recall(room.id)
    again, bob = await second.open()
    assert again.id == room.id and bob.sources()[0] == "mine x = 0"
    third = Life(second)
    found = await third.world.registry.recall(room.id)
    await found.until_ready()
    assert found.id == room.id


async def test_a_discarded_room_is_gone_for_good() -> None:
    life = Life(a=notebook(1))
    room = await life.world.registry.create_untitled()
    room.notebook.insert_cell("code", "x", id="c")
    with pytest.raises(NotSaved):
        await life.world.registry.close(room.id)
    await life.world.registry.close(room.id, discard=True)
    assert not life.storage.files
    file, alice = await life.open()
    alice.type_text("c0", 0, "no ")
    await rest(alice)
    alice.disconnect()
    await life.world.registry.close(file.id, discard=True)
    again, bob = await life.open()
    assert bob.sources() == ["x = 0"] and not life.storage.files and again.id != file.id


async def test_an_idle_room_waits_in_the_log_with_what_is_unsaved() -> None:
    life, room, alice = await edited()
    alice.disconnect()
    await life.world.clock.advance(MANUAL.idle_s + 1)
    await settle(50)
    assert life.world.registry.rooms() == []
    again, bob = await life.open()
    assert again.id == room.id and again is not room and bob.sources()[0] == "mine x = 0"
    assert bob.socket.status["dirty"] is True


async def test_an_idle_untitled_room_whose_log_is_in_trouble_stays() -> None:
    life = Life()
    life.logs.hold()
    room = await life.world.registry.create_untitled()
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.add_cell("c", "precious")
    await rest(alice)
    alice.disconnect()
    await life.world.clock.advance(MANUAL.idle_s + 1)
    await settle(50)
    assert life.world.registry.rooms() == [room]


async def test_a_rename_is_followed_in_the_log() -> None:
    life, room, _ = await edited()
    life.world.contents.rename("a.ipynb", "b.ipynb")
    await life.world.registry.path_renamed("a.ipynb", "b.ipynb")
    await settle()
    second = Life(life, a=notebook(1))
    again, bob = await second.open("b.ipynb")
    assert again.id == room.id and bob.sources()[0] == "mine x = 0"
    other, carol = await second.open("a.ipynb")
    assert other.id != room.id and carol.sources() == ["x = 0"]


async def test_a_log_that_holds_no_notebook_is_put_aside() -> None:
    life, room, _ = await edited()
    good = life.storage.files[room.id]
    life.storage.files[room.id] = good[: good.index(b"\x85oJ\x83")] + good[good.index(b"\x85oJ\x83") :][::-1]
    second = Life(life)
    again, bob = await second.open()
    assert bob.sources() == ["x = 0", "x = 1", "x = 2"] and again.id != room.id


async def test_a_file_open_in_another_server_is_said_so() -> None:
    owners: dict[str, object] = {}
    ours = World(a=notebook(1), b=notebook(1), leases=MemoryLeases(owners))
    theirs = World(before=ours, leases=MemoryLeases(owners))
    room = await ours.open("a.ipynb")
    with pytest.raises(ActiveElsewhere):
        await theirs.registry.open("a.ipynb")
    other = await theirs.open("b.ipynb")
    with pytest.raises(ActiveElsewhere):
        await theirs.registry.save_as(other, "a.ipynb", True)
    assert other.file.path == "b.ipynb"
    await ours.registry.save_as(room, "c.ipynb", False)
    await theirs.open("a.ipynb")
    with pytest.raises(ActiveElsewhere):
        await theirs.registry.open("c.ipynb")
    await ours.registry.close(room.id)
    await theirs.open("c.ipynb")
    await theirs.registry.stop()
    assert owners == {}


async def test_changes_made_while_the_file_is_loading_are_logged() -> None:
    life = Life(a=notebook(40))
    life.world.contents.doors.shut("read")
    room, _ = await life.world.registry.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    life.world.contents.doors.open("read")
    for _ in range(300):
        await asyncio.sleep(0)
        alice.read()
        if "c1" in alice.cells():
            break
    alice.type_text("c1", 0, "early ")
    await rest(alice)
    _, bob = await Life(life).open()
    assert bob.sources()[1] == "early x = 1"


async def test_outputs_are_said_to_be_durable_only_once_they_are_logged() -> None:
    life, room, alice = await edited()
    assert alice.socket.status["durable_runtime_heads"] == heads_to_hex(room.runtime.replica.heads)
    name = alice.request("execute_cell", cell_id="c1")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None
    life.logs.hold()
    life.world.executor(room).output(answer["result"]["execution_id"], "printed")
    await rest(alice)
    await life.world.clock.advance(1)
    await rest(alice)
    shown = heads_to_hex(alice.runtime.heads)
    assert alice.socket.status["durable_runtime_heads"] != shown
    life.logs.let_go()
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_runtime_heads"] == shown

    second = Life(life)
    again, bob = await second.open()
    assert bob.socket.status["durable_runtime_heads"] == heads_to_hex(again.runtime.replica.heads)
    assert json.loads(await again.notebook_bytes())["cells"][1]["outputs"][0]["text"] == ["printed"]


async def test_what_a_renewed_runtime_document_was_before_is_not_said_to_be_durable() -> None:
    life, room, alice = await edited()
    name = alice.request("execute_cell", cell_id="c1")
    await rest(alice)
    assert alice.answer(name) is not None
    life.logs.hold()
    room.renew_runtime()
    await rest(alice)
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_runtime_heads"] == []
    life.logs.let_go()
    await life.world.clock.advance(1)
    await rest(alice)
    assert alice.socket.status["durable_runtime_heads"] == heads_to_hex(alice.runtime.heads)


async def test_what_was_unsaved_at_a_crash_is_saved_after_the_file_was_merged() -> None:
    """The merge at reopening must not take what only the log had for saved."""
    life, _, _ = await edited()
    content = json.loads(life.files["a.ipynb"])
    content["cells"][2]["source"] = "x = 2  # theirs"
    life.files["a.ipynb"] = json.dumps(content).encode()
    second = Life(life, settings=RoomSettings(load_step_s=0.0, publish_s=0.0))
    room, bob = await second.open()
    assert bob.sources() == ["mine x = 0", "x = 1", "x = 2  # theirs"]
    assert bob.socket.status["dirty"] is True and room.has_unsaved
    await second.world.clock.advance(10)
    assert second.cells()["c0"] == "mine x = 0" and second.cells()["c2"] == "x = 2  # theirs"


async def test_a_rename_while_the_room_is_closed_is_followed_by_its_log() -> None:
    life, room, _ = await edited()
    second = Life(life)
    second.world.contents.folders.add("f")
    second.world.contents.rename("a.ipynb", "f/b.ipynb")
    await second.world.registry.path_renamed("a.ipynb", "f/b.ipynb")
    again, bob = await second.open("f/b.ipynb")
    assert again.id == room.id and bob.sources()[0] == "mine x = 0"


@pytest.mark.parametrize("is_compact", [False, True], ids=["appended", "written anew"])
async def test_others_have_their_turns_while_a_large_notebook_comes_back_from_its_log(is_compact: bool) -> None:
    cells = 400
    life = Life(a=notebook(cells))
    room, alice = await life.open()
    alice.type_text("c0", 0, "mine ")
    await step_until(lambda: not room.warming.is_due, alice)
    await rest(alice)
    if is_compact:
        await life.logs.logs[room.id].rewrite()
    second = Life(life)
    opening, turns = asyncio.ensure_future(second.world.open("a.ipynb")), 0
    while not opening.done():
        turns += 1
        await asyncio.sleep(0)
    again = await opening
    assert turns > cells / 10, "the document was loaded in one go"
    assert again.id == room.id and again.notebook.replica.heads == room.notebook.replica.heads
    assert again.notebook.cell("c0").source == "mine x = 0" and len(again.notebook.cell_ids()) == cells


async def test_parts_that_do_not_fit_cost_time_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "parts", property(lambda _: Parts([b"not a change" * 3000])))
    life, room, _ = await edited()
    monkeypatch.undo()
    assert RecordKind.NOTEBOOK_PARTS in [kind for kind, _, _ in iter_records(life.storage.files[room.id])]
    again, bob = await Life(life).open()
    assert again.id == room.id and bob.sources()[0] == "mine x = 0"


async def test_a_file_that_was_moved_by_other_programs_finds_its_log_again() -> None:
    """As `git mv` does while no server runs, or while nobody has it open."""
    life, room, _ = await edited()
    second = Life(life)
    second.world.contents.folders.add("f")
    second.world.contents.rename("a.ipynb", "f/b.ipynb")
    again, bob = await second.open("f/b.ipynb")
    assert again.id == room.id and bob.sources()[0] == "mine x = 0" and again.file.path == "f/b.ipynb"
    await again.saver.save(is_explicit=True)
    third, _ = await Life(second).open("f/b.ipynb")
    assert third.id == room.id


async def test_a_copy_of_a_file_is_a_notebook_of_its_own() -> None:
    life, room, _ = await edited()
    second = Life(life, copy=life.files["a.ipynb"])
    copy, bob = await second.open("copy.ipynb")
    assert copy.id != room.id and bob.sources()[0] == "x = 0"
    again, _ = await second.open("a.ipynb")
    assert again.id == room.id


async def test_a_file_that_may_be_either_of_two_that_are_gone_is_neither() -> None:
    life = Life(a=notebook(3), b=notebook(3))
    rooms = [await life.world.open(path) for path in ("a.ipynb", "b.ipynb")]
    for room in rooms:
        room.notebook.set_source("c0", f"mine in {room.file.path}")
    await settle()
    second = Life(life)
    second.world.contents.rename("a.ipynb", "new.ipynb")
    del second.files["b.ipynb"]
    found, bob = await second.open("new.ipynb")
    assert found.id not in {room.id for room in rooms} and bob.sources()[0] == "x = 0"


async def test_a_new_notebook_is_nobody_elses() -> None:
    empty = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    life = Life(a=empty)
    room, alice = await life.open()
    alice.add_cell("mine", "of the notebook that was removed")
    await rest(alice)
    second = Life(life, new=empty)
    del second.files["a.ipynb"]
    found, bob = await second.open("new.ipynb")
    assert found.id != room.id and bob.sources() == []


async def test_what_another_server_has_open_is_not_taken_from_it() -> None:
    owners: dict[str, object] = {}
    logs = MemoryRoomLogs()
    one = World(settings=MANUAL, logs=logs, leases=MemoryLeases(owners), a=notebook(3))
    room = await one.open("a.ipynb")
    room.notebook.set_source("c0", "mine")
    await settle()
    other = World(settings=MANUAL, logs=MemoryRoomLogs(logs.storage), leases=MemoryLeases(owners), before=one)
    other.contents.rename("a.ipynb", "b.ipynb")
    found = await other.open("b.ipynb")
    assert found.id != room.id and found.notebook.cell("c0").source == "x = 0"


async def test_what_the_file_has_already_is_not_merged_again_from_an_old_replica() -> None:
    """The server's state is gone; what two clients typed was saved, and the file went on since."""
    life, room, alice = await edited()
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    await room.saver.save(is_explicit=True)
    await rest(alice, bob)
    content = json.loads(life.files["a.ipynb"])
    content["cells"][0]["source"] = "mine, theirs x = 0"
    fresh = Life(a=json.dumps(content).encode())
    again = await fresh.world.open("a.ipynb")
    for client in (alice, bob):
        await again.merge(client.notebook.save(), client.saved_heads, client.durable_heads)
    assert again.notebook.cell("c0").source == "mine, theirs x = 0"


@pytest.mark.parametrize(
    ("on_disk", "away", "after"),
    [
        ("hello world x = 0", None, "hello world x = 0"),
        ("hello world x = 0", (6, "<away>"), "hello <away>world x = 0"),
        ("hello world x = 0", (11, "<away>"), "hello world<away> x = 0"),
        ("hello <disk>world x = 0", None, "hello <disk>world x = 0"),
        ("hello <disk>world x = 0", (9, "<away>"), "hello <disk>wor<away>ld x = 0"),
        ("hello <disk>world x = 0", (6, "<away>"), "hello <disk><away>world x = 0"),
        ("<disk> x = 0", (6, "<away>"), "<disk> hello <away>world x = 0"),
    ],
)
async def test_what_was_saved_while_its_author_was_away_and_then_lost_by_the_server_comes_once(
    on_disk: str, away: tuple[int, str] | None, after: str
) -> None:
    """Its author was never told that it is in the file, and somebody else has edited the file since."""
    life = Life(a=notebook(3))
    _, alice = await life.open()
    alice.type_text("c0", 0, "hello world ")
    await rest(alice)
    await life.world.clock.advance(1)  # the log has it
    await rest(alice)
    alice.disconnect()
    if away is not None:
        alice.type_text("c0", *away)
    content = json.loads(life.files["a.ipynb"])
    content["cells"][0]["source"], content["cells"][2]["source"] = on_disk, "x = 2  # theirs"
    fresh = Life(a=json.dumps(content).encode())
    again = await fresh.world.open("a.ipynb")
    alice.connect(again.hub)
    await rest(alice)
    assert alice.socket.close_code == 4410
    await again.merge(alice.notebook.save(), alice.saved_heads, alice.durable_heads)
    assert again.notebook.cell("c0").source == after
    assert again.notebook.cell("c2").source == "x = 2  # theirs"


async def test_what_two_clients_have_of_a_lost_history_is_merged_once() -> None:
    """Both have what alice typed; bob has typed beside it since."""
    life, room, alice = await edited()
    bob = Client("bob").connect(room.hub)
    await rest(alice, bob)
    bob.disconnect()
    bob.type_text("c0", 2, "<bob>")
    content = json.loads(life.files["a.ipynb"])
    content["cells"][0]["source"] = "<disk>x = 0"
    fresh = Life(a=json.dumps(content).encode())
    again = await fresh.world.open("a.ipynb")
    await again.merge(alice.notebook.save())
    await again.merge(bob.notebook.save())
    after = again.notebook.cell("c0").source
    assert "<disk>" in after and "<bob>" in after
    assert after.replace("<disk>", "").replace("<bob>", "") == "mine x = 0"
    third = await Life(fresh).world.open("a.ipynb")
    await third.merge(alice.notebook.save())
    assert third.notebook.cell("c0").source == after
