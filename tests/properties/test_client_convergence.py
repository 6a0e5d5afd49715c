"""Whatever two clients do, and however their connections fail, they and the server end up with one notebook."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.cells import Cell
from jupyter_runtimed.client.connection import Backoff
from jupyter_runtimed.client.errors import Disconnected
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import BadRequest, NoSuchCell
from tests.support.client_hub import Hub
from tests.support.memory_transport import until

NOW = Backoff(first_s=0, max_s=0, give_up_after_s=60)

who = st.integers(0, 1)
text = st.text(st.sampled_from("ab é🎉\n"), min_size=1, max_size=6)
place = st.integers(0, 8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), who, place, text),
        st.tuples(st.just("cut"), who, place, place),
        st.tuples(st.just("create"), who, place, text),
        st.tuples(st.just("move"), who, place, place),
        st.tuples(st.just("delete"), who, place),
        st.tuples(st.just("server"), place, text),
        st.tuples(st.just("break")),
        st.tuples(st.just("away")),
        st.tuples(st.just("return")),
        st.tuples(st.just("hold"), who),
        st.tuples(st.just("release")),
        st.tuples(st.just("turn")),
    ),
    max_size=25,
)


class World:
    """A hub, two notebooks, and edits under way."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.notebooks: list[Notebook] = []
        self.writing: list[asyncio.Future[Any]] = []

    async def run(self, script: list[tuple[Any, ...]]) -> None:
        self.hub.notebook.insert_cell("code", "start", id="c")
        peers = [Peer(self.hub, "room", new_actor=new_actor, backoff=NOW) for _ in range(2)]
        for peer in peers:
            await peer.start(10)
        self.notebooks = [Notebook(peer, BlobCache(no_blobs)) for peer in peers]
        for name, *arguments in script:
            getattr(self, f"do_{name}")(*arguments)
            await asyncio.sleep(0)
        self.do_release()
        self.do_return()
        for written in await asyncio.gather(*self.writing, return_exceptions=True):
            # An edit may come after somebody else's took its cell or its place away.
            assert written is None or isinstance(written, (Cell, NoSuchCell, BadRequest)), written
        for notebook in self.notebooks:
            await notebook.confirm_sync(20)
        # What one confirmed last is on its way to the other.
        await until(lambda: all(notebook.heads == self.hub.notebook.replica.heads for notebook in self.notebooks))
        seen = [[(cell.id, cell.source) for cell in notebook.cells] for notebook in self.notebooks]
        assert seen[0] == seen[1] == [(cell.id, cell.source) for cell in self.hub.notebook.cells()]
        for notebook in self.notebooks:
            await notebook.close()

    def edit(self, index: int, number: int, write: Any) -> None:
        cells = list(self.notebooks[index].cells)
        if cells:
            self.writing.append(asyncio.ensure_future(write(cells[number % len(cells)])))

    def do_append(self, index: int, number: int, added: str) -> None:
        self.edit(index, number, lambda cell: cell.append(added))

    def do_cut(self, index: int, number: int, at: int) -> None:
        def cut(cell: Any) -> Any:
            start = min(at, len(cell.source))
            return cell.splice(start, min(3, len(cell.source) - start), "|")

        self.edit(index, number, cut)

    def do_create(self, index: int, number: int, source: str) -> None:
        cells = self.notebooks[index].cells
        self.writing.append(asyncio.ensure_future(cells.create(source, index=number)))

    def do_move(self, index: int, number: int, to: int) -> None:
        self.edit(index, number, lambda cell: cell.move(index=to))

    def do_delete(self, index: int, number: int) -> None:
        self.edit(index, number, lambda cell: cell.delete())

    def do_server(self, number: int, added: str) -> None:
        ids = self.hub.notebook.cell_ids()
        if ids:
            self.hub.edit(lambda document: document.append(ids[number % len(ids)], added))

    def do_break(self) -> None:
        self.hub.drop()

    def do_away(self) -> None:
        self.hub.refusal = Disconnected("away")
        self.hub.drop()

    def do_return(self) -> None:
        self.hub.refusal = None

    def do_hold(self, index: int) -> None:
        if len(self.hub.transports) > index:
            self.hub.transports[-1 - index].hold()

    def do_release(self) -> None:
        for transport in self.hub.transports:
            transport.release()

    def do_turn(self) -> None:
        """Nothing, while others go on."""


async def no_blobs(_: str) -> bytes:
    raise AssertionError("no outputs here")


@settings(max_examples=80, deadline=None)
@given(steps)
def test_clients_converge(script: list[tuple[Any, ...]]) -> None:
    asyncio.run(asyncio.wait_for(World().run(script), 30))
