"""`kill -9` of a real server, over and over, under one client that types and runs and is never told to do anything.

The client connects again by itself. What was typed is there once, and the outputs that were said to be durable are.
"""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest

from jupyter_runtimed.client import Client, HeadsUnconfirmed, Notebook
from jupyter_runtimed.client.errors import Disconnected
from tests.integration.client.conftest import Place
from tests.integration.client.test_client_story import eventually
from tests.support.server_process import ServerProcess

COUNTING = "import time\nfor number in range(10**6):\n    print(f'<{number}>', flush=True)\n    time.sleep(0.004)"


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"<(\d+)>", text)]


def printed(notebook: Notebook) -> list[int]:
    """What the counting cell shows."""
    return numbers("".join(getattr(output, "text", "") for output in notebook.cells["c1"].outputs))


class Typist:
    """Types numbered words, and knows which words and outputs were said to survive."""

    def __init__(self, notebook: Notebook, dice: random.Random) -> None:
        self.notebook = notebook
        self.dice = dice
        self.typed = 0
        self.durable = (0, 0)

    async def type(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self.word()
            await asyncio.sleep(self.dice.random() * 0.01)
            if self.dice.random() < 0.1:
                await self.note_durable()

    async def word(self) -> None:
        self.typed += 1
        await self.notebook.cells["c0"].append(f"<{self.typed}>")

    async def note_durable(self) -> None:
        now = (self.typed, len(printed(self.notebook)))
        try:
            await self.notebook.wait_durable(5)
        except (HeadsUnconfirmed, Disconnected):
            return
        self.durable = now


async def check_restarts(home: Path, seed: int, restarts: int, *arguments: str) -> None:
    dice = random.Random(seed)
    server = ServerProcess(home, arguments=arguments)
    place = Place(server)
    path = place.write("", COUNTING)
    try:
        await asyncio.to_thread(server.start)
        async with place.client() as client, client.open(path) as notebook:
            typist = Typist(notebook, dice)
            for life in range(restarts):
                await notebook.confirm_sync(30)
                await notebook.cells["c1"].execute()
                await eventually(lambda: len(printed(notebook)) > 5, 60)
                await typist.note_durable()
                await typist.type(0.2 + dice.random())
                words, lines = typist.durable
                await asyncio.to_thread(server.kill)
                await typist.word()  # while nobody listens
                await asyncio.to_thread(server.start)
                await notebook.confirm_sync(30)
                await check(client, path, typist.typed, life, words, lines)
            await notebook.save()
        saved = "".join(place.read(path)["cells"][0]["source"])
        assert numbers(saved) == list(range(1, typist.typed + 1))
    finally:
        server.kill()


async def check(client: Client, path: str, typed: int, life: int, words: int, lines: int) -> None:
    """Somebody else, with an empty replica, sees everything once."""
    async with client.open(path) as other:
        assert other.cells.ids == ["c0", "c1"]
        assert numbers(other.cells["c0"].source) == list(range(1, typed + 1)), (life, words)
        shown = printed(other)
        assert shown == list(range(len(shown))) and len(shown) >= lines > 0, (life, lines, shown[-3:])
        execution = other.cells["c1"].execution
        assert execution is not None and execution.status == "error"


@pytest.mark.parametrize("autosave", ["True", "False"])
async def test_a_client_types_and_runs_on_over_killed_servers(tmp_path: Path, autosave: str) -> None:
    await check_restarts(tmp_path, 1, 2, f"--RuntimedApp.autosave={autosave}", "--RuntimedApp.autosave_s=0.5")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
async def test_twenty_killed_servers_under_one_client(tmp_path: Path, seed: int) -> None:
    await check_restarts(tmp_path, seed, 20, f"--RuntimedApp.autosave={seed % 2 == 0}", "--RuntimedApp.autosave_s=0.3")
