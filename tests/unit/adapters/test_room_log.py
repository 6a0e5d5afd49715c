"""The log file under trouble: a full disk, a failing one, and no power."""

from __future__ import annotations

import asyncio
import random
import stat
import uuid
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.log_progress import Pace
from jupyter_runtimed.adapters.room_log import FileRoomLog
from jupyter_runtimed.adapters.room_logs import FileRoomLogs
from jupyter_runtimed.core.errors import Internal, OutOfSpace
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.journal import RecordKind, encode_record, read_journal
from tests.support.failing_disk import BROKEN, FULL, FlakyDisk, PowerLoss
from tests.support.log_owner import Owner

ROOM = RoomId(str(uuid.UUID(int=7)))
NEVER = Pace(gather_s=3600, retry_s=3600, max_retry_s=3600)
"""Only what is asked for is written."""


async def begin(
    folder: Path, disk: FlakyDisk | PowerLoss | None = None, pace: Pace = NEVER
) -> tuple[FileRoomLogs, Owner]:
    logs = FileRoomLogs(folder, disk=disk, pace=pace)
    await logs.start()
    owner = Owner(ROOM)
    owner.log = logs.log(ROOM, owner, owner.meta)
    return logs, owner


def log_of(owner: Owner) -> FileRoomLog:
    assert isinstance(owner.log, FileRoomLog)
    return owner.log


def on_disk(folder: Path) -> bytes:
    return b"".join(read_journal((folder / "rooms" / f"{ROOM}.log").read_bytes()).notebook)


async def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path / "state")
    alice.edit(b"1")
    await log_of(alice).begin_save(b"{}", "00" * 32)
    files = sorted((tmp_path / "state" / "rooms").iterdir())
    assert [path.suffix for path in files] == [".log", ".save"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "state" / "rooms").stat().st_mode) == 0o700
    await logs.stop()


async def test_a_burst_is_one_write_and_one_sync(tmp_path: Path) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk)
    alice.edit(b"first")
    await log_of(alice).sync()
    disk.calls.clear()
    for number in range(100):
        alice.edit(b"%d" % number)
    await log_of(alice).sync()
    assert disk.calls == ["write", "sync"] and on_disk(tmp_path) == b"".join(alice.notebook)
    await logs.stop()


@pytest.mark.parametrize("code", [FULL, BROKEN])
@pytest.mark.parametrize("call", ["write", "sync"])
async def test_a_failing_append_is_told_and_made_good_later(tmp_path: Path, call: str, code: int) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk)
    alice.edit(b"1")
    await log_of(alice).sync()
    before = log_of(alice).durable_heads
    disk.fail = {call: code}
    alice.edit(b"2")
    with pytest.raises(OutOfSpace if code == FULL else Internal):
        await log_of(alice).sync()
    assert log_of(alice).durable_heads == before and log_of(alice).trouble is not None
    assert on_disk(tmp_path).startswith(b"<import>1")
    alice.edit(b"3")
    disk.fail = {}
    await log_of(alice).sync()
    assert log_of(alice).durable_heads == alice.heads and log_of(alice).trouble is None
    assert on_disk(tmp_path) == b"<import>123"
    await logs.stop()


async def test_after_a_failed_sync_the_file_is_written_anew(tmp_path: Path) -> None:
    """A second fsync may call pages a success that the kernel has dropped."""
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk)
    alice.edit(b"1")
    await log_of(alice).sync()
    disk.fail = {"sync": BROKEN}
    alice.edit(b"2")
    with pytest.raises(Internal):
        await log_of(alice).sync()
    disk.fail = {}
    disk.calls.clear()
    await log_of(alice).sync()
    assert disk.calls[0] == "create" and disk.calls[-1] == "rename"
    await logs.stop()


@pytest.mark.parametrize("call", ["create", "write", "sync", "rename"])
async def test_a_log_that_cannot_be_made_keeps_everything_until_it_can(tmp_path: Path, call: str) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk)
    disk.fail = {call: FULL}
    for number in range(3):
        alice.edit(b"%d" % number)
        with pytest.raises(OutOfSpace):
            await log_of(alice).sync()
    assert log_of(alice).durable_heads is None and alice.changes == 3
    disk.fail = {}
    await log_of(alice).sync()
    assert on_disk(tmp_path) == b"<import>012"
    await logs.stop()


async def test_it_tries_again_by_itself(tmp_path: Path) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk, Pace(gather_s=0, retry_s=0.001, max_retry_s=0.001))
    disk.fail = {"write": FULL}
    failed = asyncio.Event()
    alice.log_changed = failed.set  # type: ignore[method-assign]
    alice.edit(b"1")
    await asyncio.wait_for(failed.wait(), 10)
    durable = asyncio.Event()
    alice.log_changed = lambda: durable.set() if log_of(alice).trouble is None else None  # type: ignore[method-assign]
    disk.fail = {}
    await asyncio.wait_for(durable.wait(), 10)
    assert log_of(alice).durable_heads == alice.heads
    await logs.stop()


async def test_a_failed_rewrite_leaves_the_old_log_in_use(tmp_path: Path) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk)
    alice.edit(b"1")
    await log_of(alice).sync()
    disk.fail = {"create": FULL}
    with pytest.raises(OutOfSpace):
        await log_of(alice).rewrite()
    assert log_of(alice).trouble is None
    alice.edit(b"2")
    await log_of(alice).sync()
    assert on_disk(tmp_path) == b"<import>12" and log_of(alice).durable_heads == alice.heads
    disk.fail = {}
    await log_of(alice).rewrite()
    assert on_disk(tmp_path) == b"<import>12"
    await logs.stop()


async def test_a_large_buffer_is_given_up_for_a_rewrite(tmp_path: Path) -> None:
    disk = FlakyDisk()
    logs, alice = await begin(tmp_path, disk, Pace(3600, 3600, 3600, max_buffer_bytes=1000))
    alice.edit(b"1")
    await log_of(alice).sync()
    disk.fail = {"write": FULL}
    for _ in range(5):
        alice.edit(bytes(500))
        with pytest.raises(OutOfSpace):
            await log_of(alice).sync()
    disk.fail = {}
    await log_of(alice).sync()
    assert on_disk(tmp_path) == b"".join(alice.notebook) and log_of(alice).durable_heads == alice.heads
    await logs.stop()


async def test_a_log_that_has_grown_is_written_anew(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path, pace=Pace(gather_s=3600, min_growth_bytes=1000, growth=2))
    alice.edit(b"1")
    await log_of(alice).sync()
    assert alice.compactions == 0
    alice.edit(bytes(5000))
    await log_of(alice).sync()
    alice.edit(b"2")
    await log_of(alice).sync()
    await log_of(alice).rewrite()
    assert alice.compactions >= 1 and on_disk(tmp_path) == b"".join(alice.notebook)
    await logs.stop()


async def test_a_closed_log_takes_nothing_more(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path)
    alice.edit(b"1")
    await log_of(alice).close()
    await log_of(alice).close()
    alice.edit(b"2")
    assert on_disk(tmp_path) == b"<import>1"
    await logs.stop()


async def test_an_abandoned_log_keeps_what_was_durable(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path)
    alice.edit(b"1")
    await log_of(alice).sync()
    alice.edit(b"2")
    waiting = asyncio.ensure_future(log_of(alice).sync())
    alice.edit(b"3")
    log_of(alice).abandon()
    await asyncio.gather(waiting, return_exceptions=True)
    assert on_disk(tmp_path) == b"<import>1"
    await logs.stop()


async def test_a_torn_end_is_cut_and_the_rest_used(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path)
    alice.edit(b"1")
    alice.edit(b"2")
    await log_of(alice).close()
    path = tmp_path / "rooms" / f"{ROOM}.log"
    path.write_bytes(path.read_bytes() + encode_record(RecordKind.NOTEBOOK_CHANGE, b"lost")[:-1])
    logged = await logs.load(ROOM)
    assert logged is not None and logged.was_cut and b"".join(logged.notebook) == b"<import>12"
    assert logs.set_aside == 0
    again = Owner(ROOM)
    again.notebook = list(logged.notebook)
    again.log = logs.log(ROOM, again, logged.meta)
    again.edit(b"3")
    await log_of(again).sync()
    assert on_disk(tmp_path) == b"<import>123"
    await logs.stop()


async def test_what_follows_damage_is_kept_beside_the_log(tmp_path: Path) -> None:
    logs, alice = await begin(tmp_path)
    alice.edit(b"1")
    await log_of(alice).sync()
    for chunk in (b"22222222", b"33333333"):
        alice.edit(chunk)
        await log_of(alice).sync()
    await log_of(alice).close()
    path = tmp_path / "rooms" / f"{ROOM}.log"
    damaged = path.read_bytes().replace(b"22222222", b"2222x222")
    path.write_bytes(damaged)
    logged = await logs.load(ROOM)
    assert logged is not None and logged.was_cut and b"".join(logged.notebook) == b"<import>1"
    assert (tmp_path / "rooms" / f"{ROOM}.log.damaged-1").read_bytes() == damaged and logs.set_aside == 1
    await logs.stop()


@pytest.mark.parametrize("content", [b"", b"junk", b"RTJRNL\x01\n"])
async def test_an_unreadable_log_is_set_aside_never_deleted(tmp_path: Path, content: bytes) -> None:
    logs, _ = await begin(tmp_path)
    path = tmp_path / "rooms" / f"{ROOM}.log"
    for number in (1, 2):
        path.write_bytes(content)
        assert await logs.load(ROOM) is None and not path.exists()
        assert (tmp_path / "rooms" / f"{ROOM}.log.unreadable-{number}").read_bytes() == content
    assert logs.rooms() == []
    await logs.stop()


@pytest.mark.parametrize("name", ["../../etc/passwd", "x", "", str(uuid.UUID(int=7)).upper() + "A"])
async def test_only_uuids_name_logs(tmp_path: Path, name: str) -> None:
    logs, alice = await begin(tmp_path)
    assert await logs.load(RoomId(name)) is None
    with pytest.raises(ValueError):
        logs.log(RoomId(name), alice, alice.meta)
    await logs.stop()


@pytest.mark.parametrize("seed", range(60))
async def test_power_loss_at_any_call_loses_nothing_that_was_durable(tmp_path: Path, seed: int) -> None:
    """Three edits, a rewrite and a save, with the power going at one of their calls to the disk."""
    dice = random.Random(seed)
    disk = PowerLoss(seed % 30, dice)
    logs = FileRoomLogs(tmp_path, disk=disk, pace=NEVER)
    (tmp_path / "rooms").mkdir()
    alice = Owner(ROOM)
    alice.log = log = logs.log(ROOM, alice, alice.meta)
    durable = 0
    for number in range(4):
        alice.edit(b"[%d]" % number)
        try:
            await log.sync()
            durable = number + 1
            if number == 1:
                await log.rewrite()
            if number == 2:
                await log.begin_save(b"{}", "11" * 32)
                await log.end_save(alice.meta)
        except Internal:
            pass
    log.abandon()
    await logs.stop()
    if disk.is_out:
        disk.lose()
    after = FileRoomLogs(tmp_path)
    await after.start()
    logged = await after.load(ROOM)
    whole = b"<import>" + b"".join(b"[%d]" % number for number in range(4))
    found = b"" if logged is None else b"".join(logged.notebook)
    assert after.set_aside == 0 and whole.startswith(found)
    assert found.startswith(b"<import>" + b"".join(b"[%d]" % number for number in range(durable)) if durable else b"")
    await after.stop()
