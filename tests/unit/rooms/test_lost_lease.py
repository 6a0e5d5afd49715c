"""A lease is lost: the room ends, says why, and writes nothing more to file or log."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_runtimed.core.errors import ActiveElsewhere
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.memory_leases import MemoryLeases
from tests.support.memory_log import MemoryRoomLogs
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

KEY = "key:a.ipynb"


class Sharing:
    """A server that shares its state with another one, which can take its leases away."""

    def __init__(self) -> None:
        self.leases = MemoryLeases()
        self.logs = MemoryRoomLogs()
        self.world = World(
            a=notebook(2), leases=self.leases, logs=self.logs, settings=RoomSettings(load_step_s=0.0, publish_s=0.0)
        )

    @property
    def file(self) -> bytes:
        return self.world.contents.files["a.ipynb"]

    def lose(self, name: str) -> None:
        self.leases.owners[name] = MemoryLeases()
        self.world.registry.lease_lost(name)


async def test_the_room_closes_with_the_reason_and_writes_nothing() -> None:
    s = Sharing()
    room = await s.world.open("a.ipynb")
    alice = Client("alice").connect(room.hub)
    await rest(alice)
    alice.type_text("c0", 0, "logged ")
    await rest(alice)
    file, log = s.file, dict(s.logs.storage.files)
    alice.type_text("c0", 0, "never written ")
    s.lose(KEY)
    await s.world.clock.advance(60)
    assert alice.socket.closed is not None and alice.socket.closed[0] == 4409
    assert "another Jupyter server has taken this notebook over" in alice.socket.closed[1]
    assert s.file == file and s.logs.storage.files == log and s.world.registry.rooms() == []
    with pytest.raises(ActiveElsewhere):
        await s.world.registry.open("a.ipynb")


async def test_a_save_under_way_does_not_reach_the_file() -> None:
    s = Sharing()
    room = await s.world.open("a.ipynb")
    room.notebook.set_source("c0", "mine")
    file = s.file
    s.world.contents.doors.shut("sha256")
    save = asyncio.ensure_future(room.saver.save(is_explicit=True))
    await settle()
    s.lose(KEY)
    s.world.contents.doors.open("sha256")
    with pytest.raises(ActiveElsewhere):
        await save
    assert s.file == file and not s.world.contents.doors.count("write")


async def test_an_untitled_room_ends_too() -> None:
    s = Sharing()
    room = await s.world.registry.create_untitled()
    bob = Client("bob").connect(room.hub)
    await rest(bob)
    s.lose(room.id)
    assert bob.socket.close_code == 4409


async def test_a_lease_lost_while_the_room_is_closing_stops_its_last_save() -> None:
    s = Sharing()
    room = await s.world.open("a.ipynb")
    room.notebook.set_source("c0", "mine")
    await s.world.clock.advance(0.1)
    file, log = s.file, dict(s.logs.storage.files)
    s.world.contents.doors.shut("write")
    s.logs.hold()
    room.notebook.set_source("c0", "mine, and more")
    stop = asyncio.ensure_future(s.world.registry.stop())
    await s.world.clock.advance(0.1)
    await settle()
    s.world.registry._open.retire(room, 1001, "the server stops", shutdown_kernel=False)
    await settle()
    s.lose(KEY)
    s.logs.let_go()
    s.world.contents.doors.errors["write"] = AssertionError("written to somebody else's file")
    s.world.contents.doors.open("write")
    await stop
    assert s.file == file and s.logs.storage.files == log


async def test_a_lease_lost_while_the_file_is_being_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Sharing()
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def slow_find(key: str) -> None:
        looking.set()
        await go_on.wait()

    monkeypatch.setattr(s.logs, "find", slow_find)
    opening = asyncio.ensure_future(s.world.registry.open("a.ipynb"))
    await looking.wait()
    s.lose(KEY)
    go_on.set()
    with pytest.raises(ActiveElsewhere):
        await opening
    assert s.world.registry.rooms() == []


async def test_losing_what_nobody_has_open_is_nothing() -> None:
    s = Sharing()
    s.lose("key:other.ipynb")
    room = await s.world.open("a.ipynb")
    assert s.world.registry.rooms() == [room]
