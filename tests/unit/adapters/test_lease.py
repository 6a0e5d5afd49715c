"""Leases of servers that died, and of servers on other machines."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.lease import FileLeases, ServerInfo
from jupyter_runtimed.core.errors import ActiveElsewhere


async def started(folder: Path, **options: object) -> FileLeases:
    leases = FileLeases(folder, **options)  # type: ignore[arg-type]
    await leases.start()
    return leases


def elsewhere() -> ServerInfo:
    return replace(ServerInfo.of_this_process(), machine="another machine", host="other")


def age(folder: Path, leases: FileLeases, seconds: float) -> None:
    """Make a server's last heartbeat older."""
    path = folder / "servers" / leases.info.server
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))


async def test_a_process_that_was_killed_owns_nothing(tmp_path: Path) -> None:
    """`kill -9` on this machine: the next process need not wait for anything to expire."""
    script = (
        "import asyncio, sys, pathlib\n"
        "from jupyter_runtimed.adapters.lease import FileLeases\n"
        "async def main():\n"
        "    leases = FileLeases(pathlib.Path(sys.argv[1]))\n"
        "    await leases.start()\n"
        "    await leases.acquire('a')\n"
        "    print('held', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert await asyncio.to_thread(process.stdout.readline) == b"held\n"
        leases = await started(tmp_path)
        with pytest.raises(ActiveElsewhere) as refused:
            await leases.acquire("a")
        assert refused.value.details["pid"] == process.pid
        assert await leases.others() == 1
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    await leases.acquire("a")
    assert await leases.others() == 0
    await leases.stop()


async def test_a_process_id_that_was_given_out_again_is_another_process(tmp_path: Path) -> None:
    dead = await started(tmp_path, info=replace(ServerInfo.of_this_process(), began="long ago"))
    await dead.acquire("a")
    ours = await started(tmp_path)
    await ours.acquire("a")
    await ours.stop()


async def test_a_server_on_another_machine_lives_while_its_heart_beats(tmp_path: Path) -> None:
    theirs = await started(tmp_path, info=elsewhere(), heartbeat_s=0.01)
    await theirs.acquire("a")
    ours = await started(tmp_path, heartbeat_s=0.04)
    with pytest.raises(ActiveElsewhere):
        await asyncio.wait_for(ours.acquire("a"), 10)
    await theirs.stop()
    await ours.acquire("a")
    await ours.stop()


async def test_a_server_on_another_machine_is_dead_when_its_heart_stood_still(tmp_path: Path) -> None:
    theirs = await started(tmp_path, info=elsewhere(), heartbeat_s=3600)
    await theirs.acquire("a")
    age(tmp_path, theirs, 60)
    ours = await started(tmp_path, heartbeat_s=0.04)
    assert await ours.others() == 0
    await asyncio.wait_for(ours.acquire("a"), 10)
    await ours.stop()


async def test_who_slept_too_long_is_told_what_was_lost(tmp_path: Path) -> None:
    lost: list[str] = []
    told = asyncio.Event()

    def on_lost(name: str) -> None:
        lost.append(name)
        told.set()

    sleeper = await started(tmp_path, info=elsewhere(), heartbeat_s=0.2, expiry_s=0.001, on_lost=on_lost)
    await sleeper.acquire("a")
    await sleeper.acquire("b")
    age(tmp_path, sleeper, 60)
    ours = await started(tmp_path, heartbeat_s=0.001)
    await ours.acquire("a")
    await asyncio.wait_for(told.wait(), 10)
    assert lost == ["a"]
    await sleeper.stop()
    await ours.stop()


async def test_a_broken_lease_and_a_missing_server_file_own_nothing(tmp_path: Path) -> None:
    ours = await started(tmp_path)
    await ours.acquire("a")
    (lease,) = (tmp_path / "leases").iterdir()
    assert stat.S_IMODE(lease.stat().st_mode) == 0o600
    lease.write_bytes(b"{")
    theirs = await started(tmp_path)
    await theirs.acquire("a")
    (tmp_path / "servers" / theirs.info.server).unlink()
    await ours.acquire("a")
    await ours.stop()
    await theirs.stop()
    assert list((tmp_path / "leases").iterdir()) == [] and list((tmp_path / "servers").iterdir()) == []


async def test_a_lease_is_taken_without_waiting_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first thing that opening a notebook does, and means nothing after a loss of power."""
    ours, theirs = await started(tmp_path), await started(tmp_path)

    def waits(*_: object) -> None:
        raise AssertionError("it waits for the disk")

    monkeypatch.setattr(os, "fsync", waits)
    await ours.acquire("a")
    with pytest.raises(ActiveElsewhere):
        await theirs.acquire("a")
    await ours.stop()
    await theirs.stop()


async def test_a_disk_that_is_full_leaves_nothing_of_a_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = await started(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="no space"):
            await ours.acquire("a")
        assert list((tmp_path / "leases").iterdir()) == []
    await ours.acquire("a")
    await ours.stop()


async def test_leases_work_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(os, "link", no_links)
    ours, theirs = await started(tmp_path), await started(tmp_path)
    await ours.acquire("a")
    with pytest.raises(ActiveElsewhere):
        await theirs.acquire("a")
    await ours.stop()
    await theirs.acquire("a")
    await theirs.stop()
