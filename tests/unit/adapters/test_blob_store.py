"""Blobs as files."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.core.errors import Internal, NotFound, OutOfSpace

DATA = bytes(range(256)) * 100
NAME = hashlib.sha256(DATA).hexdigest()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_blob_is_one_file_of_its_raw_bytes_that_only_the_owner_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "blobs"
    await BlobStore(folder).put(DATA)
    path = folder / NAME[:2] / NAME[2:4] / NAME
    assert files(tmp_path) == [path]
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for parent in (path.parent, path.parent.parent, folder, folder.parent):
        assert stat.S_IMODE(parent.stat().st_mode) == 0o700, parent


async def test_a_blob_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    await store.put(DATA)
    before = store.path(NAME).stat().st_ino
    await store.put(DATA)
    await BlobStore(tmp_path).put(DATA)
    assert store.path(NAME).stat().st_ino == before


@pytest.mark.parametrize("torn", [b"", DATA[:-1], b"\0" * len(DATA), DATA + b"x"])
async def test_a_torn_blob_counts_as_missing_until_it_is_stored_again(tmp_path: Path, torn: bytes) -> None:
    await BlobStore(tmp_path).put(DATA)
    store = BlobStore(tmp_path)  # after a power failure
    store.path(NAME).write_bytes(torn)
    with pytest.raises(NotFound):
        await store.get(NAME)
    await store.put(DATA)
    assert await store.get(NAME) == DATA


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, OutOfSpace), (errno.EDQUOT, OutOfSpace), (errno.EIO, Internal)]
)
async def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    store = BlobStore(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(error):
        await store.put(DATA)
    monkeypatch.undo()
    assert files(tmp_path) == []
    assert not store.has(NAME)
    await store.put(DATA)
    assert await store.get(NAME) == DATA


async def test_a_name_never_leaves_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    store = BlobStore(tmp_path / "blobs")
    for name in ("../secret", "/etc/passwd", NAME + "/../../../secret", NAME + "\n", NAME.upper()):
        with pytest.raises(NotFound):
            store.path(name)
