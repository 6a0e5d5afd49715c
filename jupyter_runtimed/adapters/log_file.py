"""The file below a room's log: append and sync, or write anew beside it and switch.

Invariant: whatever call fails, and wherever the process dies, the file on disk is a header and whole records, with
at most one torn record at its end. Used by one thread at a time, except that `begin_new` may run beside `append`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from jupyter_runtimed.adapters.disk import Disk

logger = logging.getLogger(__name__)


class LogFile:
    """One log file, closed at first: it opens with the first `begin_new` and `switch`."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.size = 0
        self.is_open = False
        self._disk = disk
        self._fd = -1
        self._new_fd = -1
        self._new_size = 0

    @property
    def _new_path(self) -> Path:
        return self.path.with_name(self.path.name + ".new")

    def append(self, data: bytes) -> None:
        """Append records and sync.

        Raises:
            OSError: nothing of them counts. If the file could not be brought back to what it was, it is closed, and
                has to be written anew.
        """
        try:
            self._disk.write(self._fd, data)
        except OSError:
            try:
                self._disk.truncate(self._fd, self.size)
            except OSError:
                self._let_go()
            raise
        try:
            self._disk.sync(self._fd)
        except OSError:
            # The kernel may have dropped the pages it could not write, and would call a second sync a success.
            self._let_go()
            raise
        self.size += len(data)

    def begin_new(self, pieces: Iterable[bytes]) -> None:
        """Write a new file beside this one, which stays in use."""
        self.drop_new()
        self._new_fd = self._disk.create(self._new_path)
        self._new_size = self._disk.write_all(self._new_fd, pieces)
        self._disk.sync(self._new_fd)

    def switch(self, tail: bytes) -> None:
        """Append to the new file and let it take the place of the old one.

        Raises:
            OSError: one of the two files is in place, and nobody knows which; this object is closed.
        """
        try:
            if tail:
                self._disk.write(self._new_fd, tail)
                self._disk.sync(self._new_fd)
            self._disk.rename(self._new_path, self.path)
        except OSError:
            self.close()
            raise
        old, self._fd, self._new_fd = self._fd, self._new_fd, -1
        self.size = self._new_size + len(tail)
        self.is_open = True
        self._close_fd(old)

    def drop_new(self) -> None:
        """Forget the new file, if there is one."""
        fd, self._new_fd = self._new_fd, -1
        self._close_fd(fd)

    def discard_new(self) -> None:
        """Remove what an unfinished `begin_new` left."""
        self.drop_new()
        self._disk.remove(self._new_path)

    def close(self) -> None:
        """Let both files go. Closing twice does nothing."""
        self._let_go()
        self.drop_new()

    def _let_go(self) -> None:
        fd, self._fd, self.is_open = self._fd, -1, False
        self._close_fd(fd)

    def _close_fd(self, fd: int) -> None:
        if fd >= 0:
            try:
                self._disk.close(fd)
            except OSError:
                logger.warning("closing a log file failed path=%s", self.path, exc_info=True)
