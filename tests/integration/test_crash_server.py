"""`kill -9` of a real server under a typing client, at any instant, whatever the save setting."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.support.bare_peer import RUNTIME, BarePeer
from tests.support.server_process import TOKEN, ServerProcess

HEADERS = {"Authorization": f"token {TOKEN}"}


class Typist:
    """Types numbered words into two cells, and knows up to which of them it was told that they survive."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.typed = 0
        self.durable = 0
        self.number_of: dict[tuple[str, ...], int] = {}
        self.document: Any = None

    async def type_until_killed(self, server: ServerProcess, visitor: Visitor, path: str, seconds: float) -> None:
        room = await visitor.open(path)
        async with visitor.peer(room, self.document) as peer:
            self.document = peer.notebook
            await peer.ready()
            self._note(peer)
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                self.typed += 1
                cell = self.dice.choice("ab")
                source = next(c["source"] for c in peer.cells() if c["id"] == cell)
                peer.type_text(cell, len(source), f"<{self.typed}>")
                self._note(peer)
                await peer.flush()
                await asyncio.sleep(self.dice.random() * 0.02)
                self._look(peer)
            await asyncio.to_thread(server.kill)
            await peer.until(lambda: peer.close_code is not None or peer.socket.closed)
            self._look(peer)

    def _note(self, peer: BarePeer) -> None:
        self.number_of[tuple(peer.heads())] = self.typed

    def _look(self, peer: BarePeer) -> None:
        for status in peer.statuses:
            self.durable = max(self.durable, self.number_of.get(tuple(status["durable_heads"]), 0))


def words(cells: list[dict[str, Any]], beside: int) -> list[int]:
    ids = ["a", "b", *(f"x{number}" for number in range(beside))]
    assert sorted(cell["id"] for cell in cells) == sorted(ids), "no cell is lost or doubled"
    return [int(word) for cell in cells for word in re.findall(r"<(\d+)>", cell["source"])]


async def check_kills(home: Path, seed: int, kills: int, *arguments: str, beside: int = 0) -> None:
    """`beside`: so many cells of half a thousand characters each that nobody edits."""
    dice = random.Random(seed)
    server = ServerProcess(home, arguments=arguments)
    path = "crash.ipynb"
    others = [code_cell("some prose " * 45, f"x{number}") for number in range(beside)]
    (server.root / path).write_text(json.dumps(notebook(code_cell("", "a"), code_cell("", "b"), *others)))
    typist = Typist(dice)
    try:
        for life in range(kills):
            await asyncio.to_thread(server.start)
            async with aiohttp.ClientSession(headers=HEADERS) as session:
                visitor = Visitor(session, server)
                room = await visitor.open(path)
                async with visitor.peer(room) as fresh:  # somebody else, with an empty replica
                    await fresh.ready()
                    found = words(fresh.cells(), beside)
                assert len(found) == len(set(found)), "nothing is there twice"
                assert set(range(1, typist.durable + 1)) <= set(found), (life, typist.durable, sorted(found)[-3:])
                await typist.type_until_killed(server, visitor, path, 0.1 + dice.random())
            json.loads((server.root / path).read_bytes())
        await asyncio.to_thread(server.start)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            visitor = Visitor(session, server)
            async with visitor.peer(await visitor.open(path), typist.document) as peer:
                await peer.ready()
                await peer.until(lambda: peer.statuses[-1]["durable_heads"] == peer.heads())
                assert sorted(words(peer.cells(), beside)) == list(range(1, typist.typed + 1)), "every word, once"
                answer = await peer.request("save_notebook")
                assert answer["ok"], answer
            saved = json.loads((server.root / path).read_bytes())
            cells = [{**cell, "source": "".join(cell["source"])} for cell in saved["cells"]]
            assert sorted(words(cells, beside)) == list(range(1, typist.typed + 1))
        assert typist.durable > 0, "it was never told that anything is durable"
    finally:
        server.kill()


@pytest.mark.parametrize("autosave", ["True", "False"])
async def test_a_killed_server_loses_nothing_that_was_durable(tmp_path: Path, autosave: str) -> None:
    await check_kills(tmp_path, 1, 2, f"--RuntimedApp.autosave={autosave}", "--RuntimedApp.autosave_s=0.5")


async def test_a_killed_server_gives_a_large_notebook_back(tmp_path: Path) -> None:
    await check_kills(tmp_path, 2, 2, "--RuntimedApp.autosave=False", beside=200)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
async def test_a_server_that_is_killed_over_and_over(tmp_path: Path, seed: int) -> None:
    options = f"--RuntimedApp.autosave={seed % 2 == 0}", "--RuntimedApp.autosave_s=0.3"
    await check_kills(tmp_path, seed, 25, *options, beside=200 if seed % 4 > 1 else 0)


async def test_outputs_and_untitled_rooms_survive_too(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, arguments=("--RuntimedApp.autosave=False",))
    (server.root / "out.ipynb").write_text(json.dumps(notebook(code_cell("print('kept', 6 * 7)", "a"))))
    try:
        await asyncio.to_thread(server.start)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            visitor = Visitor(session, server)
            room = await visitor.open("out.ipynb")
            async with visitor.peer(room) as peer:
                await peer.ready()
                answer = await peer.request("execute_cell", cell_id="a")
                waited = await peer.request(
                    "wait_for_execution", execution_id=answer["result"]["execution_id"], timeout=60, deadline_s=70
                )
                assert waited["result"]["status"] == "done", waited
                await peer.until(lambda: peer.outputs_of("a"))
                await peer.until(lambda: peer.statuses[-1]["durable_runtime_heads"] == peer.heads(RUNTIME))
            _, _, untitled = await visitor.call("POST", "/rooms", json={"untitled": True})
            async with visitor.peer(untitled) as peer:
                await peer.ready()
                peer.add_cell("u", "untitled work", "i")
                await peer.flush()
                await peer.until(lambda: peer.statuses[-1]["durable_heads"] == peer.heads())
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            again = await visitor.open("out.ipynb")
            assert again["room_id"] == room["room_id"]
            _, _, shown = await visitor.call("GET", f"/rooms/{room['room_id']}/notebook")
            assert "".join(shown["cells"][0]["outputs"][0]["text"]) == "kept 42\n"
            _, _, rooms = await visitor.call("GET", "/rooms")
            assert {found["room_id"] for found in rooms} == {room["room_id"], untitled["room_id"]}
            async with visitor.peer(untitled) as peer:
                await peer.ready()
                assert [cell["source"] for cell in peer.cells()] == ["untitled work"]
    finally:
        server.kill()


async def test_a_second_server_on_the_same_state_is_told_who_has_the_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = ServerProcess(tmp_path / "one", root=tmp_path / "notebooks")
    state = f"--RuntimedApp.state_dir={tmp_path / 'state'}"
    first.arguments = (state,)
    second = ServerProcess(tmp_path / "two", root=tmp_path / "notebooks", arguments=(state,))
    (first.root / "x.ipynb").write_text(json.dumps(notebook(code_cell("x", "a"))))
    try:
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(second.start)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            room = await Visitor(session, first).open("x.ipynb")
            other = Visitor(session, second)
            status, _, body = await other.call("POST", "/rooms", json={"path": "x.ipynb"})
            assert status == 409 and body["code"] == "file_active_elsewhere", body
            assert first.process is not None and body["pid"] == first.process.pid
            await asyncio.to_thread(first.kill)
            taken = await other.open("x.ipynb")
            assert taken["path"] == "x.ipynb" and taken["room_id"] != room["room_id"]
    finally:
        first.kill()
        second.kill()
