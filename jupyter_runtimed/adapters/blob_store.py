"""Blobs as files: `aa/bb/<sha256>`, raw bytes, written beside and renamed, never changed, readable by the owner only.

A name says everything about its content, so writers need no lock: whoever renames last has written the same bytes.
For the same reason nothing is synced to the disk: a file that a power failure has torn does not match its name. Each
file is compared with its name before it is trusted for the first time in this process; a torn one counts as missing,
and is written again by the next `put` of the same bytes. A put of what is there renews the time of the file, so a blob
that somebody is about to refer to is never old enough to be collected.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from jupyter_runtimed.adapters.disk import NO_SPACE, discard
from jupyter_runtimed.core.errors import Internal, NotFound, OutOfSpace
from jupyter_runtimed.core.files import StoredBlob
from jupyter_runtimed.core.ids import BlobHash, is_blob_hash

log = logging.getLogger("jupyter_runtimed.blobs")

_THREADS = 2

MAX_TRUSTED = 200_000
"""So many names are remembered as checked; a name takes about 100 bytes."""


class BlobStore:
    """A `rooms.ports.blobs.Blobs` in a folder.

    Args:
        folder: made when the first blob comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trusted: set[str] = set()
        self._removing = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="runtimed-blobs")

    async def put(self, data: bytes) -> BlobHash:
        """See the port."""
        return (await self.put_many([data]))[0]

    async def put_many(self, items: Sequence[bytes]) -> list[BlobHash]:
        """See the port."""
        if not items:
            return []
        items = list(items)
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: [self._write(i) for i in items])

    async def get(self, name: str) -> bytes:
        """See the port."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read, name)

    def read(self, name: str) -> bytes:
        """See the port."""
        path = self.path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no blob {name}") from None
        except OSError as error:
            raise Internal(f"a blob cannot be read: {error.strerror}") from error
        if name not in self._trusted:
            if hashlib.sha256(data).hexdigest() != name:
                log.warning("a damaged blob was found and is not used blob=%s bytes=%d", name, len(data))
                raise NotFound(f"the blob {name} is damaged")
            self._trust(name)
        return data

    def has(self, name: str) -> bool:
        """See the port."""
        return self.size(name) is not None

    def size(self, name: str) -> int | None:
        """See the port."""
        try:
            return self.path(name).stat().st_size
        except (FileNotFoundError, NotFound):
            return None

    async def inventory(self) -> list[StoredBlob]:
        """See the port."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._inventory)

    def _inventory(self) -> list[StoredBlob]:
        now = time.time()
        found = []
        for path in self.folder.glob("??/??/*"):
            if is_blob_hash(path.name):
                with suppress(FileNotFoundError):
                    status = path.stat()
                    found.append(StoredBlob(path.name, status.st_size, now - status.st_mtime))
        return found

    async def remove(self, names: Sequence[str], min_age_s: float) -> int:
        """See the port."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._remove, names, min_age_s)

    def _remove(self, names: Sequence[str], min_age_s: float) -> int:
        removed = 0
        for name in names:
            path = self.path(name)
            with suppress(FileNotFoundError), self._removing:
                if time.time() - path.stat().st_mtime >= min_age_s:
                    path.unlink()
                    self._trusted.discard(name)
                    removed += 1
        return removed

    def path(self, name: str) -> Path:
        """Where a blob is, or would be. Raises NotFound for what cannot name a blob."""
        if not is_blob_hash(name):
            raise NotFound("a blob is named by 64 lower-case hexadecimal digits")
        return self.folder / name[:2] / name[2:4] / name

    def close(self) -> None:
        """Finish what is being written; no error when it is closed already."""
        self._pool.shutdown()

    def _write(self, data: bytes) -> BlobHash:
        name = hashlib.sha256(data).hexdigest()
        path = self.path(name)
        try:
            if not (self._is_there(path, data) and self._renew(path)):
                self._make(path, data)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise OutOfSpace("the disk of the state folder is full: an output could not be stored") from error
            raise Internal(f"a blob could not be stored: {error.strerror}") from error
        self._trust(name)
        return BlobHash(name)

    def _is_there(self, path: Path, data: bytes) -> bool:
        try:
            if path.stat().st_size != len(data):
                return False
            return path.name in self._trusted or path.read_bytes() == data
        except FileNotFoundError:
            return False

    def _renew(self, path: Path) -> bool:
        """Make a file young again; False when it was removed meanwhile."""
        with self._removing:
            try:
                os.utime(path)
            except FileNotFoundError:
                return False
            except OSError:  # a file that cannot be touched cannot be removed
                pass
            return True

    def _make(self, path: Path, data: bytes) -> None:
        _make_folders(self.folder, path.parent)
        handle, fresh = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # 0600
        with ExitStack() as undo:
            undo.callback(discard, Path(fresh))
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(fresh).replace(path)
            undo.pop_all()

    def _trust(self, name: str) -> None:
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted.add(name)


def _make_folders(root: Path, leaf: Path) -> None:
    """Each folder from the root on is for the owner alone; `mkdir(parents=True)` would make those between for all."""
    if leaf.is_dir():
        return
    if leaf != root:
        _make_folders(root, leaf.parent)
        leaf.mkdir(mode=0o700, exist_ok=True)
    else:
        leaf.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        leaf.mkdir(mode=0o700, exist_ok=True)
