"""The registry: one file, one room, under every spelling and through every race (seed 987)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jupyter_runtimed.core.errors import (
    FileChanged,
    FileExists,
    Internal,
    NoSuchRoom,
    NotANotebook,
    NotFound,
    NotSaved,
    OutOfSpace,
    PathAlreadyOpen,
)
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest


async def untitled(w: World) -> tuple[Room, Client]:
    """An untitled room with a cell, and alice in it."""
    room = await w.registry.create_untitled()
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.add_cell("mine", "1 + 1")
    await rest(alice)
    return room, alice


async def visited(w: World, path: str) -> tuple[Room, Client]:
    """The room of a file, and alice in it."""
    room = await w.open(path)
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    return room, alice


def sources(w: World, path: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(w.contents.files[path])["cells"]]


# Opening.


@pytest.mark.parametrize(
    "spelling",
    ["a/é.ipynb", "/a/é.ipynb", "./a/é.ipynb", "a//é.ipynb", "a/../a/é.ipynb", "a/e\u0301.ipynb", "link.ipynb"],
)
async def test_a_file_is_one_room_under_every_spelling(spelling: str) -> None:
    w = World()
    w.contents.files["a/é.ipynb"] = notebook()
    w.contents.links["link.ipynb"] = "a/é.ipynb"
    room, is_new = await w.registry.open("a/é.ipynb")
    again, is_new_again = await w.registry.open(spelling)
    assert again is room and is_new and not is_new_again
    assert w.registry.rooms() == [room] and room.file.path == "a/é.ipynb"


async def test_twenty_opens_in_one_tick_share_one_room_and_one_load() -> None:
    w = World(a=notebook())
    opens = await asyncio.gather(*(w.registry.open("a.ipynb") for _ in range(20)))
    assert len({id(room) for room, _ in opens}) == 1
    assert sorted(is_new for _, is_new in opens) == [False] * 19 + [True]
    await opens[0][0].until_ready()
    assert w.contents.doors.count("read") == 1


async def test_the_first_opener_may_go_away() -> None:
    w = World(a=notebook())
    w.contents.doors.shut("exists")
    first = asyncio.ensure_future(w.registry.open("a.ipynb"))
    await settle()
    second = asyncio.ensure_future(w.registry.open("a.ipynb"))
    await settle()
    first.cancel()
    await settle()
    w.contents.doors.open("exists")
    room, _ = await second
    assert w.registry.rooms() == [room]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("nowhere.ipynb", NotFound),
        ("../outside.ipynb", NotFound),
        ("folder.ipynb", NotANotebook),
        ("text.txt", NotANotebook),
        ("", NotANotebook),
    ],
)
async def test_what_is_no_notebook_makes_no_room(path: str, error: type[Exception]) -> None:
    w = World()
    w.contents.folders.add("folder.ipynb")
    opens = await asyncio.gather(*(w.registry.open(path) for _ in range(3)), return_exceptions=True)
    assert all(type(one) is error for one in opens) and w.registry.rooms() == []


async def test_an_id_that_is_gone_never_makes_an_empty_room() -> None:
    w = World(a=notebook())
    room = await w.open("a.ipynb")
    await w.registry.close(room.id)
    for room_id in (room.id, RoomId("never-was")):
        with pytest.raises(NoSuchRoom):
            w.registry.get(room_id)


async def test_an_untitled_room_is_made_in_a_folder_that_is_there() -> None:
    w = World()
    w.contents.folders.add("work")
    room = await w.registry.create_untitled("/work/", "python3")
    assert room.file.directory == "work" and room.to_json()["path"] is None and room.to_json()["state"] == "ready"
    assert room.notebook.get_metadata("kernelspec")["name"] == "python3"
    with pytest.raises(NotFound):
        await w.registry.create_untitled("nowhere")


# Save-as.


async def test_an_untitled_room_gets_its_file_and_keeps_its_id_and_its_peers() -> None:
    w = World()
    room, alice = await untitled(w)
    name = alice.request("save_notebook", path="new.ipynb", required_heads=alice.hex_heads())
    await rest(alice)
    answer = alice.answer(name)
    assert answer is not None and answer["result"] == {"path": "new.ipynb", "saved_heads": alice.hex_heads()}
    again, is_new = await w.registry.open("./new.ipynb")
    assert again is room and not is_new and alice.socket.closed is None
    status = alice.socket.status
    assert status["path"] == "new.ipynb" and status["dirty"] is False and status["saved_heads"] == alice.hex_heads()
    assert ("path", "new.ipynb") in w.executor(room).calls
    alice.type_text("mine", 0, "autosave follows ")
    await w.clock.advance(2)
    assert sources(w, "new.ipynb") == ["autosave follows 1 + 1"]


async def test_a_save_as_leaves_the_old_file_to_whoever_opens_it() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    await w.registry.save_as(room, "b.ipynb", False)
    other, is_new = await w.registry.open("a.ipynb")
    assert other is not room and is_new and (await w.registry.open("b.ipynb"))[0] is room


async def test_a_file_that_another_room_uses_is_refused_and_nothing_is_touched() -> None:
    w = World(b=notebook(2))
    room, alice = await untitled(w)
    other = await w.open("b.ipynb")
    bob = Client("bob").connect(other.hub)
    await rest(bob)
    before = dict(w.contents.files)
    for overwrite in (False, True):
        with pytest.raises(PathAlreadyOpen) as caught:
            await w.registry.save_as(room, "b.ipynb", overwrite)
        assert caught.value.details == {"room_id": other.id, "path": "b.ipynb"}
    assert w.contents.files == before and room.file.path is None and set(w.registry.rooms()) == {room, other}
    assert alice.socket.closed is None and bob.socket.closed is None


async def test_a_room_with_a_kernel_or_unsaved_work_is_in_use_without_peers() -> None:
    w = World(b=notebook(2), c=notebook(2))
    room, _ = await untitled(w)
    with_kernel, with_edits = await w.open("b.ipynb"), await w.open("c.ipynb")
    w.executor(with_kernel).has_kernel = True
    with_edits.notebook.set_source("c0", "unsaved")
    for path in ("b.ipynb", "c.ipynb"):
        with pytest.raises(PathAlreadyOpen):
            await w.registry.save_as(room, path, True)


async def test_an_idle_interloper_is_closed_and_the_saved_room_keeps_its_content() -> None:
    """Seed 987: a session was restored to the file a moment before the untitled notebook was saved to it."""
    w = World(b=notebook(2))
    room, alice = await untitled(w)
    interloper = await w.open("b.ipynb")
    await w.registry.save_as(room, "b.ipynb", True)
    assert w.registry.rooms() == [room] and (await w.registry.open("b.ipynb"))[0] is room
    assert sources(w, "b.ipynb") == ["1 + 1"]
    await settle()
    with pytest.raises(NoSuchRoom):
        interloper.join(Client("late").socket)
    assert alice.socket.closed is None
    await w.clock.advance(1000)
    assert w.registry.rooms() == [room], "the interloper's timers do not touch who has its place"


async def test_an_interloper_that_is_still_loading_is_closed_and_writes_nothing() -> None:
    w = World(b=notebook(60))
    room, _ = await untitled(w)
    interloper, _ = await w.registry.open("b.ipynb")
    w.contents.doors.shut("read")
    await settle(1)
    await w.registry.save_as(room, "b.ipynb", True)
    w.contents.doors.open("read")
    await settle()
    assert w.registry.rooms() == [room] and not interloper.lifecycle.is_open
    assert sources(w, "b.ipynb") == ["1 + 1"]


async def test_a_peer_that_joins_the_interloper_in_the_last_moment_wins() -> None:
    """The reviewer's worry at seed 987: between the first look and the claim somebody connects."""
    w = World(b=notebook(2))
    room, _ = await untitled(w)
    interloper = await w.open("b.ipynb")
    w.contents.doors.shut("directory")
    save = asyncio.ensure_future(w.registry.save_as(room, "b.ipynb", True))
    await settle()
    bob = Client("bob").connect(interloper.hub)
    w.contents.doors.open("directory")
    with pytest.raises(PathAlreadyOpen):
        await save
    await rest(bob)
    assert bob.socket.closed is None and len(bob.cells()) == 2 and room.file.path is None


async def test_an_existing_file_is_replaced_only_when_that_was_said() -> None:
    w = World(b=notebook(2))
    room, _ = await untitled(w)
    with pytest.raises(FileExists):
        await w.registry.save_as(room, "b.ipynb", False)
    assert len(sources(w, "b.ipynb")) == 2 and room.file.path is None
    await w.registry.save_as(room, "b.ipynb", True)
    assert sources(w, "b.ipynb") == ["1 + 1"]


@pytest.mark.parametrize(
    ("path", "error"), [("no/such/x.ipynb", NotFound), ("x.txt", NotANotebook), ("../x.ipynb", NotFound)]
)
async def test_a_bad_target_is_refused(path: str, error: type[Exception]) -> None:
    w = World()
    room, _ = await untitled(w)
    with pytest.raises(error):
        await w.registry.save_as(room, path, False)
    assert room.file.path is None and w.contents.files == {}


async def test_a_claim_is_given_back_when_the_write_fails() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    w.contents.doors.errors["write"] = OutOfSpace("full")
    with pytest.raises(OutOfSpace):
        await w.registry.save_as(room, "b.ipynb", False)
    assert room.file.path == "a.ipynb" and (await w.registry.open("a.ipynb"))[0] is room
    w.contents.files["b.ipynb"] = notebook(1)
    other, is_new = await w.registry.open("b.ipynb")
    assert is_new and other is not room


async def test_the_target_is_claimed_before_it_is_written() -> None:
    """Who opens the target while it is being written gets the room that writes it."""
    w = World()
    room, _ = await untitled(w)
    w.contents.doors.shut("write")
    save = asyncio.ensure_future(w.registry.save_as(room, "b.ipynb", False))
    await settle()
    opened, is_new = await asyncio.wait_for(w.registry.open("b.ipynb"), 1)
    assert opened is room and not is_new
    w.contents.doors.open("write")
    await save
    assert w.registry.rooms() == [room]


async def test_an_open_that_was_under_way_gets_the_room_that_took_the_file() -> None:
    w = World(b=notebook(2))
    room, _ = await untitled(w)
    w.contents.doors.shut("exists")
    opening = asyncio.ensure_future(w.registry.open("b.ipynb"))
    await settle()
    saving = asyncio.ensure_future(w.registry.save_as(room, "b.ipynb", True))
    await settle()
    w.contents.doors.open("exists")
    await saving
    opened, _ = await opening
    assert opened is room and w.registry.rooms() == [room]


async def test_two_rooms_saved_to_one_new_file_at_once_end_with_one_owner() -> None:
    w = World()
    (one, _), (two, _) = await untitled(w), await untitled(w)
    outcomes = await asyncio.gather(
        w.registry.save_as(one, "x.ipynb", False), w.registry.save_as(two, "x.ipynb", False), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "PathAlreadyOpen"]
    assert sorted([str(one.file.path), str(two.file.path)]) == ["None", "x.ipynb"]


async def test_saving_to_its_own_file_under_another_spelling_is_a_plain_save() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    room.notebook.set_source("c0", "new")
    await w.registry.save_as(room, "./a.ipynb", False)
    assert sources(w, "a.ipynb")[0] == "new" and room.file.path == "a.ipynb"
    w.contents.files["a.ipynb"] = b"else"
    room.notebook.set_source("c0", "newer")
    save = asyncio.ensure_future(w.registry.save_as(room, "./a.ipynb", False))
    await w.clock.advance(5)
    with pytest.raises(FileChanged):
        await save


# Renames and deletions.


async def test_a_rename_is_followed_with_room_peers_and_kernel() -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    w.contents.rename("a.ipynb", "b.ipynb")
    await w.registry.path_renamed("a.ipynb", "b.ipynb")
    await rest(alice)
    assert alice.socket.status["path"] == "b.ipynb" and ("path", "b.ipynb") in w.executor(room).calls
    w.contents.files["a.ipynb"] = notebook(1)
    other = await w.open("a.ipynb")
    assert other is not room and (await w.registry.open("b.ipynb"))[0] is room
    alice.type_text("c0", 0, "moved ")
    await w.clock.advance(2)
    assert sources(w, "b.ipynb")[0] == "moved x = 0" and len(sources(w, "a.ipynb")) == 1


async def test_a_file_that_another_program_moved_is_followed() -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    w.contents.rename("a.ipynb", "f/b.ipynb")
    await w.clock.advance(Limits().disk_check_s + 1)
    await rest(alice)
    assert alice.socket.status["path"] == "f/b.ipynb" and ("path", "f/b.ipynb") in w.executor(room).calls
    alice.type_text("c0", 0, "moved ")
    await w.clock.advance(2)
    assert sources(w, "f/b.ipynb")[0] == "moved x = 0" and "a.ipynb" not in w.contents.files
    assert (await w.registry.open("f/b.ipynb"))[0] is room


@pytest.mark.parametrize("trigger", ["open", "save", "autosave"])
async def test_a_file_that_was_moved_is_followed_by_whoever_comes_first(trigger: str) -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    alice.type_text("c0", 0, "mine ")
    await rest(alice)
    w.contents.rename("a.ipynb", "b.ipynb")
    if trigger == "open":
        opening = asyncio.ensure_future(w.registry.open("b.ipynb"))
        await w.clock.advance(1)
        assert (await opening)[0] is room
    elif trigger == "save":
        saving = asyncio.ensure_future(room.save())
        await w.clock.advance(1)
        await saving
    await w.clock.advance(10)
    assert list(w.contents.files) == ["b.ipynb"] and sources(w, "b.ipynb")[0] == "mine x = 0"
    assert w.registry.rooms() == [room] and room.file.path == "b.ipynb" and not room.file.is_deleted


async def test_a_moved_file_that_is_open_in_another_room_is_left_to_it() -> None:
    w = World(a=notebook(3), b=notebook(1))
    room, other = await w.open("a.ipynb"), await w.open("b.ipynb")
    clients = [Client(name).connect(each.hub) for name, each in (("alice", room), ("bob", other))]
    await rest(*clients)
    w.contents.rename("a.ipynb", "b.ipynb")
    await w.clock.advance(3 * Limits().disk_check_s)
    await rest(*clients)
    assert room.file.is_deleted and room.file.path == "a.ipynb"
    assert (await w.registry.open("b.ipynb"))[0] is other and clients[1].sources() == ["x = 0", "x = 1", "x = 2"]


async def test_a_file_that_is_away_for_a_moment_is_not_followed() -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    w.contents.rename("a.ipynb", "backup.ipynb")
    looking = asyncio.ensure_future(room.save())
    await settle()
    w.contents.files["a.ipynb"] = notebook(2)
    await w.clock.advance(10)
    await looking
    await rest(alice)
    assert room.file.path == "a.ipynb" and alice.sources() == ["x = 0", "x = 1"]


async def test_a_renamed_folder_takes_its_rooms_along_and_no_others() -> None:
    w = World()
    for path in ("f/a.ipynb", "f/g/b.ipynb", "fx/c.ipynb"):
        w.contents.files[path] = notebook(1)
    rooms = [await w.open(path) for path in ("f/a.ipynb", "f/g/b.ipynb", "fx/c.ipynb")]
    w.contents.rename("f", "new")
    await w.registry.path_renamed("f", "new")
    assert [room.file.path for room in rooms] == ["new/a.ipynb", "new/g/b.ipynb", "fx/c.ipynb"]
    assert (await w.registry.open("new/g/b.ipynb"))[0] is rooms[1]


async def test_opens_wait_while_a_name_is_being_moved() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    w.contents.rename("a.ipynb", "b.ipynb")
    w.contents.doors.shut("identify", "b.ipynb")
    rename = asyncio.ensure_future(w.registry.path_renamed("a.ipynb", "b.ipynb"))
    await settle()
    opens = [asyncio.ensure_future(w.registry.open("./b.ipynb")) for _ in range(3)]
    await settle()
    w.contents.doors.open("identify", "b.ipynb")
    await rename
    assert {id(found) for found, _ in await asyncio.gather(*opens)} == {id(room)}


async def test_a_rename_is_followed_though_the_storage_fails_for_a_moment() -> None:
    w = World(a=notebook(1))
    room = await w.open("a.ipynb")
    w.contents.rename("a.ipynb", "b.ipynb")
    w.contents.doors.errors["identify"] = Internal("the storage fails")
    rename = asyncio.ensure_future(w.registry.path_renamed("a.ipynb", "b.ipynb"))
    await settle()
    opening = asyncio.ensure_future(w.registry.open("b.ipynb"))
    await settle()
    assert not opening.done(), "nobody sees the file between two names"
    await w.clock.advance(1)
    await rename
    assert await opening == (room, False) and room.file.path == "b.ipynb" and room.file.key == "key:b.ipynb"


async def test_a_rename_to_where_the_storage_fails_leaves_the_notebook_without_a_file() -> None:
    w = World(a=notebook(1))
    room = await w.open("a.ipynb")
    w.contents.rename("a.ipynb", "b.ipynb")
    w.contents.doors.errors = Always(Internal("the storage fails"))
    rename = asyncio.ensure_future(w.registry.path_renamed("a.ipynb", "b.ipynb"))
    await w.clock.advance(10)
    await rename
    assert room.file.path is None and w.registry.get(room.id) is room


class Always(dict[str, Exception]):
    """Every operation fails, every time."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __contains__(self, _: object) -> bool:
        return True

    def pop(self, *_: Any) -> Any:
        return self.error


async def test_a_rename_onto_a_file_that_is_open_and_in_use_keeps_both_notebooks() -> None:
    w = World(a=notebook(3), b=notebook(2))
    room, other = await w.open("a.ipynb"), await w.open("b.ipynb")
    bob = Client("bob").connect(other.hub)
    await rest(bob)
    w.contents.rename("a.ipynb", "b.ipynb")
    await w.registry.path_renamed("a.ipynb", "b.ipynb")
    assert (await w.registry.open("b.ipynb"))[0] is other
    assert room.file.path is None and room in w.registry.rooms() and len(room.notebook.cells()) == 3
    room.notebook.set_source("c0", "kept")
    await w.clock.advance(5)
    assert "kept" not in str(w.contents.files)


async def test_a_deleted_folder_detaches_its_rooms_and_keeps_them() -> None:
    w = World()
    w.contents.files["f/a.ipynb"] = notebook(1)
    room = await w.open("f/a.ipynb")
    del w.contents.files["f/a.ipynb"]
    w.registry.path_deleted("f")
    assert room.file.is_deleted and (await w.registry.open("f/a.ipynb"))[0] is room


# Closing.


async def test_closing_saves_shuts_the_kernel_down_and_tells_the_sockets() -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    alice.type_text("c0", 0, "last ")
    await w.registry.close(room.id)
    assert sources(w, "a.ipynb")[0] == "last x = 0" and alice.socket.close_code == 4409
    calls = w.executor(room).calls
    assert ("shutdown", None) in calls and calls[-1] == ("stop", True)


async def test_an_untitled_room_with_content_is_not_thrown_away() -> None:
    w = World()
    room, alice = await untitled(w)
    with pytest.raises(NotSaved):
        await w.registry.close(room.id)
    assert w.registry.get(room.id) is room and alice.socket.closed is None
    assert ("shutdown", None) not in w.executor(room).calls
    await w.registry.close(room.id, discard=True)
    assert alice.socket.close_code == 4409 and w.registry.rooms() == []


async def test_an_untitled_room_with_nothing_in_it_just_closes() -> None:
    w = World()
    room = await w.registry.create_untitled(kernel_name="python3")
    await w.registry.close(room.id)
    assert w.registry.rooms() == []


async def test_a_room_that_cannot_be_saved_is_kept_and_says_why() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    room.notebook.set_source("c0", "unsaved")
    w.contents.doors.errors["write"] = OutOfSpace("full")
    with pytest.raises(NotSaved) as caught:
        await w.registry.close(room.id)
    assert caught.value.details["reason"] == "out_of_space" and w.registry.get(room.id) is room
    await w.registry.close(room.id)
    assert sources(w, "a.ipynb")[0] == "unsaved"


async def test_what_is_typed_while_a_room_is_being_closed_is_saved_too() -> None:
    w = World(a=notebook(3))
    room, alice = await visited(w, "a.ipynb")
    alice.type_text("c0", 0, "1")
    w.contents.doors.shut("write")
    closing = asyncio.ensure_future(w.registry.close(room.id))
    await settle()
    alice.type_text("c0", 0, "2")
    w.contents.doors.open("write")
    await closing
    assert sources(w, "a.ipynb")[0] == "21x = 0"


async def test_a_failed_room_closes_without_a_word_to_the_file() -> None:
    w = World(a=b"{")
    room, _ = await w.registry.open("a.ipynb")
    await settle()
    await w.registry.close(room.id)
    assert w.contents.files["a.ipynb"] == b"{" and w.contents.doors.count("write") == 0


async def test_who_opens_a_file_whose_room_is_closing_waits_and_gets_a_new_room() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    door = asyncio.Event()

    async def stop(*, shutdown_kernel: bool) -> None:
        await door.wait()

    w.executor(room).stop = stop  # type: ignore[method-assign]
    closing = asyncio.ensure_future(w.registry.close(room.id))
    await settle()
    opening = asyncio.ensure_future(w.registry.open("a.ipynb"))
    await settle()
    assert not opening.done(), "the kernel of the file is still going down"
    assert w.contents.doors.count("exists") == 1, "it waits, and does not ask again and again"
    door.set()
    await closing
    fresh, is_new = await opening
    assert fresh is not room and is_new


async def test_two_deletes_at_once_close_once() -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    room.notebook.set_source("c0", "unsaved")
    await asyncio.gather(w.registry.close(room.id), w.registry.close(room.id))
    assert [call for call in w.executor(room).calls if call[0] == "stop"] == [("stop", True)]


async def test_the_server_saves_what_it_can_when_it_stops() -> None:
    w = World(a=notebook(3), b=notebook(3))
    one, other = await w.open("a.ipynb"), await w.open("b.ipynb")
    alice = Client("alice").connect(one.hub)
    await rest(alice)
    one.notebook.set_source("c0", "saved")
    other.notebook.set_source("c0", "not saved")
    w.contents.doors.errors["write"] = OutOfSpace("full")
    await w.registry.stop()
    assert [sources(w, path)[0] for path in ("a.ipynb", "b.ipynb")].count("x = 0") == 1
    assert alice.socket.close_code == 1001 and w.registry.rooms() == []
    assert w.executor(one).calls[-1] == ("stop", False)


# Idle rooms.


async def test_an_idle_room_is_saved_and_then_closed() -> None:
    w = World(a=notebook(3), settings=RoomSettings(autosave=False, idle_s=60))
    room, alice = await visited(w, "a.ipynb")
    alice.type_text("c0", 0, "1")
    await rest(alice)
    alice.disconnect()
    await w.clock.advance(59)
    assert w.registry.rooms() == [room]
    await w.clock.advance(2)
    assert w.registry.rooms() == [] and sources(w, "a.ipynb")[0] == "1x = 0"
    assert w.executor(room).calls[-1] == ("stop", False), "the kernel is not the room's to end"


async def test_a_room_that_nobody_ever_joined_is_closed_too() -> None:
    w = World(a=notebook(3))
    await w.open("a.ipynb")
    await w.clock.advance(100)
    assert w.registry.rooms() == []


@pytest.mark.parametrize("use", ["peer", "execution", "unsaved", "request"])
async def test_a_room_in_use_is_never_evicted(use: str) -> None:
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    if use == "peer":
        Client("alice").connect(room.hub)
    elif use == "execution":
        w.executor(room).is_active = True
    elif use == "request":
        room.requests.under_way = 1
    else:
        room.file.path = None
        room.notebook.set_source("c0", "only here")
    await w.clock.advance(1000)
    assert w.registry.rooms() == [room]


async def test_a_room_goes_when_its_execution_has_ended() -> None:
    """Nobody is connected; a long cell runs; only then may the room go."""
    w = World(a=notebook(3))
    room = await w.open("a.ipynb")
    w.executor(room).is_active = True
    await w.clock.advance(1000)
    w.executor(room).is_active = False
    room.unused()
    await w.clock.advance(100)
    assert w.registry.rooms() == []


async def test_who_attaches_while_the_room_is_being_saved_for_eviction_wins() -> None:
    w = World(a=notebook(3), settings=RoomSettings(autosave=False))
    room = await w.open("a.ipynb")
    room.notebook.set_source("c0", "1")
    w.contents.doors.shut("write")
    eviction = asyncio.ensure_future(w.registry.evict(room))
    await settle()
    alice = Client("alice").connect(room.hub)
    w.contents.doors.open("write")
    assert await eviction is False
    await rest(alice)
    assert w.registry.rooms() == [room] and alice.socket.closed is None and len(alice.cells()) == 3


async def test_an_eviction_that_cannot_save_keeps_the_room() -> None:
    w = World(a=notebook(3), settings=RoomSettings(autosave=False))
    room = await w.open("a.ipynb")
    room.notebook.set_source("c0", "1")
    w.contents.files["a.ipynb"] = notebook(9)[:-30]
    evicting = asyncio.ensure_future(w.registry.evict(room))
    await w.clock.advance(5)
    assert await evicting is False
    assert w.registry.rooms() == [room] and room.has_unsaved


async def test_a_timer_of_a_room_that_is_gone_does_not_close_who_has_its_file() -> None:
    """Seed 987: by identity, never by key."""
    w = World(a=notebook(3))
    first = await w.open("a.ipynb")
    await w.clock.advance(30)
    await w.registry.close(first.id)
    second = await w.open("a.ipynb")
    alice = Client("alice").connect(second.hub)
    await rest(alice)
    await w.clock.advance(40)
    assert w.registry.rooms() == [second]
    alice.disconnect()
    await w.clock.advance(40)
    assert w.registry.rooms() == [second], "its own time is not over"
    await w.clock.advance(40)
    assert w.registry.rooms() == []


async def test_eviction_leaves_a_failed_rooms_file_alone() -> None:
    w = World(a=b"{")
    await w.registry.open("a.ipynb")
    await w.clock.advance(100)
    assert w.registry.rooms() == [] and w.contents.files["a.ipynb"] == b"{"
