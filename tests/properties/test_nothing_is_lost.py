"""Three people, a kernel, other programs on the same disk, and a server that stops, dies and forgets.

The model is a set of words. Each is typed once, into a notebook of which only whole cells are ever deleted; so a word
that somebody still holds, or that the server has called durable, is in the notebook exactly once when everybody is
back, unless its cell was deleted. Files are whole notebooks at every step.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine
from typing import Any

import nbformat
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.ids import heads_to_hex
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.manual_clock import settle
from tests.support.memory_log import MemoryRoomLogs, Storage
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

PEOPLE = ("alice", "bob", "carol")
PATHS = ("a.ipynb", "b.ipynb", "f/c.ipynb")
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "search"

people = st.sampled_from(PEOPLE)
numbers = st.integers(0, 50)


class Life:
    """One life of the server."""

    def __init__(self, storage: Storage, autosave: bool, before: World | None = None, **files: bytes) -> None:
        self.logs = MemoryRoomLogs(storage)
        rooms = RoomSettings(load_step_s=0.0, publish_s=0.0, autosave=autosave)
        self.world = World(settings=rooms, logs=self.logs, before=before, **files)
        self.world.contents.folders.add("f")


class Notebook(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.storage = Storage()
        self.path = "a.ipynb"
        self.autosave = True
        self.life = Life(self.storage, self.autosave, a=notebook(4))
        self.clients = {name: Client(name) for name in PEOPLE}
        self.words: dict[str, str] = {}
        """word -> who alone may have it; "" for one that must not be lost"""
        self.excused: set[str] = set()
        self.deleted: set[str] = set()
        self.unheard: set[str] = set()
        """saved, but a client that has it was not told, and the server has forgotten: it may come twice"""
        self.seen: dict[tuple[str, ...], frozenset[str]] = {}
        self.shown: dict[str, list[str]] = {}
        """cell -> what its last execution printed and was called durable"""
        self.made = 0

    # Hands.

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    @property
    def files(self) -> dict[str, bytes]:
        return self.life.world.contents.files

    def room(self) -> Room | None:
        return next(iter(self.life.world.registry.rooms()), None)

    def word(self, owner: str) -> str:
        self.made += 1
        word = f"<{self.made}>"
        self.words[word] = owner
        return word

    def word_in(self, cell_id: str, owner: str) -> str:
        word = self.word(owner)
        self.excused.update({word} if cell_id in self.deleted else ())
        return word

    def connected(self) -> list[Client]:
        return [client for client in self.clients.values() if client.is_connected]

    def look(self) -> None:
        """What the clients have, and what the server has called durable."""
        for client in self.clients.values():
            if client.notebook.heads:
                text = " ".join(client.sources())
                self.seen[tuple(client.hex_heads())] = frozenset(w for w in self.words if w in text)
        for client in self.connected():
            for frame in client.socket.sent[-20:]:
                if frame[0] == FrameType.STATUS:
                    durable = tuple(json.loads(frame[1:])["durable_heads"])
                    for word in self.seen.get(durable, ()):
                        self.words[word] = ""

    def excuse(self, cell_id: str, source: str) -> None:
        self.excused.update(word for word in self.words if word in source)
        self.shown.pop(cell_id, None)

    async def travel(self) -> None:
        await rest(*self.connected())
        for client in self.clients.values():
            if client.socket.close_code == 4410 and not client.is_connected:
                await self.hand_over(client)

    async def open(self) -> Room:
        room, _ = await self.life.world.registry.open(self.path)
        await room.until_ready()
        return room

    async def connect(self, client: Client) -> None:
        client._held = None
        client.connect((await self.open()).hub)
        await self.travel()

    async def hand_over(self, client: Client) -> None:
        """What the protocol asks of a client whose replica is of another import."""
        room = await self.open()
        await room.merge(client.notebook.save(), client.saved_heads, client.durable_heads)
        client.saved_heads = client.durable_heads = ()
        client.notebook = Client("new").notebook
        client.connect(room.hub)
        await rest(client)
        assert client.socket.closed is None

    # What people do.

    @rule(name=people)
    def come(self, name: str) -> None:
        if not self.clients[name].is_connected:
            self.call(self.connect(self.clients[name]))
            self.look()

    @rule(name=people)
    def lose_the_connection(self, name: str) -> None:
        if self.clients[name].is_connected:
            self.call(self.part(self.clients[name]))

    async def part(self, client: Client) -> None:
        client.disconnect()

    @rule(name=people)
    def hold_messages_back(self, name: str) -> None:
        """They will never arrive: the connection breaks before."""
        client = self.clients[name]
        if client.is_connected and client._held is None:
            client.hold_back()

    @rule(name=people, at=numbers, cell=numbers)
    def type(self, name: str, at: int, cell: int) -> None:
        client = self.clients[name]
        cells = sorted(client.cells())
        if cells:
            cell_id = cells[cell % len(cells)]
            places = gaps(client.cells()[cell_id]["source"])
            self.call(self.say(client, cell_id, places[at % len(places)], self.word_in(cell_id, name)))

    async def say(self, client: Client, cell_id: str, index: int, word: str) -> None:
        client.type_text(cell_id, index, word)
        await self.travel()
        self.look()

    @rule(name=people, place=numbers)
    def add_a_cell(self, name: str, place: int) -> None:
        client = self.clients[name]
        if client.notebook.heads and "cells" in client.notebook.extract():
            word = self.word(name)
            self.call(self.add(client, f"n{self.made}", word, f"{place:03}i"))

    async def add(self, client: Client, cell_id: str, word: str, position: str) -> None:
        client.add_cell(cell_id, word, position)
        await self.travel()
        self.look()

    @rule(name=people, cell=numbers)
    def delete_a_cell(self, name: str, cell: int) -> None:
        client = self.clients[name]
        cells = client.cells()
        if len(cells) > 2:
            cell_id = sorted(cells)[cell % len(cells)]
            self.excuse_everywhere(cell_id)
            self.call(self.remove(client, cell_id))

    def excuse_everywhere(self, cell_id: str) -> None:
        """A cell is deleted somewhere: whatever anybody has in it, or puts into it, may be gone."""
        self.deleted.add(cell_id)
        for other in self.clients.values():
            self.excuse(cell_id, other.cells().get(cell_id, {}).get("source", ""))
        room = self.room()
        if room is not None and room.notebook.has_cell(cell_id):
            self.excuse(cell_id, room.notebook.cell(cell_id).source)
        for found in self.on_disk():
            if found["id"] == cell_id:
                self.excuse(cell_id, "".join(found["source"]))

    async def remove(self, client: Client, cell_id: str) -> None:
        client.delete_cell(cell_id)
        await self.travel()

    @rule(name=people)
    def die(self, name: str) -> None:
        """A browser is closed, and with it goes what nobody else has."""
        client = self.clients[name]
        self.look()
        if client.is_connected:
            self.call(self.part(client))
        self.excused.update(word for word, owner in self.words.items() if owner == name)
        self.clients[name] = Client(name)

    # The kernel.

    @rule(name=people, cell=numbers)
    def run(self, name: str, cell: int) -> None:
        room = self.room()
        if room is not None and self.connected() and room.notebook.cell_ids():
            self.call(self.execute(room, sorted(room.notebook.cell_ids())[cell % len(room.notebook.cell_ids())]))

    async def execute(self, room: Room, cell_id: str) -> None:
        await settle()
        executor = self.life.world.executor(room)
        self.made += 1
        # Its ids are numbers of calls; no execution of another life may have the same.
        executor.calls += [("before", None)] * (1000 * self.made - len(executor.calls))
        result = await executor.execute_cell(cell_id, "alice")
        executor.output(result["execution_id"], f"[{self.made}]")
        await self.travel()
        await self.life.world.clock.advance(0.3)
        await self.travel()
        durable = heads_to_hex(room.runtime.replica.heads)
        told = [client.socket.status["durable_runtime_heads"] for client in self.connected()]
        self.shown.pop(cell_id, None)
        if (
            durable in told
            and cell_id not in self.deleted
            and room.notebook.cell(cell_id).execution_id == result["execution_id"]
        ):
            self.shown[cell_id] = [f"[{self.made}]"]

    # The disk.

    def on_disk(self) -> list[dict[str, Any]]:
        cells: list[dict[str, Any]] = json.loads(self.files[self.path])["cells"]
        return cells

    @rule(cell=numbers, at=numbers)
    def edit_the_file(self, cell: int, at: int) -> None:
        content = json.loads(self.files[self.path])
        if content["cells"]:
            found = content["cells"][cell % len(content["cells"])]
            source = "".join(found["source"])
            place = gaps(source)[at % len(gaps(source))]
            found["source"] = source[:place] + self.word_in(found["id"], "") + source[place:]
            self.files[self.path] = json.dumps(content).encode()

    @rule(cell=numbers)
    def delete_in_the_file(self, cell: int) -> None:
        content = json.loads(self.files[self.path])
        if len(content["cells"]) > 2:
            self.excuse_everywhere(content["cells"].pop(cell % len(content["cells"]))["id"])
            self.files[self.path] = json.dumps(content).encode()

    @rule(by=numbers)
    def reorder_the_file(self, by: int) -> None:
        content = json.loads(self.files[self.path])
        by %= len(content["cells"]) or 1
        content["cells"] = content["cells"][by:] + content["cells"][:by]
        self.files[self.path] = json.dumps(content).encode()

    @rule(new=st.sampled_from(PATHS))
    def rename(self, new: str) -> None:
        if new not in self.files:
            self.life.world.contents.rename(self.path, new)
            self.call(self.life.world.registry.path_renamed(self.path, new))
            self.path = new

    # The server.

    @rule(seconds=st.sampled_from([0.3, 2.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.call(self.pass_time(seconds))

    async def pass_time(self, seconds: float) -> None:
        await self.life.world.clock.advance(seconds)
        await self.travel()
        self.look()

    @rule()
    def save(self) -> None:
        self.call(self.save_now())

    async def save_now(self) -> None:
        room = await self.open()
        saving = asyncio.ensure_future(room.saver.save(is_explicit=True))
        await self.life.world.clock.advance(3)
        await saving
        await self.travel()

    @rule()
    def evict(self) -> None:
        room = self.room()
        if room is not None and not self.connected():
            self.call(self.life.world.registry.evict(room))

    @rule()
    def restart(self) -> None:
        self.call(self.life.world.registry.stop())
        self.begin_again()

    @rule(autosave=st.booleans())
    def kill(self, autosave: bool) -> None:
        self.autosave = autosave
        self.call(self.end_at_once())
        self.begin_again()

    @rule(left=st.integers(0, 400))
    def kill_in_a_save(self, left: int) -> None:
        """The file is torn."""
        room = self.room()
        if room is not None and room.has_unsaved:
            self.call(self.end_in_a_save(room, left))
            self.begin_again()
            self.call(self.open())

    @rule()
    def kill_and_forget(self) -> None:
        """Nothing is left but the file."""
        self.call(self.end_at_once())
        self.storage = Storage()
        self.shown.clear()
        self.forgive_what_only_the_log_had()
        self.note_what_was_saved_unheard()
        self.begin_again()

    def forgive_what_only_the_log_had(self) -> None:
        held = " ".join([*(" ".join(client.sources()) for client in self.clients.values() if client.notebook.heads)])
        held += " ".join("".join(cell["source"]) for cell in self.on_disk())
        self.excused.update(word for word in self.words if word not in held)
        # The replicas of a forgotten history do not say what was deleted from it on disk and by whom.
        self.excused.update(
            word for word in self.words if word not in " ".join("".join(c["source"]) for c in self.on_disk())
        )

    def note_what_was_saved_unheard(self) -> None:
        on_disk = " ".join("".join(cell["source"]) for cell in self.on_disk())
        for client in self.clients.values():
            heard = self.seen.get(tuple(heads_to_hex(client.saved_heads)), frozenset())
            mine = " ".join(client.sources()) if client.notebook.heads else ""
            self.unheard.update(word for word in self.words if word in mine and word in on_disk and word not in heard)

    async def end_in_a_save(self, room: Room, left: int) -> None:
        self.life.world.contents.doors.shut("write")
        saving = asyncio.ensure_future(room.saver.save(is_explicit=True))
        await self.life.world.clock.advance(3)
        logged = await self.life.logs.load(room.id)
        await self.end_at_once()
        await asyncio.gather(saving, return_exceptions=True)
        if logged is not None and logged.pending is not None:
            self.files[self.path] = logged.pending[:left]

    async def end_at_once(self) -> None:
        """The process is gone: whatever it still does reaches nobody."""
        self.look()
        for client in self.connected():
            client.socket.frames.clear()
            client.peer.is_gone = True
        dead = self.life
        files, self.storage = dict(dead.world.contents.files), copied(self.storage)
        await settle()
        ours = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not ours]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        dead.world.contents.files = files

    def begin_again(self) -> None:
        for client in self.clients.values():
            client._held = None
        self.life = Life(self.storage, self.autosave, self.life.world)

    # What must be true.

    @invariant()
    def files_are_whole_notebooks(self) -> None:
        for data in self.files.values():
            nbformat.validate(nbformat.reads(data.decode(), as_version=4))

    @rule()
    def everybody_is_back(self) -> None:
        self.call(self.gather())

    async def gather(self) -> None:
        for client in self.clients.values():
            if client.is_connected and client._held is not None:
                client.disconnect()
            if not client.is_connected:
                await self.connect(client)
        await self.life.world.clock.advance(10)  # the disk is looked at
        await self.travel()
        self.look()
        room = await self.open()
        await self.save_now()
        assert all(client.heads == room.notebook.replica.heads for client in self.clients.values())
        self.check([cell.source for cell in room.notebook.cells()], room.notebook.cell_ids())
        self.check(["".join(cell["source"]) for cell in self.on_disk()], [cell["id"] for cell in self.on_disk()])
        for cell_id, printed in self.shown.items():
            found = [json.dumps(cell["outputs"]) for cell in self.on_disk() if cell["id"] == cell_id]
            assert found and all(piece in found[0] for piece in printed), (cell_id, printed, found)

    def check(self, sources: list[str], ids: list[str]) -> None:
        assert len(set(ids)) == len(ids)
        text = "\n".join(sources)
        missing = [word for word in self.words if word not in text and word not in self.excused]
        assert not missing, (missing, sources)
        doubled = [word for word in self.words if text.count(word) > 1 and word not in self.unheard]
        assert not doubled, (doubled, sources)

    def teardown(self) -> None:
        try:
            self.call(self.gather())
            self.call(self.life.world.registry.stop())
        finally:
            self.call(self.end_at_once())
            self.loop.close()


def gaps(source: str) -> list[int]:
    """Where a word can be typed without tearing another one."""
    return [index for index in range(len(source) + 1) if source[:index].count("<") == source[:index].count(">")]


def copied(storage: Storage) -> Storage:
    copy = Storage()
    copy.files, copy.saves, copy.aside = dict(storage.files), dict(storage.saves), list(storage.aside)
    return copy


TestNothingIsLost = Notebook.TestCase
TestNothingIsLost.settings = settings(
    max_examples=400 if LONG else 120, stateful_step_count=60 if LONG else 30, deadline=None, phases=[Phase.generate]
)
