"""Blobs that nothing names any more go, and no others; with the real store and the real logs."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.journal import HEADER, encode_meta
from jupyter_runtimed.rooms.blob_collector import BlobCollector, Collected
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook

HOUR_S = 3600.0

DAMAGED = HEADER + encode_meta({"room_id": "x"})[:-1] + b"?"


class UuidWorld(World):
    def _new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-0000-0000-{self._ids:012}"


class Place:
    """A server's state folder, its rooms, and a collector with an hour of grace."""

    def __init__(self, folder: Path) -> None:
        self.blobs = BlobStore(folder / "blobs")
        self.logs = FileRoomLogs(folder)
        self.world = UuidWorld(
            a=notebook(2),
            logs=self.logs,
            settings=RoomSettings(load_step_s=0.0, publish_s=0.0, autosave=False, idle_s=1e9),
        )
        self.is_alone = True
        self.collector = BlobCollector(
            self.world.registry.rooms,
            self.logs,
            self.blobs,
            self.world.clock,
            grace_s=HOUR_S,
            is_settled=lambda: self.world.registry.is_settled,
            is_alone=self._alone,
        )

    async def __aenter__(self) -> None:
        await self.logs.start()

    async def __aexit__(self, *_: object) -> None:
        await self.world.registry.stop()
        await self.logs.stop()
        self.blobs.close()

    async def _alone(self) -> bool:
        return self.is_alone

    async def put(self, data: bytes) -> str:
        """Store a blob, long ago."""
        name = await self.blobs.put(data)
        self.age(name)
        return name

    def age(self, name: str) -> None:
        then = time.time() - 10 * HOUR_S
        os.utime(self.blobs.path(name), (then, then))

    async def open(self) -> Room:
        return await self.world.open("a.ipynb")

    async def look_twice(self) -> Collected:
        """Two looks, with more than the grace between them."""
        await self.collector.collect()
        await self.world.clock.advance(HOUR_S + 1)
        return await self.collector.collect()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_what_nothing_names_goes_when_its_time_has_come(place: Place) -> None:
    async with place:
        name = await place.put(b"garbage")
        first = await place.collector.collect()
        assert place.blobs.has(name) and (first.waiting, first.removed, first.blocked) == (1, 0, None)
        last = await place.look_twice()
        assert not place.blobs.has(name) and (last.waiting, last.removed, last.removed_bytes) == (0, 1, 7)


async def test_what_was_put_again_a_moment_ago_stays(place: Place) -> None:
    async with place:
        name = await place.put(b"an upload")
        await place.collector.collect()
        await place.world.clock.advance(HOUR_S + 1)
        await place.blobs.put(b"an upload")  # somebody is about to refer to it
        assert (await place.collector.collect()).removed == 0 and place.blobs.has(name)


async def test_what_an_open_notebook_names_stays_in_every_place(place: Place) -> None:
    async with place:
        room = await place.open()
        names = [await place.put(data) for data in (b"attached", b"printed", b"widget", b"in metadata")]
        attached, printed, widget, metadata = ({"blob": name, "size": 1} for name in names)
        room.notebook.set_attachment("c0", "p", {"image/png": attached})
        room.notebook.set_metadata("x", metadata)
        with room.runtime.edit() as edit:
            edit.add_execution("e", "c0", seq=1, status="done")
            edit.add_output(
                "e", "o", 0, {"output_type": "display_data", "data": {"image/png": printed}, "metadata": {}}
            )
            edit.put_comm("w", {"state": {"value": widget}})
        assert (await place.look_twice()).removed == 0
        assert all(place.blobs.has(name) for name in names)


async def test_what_a_version_in_the_history_names_stays(place: Place) -> None:
    async with place:
        room = await place.open()
        name = await place.put(b"attached once")
        room.notebook.set_attachment("c0", "p", {"image/png": {"blob": name, "size": 1}})
        room.notebook.delete_attachment("c0", "p")
        await place.look_twice()
        assert place.blobs.has(name)


async def test_outputs_that_were_cleared_go(place: Place) -> None:
    async with place:
        room = await place.open()
        name = await place.put(b"printed once")
        with room.runtime.edit() as edit:
            edit.add_execution("e", "c0", seq=1, status="done")
            edit.add_output(
                "e", "o", 0, {"output_type": "display_data", "data": {"image/png": {"blob": name, "size": 1}}}
            )
        await place.collector.collect()
        del room.runtime.executions["e"]
        await place.look_twice()
        assert not place.blobs.has(name)


async def test_what_only_a_log_names_stays_until_the_log_has_gone(place: Place) -> None:
    async with place:
        room = await place.open()
        name = await place.put(b"attached")
        room.notebook.set_attachment("c0", "p", {"image/png": {"blob": name, "size": 1}})
        assert await place.world.registry.evict(room) and place.world.registry.rooms() == []
        await place.look_twice()
        assert place.blobs.has(name)
        await place.logs.retire(room.id)
        await place.look_twice()
        assert not place.blobs.has(name)


async def test_a_log_that_cannot_be_read_keeps_everything_and_says_so(place: Place) -> None:
    async with place:
        name = await place.put(b"garbage")
        log = place.logs.folder / "00000000-0000-0000-0000-00000000abcd.log"
        for content, said in ((b"no log", "cannot be read"), (DAMAGED, "damaged")):
            log.write_bytes(content)
            last = await place.look_twice()
            assert last.blocked is not None and log.name in last.blocked, said
        log.rename(log.with_name(log.name + ".unreadable-1"))
        last = await place.look_twice()
        assert last.blocked is not None and "set aside" in last.blocked and place.blobs.has(name)
        log.with_name(log.name + ".unreadable-1").unlink()
        assert (await place.look_twice()).blocked is None and not place.blobs.has(name)


async def test_beside_another_server_nothing_goes(place: Place) -> None:
    async with place:
        name = await place.put(b"theirs, perhaps")
        place.is_alone = False
        last = await place.look_twice()
        assert last.blocked is not None and "another server" in last.blocked and place.blobs.has(name)


async def test_while_a_notebook_is_opened_nothing_goes(place: Place) -> None:
    async with place:
        name = await place.put(b"of the load, perhaps")
        place.world.contents.doors.shut("read")
        await place.world.registry.open("a.ipynb")
        await settle()
        last = await place.look_twice()
        assert last.blocked is not None and "opened" in last.blocked and place.blobs.has(name)
        place.world.contents.doors.open("read")


async def test_what_is_named_between_the_look_and_the_removal_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place:
        room = await place.open()
        name = await place.put(b"pasted at the last moment")
        await place.collector.collect()
        await place.world.clock.advance(HOUR_S + 1)
        searched = place.logs.mentions

        async def paste_meanwhile(*arguments: object) -> set[bytes]:
            found = await searched(*arguments)  # type: ignore[arg-type]
            room.notebook.set_attachment("c0", "p", {"image/png": {"blob": name, "size": 1}})
            return found

        monkeypatch.setattr(place.logs, "mentions", paste_meanwhile)
        await place.collector.collect()
        assert place.blobs.has(name)


async def test_no_turn_of_the_loop_takes_long_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removals come in batches, and others run in between."""
    async with place:
        monkeypatch.setattr("jupyter_runtimed.rooms.blob_collector.BATCH", 2)
        for number in range(9):
            await place.put(b"garbage %d" % number)
        await place.collector.collect()
        await place.world.clock.advance(HOUR_S + 1)
        turns = 0
        collecting = asyncio.ensure_future(place.collector.collect())
        left = []
        while not collecting.done():
            await asyncio.sleep(0)
            turns += 1
            left.append(len(list(place.blobs.folder.glob("??/??/*"))))
        assert place.collector.last.removed == 9 and len(set(left)) >= 3


async def test_when_a_notebook_is_opened_between_the_look_and_the_removal_nothing_goes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place:
        name = await place.put(b"garbage")
        await place.collector.collect()
        await place.world.clock.advance(HOUR_S + 1)
        searched = place.logs.mentions

        async def open_meanwhile(*arguments: object) -> set[bytes]:
            found = await searched(*arguments)  # type: ignore[arg-type]
            await place.open()
            return found

        monkeypatch.setattr(place.logs, "mentions", open_meanwhile)
        last = await place.collector.collect()
        assert last.blocked is not None and "meanwhile" in last.blocked and place.blobs.has(name)
        monkeypatch.undo()
        assert (await place.collector.collect()).blocked is None and not place.blobs.has(name)
