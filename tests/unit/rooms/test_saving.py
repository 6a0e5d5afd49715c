"""Saving: by itself when it is quiet, never over what somebody else wrote, never half."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import MAP, ROOT
from jupyter_runtimed.core.errors import FileChanged, FileExists, Forbidden, Internal, NotFound, NotSaved, OutOfSpace
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.memory_log import MemoryRoomLogs
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

ODD = b'{"nbformat":4,\r\n   "cells": [], "nbformat_minor": 2, "metadata": {"a":1}}'


async def opened(data: bytes = b"", **options: Any) -> tuple[World, Room, Client]:
    """A world with one file, its room, and alice in it."""
    w = World(a=data or notebook(3), **options)
    room = await w.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    return w, room, alice


def saved(w: World, path: str = "a.ipynb") -> list[str]:
    """The sources in a file."""
    return ["".join(cell["source"]) for cell in json.loads(w.contents.files[path])["cells"]]


async def refused(w: World, save: Coroutine[Any, Any, None]) -> None:
    """A save that ends with FileChanged, after the file was looked at again."""
    task = asyncio.ensure_future(save)
    await w.clock.advance(5)
    with pytest.raises(FileChanged):
        await task


def writes(w: World) -> int:
    return w.contents.doors.count("write")


async def test_an_edit_is_saved_by_itself_once_it_is_quiet() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "# ")
    await rest(alice)
    assert alice.socket.status["dirty"] is True
    await w.clock.advance(0.9)
    assert writes(w) == 0
    await w.clock.advance(0.2)
    await rest(alice)
    assert saved(w)[0] == "# x = 0" and writes(w) == 1
    status = alice.socket.status
    assert status["dirty"] is False and status["saved_heads"] == alice.hex_heads() and status["last_saved"]
    assert room.to_json()["last_saved"] == status["last_saved"]


async def test_who_types_without_a_pause_is_saved_all_the_same() -> None:
    w, _, alice = await opened()
    for _ in range(11):
        alice.type_text("c0", 0, "x")
        await w.clock.advance(0.5)
    assert writes(w) == 1, "autosave_s is 5 seconds"


async def test_typing_sets_no_timer_for_each_key() -> None:
    w, _, alice = await opened()
    for _ in range(200):
        alice.type_text("c0", 0, "x")
        await settle(1)
    assert len(w.clock._due) < 10


async def test_saving_an_untouched_notebook_changes_no_byte() -> None:
    w, room, alice = await opened(ODD)
    name = alice.request("save_notebook")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None
    assert answer["result"] == {"path": "a.ipynb", "saved_heads": alice.hex_heads()}
    await w.clock.advance(100)
    assert writes(w) == 0 and w.contents.files["a.ipynb"] == ODD
    assert alice.socket.status["dirty"] is False and not room.saver.is_dirty


async def test_an_edit_that_is_undone_writes_nothing_twice() -> None:
    w, _, alice = await opened()
    alice.type_text("c0", 0, "#")
    await w.clock.advance(2)
    assert writes(w) == 1
    before = w.contents.files["a.ipynb"]
    alice.type_text("c0", 0, "x")
    alice.type_text("c0", 0, "", delete=1)
    await w.clock.advance(2)
    assert writes(w) == 1 and w.contents.files["a.ipynb"] == before
    await rest(alice)
    assert alice.socket.status["saved_heads"] == alice.hex_heads() and alice.socket.status["dirty"] is False


async def test_outputs_make_the_room_dirty_and_are_saved() -> None:
    w, room, alice = await opened()
    executor = w.executor(room)
    result = await executor.execute_cell("c0", "alice")
    await w.clock.advance(2)
    count = writes(w)
    executor.output(result["execution_id"], "hello")
    await rest(alice)
    assert alice.socket.status["dirty"]
    await w.clock.advance(2)
    await rest(alice)
    assert writes(w) == count + 1 and not alice.socket.status["dirty"]
    assert json.loads(w.contents.files["a.ipynb"])["cells"][0]["outputs"][0]["text"] == ["hello"]


async def test_what_the_kernel_is_doing_is_nothing_to_save() -> None:
    w, room, alice = await opened()
    with room.runtime.edit() as edit:
        edit.set_kernel(status="busy")
    await w.clock.advance(10)
    await rest(alice)
    assert writes(w) == 0 and alice.socket.status["dirty"] is False


async def test_a_save_on_request_does_not_wait_for_quiet() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "now ")
    name = alice.request("save_notebook", required_heads=alice.hex_heads())
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None and answer["result"]["saved_heads"] == alice.hex_heads()
    assert saved(w)[0] == "now x = 0"
    await w.clock.advance(20)
    assert writes(w) == 1, "there was nothing left to save"
    assert not room.has_unsaved


async def test_what_is_typed_during_a_save_is_saved_by_the_next() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("write")
    await w.clock.advance(2)
    assert room.saver.is_saving
    alice.type_text("c0", 0, "2")
    w.contents.doors.open("write")
    await rest(alice)
    assert saved(w)[0] == "1x = 0" and room.has_unsaved
    assert alice.socket.status["dirty"] is True
    await w.clock.advance(2)
    assert saved(w)[0] == "21x = 0" and not room.has_unsaved


async def test_saves_never_overlap() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("write")
    first = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    alice.type_text("c0", 0, "2")
    second = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    assert writes(w) == 1
    w.contents.doors.open("write")
    await asyncio.gather(first, second)
    assert writes(w) == 2 and saved(w)[0] == "21x = 0"


async def test_who_asked_for_a_save_may_go_away_and_the_save_goes_on() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("write")
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    save.cancel()
    await settle()
    w.contents.doors.open("write")
    await settle()
    assert saved(w)[0] == "1x = 0" and not room.has_unsaved


async def test_a_file_that_is_no_notebook_any_more_is_never_overwritten() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "mine ")
    theirs = notebook(5)[:-30]
    w.contents.files["a.ipynb"] = theirs
    await refused(w, room.saver.save(is_explicit=True))
    await w.clock.advance(300)
    assert w.contents.files["a.ipynb"] == theirs and writes(w) == 0
    assert room.notebook.cell("c0").source == "mine x = 0" and room.has_unsaved
    await rest(alice)
    assert alice.socket.status["save_error"]["code"] == "file_changed" and alice.socket.status["dirty"] is True


async def test_a_file_that_somebody_else_changed_is_merged_and_then_saved() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "mine ")
    w.contents.files["a.ipynb"] = notebook(5)
    await room.saver.save(is_explicit=True)
    await rest(alice)
    assert saved(w) == alice.sources() == ["mine x = 0", *(f"x = {number}" for number in range(1, 5))]
    assert not room.saver.is_dirty and alice.socket.status["save_error"] is None


async def test_a_file_that_is_changed_while_the_save_is_being_made_is_merged_too() -> None:
    """Between the look and the write: the storage compares again."""
    w, room, alice = await opened()
    alice.type_text("c0", 0, "mine ")
    w.contents.doors.shut("write")
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    w.contents.files["a.ipynb"] = notebook(5)
    w.contents.doors.open("write")
    await save
    assert saved(w) == ["mine x = 0", *(f"x = {number}" for number in range(1, 5))]


async def test_a_file_that_is_only_half_written_is_waited_for() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "mine ")
    w.contents.files["a.ipynb"] = notebook(5)[:-30]
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await w.clock.advance(0.1)
    w.contents.files["a.ipynb"] = notebook(5)
    await w.clock.advance(0.2)
    await save
    assert len(saved(w)) == 5


async def test_saying_overwrite_gives_up_what_is_in_the_file() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "mine ")
    w.contents.files["a.ipynb"] = b"not a notebook any more"
    name = alice.request("save_notebook", path="a.ipynb", overwrite=True)
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None and answer["ok"], answer
    assert saved(w)[0] == "mine x = 0" and not room.has_unsaved


async def test_touching_a_file_without_changing_it_is_no_change() -> None:
    w, room, alice = await opened()
    w.contents.files["a.ipynb"] = bytes(w.contents.files["a.ipynb"])
    alice.type_text("c0", 0, "mine ")
    await room.saver.save(is_explicit=True)
    assert saved(w)[0] == "mine x = 0"


async def test_a_save_that_fails_is_tried_again_at_growing_intervals_and_said_so() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    moments = []
    for _ in range(4):
        w.contents.doors.errors["write"] = OutOfSpace("the disk is full")
        before = writes(w)
        while writes(w) == before:
            await w.clock.advance(0.5)
        moments.append(w.clock.monotonic())
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert waits == sorted(waits) and waits[-1] >= 3 * waits[0] > 0, waits
    await rest(alice)
    assert alice.socket.status["save_error"] == {"code": "out_of_space", "message": "the disk is full"}
    assert alice.socket.status["dirty"] is True
    await w.clock.advance(100)
    await rest(alice)
    assert alice.socket.status["save_error"] is None and not room.has_unsaved


async def test_a_failed_save_on_request_answers_why_and_the_room_tries_again() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.errors["write"] = Forbidden("read-only")
    name = alice.request("save_notebook")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None and answer["error"]["code"] == "forbidden"
    assert room.saver.error is not None and room.saver.error.code == "forbidden"
    await w.clock.advance(10)
    assert saved(w)[0] == "1x = 0" and room.saver.error is None


async def test_a_fault_of_storage_is_an_internal_error_and_no_loss() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.errors["write"] = OSError("on fire")
    with pytest.raises(OSError, match="on fire"):
        await room.saver.save(is_explicit=True)
    assert isinstance(room.saver.error, Internal) and room.has_unsaved
    await w.clock.advance(10)
    assert saved(w)[0] == "1x = 0"


async def test_a_deleted_file_stays_deleted_until_somebody_saves() -> None:
    w, room, alice = await opened()
    del w.contents.files["a.ipynb"]
    w.registry.path_deleted("a.ipynb")
    alice.type_text("c0", 0, "1")
    await w.clock.advance(100)
    assert "a.ipynb" not in w.contents.files
    await rest(alice)
    assert alice.socket.status["dirty"] is True
    name = alice.request("save_notebook")
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None and answer["ok"]
    assert saved(w)[0] == "1x = 0" and not room.file.is_deleted


async def test_a_file_that_vanished_unseen_is_not_made_again_by_the_server() -> None:
    w, room, alice = await opened()
    del w.contents.files["a.ipynb"]
    alice.type_text("c0", 0, "1")
    await w.clock.advance(100)
    assert "a.ipynb" not in w.contents.files and room.file.is_deleted and writes(w) == 0


async def test_a_clean_notebook_whose_file_was_deleted_is_written_on_request() -> None:
    w, room, _ = await opened()
    del w.contents.files["a.ipynb"]
    w.registry.path_deleted("a.ipynb")
    await room.saver.save(is_explicit=True)
    assert len(saved(w)) == 3


async def test_autosave_can_be_switched_off() -> None:
    w, room, alice = await opened(settings=RoomSettings(autosave=False))
    alice.type_text("c0", 0, "1")
    await w.clock.advance(1000)
    assert writes(w) == 0 and room.has_unsaved
    await room.saver.save(is_explicit=True)
    assert writes(w) == 1


async def test_somebody_switches_autosave_off_and_on() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    await rest(alice)
    alice.request("set_autosave", enabled=False)
    alice.type_text("c0", 0, "2")
    await w.clock.advance(1000)
    await rest(alice)
    assert writes(w) == 0 and alice.socket.status["autosave"] is False and alice.socket.status["dirty"] is True
    await room.saver.save(is_explicit=True)
    alice.type_text("c0", 0, "3")
    await w.clock.advance(1000)
    assert writes(w) == 1
    alice.request("set_autosave", enabled=True)
    await rest(alice)
    await w.clock.advance(6)
    await rest(alice)
    assert writes(w) == 2 and alice.socket.status["autosave"] is True


async def test_nobody_switches_on_what_the_operator_switched_off() -> None:
    w, _, alice = await opened(settings=RoomSettings(autosave=False))
    alice.request("set_autosave", enabled=True)
    alice.type_text("c0", 0, "1")
    await rest(alice)
    await w.clock.advance(1000)
    assert writes(w) == 0 and alice.socket.status["autosave"] is False


async def test_an_untitled_room_has_nothing_to_save_to() -> None:
    w = World()
    room = await w.registry.create_untitled()
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.add_cell("c", "1 + 1")
    await w.clock.advance(100)
    await rest(alice)
    assert writes(w) == 0 and alice.socket.status["dirty"] is True and alice.socket.status["saved_heads"] == []
    with pytest.raises(NotSaved):
        await room.saver.save(is_explicit=True)
    assert room.saver.error is None


async def test_a_save_as_that_fails_keeps_the_file_the_room_had() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.errors["write"] = OutOfSpace("full")
    with pytest.raises(OutOfSpace):
        await room.saver.save_as("b.ipynb", overwrite=False, on_written=lambda: pytest.fail("it was not written"))
    assert room.file.path == "a.ipynb" and room.saver.error is None
    await w.clock.advance(2)
    assert saved(w)[0] == "1x = 0"


async def test_a_save_as_never_takes_a_file_that_appears_meanwhile() -> None:
    w, room, _ = await opened()
    w.contents.doors.shut("write")
    save = asyncio.ensure_future(room.saver.save_as("b.ipynb", overwrite=False, on_written=lambda: None))
    await settle()
    w.contents.files["b.ipynb"] = b"theirs"
    w.contents.doors.open("write")
    with pytest.raises(FileExists):
        await save
    assert w.contents.files["b.ipynb"] == b"theirs" and room.file.path == "a.ipynb"


async def test_a_rename_during_a_save_sends_the_save_to_the_new_name() -> None:
    w, room, alice = await opened()
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("sha256")
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    w.contents.rename("a.ipynb", "b.ipynb")
    await w.registry.path_renamed("a.ipynb", "b.ipynb")
    w.contents.doors.open("sha256")
    await save
    assert saved(w, "b.ipynb")[0] == "1x = 0" and "a.ipynb" not in w.contents.files


async def test_a_blob_that_is_gone_does_not_make_a_room_unsaveable() -> None:
    w, room, alice = await opened(notebook(2, outputs=True))
    w.blobs.blobs.clear()
    alice.type_text("c0", 0, "1")
    await room.saver.save(is_explicit=True)
    assert saved(w)[0] == "1x = 0"


async def test_blobs_are_read_beside_the_event_loop() -> None:
    w, room, alice = await opened(notebook(2, outputs=True))
    alice.type_text("c0", 0, "1")
    may_read = threading.Event()
    original = w.blobs.read

    def slow_read(name: str) -> bytes:
        assert may_read.wait(10)
        return original(name)

    w.blobs.read = slow_read  # type: ignore[method-assign]
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await rest(alice)
    alice.type_text("c1", 0, "typed meanwhile ")
    await rest(alice)
    assert room.notebook.cell("c1").source.startswith("typed") and not save.done()
    may_read.set()
    await save
    assert saved(w) == ["1x = 0", "x = 1"], "what was taken when the save began"


async def test_a_missing_folder_is_not_made() -> None:
    w, room, _ = await opened()
    with pytest.raises(NotFound):
        await room.saver.save_as("no/where.ipynb", overwrite=False, on_written=lambda: None)
    assert room.file.path == "a.ipynb" and list(w.contents.files) == ["a.ipynb"]


async def test_limits_say_how_long_an_edit_can_stay_unsaved() -> None:
    w, _, alice = await opened(settings=RoomSettings(limits=Limits(autosave_s=2.0)))
    for _ in range(5):
        alice.type_text("c0", 0, "x")
        await w.clock.advance(0.5)
    assert writes(w) == 1


def empty_the_cells_map(room: Room) -> None:
    """What no peer can do: take every cell away without deleting one."""
    with room.notebook.replica.transact() as writer:
        writer.make(ROOT, "cells", MAP)


async def test_cells_that_nobody_has_deleted_are_not_taken_out_of_the_file() -> None:
    w, room, alice = await opened()
    empty_the_cells_map(room)
    await w.clock.advance(3)
    await rest(alice)
    assert writes(w) == 0 and w.contents.files["a.ipynb"] == notebook(3)
    said = alice.socket.status["save_error"]
    assert said["code"] == "not_saved" and said["cells"] == ["c0", "c1", "c2"] and alice.socket.status["dirty"] is True
    with pytest.raises(NotSaved):
        await w.registry.close(room.id)
    await room.saver.save(is_explicit=True, overwrite=True)
    assert saved(w) == []


async def test_a_room_that_has_lost_its_cells_does_not_forget_it_over_a_restart() -> None:
    logs = MemoryRoomLogs()
    w, room, _ = await opened(logs=logs)
    empty_the_cells_map(room)
    await w.clock.advance(3)
    second = World(logs=MemoryRoomLogs(logs.storage), before=w)
    again = await second.open("a.ipynb")
    await second.clock.advance(100)
    assert again.notebook.cell_ids() == [] and second.contents.files["a.ipynb"] == notebook(3)
    assert isinstance(again.saver.error, NotSaved)


async def test_cells_that_were_deleted_are_taken_out_of_the_file() -> None:
    w, _, alice = await opened()
    for cell_id in ("c0", "c1", "c2"):
        alice.delete_cell(cell_id)
    await w.clock.advance(3)
    assert saved(w) == []


async def test_the_file_as_it_was_becomes_its_checkpoint_once_a_session() -> None:
    w, room, alice = await opened()
    assert w.contents.checkpoints == {}, "opening writes nothing"
    for _ in range(3):
        alice.type_text("c0", 0, "#")
        await w.clock.advance(10)
    assert writes(w) == 3 and w.contents.checkpoints == {"a.ipynb": notebook(3)}
    await w.registry.close(room.id)
    between = w.contents.files["a.ipynb"]
    again = await w.open("a.ipynb")
    again.notebook.splice("c0", 0, 0, "!")
    await w.clock.advance(10)
    assert w.contents.checkpoints == {"a.ipynb": between} != {"a.ipynb": w.contents.files["a.ipynb"]}


async def test_a_storage_without_checkpoints_is_saved_to_all_the_same() -> None:
    w, room, alice = await opened()
    w.contents.doors.errors["checkpoint"] = Internal("none here")
    alice.type_text("c0", 0, "#")
    await w.clock.advance(10)
    assert writes(w) == 1 and room.saver.error is None
