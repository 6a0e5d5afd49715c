"""A notebook that another program has moved is found by its bytes, and nothing else is taken for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager

from jupyter_runtimed.adapters import moved_files
from jupyter_runtimed.adapters.contents import ServerContents
from tests.support.contents_managers import MemoryContentsManager

DATA = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


class Tree:
    """A served folder with `a.ipynb`, which was seen there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents = ServerContents(FileContentsManager(root_dir=str(root)))
        self.file = root / "a.ipynb"
        self.file.write_bytes(DATA)

    async def see(self) -> str:
        sha256 = await self.contents.sha256("a.ipynb")
        assert sha256 is not None
        self.sha256 = sha256
        return sha256

    async def moved_to(self) -> str | None:
        return await self.contents.moved_to("a.ipynb", self.sha256)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def no_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stamps are believed to the last digit, so that a test need not wait."""
    monkeypatch.setattr(moved_files, "CLOCK_SKEW_S", 0.0)


@pytest.mark.parametrize("name", ["b.ipynb", "deep/er/a.ipynb", "é 🎉.ipynb"])
async def test_it_is_found_where_it_was_moved_to(tree: Tree, name: str) -> None:
    await tree.see()
    (tree.root / name).parent.mkdir(parents=True, exist_ok=True)
    assert await tree.moved_to() is None
    tree.file.rename(tree.root / name)
    assert await tree.moved_to() == name


async def test_a_new_file_with_its_bytes_is_it_too(tree: Tree) -> None:
    await tree.see()
    tree.file.unlink()
    (tree.root / "b.ipynb").write_bytes(DATA)  # as git does it, and `mv` to another file system
    assert await tree.moved_to() == "b.ipynb"


async def test_a_copy_that_was_there_before_is_not_it(tree: Tree, no_skew: None) -> None:
    shutil.copy(tree.file, tree.root / "backup.ipynb")
    await tree.see()
    tree.file.unlink()
    assert await tree.moved_to() is None


async def test_of_two_it_is_neither(tree: Tree) -> None:
    await tree.see()
    tree.file.unlink()
    for name in ("b.ipynb", "c.ipynb"):
        (tree.root / name).write_bytes(DATA)
    assert await tree.moved_to() is None


@pytest.mark.parametrize("name", ["b.txt", ".hidden/b.ipynb", ".b.ipynb"])
async def test_what_is_no_notebook_or_hidden_is_not_it(tree: Tree, name: str) -> None:
    await tree.see()
    (tree.root / name).parent.mkdir(exist_ok=True)
    tree.file.rename(tree.root / name)
    assert await tree.moved_to() is None


async def test_links_are_not_followed(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    await tree.see()
    outside = tmp_path_factory.mktemp("outside")
    (tree.root / "link").symlink_to(outside, target_is_directory=True)
    (tree.root / "loop").symlink_to(tree.root, target_is_directory=True)
    tree.file.rename(outside / "a.ipynb")
    (tree.root / "b.ipynb").symlink_to(outside / "a.ipynb")
    assert await tree.moved_to() is None


async def test_other_bytes_are_another_file(tree: Tree) -> None:
    await tree.see()
    tree.file.rename(tree.root / "b.ipynb")
    (tree.root / "b.ipynb").write_bytes(DATA + b"\n")
    assert await tree.moved_to() is None


async def test_the_search_ends(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    await tree.see()
    monkeypatch.setattr(moved_files, "MAX_ENTRIES", 50)
    for number in range(60):
        (tree.root / f"{number}").mkdir()
    (tree.root / "0" / "far").mkdir()
    tree.file.rename(tree.root / "0" / "far" / "a.ipynb")
    assert await tree.moved_to() is None


async def test_a_folder_that_cannot_be_read_is_left_out(tree: Tree) -> None:
    await tree.see()
    (tree.root / "closed").mkdir()
    os.chmod(tree.root / "closed", 0)
    tree.file.rename(tree.root / "b.ipynb")
    assert await tree.moved_to() == "b.ipynb"
    os.chmod(tree.root / "closed", 0o700)


async def test_a_file_that_cannot_be_looked_at_is_not_gone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    await tree.see()
    shutil.copy(tree.file, tree.root / "b.ipynb")
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path == tree.file:
            raise PermissionError(13, "no", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert await tree.moved_to() is None


async def test_what_was_never_seen_is_not_looked_for(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.sha256 = "0" * 64
    tree.file.rename(tmp_path / "b.ipynb")
    assert await tree.moved_to() is None


async def test_a_storage_that_is_no_file_system_cannot_tell() -> None:
    contents = ServerContents(MemoryContentsManager())
    assert await contents.moved_to("a.ipynb", "0" * 64) is None
