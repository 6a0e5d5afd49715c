"""A notebook of 200 MB is saved while others go on: their edits are taken in between, again and again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.adapters.clock import LoopClock
from jupyter_runtimed.adapters.contents import ServerContents
from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.rooms.registry import RoomRegistry
from jupyter_runtimed.rooms.services import Services
from jupyter_runtimed.rooms.settings import RoomSettings
from tests.support.room_peers import Client
from tests.support.room_ports import FakeExecutor
from tests.unit.rooms.test_room_loading import notebook

MB = 1024 * 1024
SAVED_WITHIN_S = 90


def large(megabytes: int) -> bytes:
    """A notebook of so many outputs of 1 MB."""
    content: dict[str, Any] = json.loads(notebook(megabytes))
    for index, cell in enumerate(content["cells"]):
        text = f"{index:07}\n" * (MB // 8)
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    return json.dumps(content).encode()


async def turns_during_a_save(tmp_path: Path, megabytes: int) -> tuple[int, int]:
    """How many edits of a small room were taken while a large one was saved, and as how large a file."""
    root = tmp_path / "notebooks"
    root.mkdir()
    (root / "large.ipynb").write_bytes(large(megabytes))
    (root / "small.ipynb").write_bytes(notebook(1))
    logs = FileRoomLogs(tmp_path / "state")
    await logs.start()
    numbers = iter(range(100))
    registry = RoomRegistry(
        Services(
            contents=ServerContents(AsyncLargeFileManager(root_dir=str(root))),
            blobs=BlobStore(tmp_path / "state" / "blobs"),
            clock=LoopClock(),
            make_executor=FakeExecutor,
            new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012}",
            new_actor=new_actor,
            settings=RoomSettings(autosave=False, ready_wait_s=300),
            logs=logs,
        )
    )
    big, _ = await registry.open("large.ipynb")
    await big.until_ready()
    small, _ = await registry.open("small.ipynb")
    await small.until_ready()
    alice = Client("alice").connect(small.hub)
    big.notebook.splice("c0", 0, 0, "changed ")
    saving = asyncio.ensure_future(big.saver.save(is_explicit=True))
    taken = 0
    end = asyncio.get_running_loop().time() + SAVED_WITHIN_S
    while not saving.done():
        assert asyncio.get_running_loop().time() < end, f"not saved within {SAVED_WITHIN_S} s"
        alice.read()
        before = small.notebook.replica.heads
        if alice.cells():
            alice.type_text("c0", 0, "x")
        taken += small.notebook.replica.heads != before
        await asyncio.sleep(0.001)
    await saving
    saved = (root / "large.ipynb").read_bytes()
    assert json.loads(saved)["cells"][0]["source"] == ["changed x = 0"]
    await registry.stop()
    await logs.stop()
    return taken, len(saved)


async def test_others_go_on_while_a_large_notebook_is_saved(tmp_path: Path) -> None:
    taken, size = await turns_during_a_save(tmp_path, 12)
    assert size > 12 * MB and taken >= 10


@pytest.mark.soak
async def test_others_go_on_while_a_notebook_of_200_mb_is_saved(tmp_path: Path) -> None:
    taken, size = await turns_during_a_save(tmp_path, 200)
    assert size > 200 * MB and taken >= 150
