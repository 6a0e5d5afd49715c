"""What is particular to the server's contents managers: links, hidden files, hooks, events, time stamps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_events import EventLogger
from jupyter_server import DEFAULT_EVENTS_SCHEMA_PATH
from jupyter_server.services.contents.filemanager import FileContentsManager
from tornado.web import HTTPError

from jupyter_runtimed.adapters.contents import ServerContents
from jupyter_runtimed.adapters.contents_events import ContentsListener
from jupyter_runtimed.core.errors import Forbidden, Internal, NotFound
from jupyter_runtimed.core.files import ContentsEvent
from tests.support.contents_managers import CountingManager, MemoryContentsManager

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
DATA = json.dumps(NOTEBOOK).encode()


def local(tmp_path: Path, **traits: Any) -> tuple[FileContentsManager, ServerContents]:
    manager = FileContentsManager(root_dir=str(tmp_path), **traits)
    return manager, ServerContents(manager)


def logger() -> EventLogger:
    events = EventLogger()
    events.register_event_schema(DEFAULT_EVENTS_SCHEMA_PATH / "contents_service" / "v1.yaml")
    return events


async def test_a_link_is_the_file_it_leads_to_under_its_own_name(tmp_path: Path) -> None:
    _, contents = local(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.ipynb").write_bytes(DATA)
    (tmp_path / "link.ipynb").symlink_to("folder/a.ipynb")
    (tmp_path / "other").symlink_to("folder", target_is_directory=True)
    real = await contents.identify("folder/a.ipynb")
    for spelling in ("link.ipynb", "other/a.ipynb"):
        identity = await contents.identify(spelling)
        assert (identity.key, identity.api_path) == (real.key, spelling)


async def test_a_root_that_is_a_link_itself_is_no_other_place(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to("root", target_is_directory=True)
    one, other = local(tmp_path / "root")[1], local(tmp_path / "link")[1]
    assert (await one.identify("a.ipynb")).key == (await other.identify("a.ipynb")).key


@pytest.mark.parametrize("path", [".hidden.ipynb", ".folder/a.ipynb", "b/.c/a.ipynb"])
async def test_hidden_files_are_as_the_contents_manager_says(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(DATA)
    with pytest.raises(NotFound):
        await local(tmp_path)[1].identify(path)
    with pytest.raises(Forbidden):
        await local(tmp_path)[1].write(path, b"new")
    assert (tmp_path / path).read_bytes() == DATA
    assert (await local(tmp_path, allow_hidden=True)[1].identify(path)).api_path == path


@pytest.mark.parametrize("path", ["a\x00.ipynb", "b/\x00/a.ipynb"])
async def test_a_zero_character_is_no_name(tmp_path: Path, path: str) -> None:
    for manager in (local(tmp_path)[1], ServerContents(MemoryContentsManager())):
        with pytest.raises(NotFound):
            await manager.identify(path)


async def test_a_manager_with_a_save_of_its_own_does_the_saving(tmp_path: Path) -> None:
    manager = CountingManager(root_dir=str(tmp_path))
    await ServerContents(manager).write("a.ipynb", DATA)
    assert manager.saves == 1


async def test_a_manager_told_not_to_write_atomically_is_left_to_its_way(tmp_path: Path) -> None:
    manager, contents = local(tmp_path, use_atomic_writing=False)
    (tmp_path / "a.ipynb").write_bytes(b"old")
    inode = (tmp_path / "a.ipynb").stat().st_ino
    await contents.write("a.ipynb", DATA)
    assert (tmp_path / "a.ipynb").stat().st_ino == inode
    assert manager.use_atomic_writing is False


async def test_a_pre_save_hook_may_change_what_is_written(tmp_path: Path) -> None:
    manager, contents = local(tmp_path)
    seen = []

    def strip_outputs(model: dict[str, Any], path: str, contents_manager: Any) -> None:
        assert (model["type"], contents_manager) == ("notebook", manager)
        seen.append(path)
        for cell in model["content"]["cells"]:
            cell["outputs"] = []

    manager.register_pre_save_hook(strip_outputs)
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": ["1\n", "2"]}
    output = {"name": "stdout", "output_type": "stream", "text": ["x"]}
    with_output = json.dumps({**NOTEBOOK, "cells": [{**cell, "outputs": [output]}]}).encode()
    state = await contents.write("a.ipynb", with_output)
    assert seen == ["a.ipynb"]
    assert state.content == (tmp_path / "a.ipynb").read_bytes() != with_output
    assert state.sha256 == hashlib.sha256(state.content).hexdigest()
    assert json.loads(state.content)["cells"] == [{**cell, "outputs": []}]


async def test_a_hook_that_changes_nothing_changes_no_byte(tmp_path: Path) -> None:
    manager, contents = local(tmp_path)
    manager.register_pre_save_hook(lambda model, **_: None)
    odd = b'{"nbformat":4,\r\n"nbformat_minor":5,"cells":[],"metadata":{}}'
    assert (await contents.write("a.ipynb", odd)).content == (tmp_path / "a.ipynb").read_bytes() == odd


async def test_a_pre_save_hook_may_refuse(tmp_path: Path) -> None:
    manager, contents = local(tmp_path)

    def refuse(**_: Any) -> None:
        raise HTTPError(403, "no secrets in notebooks")

    manager.register_pre_save_hook(refuse)
    with pytest.raises(Forbidden, match="no secrets"):
        await contents.write("a.ipynb", DATA)
    assert not (tmp_path / "a.ipynb").exists()


async def test_a_post_save_hook_sees_the_file_and_its_failure_does_not_undo_the_save(tmp_path: Path) -> None:
    manager, contents = local(tmp_path)
    seen = []

    def look(model: dict[str, Any], os_path: str, **_: Any) -> None:
        seen.append((model["path"], Path(os_path).read_bytes()))
        raise RuntimeError("the hook is broken")

    manager.register_post_save_hook(look)
    await contents.write("a.ipynb", DATA)
    assert seen == [("a.ipynb", DATA)]


async def test_reads_and_saves_are_events_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager, contents = local(tmp_path)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(manager, "emit", lambda data: told.append(data))
    await contents.write("a.ipynb", DATA)
    await contents.read("a.ipynb")
    await contents.sha256("a.ipynb")
    assert told == [{"action": "save", "path": "a.ipynb"}, {"action": "get", "path": "a.ipynb"}]


async def test_a_file_that_was_not_touched_is_not_read_again_for_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, contents = local(tmp_path)
    path = tmp_path / "a.ipynb"
    path.write_bytes(DATA)
    now = path.stat().st_ctime
    monkeypatch.setattr("time.time", lambda: now + 60)
    known = await contents.sha256("a.ipynb")
    monkeypatch.setattr("jupyter_runtimed.adapters.contents.sha256_of", lambda _: "read again")
    assert await contents.sha256("a.ipynb") == known
    path.write_bytes(DATA + b" ")
    assert await contents.sha256("a.ipynb") == "read again"


async def test_a_file_that_was_just_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes of one size within the clock's step leave the same time stamp."""
    _, contents = local(tmp_path)
    (tmp_path / "a.ipynb").write_bytes(DATA)
    await contents.sha256("a.ipynb")
    monkeypatch.setattr("jupyter_runtimed.adapters.contents.sha256_of", lambda _: "read again")
    assert await contents.sha256("a.ipynb") == "read again"


@pytest.mark.parametrize("ahead_s", [-2.0, 0.0, 2.0])
async def test_a_change_is_seen_though_the_storages_clock_is_coarse_and_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """Time stamps in steps of 2 s, and a clock of ours that is ahead or behind by as much."""
    _, contents = local(tmp_path)
    path = tmp_path / "a.ipynb"
    path.write_bytes(DATA)
    status = path.stat()
    coarse_s = int(status.st_ctime) // 2 * 2

    class Coarse:
        st_dev, st_ino, st_size, st_mode = status.st_dev, status.st_ino, len(DATA), status.st_mode
        st_ctime, st_mtime = float(coarse_s), float(coarse_s)
        st_ctime_ns = st_mtime_ns = coarse_s * 10**9

    monkeypatch.setattr("time.time", lambda: coarse_s + 1.9 + ahead_s)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: Coarse())
    first = await contents.sha256("a.ipynb")
    path.write_bytes(DATA.replace(b"5", b"4"))
    assert await contents.sha256("a.ipynb") not in (None, first)


async def test_renames_deletions_and_saves_are_heard(tmp_path: Path) -> None:
    events = logger()
    manager = FileContentsManager(root_dir=str(tmp_path), event_logger=events, delete_to_trash=False)
    heard: list[ContentsEvent] = []

    async def hear(event: ContentsEvent) -> None:
        heard.append(event)

    listener = ContentsListener(events, hear)
    listener.start()
    manager.save({"type": "file", "format": "text", "content": "{}"}, "/a.ipynb")
    manager.rename("/a.ipynb", "/b.ipynb")
    manager.delete("/b.ipynb")
    await events.gather_listeners()
    assert heard == [
        ContentsEvent("saved", "a.ipynb"),
        ContentsEvent("renamed", "a.ipynb", "b.ipynb"),
        ContentsEvent("deleted", "b.ipynb"),
    ]
    listener.stop()
    manager.save({"type": "file", "format": "text", "content": "{}"}, "/c.ipynb")
    await events.gather_listeners()
    assert len(heard) == 3


async def test_a_listener_that_fails_is_called_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = logger()
    manager = FileContentsManager(root_dir=str(tmp_path), event_logger=events)
    heard = []

    async def fail(event: ContentsEvent) -> None:
        heard.append(event.path)
        raise RuntimeError("as the test wants it")

    ContentsListener(events, fail).start()
    for name in ("a.ipynb", "b.ipynb"):
        manager.save({"type": "file", "format": "text", "content": "{}"}, name)
    await events.gather_listeners()
    assert heard == ["a.ipynb", "b.ipynb"]
    assert "as the test wants it" in caplog.text


class OddManager(MemoryContentsManager):
    """Storage whose library has errors of its own."""

    is_away = False

    def _look(self) -> None:
        if self.is_away:
            raise LookupError("the bucket is\n away")

    def get(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._look()
        return super().get(path, *arguments, **options)

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        self._look()
        return super().save(model, path)

    def file_exists(self, path: str) -> bool:
        self._look()
        return super().file_exists(path)

    def create_checkpoint(self, path: str) -> Any:
        raise LookupError("there is no room for checkpoints")


async def test_errors_no_storage_should_raise_are_told_as_ours() -> None:
    manager = OddManager()
    contents = ServerContents(manager)
    await contents.write("a.ipynb", b"{}")
    manager.is_away = True
    for asking in (
        contents.read("a.ipynb"),
        contents.sha256("a.ipynb"),
        contents.exists("a.ipynb"),
        contents.write("a.ipynb", b"{ }"),
    ):
        with pytest.raises(Internal, match=r"the storage failed for a\.ipynb: the bucket is away"):
            await asking
    manager.is_away = False
    with pytest.raises(Internal, match=r"a\.ipynb: there is no room for checkpoints"):
        await contents.checkpoint("a.ipynb")
    assert (await contents.read("a.ipynb")).content == b"{}"
