"""The front end's rooms against the server's, both real: typing, delays, lost connections, restarts, late comers.

Nothing travels by itself, so every schedule of messages is possible; each seed is another one, and always the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from jupyter_runtimed.core.crdt import Engine
from jupyter_runtimed.rooms.room import Room
from tests.support.front_end import FrontEnd, FrontEnds
from tests.support.manual_clock import settle
from tests.support.room_peers import Client
from tests.unit.rooms.test_durability import Life
from tests.unit.rooms.test_room_loading import notebook, rest

FIRST_MARK = 0x4E00
ROUNDS = 1000
"""Everything that is typed is one character that is typed once, so that what is lost or doubled shows."""


@pytest.fixture(scope="module")
def process() -> Iterator[FrontEnds]:
    with FrontEnds() as process:
        yield process


class Story:
    """Some tabs, the server they are connected to, and what happens to them."""

    def __init__(self, seed: int, tabs: list[FrontEnd], *, deletes: bool) -> None:
        self.dice = random.Random(seed)
        self.tabs = tabs
        self.deletes = deletes
        self.typed: list[str] = []
        self.life = Life(a=notebook(5, outputs=True))
        self.room: Room

    async def begin(self) -> None:
        self.room, _ = await self.life.world.registry.open("a.ipynb")

    async def step(self) -> None:
        tab, dice = self.dice.choice(self.tabs), self.dice
        match dice.randrange(16):
            case 0 if dice.random() < 0.3:
                await self.restart()
            case 0 | 1 if tab.socket is None:
                tab.connect(self.room.hub)
            case 2 if tab.socket is not None and dice.random() < 0.3:
                tab.lose()
            case 3 | 4 if tab.socket is not None:
                tab.send(dice.randrange(1, 4))
            case 5 | 6 | 7 if tab.socket is not None:
                tab.hear(dice.randrange(1, 4), runtime=dice.random() < 0.3)
            case 8 | 9:
                tab.do("tick", ms=dice.choice((5, 30, 300)))
            case 10 if self.room.notebook.cell_ids():
                self.room.notebook.set_metadata("server", dice.randrange(100))
            case 11:
                await self.life.world.clock.advance(dice.choice((0.05, 2.0)))
            case _:
                self.edit(tab)
        await settle(dice.randrange(4))

    def edit(self, tab: FrontEnd) -> None:
        if not tab.state["ids"]:
            return  # nothing has arrived yet
        dice = self.dice
        at, to = dice.random(), dice.random()
        match dice.randrange(10):
            case 0 if self.deletes:
                tab.do("delete", at=at)
            case 1 if self.deletes:
                tab.do("erase", at=at, to=to)
            case 2:
                tab.do("insert", at=at, id=f"new-{len(self.typed)}", text=self.mark())
            case 3:
                tab.do("move", at=at, to=to)
            case _:
                tab.do("type", at=at, to=to, text=self.mark())

    def mark(self) -> str:
        self.typed.append(chr(FIRST_MARK + len(self.typed)))
        return self.typed[-1]

    async def restart(self) -> None:
        """The server is killed, maybe before it has logged all it has; the next one finds what is in its log."""
        if self.dice.random() < 0.5:
            await self.life.world.clock.advance(1)
        await self.room.tasks.stop()
        for tab in self.tabs:
            if tab.socket is not None:
                tab.forget()
        self.life = Life(self.life)
        self.room, _ = await self.life.world.registry.open("a.ipynb")

    async def end(self) -> None:
        """Everybody is connected, and everything arrives."""
        await self.room.until_ready()
        for tab in self.tabs:
            if tab.socket is None:
                tab.connect(self.room.hub)
        quiet = 0
        for _ in range(200):
            for tab in self.tabs:
                tab.do("tick", ms=50)
                quiet = 0 if tab.send() else quiet
            await settle()
            await self.life.world.clock.advance(0.1)
            for tab in self.tabs:
                quiet = 0 if tab.hear(runtime=False) + tab.hear(runtime=True) else quiet
            quiet += 1
            if quiet == 10:  # half a second, in which marks settle
                return
        raise AssertionError("the tabs never come to rest")

    def check(self) -> None:
        document = self.room.notebook
        ids, sources = document.cell_ids(), [cell.source for cell in document.cells()]
        for tab in self.tabs:
            state = tab.state
            assert sorted(state["heads"]) == sorted(head.hex() for head in document.replica.heads)
            assert state["ids"] == ids
            assert state["sources"] == sources
            assert state["isConfirmed"]
            assert state["isDurable"]
            assert state["unconfirmed"] == state["resets"] == 0
            assert not state["dirty"]
            assert state["status"]["state"] in ("saved", "unsaved")
        text = "".join(sources)
        counts = {mark: text.count(mark) for mark in self.typed}
        assert max(counts.values(), default=1) == 1, "something was doubled"
        if not self.deletes:
            assert min(counts.values(), default=1) == 1, "something was lost"


async def live(process: FrontEnds, seed: int, steps: int, number: int, *, deletes: bool) -> None:
    story = Story(seed, [process.open(name) for name in ("anna", "ben", "carl")[:number]], deletes=deletes)
    await story.begin()
    for _ in range(steps):
        await story.step()
    await story.end()
    story.check()
    for tab in story.tabs:
        tab.lose()
        tab.do("close")
    await story.life.world.registry.stop()


@pytest.mark.parametrize("deletes", [False, True], ids=["typing", "deleting"])
@pytest.mark.parametrize("seed", range(15))
async def test_tabs_and_server_end_with_the_same_notebook(process: FrontEnds, seed: int, deletes: bool) -> None:
    await live(process, seed, 150, 2 + seed % 2, deletes=deletes)


@pytest.mark.parametrize("seed", range(3))
async def test_who_comes_back_with_much_meets_who_stayed_with_much(process: FrontEnds, seed: int) -> None:
    """So many changes on both sides that filters of what the other has are wrong about some of them."""
    story = Story(seed, [process.open(name) for name in ("anna", "ben")], deletes=False)
    await story.begin()
    await story.end()
    anna, ben = story.tabs
    anna.lose()
    for _ in range(250):
        anna.do("type", at=story.dice.random(), to=story.dice.random(), text=story.mark())
        assert anna.state["unconfirmed"] == len(story.typed)
    for _ in range(100):
        ben.do("type", at=story.dice.random(), to=story.dice.random(), text=story.mark())
        ben.do("tick", ms=30)
        ben.send()
    await story.end()
    story.check()


async def test_a_tab_whose_name_was_forged_comes_back_with_all_it_has(process: FrontEnds) -> None:
    """Somebody else made the next change under the tab's actor, when nobody could know whose it is."""
    story = Story(0, [process.open("anna")], deletes=False)
    (anna,) = story.tabs
    await story.begin()
    await story.end()
    anna.do("type", at=0.0, to=0.0, text="sent ")
    await story.end()
    log = story.room.notebook.replica.log(story.room.notebook.replica.log_start)
    await story.restart()  # the next server has not seen anna write
    await story.end()
    mallory = Client("mallory").connect(story.room.hub, user={"username": "mallory"})
    await rest(mallory)
    mallory.notebook = Engine.load(mallory.notebook.save(), log[-1].actor)
    anna.do("type", at=0.0, to=0.0, text="unsent ")
    mallory.type_text("c1", 0, "forged ")
    await settle()
    anna.hear(runtime=False)
    assert anna.state["resets"] == 1, "this cannot be taken in"
    anna.lose()
    anna.connect(story.room.hub)
    assert anna.socket is not None
    for _ in range(ROUNDS):
        if anna.socket.closed is not None:
            break
        await settle()
        assert anna.hear(runtime=False) + anna.send(), "nobody has anything to say"
    assert anna.socket.close_code == 4410
    anna.forget(4410)
    (document,) = anna.merged()
    await story.room.merge(document)
    anna.connect(story.room.hub)
    for _ in range(ROUNDS):
        if not anna.hear(runtime=False) + anna.send():
            break
        await settle()
    else:
        raise AssertionError(f"they still have something to say after {ROUNDS} rounds")
    assert anna.state["sources"] == [cell.source for cell in story.room.notebook.cells()]
    assert anna.state["sources"][0].startswith("unsent sent ")
    assert anna.state["sources"][1].startswith("forged ")
    anna.lose()
    anna.do("close")
    await story.life.world.registry.stop()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 400))
async def test_many_tabs_and_servers_do(process: FrontEnds, seed: int) -> None:
    await live(process, seed, 400, 3, deletes=seed % 2 == 0)
