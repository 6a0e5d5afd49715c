"""Notebook files on a file system of this machine: which file a path means, and how it is replaced whole.

Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import sys
import time
import unicodedata
from contextlib import ExitStack, suppress
from pathlib import Path

from jupyter_runtimed.adapters.disk import NO_SPACE, discard
from jupyter_runtimed.core.errors import (
    FileChanged,
    FileExists,
    Forbidden,
    Internal,
    NotANotebook,
    NotFound,
    OutOfSpace,
    RuntimedError,
)

_FORGIVING = sys.platform in ("darwin", "win32")
"""Whether a name is found under other spellings (case, Unicode form) than the one that is stored."""

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES})

_SUFFIX = ".saving"

ABANDONED_S = 3600.0
"""No save takes so long."""

MAX_NAME_BYTES = 200
"""A temporary name is the file's name and something more; file systems take 255 bytes."""


def as_stored(root: Path, api_path: str) -> str:
    """Spell a normal API path as the file system has it, where only the Unicode form (or the case) differs.

    Names that are not there are given in Unicode's composed form, which most systems write.
    """
    folder, names = root, []
    for name in api_path.split("/"):
        stored = _stored_name(folder, name)
        names.append(stored)
        folder = folder / stored
    return "/".join(names)


def _stored_name(folder: Path, name: str) -> str:
    is_there = os.path.lexists(folder / name)
    if is_there and not _FORGIVING:
        return name
    if not is_there and name.isascii():
        return name
    composed = unicodedata.normalize("NFC", name)
    try:
        stored = [entry.name for entry in folder.iterdir()]
    except OSError:
        return composed
    if name in stored:
        return name
    if is_there:  # found under a name that is not in the list
        return next((other for other in stored if _is_same(folder / other, folder / name)), name)
    return next((other for other in stored if unicodedata.normalize("NFC", other) == composed), composed)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def sha256_of(path: Path) -> str | None:
    """The hash of a file; None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def replace_file(path: Path, data: bytes, *, expected: str | None = None, create: bool = False) -> None:
    """Put bytes in the place of a file, whole or not at all. A link is followed, its target is replaced.

    Mode, extended attributes and, where the system allows, the owner stay. A file that cannot be replaced without
    giving it to somebody else, or whose folder takes no new files, is overwritten in place.

    Args:
        path: the file.
        data: its new content.
        expected: the SHA-256 of what is there; None: whatever is there.
        create: nothing may be there.

    Raises:
        FileChanged, FileExists, NotFound, NotANotebook, OutOfSpace, Forbidden, Internal: what was there is still there.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise NotANotebook(f"{path.name} is a folder")
        if not target.parent.is_dir():
            raise NotFound(f"the folder of {path.name} does not exist")
        if create and target.exists():
            raise FileExists(f"there is a file {path.name} already")
        if target.exists() and not os.access(target, os.W_OK):
            raise Forbidden(f"{path.name} is read-only")
        fresh = _write_beside(target, data)
        if fresh is None:
            _check_expected(target, expected)
            _overwrite(target, data)
            return
        try:
            _check_expected(target, expected)
            _put_in_place(fresh, target, create=create)
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()
        _sync_folder(target.parent)
    except OSError as error:
        raise storage_error(error, path.name) from error


def storage_error(error: OSError, name: str) -> RuntimedError:
    """What a failed system call means to whoever saves."""
    if error.errno in NO_SPACE:
        return OutOfSpace(f"the disk is full: {name} is not saved; make room, then save again")
    if error.errno in _REFUSED:
        return Forbidden(f"{name} cannot be written: {error.strerror}")
    return Internal(f"{name} cannot be read or written: {error.strerror or error}")


def _check_expected(target: Path, expected: str | None) -> None:
    if expected is not None and sha256_of(target) != expected:
        raise FileChanged(f"{target.name} was changed by somebody else; it was not overwritten")


def _write_beside(target: Path, data: bytes) -> Path | None:
    """A complete new file in the same folder; None when the target has to be overwritten in place."""
    if not os.access(target.parent, os.W_OK):
        if target.exists():
            return None
        raise Forbidden(f"the folder of {target.name} cannot be written")
    _sweep(target)
    fresh = target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}{_SUFFIX}")
    mode = 0o600 if target.exists() else 0o666
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    with ExitStack() as undo:
        undo.callback(discard, fresh)
        with os.fdopen(handle, "wb") as file:
            if target.exists() and not _take_after(target, fresh):
                return None
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        undo.pop_all()
    return fresh


def _prefix(target: Path) -> str:
    """How temporary names begin: hidden, so that nobody lists them."""
    return f".~{target.name.encode()[:MAX_NAME_BYTES].decode(errors='ignore')}."


def _sweep(target: Path) -> None:
    """Remove what a crash in the middle of a save has left behind."""
    prefix = _prefix(target)
    for path in target.parent.iterdir():
        if path.name.startswith(prefix) and path.name.endswith(_SUFFIX):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    path.unlink()


def _take_after(target: Path, fresh: Path) -> bool:
    """Give the new file the owner, mode and attributes of the old one; False when its owner cannot be kept."""
    old, new = target.stat(), fresh.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.chown(fresh, old.st_uid, old.st_gid)
        except OSError:
            if old.st_uid != new.st_uid:
                return False
    shutil.copystat(target, fresh)
    return True


def _overwrite(target: Path, data: bytes) -> None:
    with target.open("r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(fresh: Path, target: Path, *, create: bool) -> None:
    if not create:
        fresh.replace(target)
        return
    try:
        os.link(fresh, target)  # fails when there is a file, in one step
    except FileExistsError:
        raise FileExists(f"there is a file {target.name} already") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExists(f"there is a file {target.name} already") from None
        fresh.replace(target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some systems do not open folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
