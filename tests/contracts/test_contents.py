"""What rooms may expect of storage, whichever contents manager is behind it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_runtimed.adapters.contents import ServerContents
from jupyter_runtimed.core.errors import FileChanged, FileExists, Internal, NotANotebook, NotFound
from jupyter_runtimed.rooms.ports.contents import Contents
from tests.support.contents_managers import CountingManager, MemoryContentsManager
from tests.support.room_ports import FakeContents

DATA = '{"cells": [],\r\n "metadata": {"é": "🎉"}, "nbformat": 4, "nbformat_minor": 5}'.encode()


class Storage:
    """The port, and the hands of somebody who writes into the storage behind its back."""

    def __init__(self, contents: Contents, place: Any) -> None:
        self.contents = contents
        self.place = place

    def put(self, path: str, data: bytes) -> None:
        if isinstance(self.place, Path):
            (self.place / path).parent.mkdir(parents=True, exist_ok=True)
            (self.place / path).write_bytes(data)
        else:
            self.place.files[path] = data
            self.place.folders.update({path.rsplit("/", 1)[0]} if "/" in path else ())

    def data(self, path: str) -> bytes:
        if isinstance(self.place, Path):
            return (self.place / path).read_bytes()
        data: bytes = self.place.files[path]
        return data

    def folder(self, path: str) -> None:
        if isinstance(self.place, Path):
            (self.place / path).mkdir(parents=True)
        else:
            self.place.folders.add(path)


@pytest.fixture(params=["default", "synchronous", "with a save of its own", "no file system", "fake"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "fake":
        fake = FakeContents()
        return Storage(fake, fake)
    if request.param == "no file system":
        memory = MemoryContentsManager()
        return Storage(ServerContents(memory), memory)
    kinds = {"default": AsyncLargeFileManager, "synchronous": FileContentsManager}
    manager = kinds.get(request.param, CountingManager)(root_dir=str(tmp_path))
    return Storage(ServerContents(manager), tmp_path)


async def test_a_file_is_read_to_the_last_byte(storage: Storage) -> None:
    for data in (DATA, b"", b"\xff\xfe no utf-8 \r\n", b"\xef\xbb\xbf{}"):
        storage.put("a.ipynb", data)
        state = await storage.contents.read("a.ipynb")
        assert (state.path, state.content, state.sha256) == ("a.ipynb", data, hashlib.sha256(data).hexdigest())
        assert state.writable
        assert await storage.contents.sha256("a.ipynb") == state.sha256


async def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.contents.read("nowhere.ipynb")
    assert await storage.contents.sha256("nowhere.ipynb") is None
    assert not await storage.contents.exists("nowhere.ipynb")
    assert not await storage.contents.directory_exists("nowhere")


async def test_the_root_and_folders_are_directories_and_no_files(storage: Storage) -> None:
    storage.put("b/a.ipynb", DATA)
    assert await storage.contents.directory_exists("")
    assert await storage.contents.directory_exists("b")
    assert not await storage.contents.exists("b")
    assert await storage.contents.exists("b/a.ipynb")
    assert not await storage.contents.directory_exists("b/a.ipynb")


async def test_a_write_is_read_back_byte_for_byte(storage: Storage) -> None:
    for data in (DATA, DATA + b"\n"):
        state = await storage.contents.write("a.ipynb", data)
        assert (state.content, state.sha256) == (data, hashlib.sha256(data).hexdigest())
        assert storage.data("a.ipynb") == data


async def test_a_file_that_changed_is_not_overwritten(storage: Storage) -> None:
    storage.put("a.ipynb", DATA)
    known = (await storage.contents.read("a.ipynb")).sha256
    storage.put("a.ipynb", b"somebody else's")
    with pytest.raises(FileChanged):
        await storage.contents.write("a.ipynb", DATA, expected=known)
    assert storage.data("a.ipynb") == b"somebody else's"
    await storage.contents.write("a.ipynb", DATA, expected=hashlib.sha256(b"somebody else's").hexdigest())
    assert storage.data("a.ipynb") == DATA


async def test_a_file_that_is_gone_has_changed(storage: Storage) -> None:
    with pytest.raises(FileChanged):
        await storage.contents.write("a.ipynb", DATA, expected=hashlib.sha256(DATA).hexdigest())
    assert not await storage.contents.exists("a.ipynb")


async def test_a_new_file_is_not_written_over_an_old_one(storage: Storage) -> None:
    await storage.contents.write("new.ipynb", DATA, create=True)
    with pytest.raises(FileExists):
        await storage.contents.write("new.ipynb", b"other", create=True)
    assert storage.data("new.ipynb") == DATA


async def test_a_folder_is_not_made_for_a_file(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.contents.write("no/such/folder.ipynb", DATA)
    assert not await storage.contents.directory_exists("no")


async def test_every_spelling_of_a_path_is_the_same_file(storage: Storage) -> None:
    storage.put("b/a.ipynb", DATA)
    identity = await storage.contents.identify("b/a.ipynb")
    assert identity.api_path == "b/a.ipynb"
    for spelling in ("/b/a.ipynb", "b//a.ipynb", "./b/./a.ipynb", "b/../b/a.ipynb", "/b/a.ipynb/"):
        assert await storage.contents.identify(spelling) == identity, spelling
    assert (await storage.contents.identify("b/c.ipynb")).key != identity.key


async def test_the_unicode_form_of_a_path_does_not_matter(storage: Storage) -> None:
    composed, decomposed = "\u00e9.ipynb", "e\u0301.ipynb"
    assert await storage.contents.identify(composed) == await storage.contents.identify(decomposed)
    storage.put(composed, DATA)
    identity = await storage.contents.identify(decomposed)
    assert identity == await storage.contents.identify(composed)
    assert (await storage.contents.read(identity.api_path)).content == DATA


async def test_a_path_outside_the_root_is_not_found(storage: Storage) -> None:
    for path in ("../a.ipynb", "b/../../a.ipynb", "..", "../../etc/passwd"):
        with pytest.raises(NotFound):
            await storage.contents.identify(path)


async def test_what_is_no_notebook_is_refused_by_its_name(storage: Storage) -> None:
    storage.folder("folder.ipynb")
    for path in ("", "/", ".", "a.txt", "b", "folder.ipynb"):
        with pytest.raises(NotANotebook):
            await storage.contents.identify(path)


async def test_nothing_is_percent_decoded(storage: Storage) -> None:
    storage.put("100%25.ipynb", DATA)
    assert (await storage.contents.identify("100%25.ipynb")).api_path == "100%25.ipynb"
    assert not await storage.contents.exists("100%.ipynb")


async def test_writers_at_the_same_time_leave_one_whole_file(storage: Storage) -> None:
    versions = [b"%d" % number * 50_000 for number in range(8)]
    await asyncio.gather(*(storage.contents.write("a.ipynb", data) for data in versions), return_exceptions=True)
    assert storage.data("a.ipynb") in versions


_contents: type[Contents] = ServerContents
_fake: type[Contents] = FakeContents


async def test_a_checkpoint_changes_nothing_of_the_file(storage: Storage) -> None:
    storage.put("a.ipynb", DATA)
    try:
        await storage.contents.checkpoint("a.ipynb")
    except Internal:
        assert isinstance(storage.place, MemoryContentsManager), "only a storage that keeps none may fail"
    assert storage.data("a.ipynb") == DATA
    if isinstance(storage.place, Path):
        assert (storage.place / ".ipynb_checkpoints" / "a-checkpoint.ipynb").read_bytes() == DATA


async def test_what_is_not_there_has_no_checkpoint(storage: Storage) -> None:
    with pytest.raises((NotFound, Internal)):
        await storage.contents.checkpoint("none.ipynb")
