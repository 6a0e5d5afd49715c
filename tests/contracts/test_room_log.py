"""What a room may expect of its log, whichever adapter keeps it. The adapters are the files and the fake."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import LoggedRoom
from jupyter_runtimed.rooms.ports.log import RoomLogs
from tests.support.log_owner import Owner
from tests.support.memory_log import MemoryRoomLogs, Storage

ROOM = RoomId(str(uuid.UUID(int=7)))
OTHER = RoomId(str(uuid.UUID(int=8)))
Server = Callable[[], RoomLogs]


@pytest.fixture(params=["files", "memory"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    """Each call is one life of the server over the same state folder."""
    if request.param == "files":
        return lambda: FileRoomLogs(tmp_path, "/root")
    storage = Storage()
    return lambda: MemoryRoomLogs(storage, "/root")


async def begin(server: Server) -> RoomLogs:
    logs = server()
    await logs.start()
    return logs


def join(logs: RoomLogs, owner: Owner) -> None:
    owner.log = logs.log(RoomId(owner.meta.room_id), owner, owner.meta)


def room(room_id: str = ROOM, **fields: object) -> Owner:
    return Owner(room_id, root="/root", **{"path": "a.ipynb", "key": "/root/a.ipynb", **fields})


def texts(logged: LoggedRoom | None) -> tuple[bytes, bytes]:
    assert logged is not None
    return b"".join(logged.notebook), b"".join(logged.runtime)


async def test_a_room_that_is_only_read_leaves_no_log(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.log.update(replace(alice.meta, path="b.ipynb"))
    await alice.log.sync()
    await alice.log.rewrite()
    assert not alice.log.exists and alice.log.durable_heads is None
    await alice.log.close()
    assert logs.rooms() == [] and await logs.load(ROOM) is None and await logs.find("/root/a.ipynb") is None
    await logs.stop()


async def test_what_was_synced_is_there_after_a_crash(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    alice.run(b"out")
    alice.edit(b"2")
    await alice.log.sync()
    assert alice.log.durable_heads == alice.heads and alice.changes >= 1 and alice.log.trouble is None
    logged = await (await begin(server)).load(ROOM)
    assert texts(logged) == (b"<import>12", b"out")
    assert logged is not None and logged.meta.path == "a.ipynb" and not logged.was_cut and logged.pending is None
    await logs.stop()


async def test_a_second_life_goes_on_where_the_first_ended(server: Server) -> None:
    for life in range(4):
        logs, alice = await begin(server), room()
        logged = await logs.load(ROOM)
        if logged is not None:
            alice.notebook = list(logged.notebook)
            alice.meta = logged.meta
        join(logs, alice)
        assert alice.log is not None and alice.log.exists == (life > 0)
        alice.edit(b"%d" % life)
        await alice.log.sync()
        alice.edit(b"+")
        await alice.log.sync()
    assert texts(await (await begin(server)).load(ROOM))[0] == b"<import>0+1+2+3+"
    await logs.stop()


async def test_an_append_becomes_durable_without_being_asked(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    told = asyncio.Event()
    alice.log_changed = told.set  # type: ignore[method-assign]
    alice.edit(b"1")
    await asyncio.wait_for(told.wait(), 10)
    assert alice.log.durable_heads == alice.heads
    await logs.stop()


async def test_the_fields_are_logged_and_found_again(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    alice.meta = replace(alice.meta, path="dir/b.ipynb", key="/root/dir/b.ipynb", more={"x": 1})
    alice.log.update(alice.meta)
    await alice.log.sync()
    for at in (logs, await begin(server)):
        assert [meta.path for meta in at.rooms()] == ["dir/b.ipynb"]
        assert await at.find("/root/dir/b.ipynb") == ROOM and await at.find("/root/a.ipynb") is None
    logged = await logs.load(ROOM)
    assert logged is not None and logged.meta.more == {"x": 1}
    await logs.stop()


async def test_rooms_of_another_root_are_not_listed(server: Server) -> None:
    logs, alice = await begin(server), Owner(ROOM, root="/elsewhere")
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.sync()
    assert (await begin(server)).rooms() == []
    await logs.stop()


async def test_a_file_is_found_that_another_process_has_logged_meanwhile(server: Server) -> None:
    ours, theirs = await begin(server), await begin(server)
    bob = room()
    join(theirs, bob)
    assert bob.log is not None
    bob.edit(b"1")
    await bob.log.close()
    assert await ours.find("/root/a.ipynb") == ROOM
    await theirs.stop()
    await ours.stop()


async def test_a_renewed_document_replaces_the_old_one(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    alice.run(b"r1")
    await alice.log.sync()
    alice.runtime = [b"renewed"]
    alice.log.replace("runtime", alice.runtime, alice.heads)
    alice.run(b"r2")
    await alice.log.sync()
    assert texts(await logs.load(ROOM)) == (b"<import>1", b"renewedr2")
    await logs.stop()


async def test_a_rewrite_loses_nothing_that_is_appended_beside_it(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.sync()
    rewriting = asyncio.gather(alice.log.rewrite())
    for number in range(50):
        alice.edit(b",%d" % number)
        await asyncio.sleep(0)
    await rewriting
    alice.edit(b"!")
    await alice.log.sync()
    assert texts(await logs.load(ROOM))[0] == b"".join(alice.notebook)
    await logs.stop()


async def test_a_save_is_pending_until_it_is_confirmed(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.begin_save(b'{"cells": []}', "ab" * 32)
    alice.log.update(replace(alice.meta, path="renamed.ipynb"))
    alice.edit(b"2")
    await alice.log.sync()
    logged = await (await begin(server)).load(ROOM)
    assert logged is not None and logged.pending == b'{"cells": []}' and logged.meta.pending == "ab" * 32
    await alice.log.end_save(replace(alice.meta, file_sha256="ab" * 32, settled=True))
    logged = await (await begin(server)).load(ROOM)
    assert logged is not None and logged.pending is None and logged.meta.pending is None
    assert logged.meta.file_sha256 == "ab" * 32 and logged.meta.settled
    await logs.stop()


async def test_a_change_unsettles_the_log(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.begin_save(b"{}", "00" * 32)
    await alice.log.end_save(replace(alice.meta, settled=True))
    alice.run(b"late output")
    alice.log.update(replace(alice.meta, settled=True, path="renamed.ipynb"))
    await alice.log.rewrite()
    logged = await (await begin(server)).load(ROOM)
    assert logged is not None and not logged.meta.settled and logged.meta.path == "renamed.ipynb"
    await logs.stop()


async def test_only_what_is_settled_or_deleted_expires(server: Server) -> None:
    logs = await begin(server)
    for number, fields in enumerate(({"settled": True}, {}, {"deleted_at": "2026-01-01T00:00:00Z"})):
        owner = room(str(uuid.UUID(int=number)))
        join(logs, owner)
        assert owner.log is not None
        owner.edit(b"1")
        await owner.log.end_save(replace(owner.meta, **fields))  # type: ignore[arg-type]
        await owner.log.close()
    assert await logs.expire(3600) == []
    assert sorted(await logs.expire(0)) == [str(uuid.UUID(int=0)), str(uuid.UUID(int=2))]
    assert [meta.room_id for meta in (await begin(server)).rooms()] == [str(uuid.UUID(int=1))]
    await logs.stop()


async def test_a_retired_log_is_gone(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.begin_save(b"{}", "00" * 32)
    await alice.log.close()
    await logs.retire(ROOM)
    assert logs.rooms() == [] and await logs.load(ROOM) is None
    assert await (await begin(server)).load(ROOM) is None
    await logs.stop()


async def test_a_log_that_was_put_aside_is_not_found_again(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.close()
    await logs.put_aside(ROOM, "the test says so")
    assert await logs.load(ROOM) is None and logs.rooms() == [] and await logs.find("/root/a.ipynb") is None
    await logs.stop()


async def test_a_room_has_one_log_at_a_time(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    with pytest.raises(RuntimeError):
        logs.log(ROOM, room(), alice.meta)
    assert alice.log is not None
    await alice.log.close()
    join(logs, room())
    join(logs, room(OTHER))
    await logs.stop()


async def test_a_log_follows_its_file_to_another_name(server: Server) -> None:
    logs, alice = await begin(server), room()
    join(logs, alice)
    assert alice.log is not None
    alice.edit(b"1")
    await alice.log.close()
    await logs.move(ROOM, "b.ipynb", "/root/b.ipynb")
    for found in (logs, await begin(server)):
        assert await found.find("/root/b.ipynb") == ROOM and await found.find("/root/a.ipynb") is None
        logged = await found.load(ROOM)
        assert logged is not None and logged.meta.path == "b.ipynb" and logged.notebook[-1].endswith(b"1")
    await logs.stop()
