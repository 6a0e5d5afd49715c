"""A disk that takes no more, and one that refuses: disk, limit and modes are the kernel's, the server is a process.

Every time the same is to be seen: two people go on, the status says that nothing is saved and why, it is tried again
by itself, and once the disk gives way all is in the file.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.support.bare_peer import BarePeer
from tests.support.server_process import TOKEN, ServerProcess

DROPPED = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", "--inh-caps", "-all")
"""Runs a program without what makes root free of file modes."""

NAME = "work/book.ipynb"
FULL_BYTES = 24 * 1024
"""No file may be larger, where the disk is full."""


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    traits = {"save_quiet_s": 0.1, "autosave_s": 0.3, "disk_check_s": 0.2}
    arguments = tuple(f"--RuntimedApp.{name}={value}" for name, value in traits.items())
    made = ServerProcess(tmp_path, arguments=arguments)
    (made.root / NAME).parent.mkdir()
    (made.root / NAME).write_text(json.dumps(notebook(code_cell("<", "a"), code_cell("", "b"))))
    return made


@pytest.fixture
def bound(server: ServerProcess) -> ServerProcess:
    """A server that file modes bind, whoever runs the tests."""
    if os.geteuid() == 0:
        if shutil.which(DROPPED[0]) is None or subprocess.run([*DROPPED, "true"], capture_output=True).returncode:
            pytest.skip("root, and `setpriv` (util-linux) cannot take away what frees root of file modes")
        server.below = DROPPED
    return server


class Two:
    """A person who types, and one who sees it."""

    def __init__(self, server: ServerProcess, typist: BarePeer, reader: BarePeer) -> None:
        self.file = server.root / NAME
        self.typist = typist
        self.reader = reader
        self.typed = "<"

    @property
    def status(self) -> dict[str, Any]:
        return self.typist.statuses[-1]

    async def type(self, text: str) -> None:
        """Type, until the other has seen it."""
        self.typist.type_text("a", len(self.typed), text)
        self.typed += text
        await self.typist.flush()
        await self.reader.until(lambda: self.reader.cells()[0]["source"] == self.typed, what="the other sees it")

    async def is_told(self, code: str) -> None:
        """Both are told that it is not saved, and why."""
        for peer in (self.typist, self.reader):
            await peer.until(partial(self._says, peer, code), 30, what=code)
            assert peer.statuses[-1]["dirty"] and peer.statuses[-1]["saved_heads"] != peer.heads()
            assert peer.statuses[-1]["save_error"]["message"]

    @staticmethod
    def _says(peer: BarePeer, code: str) -> bool:
        return (peer.statuses[-1]["save_error"] or {}).get("code") == code

    async def is_saved(self) -> None:
        """It is saved by itself, and both are told so."""
        for peer in (self.typist, self.reader):
            await peer.until(partial(self._says_saved, peer), 60)
            assert peer.statuses[-1]["save_error"] is None
        assert self.in_file() == self.typed

    @staticmethod
    def _says_saved(peer: BarePeer) -> bool:
        return peer.statuses[-1]["saved_heads"] == peer.heads() and not peer.statuses[-1]["dirty"]

    def in_file(self) -> str:
        return "".join(json.loads(self.file.read_bytes())["cells"][0]["source"])


@asynccontextmanager
async def two_in(server: ServerProcess) -> AsyncIterator[Two]:
    async with aiohttp.ClientSession(headers={"Authorization": f"token {TOKEN}"}) as session:
        visitor = Visitor(session, server)
        room = await visitor.open(NAME)
        async with visitor.peer(room) as typist, visitor.peer(room) as reader:
            await typist.ready()
            await reader.ready()
            yield Two(server, typist, reader)


class LimitedFiles:
    """No file of the server's may grow over a size: a full disk, as far as writing goes."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    def seen(self, path: Path) -> Path:
        """Where the test finds what the server has at a path."""
        return path

    def fill(self) -> None:
        self._limit(FULL_BYTES)

    def free(self) -> None:
        self._limit(None)

    def _limit(self, size: int | None) -> None:
        assert self._server.process is not None
        pid = self._server.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


class SmallDisk:
    """All that the server keeps is on a file system of some megabytes, which only the server has mounted."""

    SCRIPT = """
        new=$(mktemp -d) && mount -t tmpfs -o size=12m tmpfs "$new" && cp -a "$0/." "$new" &&
        mount --bind "$new" "$0" && cd "$0" && exec "$@"
    """

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        server.below = ("unshare", "--map-root-user", "--mount", "sh", "-c", self.SCRIPT, str(server.home))
        if subprocess.run([*server.below, "true"], capture_output=True).returncode:
            pytest.skip("no file system can be mounted here, not even in a namespace of its own")

    def seen(self, path: Path) -> Path:
        assert self._server.process is not None
        return Path(f"/proc/{self._server.process.pid}/root", *path.parts[1:])

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.seen(self._server.home / "filler")


@pytest.mark.parametrize("kind", [LimitedFiles, SmallDisk])
async def test_a_full_disk(server: ServerProcess, kind: type[LimitedFiles | SmallDisk]) -> None:
    disk = kind(server)
    try:
        await asyncio.to_thread(server.start)
        async with two_in(server) as two:
            two.file = disk.seen(two.file)
            await two.type("before;")
            await two.is_saved()
            disk.fill()
            await two.type("x" * FULL_BYTES)
            await two.is_told("out_of_space")
            before = two.in_file()
            assert before.startswith("<before;") and len(before) < FULL_BYTES, "the file is as it was, and whole"
            await two.typist.until(lambda: "is full" in (two.status["log_error"] or ""))
            assert two.status["durable_heads"] != two.typist.heads()
            await two.type("meanwhile;")
            refused = await two.typist.request("save_notebook", required_heads=two.typist.heads())
            assert refused["error"]["code"] == "out_of_space" and two.in_file() == before
            disk.free()
            await two.is_saved()
            await two.typist.until(
                lambda: two.status["durable_heads"] == two.typist.heads() and not two.status["log_error"]
            )
            assert not list(two.file.parent.glob(".~*")), "nothing half-written is left beside it"
    finally:
        server.stop()


def lock_file(file: Path) -> Callable[[], None]:
    file.chmod(0o444)
    return lambda: file.chmod(0o644)


def lock_folder(file: Path) -> Callable[[], None]:
    file.parent.chmod(0)
    return lambda: file.parent.chmod(0o755)


@pytest.mark.parametrize("lock", [lock_file, lock_folder])
async def test_a_permission_that_is_taken_and_given_back(
    bound: ServerProcess, lock: Callable[[Path], Callable[[], None]]
) -> None:
    server = bound
    try:
        await asyncio.to_thread(server.start)
        async with two_in(server) as two:
            unlock = lock(two.file)
            try:
                await two.type("while it refuses;")
                await two.is_told("forbidden")
                await two.typist.until(lambda: two.status["durable_heads"] == two.typist.heads())
                # Not in the file, and yet no death of the server takes it.
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            finally:
                unlock()
        async with two_in(server) as two:
            two.typed += "while it refuses;"
            await two.is_saved()
            unlock = lock(two.file)
            try:
                await two.type("again;")
                await two.is_told("forbidden")
                await two.type("and on;")
            finally:
                unlock()
            await two.is_saved()
    finally:
        server.stop()


async def test_a_state_folder_that_is_taken_and_given_back(bound: ServerProcess) -> None:
    server = bound
    state = server.home / "data" / "runtimed"
    folders: list[Path] = []
    try:
        await asyncio.to_thread(server.start)
        folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
        async with two_in(server) as two:
            for folder in folders:
                folder.chmod(0o500)
            await two.type("in no log;")
            await two.typist.until(lambda: two.status["log_error"])
            await two.is_saved()
            assert two.status["log_error"], "saving works, and it is still said"
            assert two.status["durable_heads"] == two.typist.heads(), "the file has it"
            assert not list(state.rglob("*.log"))
            for folder in folders:
                folder.chmod(0o700)
            await two.typist.until(lambda: not two.status["log_error"], 40)
            assert list(state.rglob("*.log"))
            await two.type("in the log;")
            await two.is_saved()
    finally:
        for folder in folders:
            folder.chmod(0o700)
        server.stop()
