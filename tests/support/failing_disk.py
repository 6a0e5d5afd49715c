"""A disk that fails when told to, and one that loses power.

`FlakyDisk` raises an OSError from chosen calls. `PowerLoss` stops the world before the n-th call and then does to
the files what a machine that lost its power may do: bytes that were not synced are gone or torn, a rename whose
folder was not synced happened or did not.
"""

from __future__ import annotations

import errno
import random
from pathlib import Path

from jupyter_runtimed.adapters.disk import Disk


class FlakyDisk(Disk):
    """`fail` names the calls that raise: write, sync, truncate, rename, create."""

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.calls: list[str] = []

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise OSError(self.fail[name], "as the test wants it")

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        self._enter("create")
        return super().create(path, exclusive=exclusive)

    def write(self, fd: int, data: bytes) -> None:
        if "write" in self.fail:  # half of it gets through, as on a disk that is just full
            super().write(fd, data[: len(data) // 2])
        self._enter("write")
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._enter("sync")
        super().sync(fd)

    def truncate(self, fd: int, length: int) -> None:
        self._enter("truncate")
        super().truncate(fd, length)

    def rename(self, source: Path, target: Path) -> None:
        self._enter("rename")
        super().rename(source, target)


FULL = errno.ENOSPC
BROKEN = errno.EIO


class PowerLoss(Disk):
    """Loses power before call number `at`; every later call fails too."""

    def __init__(self, at: int, dice: random.Random) -> None:
        self._left = at
        self._dice = dice
        self._paths: dict[int, Path] = {}
        self._synced: dict[Path, int] = {}
        self._replaced: tuple[Path, bytes | None] | None = None

    @property
    def is_out(self) -> bool:
        return self._left < 0

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError(errno.EIO, "no power")

    def create(self, path: Path, *, exclusive: bool = False) -> int:
        self._step()
        fd = super().create(path, exclusive=exclusive)
        self._paths[fd] = path
        self._synced[path] = 0
        return fd

    def write(self, fd: int, data: bytes) -> None:
        if self._left == 0:
            super().write(fd, data[: self._dice.randint(0, len(data))])
        self._step()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()
        self._synced[self._paths[fd]] = self._paths[fd].stat().st_size

    def truncate(self, fd: int, length: int) -> None:
        self._step()
        super().truncate(fd, length)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        self._replaced = (target, target.read_bytes() if target.exists() else None)
        source.replace(target)
        self._synced[target] = self._synced.pop(source)
        self._paths = {fd: target if path == source else path for fd, path in self._paths.items()}
        self._step()
        self._replaced = None

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def lose(self) -> None:
        """Leave the files as they are found when the machine starts again."""
        for path, synced in self._synced.items():
            if path.exists():
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.truncate(self._dice.randint(min(synced, size), size))
        if self._replaced is not None and self._dice.random() < 0.5:
            target, content = self._replaced
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content)
