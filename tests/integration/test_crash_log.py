"""`kill -9` of a process that writes a log, at any instant: what it was told is durable is in the file."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.ids import RoomId

ROOM = RoomId(str(uuid.UUID(int=7)))

WRITER = """
import asyncio, pathlib, random, sys
from jupyter_runtimed.adapters.log_progress import Pace
from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.ids import RoomId
from tests.support.log_owner import Owner

async def main(folder, room, seed):
    dice = random.Random(seed)
    logs = FileRoomLogs(pathlib.Path(folder), pace=Pace(gather_s=0.002, min_growth_bytes=2000, growth=1.5))
    await logs.start()
    owner = Owner(room)
    logged = await logs.load(RoomId(room))
    if logged is not None:
        owner.notebook, owner.meta = list(logged.notebook), logged.meta
    count = b"".join(owner.notebook).count(b"[")
    owner.log = logs.log(RoomId(room), owner, owner.meta)
    numbers = {}
    def told():
        heads = owner.log.durable_heads
        if heads in numbers:
            print(numbers[heads], flush=True)
    owner.log_changed = told
    print(count, flush=True)
    while True:
        count += 1
        owner.edit(b"[%d:%s]" % (count, b"x" * dice.randrange(200)))
        numbers[owner.heads] = count
        if dice.random() < 0.05:
            await owner.log.begin_save(b"save %d" % count, "%064x" % count)
            await owner.log.end_save(owner.meta)
        await asyncio.sleep(dice.random() * 0.003)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def killed(folder: Path, seed: int, seconds: float) -> int:
    """Let a process write for a while and kill it; the last number that it was told is durable."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), ROOM, str(seed)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -9, "it ended by itself"
    whole = (first + rest).split(b"\n")[:-1]  # the last line may be torn
    return int(whole[-1])


async def check_kills(folder: Path, seed: int, kills: int) -> None:
    dice = random.Random(seed)
    seen = 0
    for life in range(kills):
        durable = await asyncio.to_thread(killed, folder, seed * 1000 + life, dice.random() * 0.4)
        logs = FileRoomLogs(folder)
        await logs.start()
        logged = await logs.load(ROOM)
        await logs.stop()
        found = b"" if logged is None else b"".join(logged.notebook)
        numbers = [int(piece.split(b":")[0]) for piece in found.split(b"[")[1:]]
        assert numbers == list(range(1, len(numbers) + 1)), "in order, none missing, none twice"
        assert len(numbers) >= durable >= seen, (len(numbers), durable)
        assert logs.set_aside == 0
        seen = durable
    assert seen > 0


async def test_killed_writers_lose_nothing_that_was_durable(tmp_path: Path) -> None:
    await check_kills(tmp_path, seed=1, kills=8)


@pytest.mark.soak
async def test_writers_that_are_killed_hundreds_of_times(tmp_path: Path) -> None:
    for seed in range(10):
        await check_kills(tmp_path / str(seed), seed=seed, kills=50)
