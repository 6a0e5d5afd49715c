"""Find a notebook again that another program has moved: `mv`, `git mv`, the checkout of a branch that names it anew.

It is known by its bytes, and by being new under its name: a copy that somebody made long ago is no moved file. What was
moved and changed at once is not found. Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_runtimed.adapters.local_files import sha256_of

MAX_ENTRIES = 50_000
"""So many names are looked at, which takes about half a second; the nearest folders first."""

CLOCK_SKEW_S = 5.0
"""The clock of a storage may differ from ours by some seconds, and its time stamps may be coarse."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it was when it was last seen.

    Attributes:
        identity: device and inode.
        at: seconds since the epoch.
    """

    identity: tuple[int, int]
    at: float

    @classmethod
    def of(cls, status: os.stat_result) -> Sighting:
        """Just now."""
        return cls((status.st_dev, status.st_ino), time.time())


def find_moved(root: Path, gone: Path, seen: Sighting, sha256: str, ending: str) -> Path | None:
    """The one file with these bytes that is where it was not before; None when there is none, or more than one.

    Args:
        root: below it is searched, without what is hidden and without following links.
        gone: where the file was.
        seen: the file, when it was last there.
        sha256: of its bytes.
        ending: of the names that may be meant.
    """
    found: list[Path] = []
    for entry in _files(root, gone.parent):
        if not entry.name.endswith(ending):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
            is_same = (status.st_dev, status.st_ino) == seen.identity
            # A rename changes the time of the inode, as making a file does; what it says was not changed.
            if (is_same or status.st_ctime >= seen.at - CLOCK_SKEW_S) and sha256_of(Path(entry.path)) == sha256:
                found.append(Path(entry.path))
        except OSError:
            continue
    return found[0] if len(found) == 1 else None


def _files(root: Path, first: Path) -> Iterator[os.DirEntry[str]]:
    """The files below a folder: those of `first`, then those of the root and of what is in it, level by level."""
    folders, looked = deque([first, root]), 0
    done: set[Path] = set()
    while folders:
        folder = folders.popleft()
        if folder in done:
            continue
        done.add(folder)
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            looked += 1
            if looked > MAX_ENTRIES:
                return
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield entry
