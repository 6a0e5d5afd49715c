"""What a save signs: outputs of this server's kernels, and what was signed before. Nothing else that can run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.rooms.room import Room
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import notebook

HTML = {"output_type": "display_data", "data": {"text/html": "<script>1</script>"}, "metadata": {}}
PLAIN = {"output_type": "display_data", "data": {"text/plain": "1", "image/png": "iVBORw=="}, "metadata": {}}


class Notary:
    """`rooms.ports.signatures.Signatures` over a set."""

    def __init__(self) -> None:
        self.signed: set[bytes] = set()

    async def knows(self, data: bytes) -> bool:
        return data in self.signed

    async def sign(self, data: bytes) -> None:
        self.signed.add(data)


def with_output(output: dict[str, Any]) -> bytes:
    content = json.loads(notebook(2))
    content["cells"][0]["outputs"] = [output]
    return json.dumps(content).encode()


async def opened(data: bytes, *, is_signed: bool = False) -> tuple[World, Notary, Room]:
    notary = Notary()
    if is_signed:
        notary.signed.add(data)
    w = World(a=data, signatures=notary)
    return w, notary, await w.open("a.ipynb")


def run(room: Room, cell_id: str, manifest: dict[str, Any]) -> None:
    """A kernel of this server prints something in a cell."""
    with room.runtime.edit() as edit:
        edit.add_execution("e", cell_id, seq=room.runtime.next_seq(), status="done", queued_at="2026-01-01T00:00:00Z")
        edit.add_output("e", "o", 0, manifest)
    room.notebook.set_execution_id(cell_id, "e")


async def save(w: World, room: Room, number: int = 1) -> bytes:
    room.notebook.set_metadata("edit", number)
    await room.saver.save(is_explicit=True)
    return w.contents.files["a.ipynb"]


async def test_what_a_kernel_of_this_server_printed_is_signed() -> None:
    w, notary, room = await opened(notebook(2))
    run(room, "c0", HTML)
    assert await save(w, room) in notary.signed


async def test_what_came_with_the_file_is_not() -> None:
    w, notary, room = await opened(with_output(HTML))
    run(room, "c1", HTML)
    await save(w, room)
    assert not notary.signed


async def test_what_was_signed_stays_so_over_saves() -> None:
    w, notary, room = await opened(with_output(HTML), is_signed=True)
    for number in range(3):
        assert await save(w, room, number) in notary.signed


async def test_a_foreign_file_that_takes_its_place_ends_that() -> None:
    w, notary, room = await opened(with_output(HTML), is_signed=True)
    await save(w, room)
    w.contents.files["a.ipynb"] = with_output({**HTML, "data": {"text/html": "<script>evil</script>"}})
    assert await save(w, room, 2) not in notary.signed


async def test_when_what_came_with_the_file_is_gone_the_rest_is_signed() -> None:
    w, notary, room = await opened(with_output(HTML))
    run(room, "c0", HTML)
    assert await save(w, room) in notary.signed


@pytest.mark.parametrize("data", [notebook(2), with_output(PLAIN)])
async def test_where_nothing_can_run_nothing_is_signed(data: bytes) -> None:
    w, notary, room = await opened(data)
    await save(w, room)
    assert not notary.signed


async def test_another_file_of_the_room_is_signed_as_the_first_would_be() -> None:
    w, notary, room = await opened(with_output(HTML), is_signed=True)
    await w.registry.save_as(room, "b.ipynb", overwrite=False)
    assert w.contents.files["b.ipynb"] in notary.signed


async def test_what_somebody_pasted_is_not_signed_even_in_a_file_that_was() -> None:
    w, notary, room = await opened(with_output(HTML), is_signed=True)
    assert await save(w, room, 1) in notary.signed
    with room.runtime.edit() as edit:
        edit.add_execution("p", "c1", seq=room.runtime.next_seq(), status="done", submitted_by="mallory")
        edit.add_output("p", "o", 0, HTML)
    room.notebook.set_execution_id("c1", "p")
    assert await save(w, room, 2) not in notary.signed
    assert await save(w, room, 3) not in notary.signed
