"""The server's contents manager behind the contents port.

Files are read and written as bytes (`type=file`), so that hashes are of what is stored and a save decides about every
byte. Any contents manager will do, synchronous or not. Where it is Jupyter's own for local files, a save replaces the
file in one step, which Jupyter's does not; its hooks and its events are run all the same. A manager that does something
of its own when it saves is left to do it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import posixpath
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from jupyter_runtimed.adapters.foreign import ForeignError, call, say
from jupyter_runtimed.adapters.local_files import as_stored, replace_file, sha256_of, storage_error
from jupyter_runtimed.adapters.moved_files import Sighting, find_moved
from jupyter_runtimed.core.errors import (
    FileChanged,
    FileExists,
    Forbidden,
    Internal,
    NotANotebook,
    NotFound,
    OutOfSpace,
    RuntimedError,
    TooLarge,
)
from jupyter_runtimed.core.files import FileState, Identity

T = TypeVar("T")

ENDING = ".ipynb"

_JUPYTERS_OWN = (FileContentsManager, AsyncFileContentsManager, LargeFileManager, AsyncLargeFileManager)

SMALL_BYTES = 2 * 1024 * 1024
"""A file of this size is read and hashed within a few milliseconds."""

SETTLED_S = 5.0
"""A file that was written longer ago than this would have another time stamp if it had been written again since.

Time stamps of some storages are 2 s coarse, and their clock may differ from ours by as much.
"""

MAX_STAMPS = 4096


class ServerContents:
    """A `rooms.ports.contents.Contents` over a running server's contents manager.

    Args:
        manager: the server's.
    """

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._is_local = isinstance(manager, FileContentsManager)
        self._is_plain = self._is_local and _is_jupyters_own(manager)
        self._stamps: OrderedDict[str, tuple[tuple[int, ...], str]] = OrderedDict()
        self._sightings: OrderedDict[str, Sighting] = OrderedDict()

    # Which file.

    async def identify(self, path: str) -> Identity:
        """See the port."""
        normal = normal_path(path)
        if not normal:
            raise NotANotebook("a notebook's path is needed; this one names the root folder")
        identity = self._identify_local(normal) if self._is_local else self._identify(normal)
        if not self._manager.allow_hidden and await self._ask("is_hidden", identity.api_path):
            raise NotFound(f"there is no {identity.api_path}")
        if not identity.api_path.endswith(ENDING):
            raise NotANotebook(f"{identity.api_path} is no notebook: its name does not end in {ENDING}")
        if await self._ask("dir_exists", identity.api_path):
            raise NotANotebook(f"{identity.api_path} is a folder")
        return identity

    @staticmethod
    def _identify(normal: str) -> Identity:
        composed = unicodedata.normalize("NFC", normal)
        return Identity(composed, composed)

    def _identify_local(self, normal: str) -> Identity:
        stored = as_stored(Path(self._manager.root_dir), normal)
        # The path stays as it was spelled, as in Jupyter: a link is the file it leads to, under its own name.
        return Identity(stored, os.path.realpath(self._os_path(stored)))

    async def exists(self, path: str) -> bool:
        """See the port."""
        return bool(await self._ask("file_exists", path))

    async def directory_exists(self, path: str) -> bool:
        """See the port."""
        return bool(await self._ask("dir_exists", path))

    async def _ask(self, question: str, path: str) -> Any:
        try:
            return await self._call(question, path)
        except NotFound:
            return False

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        """What a method of the manager answers. Raises our errors in the place of its own."""
        try:
            return await call(getattr(self._manager, method), path, **options)
        except ForeignError as error:
            raise _translated(error.cause, path) from error.cause

    # Reading.

    async def read(self, path: str) -> FileState:
        """See the port."""
        if not self._is_plain:
            return await self._read(path)
        state = await self._where_it_belongs(self._read_local, path)
        self._manager.emit(data={"action": "get", "path": path})
        return state

    async def _where_it_belongs(self, work: Callable[[str], T], path: str) -> T:
        """Do something with a whole file: a small one here, because handing it to a thread takes longer."""
        try:
            is_small = self._os_path(path).stat().st_size <= SMALL_BYTES
        except OSError:
            is_small = True
        return work(path) if is_small else await asyncio.to_thread(work, path)

    def _read_local(self, path: str) -> FileState:
        os_path = self._os_path(path)
        try:
            if os_path.is_dir():
                raise NotANotebook(f"{path} is a folder")
            data = os_path.read_bytes()
            self._saw(path, os_path.stat())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"there is no file {path}") from None
        except OSError as error:
            raise storage_error(error, path) from error
        return FileState(path, data, hashlib.sha256(data).hexdigest(), os.access(os_path, os.W_OK))

    async def _read(self, path: str) -> FileState:
        if await self._call("dir_exists", path):
            raise NotANotebook(f"{path} is a folder")
        try:
            model = await self._call("get", path, type="file", content=True)
        except NotANotebook:
            model = await self._call("get", path, type="file", format="base64", content=True)
        content = model["content"]
        data = base64.b64decode(content) if model.get("format") == "base64" else content.encode()
        return FileState(path, data, hashlib.sha256(data).hexdigest(), bool(model.get("writable", True)))

    async def sha256(self, path: str) -> str | None:
        """See the port."""
        if self._is_plain:
            return await self._where_it_belongs(self._sha256_local, path)
        try:
            return (await self._read(path)).sha256
        except NotFound:
            return None

    def _sha256_local(self, path: str) -> str | None:
        os_path = self._os_path(path)
        try:
            status = os_path.stat()
            self._saw(path, status)
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._stamps.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            found = sha256_of(os_path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, path) from error
        if found is not None and time.time() - status.st_ctime > SETTLED_S:
            self._stamps[path] = (stamp, found)
            if len(self._stamps) > MAX_STAMPS:
                self._stamps.popitem(last=False)
        return found

    def _saw(self, path: str, status: os.stat_result) -> None:
        self._sightings[path] = Sighting.of(status)
        if len(self._sightings) > MAX_STAMPS:
            self._sightings.popitem(last=False)

    async def moved_to(self, path: str, sha256: str) -> str | None:
        """See the port."""
        seen = self._sightings.get(path)
        if seen is None or not _is_gone(self._os_path(path)):
            return None
        root = Path(self._manager.root_dir)
        found = await asyncio.to_thread(find_moved, root, self._os_path(path), seen, sha256, ENDING)
        if found is None:
            return None
        moved_to = found.relative_to(root).as_posix()
        self._sightings[moved_to] = replace(seen, at=time.time())
        return moved_to

    # Writing.

    async def write(self, path: str, data: bytes, *, expected: str | None = None, create: bool = False) -> FileState:
        """See the port."""
        folder = posixpath.dirname(path)
        if not await self.directory_exists(folder):
            raise NotFound(f"the folder {folder} does not exist")
        if await self.directory_exists(path):
            raise NotANotebook(f"{path} is a folder")
        try:
            if self._is_plain and self._manager.use_atomic_writing:
                data = await self._write_local(path, data, expected, create)
            else:
                await self._write(path, data, expected, create)
        except HTTPError as error:
            raise _translated(error, path) from error
        return FileState(path, data, await _digest(data))

    async def checkpoint(self, path: str) -> None:
        """See the port."""
        create = self._manager.create_checkpoint
        try:
            if self._is_local and not asyncio.iscoroutinefunction(create):
                await call(asyncio.to_thread, create, path)  # it copies the file
            else:
                await call(create, path)
        except ForeignError as error:
            raise _translated(error.cause, path) from error.cause

    async def _write_local(self, path: str, data: bytes, expected: str | None, create: bool) -> bytes:
        manager = self._manager
        if not manager.allow_hidden and await self._ask("is_hidden", path):
            raise Forbidden(f"{path} is hidden, and this server does not write hidden files")
        data = self._run_pre_save_hooks(path, data)
        os_path = self._os_path(path)
        await asyncio.to_thread(replace_file, os_path, data, expected=expected, create=create)
        with suppress(OSError):  # somebody may have taken it away already
            self._saw(path, os_path.stat())
        await self._run_post_save_hooks(path, os_path)
        manager.emit(data={"action": "save", "path": path})
        return data

    async def _write(self, path: str, data: bytes, expected: str | None, create: bool) -> None:
        if create and await self.exists(path):
            raise FileExists(f"there is a file {path} already")
        if expected is not None and await self.sha256(path) != expected:
            raise FileChanged(f"{path} was changed by somebody else; it was not overwritten")
        model = {"type": "file", "format": "text", "content": data.decode(), "name": posixpath.basename(path)}
        try:
            await call(self._manager.save, {**model, "path": path}, path)
        except ForeignError as error:
            raise _translated(error.cause, path) from error.cause

    def _run_pre_save_hooks(self, path: str, data: bytes) -> bytes:
        """Let the server's hooks change the notebook before it is written; they see it as Jupyter shows it to them."""
        if not _hooks(self._manager, "pre"):
            return data
        notebook = nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT)
        before = json.dumps(notebook, sort_keys=True)
        model = {"type": "notebook", "format": "json", "content": notebook, "path": path}
        self._manager.run_pre_save_hooks(model={**model, "name": posixpath.basename(path)}, path=path)
        if json.dumps(notebook, sort_keys=True) == before:
            return data
        text: str = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
        return (text.rstrip("\n") + "\n").encode()

    async def _run_post_save_hooks(self, path: str, os_path: Path) -> None:
        if not _hooks(self._manager, "post"):
            return
        try:
            model = await ensure_async(self._manager.get(path, content=False))
            self._manager.run_post_save_hooks(model=model, os_path=str(os_path))
        except HTTPError as error:  # the file is written; the hook's failure has been logged
            self._manager.log.warning("saved, but a post-save hook failed path=%s: %s", path, _message(error))

    def _os_path(self, path: str) -> Path:
        try:
            return Path(self._manager._get_os_path(path))  # noqa: SLF001 - the check against leaving the root is there
        except HTTPError as error:
            raise _translated(error, path) from error


def _is_gone(path: Path) -> bool:
    """Whether there is no file at a path; a folder that cannot be looked into may still have it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


async def _digest(data: bytes) -> str:
    if len(data) <= SMALL_BYTES:
        return hashlib.sha256(data).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())


def _is_jupyters_own(manager: Any) -> bool:
    """Whether reading and saving are what Jupyter's own managers for local files do."""
    kind = type(manager)
    return all(
        getattr(kind, name, None) in {getattr(own, name, None) for own in _JUPYTERS_OWN}
        for name in ("get", "save", "_get_os_path", "_read_file", "_save_file")
    )


def _hooks(manager: Any, when: str) -> bool:
    return bool(getattr(manager, f"{when}_save_hook", None) or getattr(manager, f"_{when}_save_hooks", None))


def normal_path(path: str) -> str:
    """An API path without empty names, `.` and `..`. Raises NotFound when it leads outside the root, or nowhere."""
    names: list[str] = []
    for name in path.split("/"):
        if "\x00" in name:
            raise NotFound("there is no file with a zero character in its name")
        if name == "..":
            if not names:
                raise NotFound("the path leads outside the server's root folder")
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return "/".join(names)


def _message(error: HTTPError) -> str:
    try:
        return (error.log_message or "") % error.args  # without arguments, Tornado has doubled the percent signs
    except (TypeError, ValueError):
        return str(error.log_message)


def _translated(error: Exception, path: str) -> RuntimedError:
    if not isinstance(error, HTTPError):
        return Internal(f"the storage failed for {path}: {say(error)}")
    message = _message(error) or f"the storage answers {error.status_code} for {path}"
    match error.status_code:
        case 400 | 415:
            return NotANotebook(f"{path} cannot be read as a file: {message}")
        case 401 | 403:
            return Forbidden(message)
        case 404:
            return NotFound(f"there is no {path}")
        case 409:
            return FileExists(message)
        case 413:
            return TooLarge(message)
        case 507:
            return OutOfSpace(message)
        case _:
            return Internal(message)
