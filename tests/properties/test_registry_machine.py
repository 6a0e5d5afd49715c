"""Whatever is opened, saved, renamed, deleted and closed, and in whatever order it interleaves: one file, one room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.ports.log import RoomLogs
from jupyter_runtimed.rooms.room import Room
from tests.support.manual_clock import settle
from tests.support.memory_leases import MemoryLeases
from tests.support.memory_log import MemoryRoomLogs
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook

NAMES = ("a.ipynb", "b.ipynb", "f/c.ipynb", "g/c.ipynb")
SPELLINGS = ("{}", "/{}", "./{}", "x/../{}")

names = st.sampled_from(NAMES)
spellings = st.sampled_from(SPELLINGS)
numbers = st.integers(0, 5)


class Registry(RuleBasedStateMachine):
    """Several operations are begun at a time, and their waits interleave as they will."""

    logs: RoomLogs | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.leases = MemoryLeases()
        self.world = World(logs=self.logs, leases=self.leases)
        self.clients: list[tuple[Room, Client]] = []
        self.edits = 0
        self.joins = 0
        self.foreign: set[str] = set()
        self.given_up: set[str] = set()
        self.begun: list[Coroutine[Any, Any, None]] = []
        self.broken: list[str] = []

    @initialize()
    def begin(self) -> None:
        self.world.contents.folders.update({"f", "g"})
        for name in NAMES[:3]:
            self.world.contents.files[name] = notebook(2)
        write = self.world.contents.write

        async def watched(path: str, data: bytes, *, expected: str | None = None, create: bool = False) -> Any:
            state = await write(path, data, expected=expected, create=create)
            if path in self.foreign - self.given_up and expected is not None:
                self.broken.append(f"{path} was changed by others and overwritten")
            self.foreign.discard(path)
            return state

        read = self.world.contents.read

        async def reading(path: str) -> Any:
            self.foreign.discard(path)  # who has read it merges it
            return await read(path)

        self.world.contents.write = watched  # type: ignore[method-assign]
        self.world.contents.read = reading  # type: ignore[method-assign]

    def room(self, number: int) -> Room | None:
        rooms = self.world.registry.rooms()
        return rooms[number % len(rooms)] if rooms else None

    # What can be begun.

    @rule(name=names, spelling=spellings, times=st.integers(1, 3))
    def open(self, name: str, spelling: str, times: int) -> None:
        async def go() -> None:
            room, _ = await self.world.registry.open(spelling.format(name))
            if not room.lifecycle.is_open and room in self.world.registry.rooms():
                self.broken.append("a closed room was handed out")

        self.begun += [go() for _ in range(times)]

    @rule()
    def untitled(self) -> None:
        async def go() -> None:
            await self.world.registry.create_untitled()

        self.begun.append(go())

    @rule(number=numbers, name=names, overwrite=st.booleans())
    def save_as(self, number: int, name: str, overwrite: bool) -> None:
        async def go() -> None:
            room = self.room(number)
            if room is not None:
                if overwrite:
                    self.given_up.add(name)
                await self.world.registry.save_as(room, name, overwrite)

        self.begun.append(go())

    @rule(pair=st.sampled_from([("a.ipynb", "b.ipynb"), ("b.ipynb", "a.ipynb"), ("f", "g"), ("f/c.ipynb", "a.ipynb")]))
    def rename(self, pair: tuple[str, str]) -> None:
        async def go() -> None:
            old, new = pair
            files = self.world.contents.files
            if any(name == new or name.startswith(new + "/") for name in files):
                return  # the contents API refuses that
            self.world.contents.rename(old, new)
            for name in [name for name in self.foreign if name == old or name.startswith(old + "/")]:
                self.foreign.discard(name)
                self.foreign.add(new + name[len(old) :])
            await self.world.registry.path_renamed(old, new)

        self.begun.append(go())

    @rule(name=names)
    def delete(self, name: str) -> None:
        async def go() -> None:
            if self.world.contents.files.pop(name, None) is not None:
                self.foreign.discard(name)
                self.world.registry.path_deleted(name)

        self.begun.append(go())

    @rule(name=names, cells=st.integers(0, 3))
    def change_outside(self, name: str, cells: int) -> None:
        async def go() -> None:
            self.edits += 1
            self.world.contents.files[name] = notebook(cells, metadata={"outside": self.edits})
            self.foreign.add(name)

        self.begun.append(go())

    @rule(number=numbers, discard=st.booleans())
    def close(self, number: int, discard: bool) -> None:
        async def go() -> None:
            room = self.room(number)
            if room is not None:
                await self.world.registry.close(room.id, discard=discard)

        self.begun.append(go())

    @rule(number=numbers)
    def save(self, number: int) -> None:
        async def go() -> None:
            room = self.room(number)
            if room is not None:
                await room.saver.save(is_explicit=True)

        self.begun.append(go())

    @rule(number=numbers)
    def edit(self, number: int) -> None:
        async def go() -> None:
            room = self.room(number)
            if room is not None and room.lifecycle.state is State.READY:
                self.edits += 1
                room.notebook.set_metadata("edit", self.edits)

        self.begun.append(go())

    @rule(number=numbers)
    def join(self, number: int) -> None:
        room = self.room(number)
        if room is not None and len(self.clients) < 3:
            self.call(self.connect(room))

    async def connect(self, room: Room) -> None:
        self.joins += 1
        self.clients.append((room, Client(f"peer-{self.joins}").connect(room.hub)))

    @rule()
    def leave(self) -> None:
        if self.clients:
            room, client = self.clients.pop(0)
            self.call(self.part(room, client))

    async def part(self, room: Room, client: Client) -> None:
        room.leave(client.peer)

    @rule(seconds=st.sampled_from([0.5, 3.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.call(self.world.clock.advance(seconds))

    # Running it.

    @rule()
    def run_all(self) -> None:
        begun, self.begun = self.begun, []
        outcomes = self.call(self.gathered(begun))
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, RuntimedError):
                raise outcome

    @rule()
    def run_now(self) -> None:
        self.run_all()

    @rule()
    def run_at_once(self) -> None:
        self.run_all()

    async def gathered(self, begun: list[Coroutine[Any, Any, None]]) -> list[Any]:
        outcomes = await asyncio.gather(*begun, return_exceptions=True)
        await settle(30)
        self.foreign -= self.given_up
        self.given_up.clear()
        return list(outcomes)

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    # What must be true.

    @invariant()
    def a_file_has_one_room(self) -> None:
        assert self.broken == []
        registry = self.world.registry
        rooms = registry.rooms()
        paths = [room.file.path for room in rooms if room.file.path is not None]
        assert len(set(paths)) == len(paths), paths
        for room in rooms:
            key = registry._index.key(room.id)
            assert key == (None if room.file.path is None else f"key:{room.file.path}"), (room.file.path, key)
            assert room.lifecycle.is_open
        assert len(registry._index) == len(paths), "a claim without a room"

    @invariant()
    def what_is_open_is_leased_and_nothing_else(self) -> None:
        registry = self.world.registry
        wanted = {registry._index.key(room.id) or room.id for room in registry.rooms()}
        assert set(self.leases.owners) == wanted

    @invariant()
    def who_is_connected_has_an_open_room(self) -> None:
        rooms = self.world.registry.rooms()
        for room, client in self.clients:
            assert client.peer.is_gone or room in rooms

    @invariant()
    def files_are_whole_notebooks(self) -> None:
        for data in self.world.contents.files.values():
            assert "cells" in json.loads(data)

    def teardown(self) -> None:
        self.run_all()
        self.a_file_has_one_room()
        self.call(self.world.registry.stop())
        assert self.world.registry.rooms() == [] and len(self.world.registry._index) == 0
        self.loop.close()


class LoggedRegistry(Registry):
    """The same with logs, so that rooms come back with their ids and what was not saved."""

    @property
    def logs(self) -> RoomLogs:  # type: ignore[override]
        return MemoryRoomLogs()

    @rule(number=numbers)
    def recall(self, number: int) -> None:
        async def go() -> None:
            room = await self.world.registry.recall(f"room-{number}")
            if room.id != f"room-{number}":
                self.broken.append("another room than was asked for")

        self.begun.append(go())


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLoggedRegistry = LoggedRegistry.TestCase
TestLoggedRegistry.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
