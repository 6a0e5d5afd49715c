"""How a notebook file is found and replaced on a local file system."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from jupyter_runtimed.adapters import local_files
from jupyter_runtimed.adapters.local_files import ABANDONED_S, as_stored, replace_file
from jupyter_runtimed.core.errors import FileChanged, FileExists, Forbidden, Internal, NotFound, OutOfSpace

COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_mode_the_umask_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert only(tmp_path) == ["a"]


def test_mode_and_attributes_of_a_replaced_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o604)
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("no extended attributes here")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert os.getxattr(path, "user.note") == b"mine"


def test_the_time_of_a_replaced_file_is_now(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.utime(path, (1, 1))
    replace_file(path, b"new")
    assert time.time() - path.stat().st_mtime < 60


def test_a_reader_sees_the_old_or_the_new_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert only(tmp_path / "real") == ["a"]


@pytest.mark.parametrize("call", ["attributes", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, OutOfSpace), (errno.EACCES, Forbidden), (errno.EIO, Internal)]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: type[Exception]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "attributes":
        monkeypatch.setattr(local_files, "_take_after", fail)
    elif call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(error):
        replace_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert only(tmp_path) == ["a"]


def test_a_change_right_before_the_replacement_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    known = local_files.sha256_of(path)
    take_after = local_files._take_after

    def somebody_writes(target: Path, fresh: Path) -> bool:
        target.write_bytes(b"theirs")
        return take_after(target, fresh)

    monkeypatch.setattr(local_files, "_take_after", somebody_writes)
    with pytest.raises(FileChanged):
        replace_file(path, b"new", expected=known)
    assert path.read_bytes() == b"theirs"
    assert only(tmp_path) == ["a"]


def test_creation_loses_against_a_file_that_came_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_beside = local_files._write_beside

    def somebody_creates(target: Path, data: bytes) -> Path | None:
        fresh = write_beside(target, data)
        target.write_bytes(b"theirs")
        return fresh

    monkeypatch.setattr(local_files, "_write_beside", somebody_creates)
    with pytest.raises(FileExists):
        replace_file(path, b"new", create=True)
    assert path.read_bytes() == b"theirs"
    assert only(tmp_path) == ["a"]


def test_creation_works_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    replace_file(tmp_path / "a", b"new", create=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(FileExists):
        replace_file(tmp_path / "a", b"newer", create=True)
    assert only(tmp_path) == ["a"]


def test_a_file_whose_owner_cannot_be_kept_is_overwritten_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old, and longer")
    inode = path.stat().st_ino
    monkeypatch.setattr(local_files, "_take_after", lambda *_: False)
    replace_file(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", inode)
    assert only(tmp_path) == ["a"]


def test_a_folder_that_takes_no_files_does_not_prevent_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != tmp_path and access(p, mode))
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(Forbidden):
        replace_file(tmp_path / "b", b"new")


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != path and access(p, mode))  # root may do anything
    with pytest.raises(Forbidden):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_file_in_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        replace_file(tmp_path / "b" / "a", b"new")


def test_what_a_crash_left_behind_is_removed_by_a_later_save(tmp_path: Path) -> None:
    old, recent, other = (tmp_path / name for name in (".~a.1234.saving", ".~a.5678.saving", ".~b.1234.saving"))
    for path in (old, recent, other):
        path.write_bytes(b"half")
    long_ago = time.time() - ABANDONED_S - 1
    os.utime(old, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    replace_file(tmp_path / "a", b"new")
    assert only(tmp_path) == sorted(["a", recent.name, other.name])


def test_long_names_have_room_for_their_temporary_file(tmp_path: Path) -> None:
    name = "é" * 120 + ".ipynb"
    replace_file(tmp_path / name, b"new")
    replace_file(tmp_path / name, b"newer")
    assert only(tmp_path) == [name]


def test_names_are_spelled_as_they_are_stored(tmp_path: Path) -> None:
    (tmp_path / f"d{DECOMPOSED}").mkdir()
    (tmp_path / f"d{DECOMPOSED}" / f"{COMPOSED}.ipynb").touch()
    stored = f"d{DECOMPOSED}/{COMPOSED}.ipynb"
    for spelling in (stored, f"d{COMPOSED}/{COMPOSED}.ipynb", f"d{COMPOSED}/{DECOMPOSED}.ipynb"):
        assert as_stored(tmp_path, spelling) == stored
    assert as_stored(tmp_path, f"d{COMPOSED}/new-{DECOMPOSED}.ipynb") == f"d{DECOMPOSED}/new-{COMPOSED}.ipynb"
    assert as_stored(tmp_path, f"no-{DECOMPOSED}/{DECOMPOSED}") == f"no-{COMPOSED}/{COMPOSED}"


def test_two_files_that_differ_only_in_unicode_form_stay_two(tmp_path: Path) -> None:
    for name in (COMPOSED, DECOMPOSED):
        (tmp_path / name).touch()
    if len(only(tmp_path)) == 1:
        pytest.skip("this file system has one name for both")
    assert [as_stored(tmp_path, name) for name in (COMPOSED, DECOMPOSED)] == [COMPOSED, DECOMPOSED]
