"""Each wait of a load, a save, a rename, a restart and a close fails once: nothing is lost, and trying again works.

A port may fail before it has done anything, and after it has done everything: its caller cannot know which.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nbformat
import pytest

from jupyter_runtimed.core.errors import Internal, NoSuchRoom, OutOfSpace, RuntimedError
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.faulty_ports import Faults
from tests.support.memory_leases import MemoryLeases
from tests.support.memory_log import MemoryRoomLogs, Storage
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook, rest

MANUAL = RoomSettings(load_step_s=0.0, publish_s=0.0, autosave=False)
MOST_CALLS = 60

ERRORS: list[Callable[[], Exception]] = [
    lambda: OutOfSpace("the disk is full"),
    lambda: Internal("the storage fails"),
    lambda: RuntimeError("a port that breaks its promise"),
]


class Scene:
    """A server with one notebook that alice has edited, and faults that can be armed."""

    def __init__(self, faults: Faults, storage: Storage | None = None, before: World | None = None) -> None:
        self.faults = faults
        self.storage = storage or Storage()
        files = {} if before is not None else {"a": notebook(3, outputs=True), "b": notebook(1)}
        self.world = World(
            settings=MANUAL,
            logs=MemoryRoomLogs(self.storage),
            leases=MemoryLeases(),
            before=before,
            wrap=faults.wrap,
            **files,
        )
        self.alice = Client("alice")

    @property
    def files(self) -> dict[str, bytes]:
        return self.world.contents.files

    async def edited(self) -> Room:
        room = await self.world.open("a.ipynb")
        self.alice.connect(room.hub)
        await rest(self.alice)
        self.alice.type_text("c0", 0, "mine ")
        await rest(self.alice)
        return room

    def restarted(self) -> Scene:
        """The server after `kill -9`."""
        after = Scene(self.faults, self.storage, self.world)
        after.alice.notebook = self.alice.notebook
        return after


async def load(scene: Scene) -> None:
    room, _ = await scene.world.registry.open("a.ipynb")
    await room.until_ready()


async def save(scene: Scene) -> None:
    await (await scene.world.open("a.ipynb")).saver.save(is_explicit=True)


async def save_as(scene: Scene) -> None:
    room = scene.world.registry.rooms()[0]
    await scene.world.registry.save_as(room, "b.ipynb", True)


async def rename(scene: Scene) -> None:
    if "a.ipynb" in scene.files:
        scene.world.contents.rename("a.ipynb", "n.ipynb")
    following = asyncio.ensure_future(scene.world.registry.path_renamed("a.ipynb", "n.ipynb"))
    await scene.world.clock.advance(10)
    await following
    assert [room.file.path for room in scene.world.registry.rooms()] == ["n.ipynb"]


async def close(scene: Scene) -> None:
    for room in scene.world.registry.rooms():
        await scene.world.registry.close(room.id)


async def merge_from_disk(scene: Scene) -> None:
    if b"theirs" not in scene.files["a.ipynb"]:
        content = json.loads(scene.files["a.ipynb"])
        content["cells"][2]["source"] = "x = 2  # theirs"
        scene.files["a.ipynb"] = json.dumps(content).encode()
    room = scene.world.registry.rooms()[0]
    await room.saver.save(is_explicit=True)


@dataclass(frozen=True)
class Case:
    """What is done, and what it is done to."""

    action: Callable[[Scene], Awaitable[None]]
    is_edited: bool = True
    is_restarted: bool = False


CASES = {
    "load": Case(load, is_edited=False),
    "load from the log": Case(load, is_restarted=True),
    "save": Case(save),
    "save after a restart": Case(save, is_restarted=True),
    "merge from disk": Case(merge_from_disk),
    "save as": Case(save_as),
    "rename": Case(rename),
    "close": Case(close),
}


async def begun(case: Case, faults: Faults) -> Scene:
    scene = Scene(faults)
    if case.is_edited:
        await scene.edited()
    return scene.restarted() if case.is_restarted else scene


def sound(files: dict[str, bytes]) -> None:
    """Every file is a whole notebook, whatever happened."""
    for data in files.values():
        nbformat.validate(nbformat.reads(data.decode(), as_version=4))


def shown(scene: Scene) -> list[str]:
    """What the edited notebook shows, of all rooms there are."""
    return [
        room.notebook.cell("c0").source
        for room in scene.world.registry.rooms()
        if room.lifecycle.state is State.READY and room.notebook.has_cell("c0")
    ]


async def tried(scene: Scene, action: Callable[[Scene], Awaitable[None]]) -> None:
    try:
        await asyncio.wait_for(action(scene), 5)
    except (RuntimedError, RuntimeError):
        pass
    await rest(*([scene.alice] if scene.alice.is_connected else []))


async def check_nothing_is_lost(scene: Scene, case: Case) -> None:
    """Right after the fault: what was typed is in a room that says that it is not saved, in a log, or in a file."""
    sound(scene.files)
    everywhere = [data.decode() for data in scene.files.values()]
    if not case.is_edited:
        assert scene.files["a.ipynb"] == notebook(3, outputs=True), "a load writes nothing"
        return
    in_files = any("mine x = 0" in data for data in everywhere)
    assert in_files or any(text == "mine x = 0" for text in shown(scene)) or scene.storage.files
    for room in scene.world.registry.rooms():
        if room.lifecycle.state is State.READY and "mine x = 0" in [cell.source for cell in room.notebook.cells()]:
            path = room.file.path
            is_in_file = path is not None and "mine x = 0" in scene.files.get(path, b"").decode()
            assert is_in_file or room.status()["dirty"] or path is None


async def check_trying_again_works(scene: Scene, case: Case) -> None:
    """Without the fault, the notebook can be opened, saved and found again, with every cell once."""
    await tried(scene, case.action)
    await scene.world.clock.advance(5)
    wanted = "mine x = 0" if case.is_edited else "x = 0"
    paths = [room.file.path for room in scene.world.registry.rooms() if room.lifecycle.is_open]
    for path in {"a.ipynb", "b.ipynb", "n.ipynb", *(path for path in paths if path)} & set(scene.files):
        room = await scene.world.open(path)
        await room.saver.save(is_explicit=True)
        assert room.status()["dirty"] is False and room.status()["save_error"] is None
    untitled = [room for room in scene.world.registry.rooms() if room.file.path is None]
    for number, room in enumerate(untitled):
        await scene.world.registry.save_as(room, f"kept{number}.ipynb", False)
    sound(scene.files)
    sources = [["".join(cell["source"]) for cell in json.loads(data)["cells"]] for data in scene.files.values()]
    assert any(wanted in cells for cells in sources), sources
    for cells in sources:
        assert len(cells) == len(set(cells)) and cells.count(wanted) <= 1, cells
    again = scene.restarted()
    again.faults.arm(0)
    name = next(name for name, data in scene.files.items() if wanted in data.decode())
    room = await again.world.open(name)
    assert [cell.source for cell in room.notebook.cells()].count(wanted) == 1
    assert len(room.notebook.cell_ids()) == 3


@pytest.mark.parametrize("after", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("error", ERRORS, ids=["full", "failing", "lying"])
@pytest.mark.parametrize("name", list(CASES))
async def test_each_wait_fails_once(name: str, error: Callable[[], Exception], after: bool) -> None:
    case = CASES[name]
    hit: list[Any] = []
    for number in range(1, MOST_CALLS):
        faults = Faults(error, after=after)
        scene = await begun(case, faults)
        faults.arm(number)
        await tried(scene, case.action)
        faults.arm(0)
        if faults.hit is None:
            break
        hit.append(faults.hit)
        try:
            await check_nothing_is_lost(scene, case)
            await check_trying_again_works(scene, case)
        except (AssertionError, RuntimedError, StopIteration, asyncio.TimeoutError, NoSuchRoom) as failure:
            raise AssertionError(f"call {number} of {name}: {faults.hit} failed {hit}") from failure
    else:
        raise AssertionError("it never ends")
    assert len(hit) >= 3, hit
