"""The state folder of a real server: its sizes are told, and what nothing names goes."""

from __future__ import annotations

import hashlib
import os
import uuid

import pytest

from tests.conformance.conftest import code_cell, notebook
from tests.integration.conftest import Served, soon

GARBAGE = b"nobody refers to this"


async def test_sizes_are_told(served: Served) -> None:
    async with served.visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
        assert (await v.call("GET", f"/rooms/{room['room_id']}/notebook"))[0] == 200
        await v.call("PUT", f"/rooms/{room['room_id']}/metadata/x", json={"value": 1})
        await v.call("POST", "/blobs", data=GARBAGE)
        logs = served.runtimed.server._logs
        assert await soon(lambda: (logs.folder / f"{room['room_id']}.log").exists())
        status, _, said = await v.call("GET", "/storage")
    assert status == 200 and said["blobs"] == {"count": 1, "bytes": len(GARBAGE)}
    (mine,) = said["rooms"]
    assert (mine["room_id"], mine["path"]) == (room["room_id"], room["path"]) and mine["log_bytes"] > 100
    assert said["logs"]["count"] == 1 and said["logs"]["bytes"] >= mine["log_bytes"]
    assert said["set_aside"] == []
    assert said["garbage"] == {
        "grace_s": 86400.0, "at": None, "removed": 0, "removed_bytes": 0, "waiting": 0, "blocked": None
    }  # fmt: skip


@pytest.mark.parametrize("runtimed_traits", [{"blob_grace_s": 1.0, "blob_check_s": 1.0}])
async def test_garbage_goes_and_what_is_attached_stays(served: Served) -> None:
    blobs = served.runtimed.server._blobs
    attached, garbage = (hashlib.sha256(data).hexdigest() for data in (b"attached", GARBAGE))
    async with served.visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
        async with v.peer(room) as peer:
            await peer.ready()
            await v.call("POST", "/blobs", data=b"attached")
            room_of = served.runtimed.server._registry.get(room["room_id"])
            room_of.notebook.set_attachment("a", "p", {"image/png": {"blob": attached, "size": 8}})
            await v.call("POST", "/blobs", data=GARBAGE)
            os.utime(blobs.path(garbage), (0, 0))
            os.utime(blobs.path(attached), (0, 0))
            assert await soon(lambda: not blobs.has(garbage), 30)
            _, _, said = await v.call("GET", "/storage")
        assert said["garbage"]["removed"] == 1 and said["garbage"]["blocked"] is None
        assert (await v.call("GET", f"/blobs/{attached}"))[2] == b"attached"


@pytest.mark.parametrize("runtimed_traits", [{"blob_grace_s": 1.0, "blob_check_s": 1.0}])
async def test_a_log_that_was_set_aside_is_told_and_its_removal_is_the_way_out(served: Served) -> None:
    blobs, garbage = served.runtimed.server._blobs, hashlib.sha256(GARBAGE).hexdigest()
    aside = served.runtimed.server._logs.folder / f"{uuid.uuid4()}.log.unreadable-1"
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=GARBAGE)
        aside.write_bytes(b"what a disk has made of a log")
        os.utime(blobs.path(garbage), (0, 0))
        collector = served.runtimed.server._collector
        assert await soon(lambda: collector.last.blocked)
        _, _, said = await v.call("GET", "/storage")
        assert said["set_aside"] == [{"name": aside.name, "bytes": 29}] and aside.name in said["garbage"]["blocked"]
        assert blobs.has(garbage)
        aside.unlink()
        assert await soon(lambda: not blobs.has(garbage), 30)
        _, _, said = await v.call("GET", "/storage")
    assert said["set_aside"] == [] and said["garbage"]["blocked"] is None
