"""The file system calls of the state folder, few and in one place, so that a test can make each of them fail.

Everything here blocks and belongs in a thread. No call relies on locks: rename and `O_EXCL` are what all file
systems have, network ones included.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jupyter_runtimed.core.errors import Internal, OutOfSpace, RuntimedError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write ends with for want of room: on the disk, in a quota, under the limit of a file's size."""

_WRITE_AT_ONCE = 1 << 20
"""Bytes: small pieces are joined up to about this size, so that a record is one system call."""


class Disk:
    """Files that only their owner may read."""

    def make_folder(self, path: Path) -> None:
        """Make a folder, and its parents, that only the owner may enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        """Open a new, empty file for writing; `exclusive`: raises FileExistsError when there is one."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
        return os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o600)

    def write(self, fd: int, data: bytes) -> None:
        """Write all of the data; raises OSError with an unknown part of it written."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        """Wait until the file's bytes are on the disk."""
        os.fsync(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file, and write from its new end on."""
        os.ftruncate(fd, length)
        os.lseek(fd, length, os.SEEK_SET)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another, in one step, and wait until the folder knows it."""
        source.replace(target)
        self.sync_folder(target.parent)

    def sync_folder(self, path: Path) -> None:
        if os.name == "nt":  # folders cannot be opened there
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def write_file(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Make a file whole or not at all: new file, sync, rename."""
        fresh = path.with_name(path.name + ".new")
        fd = self.create(fresh)
        try:
            self.write_all(fd, pieces)
            self.sync(fd)
        finally:
            self.close(fd)
        self.rename(fresh, path)

    def write_all(self, fd: int, pieces: Iterable[bytes]) -> int:
        """Write pieces in a row; the number of bytes."""
        total = 0
        batch: list[bytes] = []
        waiting = 0
        for piece in pieces:
            batch.append(piece)
            waiting += len(piece)
            total += len(piece)
            if waiting >= _WRITE_AT_ONCE:
                self.write(fd, b"".join(batch))
                batch.clear()
                waiting = 0
        if batch:
            self.write(fd, b"".join(batch))
        return total


def discard(path: Path) -> None:
    """Remove a file that was made in vain, if that is possible."""
    with suppress(OSError):
        path.unlink()


def disk_error(error: BaseException) -> RuntimedError:
    """What a failed write means to the people whose changes wait for it."""
    if isinstance(error, OSError):
        if error.errno in NO_SPACE:
            return OutOfSpace("the disk of the state folder is full; changes are kept in memory until there is room")
        return Internal(f"the state folder cannot be written ({error.strerror or error}); changes are kept in memory")
    return Internal(f"writing the log failed: {error!r}")
