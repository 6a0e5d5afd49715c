"""Write a room to its file: when it is quiet, when somebody asks, never over what somebody else wrote.

Rules:

1. One save at a time. Who asks while one runs gets the next.
2. A save goes on only while the file is what the room last read or wrote; otherwise `reconcile` is asked to bring the
   change on disk into the documents first, and refuses with FileChanged when it cannot.
3. A room that has nothing the file lacks is never written.
4. The server saves by itself `save_quiet_s` after the last change and at the latest `autosave_s` after the first one;
   after a failure again and again, at growing intervals. Not a deleted file, not a room that failed to load.
5. What was saved is what the documents were when the save began; changes meanwhile stay unsaved.
6. Before the room writes its file for the first time, the file as it was becomes its checkpoint.
7. Cells that nobody has deleted are not taken out of the file (`cell_guard`), unless somebody says overwrite.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import FileChanged, FileExists, Internal, NotSaved, RuntimedError
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.cell_guard import CellGuard
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.ports.blobs import Blobs
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.ports.contents import Contents, FileState
from jupyter_runtimed.rooms.ports.signatures import Signatures
from jupyter_runtimed.rooms.rendering import digest, render
from jupyter_runtimed.rooms.settings import RoomSettings
from jupyter_runtimed.rooms.signing import Signing, origin_of_active
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms")

MISSING_LOOKS = 2
"""After so many looks in a row that did not find it, a file was deleted."""

MAX_ROUNDS = 5
"""How often a save begins anew because the file or its name changed under it."""


class SaveableRoom(Protocol):
    """The part of a room that a saver sees."""

    file: NotebookFile
    notebook: NotebookDocument
    runtime: RuntimeDocument

    def check_ready(self) -> None:
        """Raise when the room must not be saved: Loading, LoadFailed, NoSuchRoom."""

    def file_deleted(self) -> None:
        """The file is gone."""

    async def follow_file(self) -> None:
        """If another program has moved the file, it is the room's where it is now."""

    async def reconcile(self, state: FileState) -> None:
        """Bring what is on disk into the documents. Raises FileChanged."""

    async def before_write(self, data: bytes, sha256: str) -> None:
        """The bytes are about to be written; raise to prevent it."""

    async def after_write(self) -> None:
        """They were written, and `file` says so."""


class Saver:
    """The saves of one room.

    Args:
        on_change: called when something of a save's outcome, or `is_dirty`, has changed.

    Attributes:
        error: why the last save failed; None after one that worked.
        is_automatic: whether it saves by itself.
    """

    def __init__(
        self,
        room: SaveableRoom,
        *,
        contents: Contents,
        blobs: Blobs,
        clock: Clock,
        settings: RoomSettings,
        tasks: Tasks,
        signatures: Signatures | None,
        on_change: Callable[[], None],
    ) -> None:
        self.error: RuntimedError | None = None
        self.is_automatic = settings.autosave
        self._room = room
        self._contents = contents
        self._blobs = blobs
        self._clock = clock
        self._settings = settings
        self._tasks = tasks
        self._on_change = on_change
        self._lock = asyncio.Lock()
        self._timer: Timer | None = None
        self._first_touch: float | None = None
        self._last_touch = 0.0
        self._failures = 0
        self._is_stopped = False
        self._missing = 0
        self._refused: str | None = None
        self._guard = CellGuard()
        self._signing = Signing(contents, signatures)
        self._has_checkpoint = False
        self._forbidden: RuntimedError | None = None

    def begin(self, base: Callable[[], Version]) -> None:
        """The documents are whole. `base`: the last version that file and room had in common."""
        self._guard.begin(self._room.notebook, base)

    # What is to be saved.

    @property
    def has_unsaved(self) -> bool:
        """Whether the documents have something that was never in the file."""
        room = self._room
        return room.file.lacks(room.notebook.replica.heads, room.runtime.revision)

    @property
    def is_dirty(self) -> bool:
        """Whether the file lacks something; all of it, when it was deleted."""
        return self.has_unsaved or self._room.file.is_deleted

    @property
    def is_saving(self) -> bool:
        """Whether a save is under way."""
        return self._lock.locked()

    # By itself.

    def touched(self) -> None:
        """The documents have changed. Costs next to nothing: one timer is set, and looks again when it is due."""
        self._last_touch = self._clock.monotonic()
        if self._first_touch is None:
            self._first_touch = self._last_touch
            self._on_change()
        if self._timer is None:
            self._arm()

    def set_autosave(self, is_wanted: bool) -> None:
        """Save by itself, or only when asked to. What the operator switched off stays off."""
        self.is_automatic = is_wanted and self._settings.autosave
        if not self.is_automatic:
            self._disarm()
        elif self._timer is None:
            self._arm()
        self._on_change()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        file = self._room.file
        is_due = self._first_touch is not None and file.path is not None and not file.is_deleted
        if self._is_stopped or not is_due or not self.is_automatic:
            return
        delay = self._due_at() - self._clock.monotonic()
        if self._failures:
            delay = min(self._settings.save_retry_s * 2 ** (self._failures - 1), self._settings.save_retry_max_s)
        self._timer = self._clock.call_later(max(0.0, delay), self._on_timer)

    def _due_at(self) -> float:
        assert self._first_touch is not None
        settings = self._settings
        return min(self._last_touch + settings.save_quiet_s, self._first_touch + settings.limits.autosave_s)

    def _on_timer(self) -> None:
        self._timer = None
        if self._first_touch is None:
            return
        if self._due_at() > self._clock.monotonic() and not self._failures:
            self._arm()
        else:
            self._tasks.start(self._autosave(), "autosave")

    async def _autosave(self) -> None:
        try:
            await self._room.follow_file()
            await self.save(is_explicit=False)
        except RuntimedError as error:
            _log.warning("autosave failed path=%s error=%s", self._room.file.path, error.message)

    # Looking.

    async def look(self) -> None:
        """Bring in what somebody else did to the file, if no save is under way to do that.

        Raises:
            FileChanged: what is there now is no notebook. Said once; `error` keeps it until the file changes again.
            NotFound, Forbidden, Internal: the file could not be looked at.
        """
        path = self._room.file.path
        if not self._lock.locked() and path is not None:
            await self._protected(lambda: self._look(path))

    async def _look(self, path: str) -> None:
        room, file = self._room, self._room.file
        on_disk = await self._contents.sha256(path)
        if file.path != path:
            return
        if on_disk is None:
            # Some programs remove a file for a moment when they replace it.
            self._missing += 1
            if self._missing == MISSING_LOOKS and not file.is_deleted:
                room.file_deleted()
            return
        self._missing = 0
        if on_disk == self._refused:
            return
        self._refused = None
        if isinstance(self.error, FileChanged):
            self.error = None
        if on_disk != file.sha256:
            try:
                await room.reconcile(await self._contents.read(path))
            except FileChanged as error:
                self._refused = on_disk
                self.error = error
                raise

    # Saving.

    async def save(self, *, is_explicit: bool, overwrite: bool = False) -> None:
        """Write the room to its file, if the file lacks something.

        Args:
            is_explicit: somebody asked for it, so that a deleted file is written again.
            overwrite: whatever is in the file now is given up.

        Raises:
            FileChanged: the file was changed, and cannot be merged. It is as it was.
            NotSaved: the room has no file, or would take cells out of it that nobody has deleted.
            Loading, LoadFailed, OutOfSpace, Forbidden, NotFound, Internal.
        """
        self._room.check_ready()
        if self._room.file.path is None:
            raise NotSaved("this notebook has no file yet; save it with a path")
        await self._protected(lambda: self._recorded(is_explicit=is_explicit, overwrite=overwrite))

    async def save_as(self, path: str, *, overwrite: bool, on_written: Callable[[], None]) -> None:
        """Write the room to another file, which is its file from then on.

        Args:
            path: its API path.
            overwrite: whether there may be a file already.
            on_written: called in the turn in which the room takes the new path.

        Raises:
            FileExists, NotFound, NotANotebook, OutOfSpace, Forbidden, Internal: the room keeps the file it had.
        """
        await self._protected(lambda: self._save_as(path, overwrite=overwrite, on_written=on_written))

    async def stop(self) -> None:
        """Save no more by itself; wait for a save that is under way."""
        self._is_stopped = True
        self._disarm()
        async with self._lock:
            pass

    def forbid(self, error: RuntimedError) -> None:
        """Write nothing from now on: the file is somebody else's. A save that is under way ends with the error."""
        self._is_stopped, self._forbidden = True, error

    def _check_allowed(self) -> None:
        if self._forbidden is not None:
            raise self._forbidden

    async def exclusively(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something while no save is under way, to its end whoever waits for it."""
        await self._protected(work)

    async def _protected(self, save: Callable[[], Awaitable[None]]) -> None:
        """Run a save as a task of its own: whoever waits for it may go away, a half-done save must not."""
        await asyncio.shield(self._tasks.start(self._alone(save), "save"))

    async def _alone(self, save: Callable[[], Awaitable[None]]) -> None:
        """Rule 1; and whatever becomes of the save, what is unsaved behind it will be saved."""
        async with self._lock:
            try:
                await save()
            finally:
                if not self.has_unsaved:
                    self._first_touch = None
                elif self._first_touch is None:
                    self._first_touch = self._last_touch = self._clock.monotonic()
                if self._timer is None:
                    self._arm()
                self._on_change()

    async def _recorded(self, *, is_explicit: bool, overwrite: bool) -> None:
        """A save to the room's own file: how it ends is the room's state."""
        before, self._first_touch = self._first_touch, None
        try:
            await self._save(is_explicit=is_explicit, overwrite=overwrite)
        except Exception as error:  # whatever it was, the room is not saved, and says so
            self._first_touch = before
            self._failed(error)
            raise
        self._failures = 0
        self.error = None

    def _failed(self, error: Exception) -> None:
        said = error if isinstance(error, RuntimedError) else Internal(f"the notebook could not be saved: {error!r}")
        self.error = said
        self._failures += 1

    async def _save(self, *, is_explicit: bool, overwrite: bool) -> None:
        file = self._room.file
        for _ in range(MAX_ROUNDS):
            self._room.check_ready()
            path = file.path
            if path is None:
                raise NotSaved("this notebook has lost its file; save it with a path")
            if not is_explicit and (file.is_deleted or not self.has_unsaved):
                return
            on_disk = await self._contents.sha256(path)
            if file.path != path:
                continue
            if on_disk is None and not is_explicit:
                file.is_deleted, file.sha256 = True, None
                return
            if on_disk is not None and on_disk != file.sha256 and not overwrite:
                await self._room.reconcile(await self._contents.read(path))
                continue
            if on_disk == file.sha256 and on_disk is not None and not self.is_dirty:
                return
            if not overwrite:
                self._guard.check(self._room.notebook)
            if await self._write(path, on_disk):
                return
        raise FileChanged("the file changed again and again while it was being saved; it was not overwritten")

    async def _write(self, path: str, on_disk: str | None) -> bool:
        """One attempt; False when it must begin anew."""
        room, file = self._room, self._room.file
        heads, revision = room.notebook.replica.heads, room.runtime.revision
        origin = origin_of_active(room.notebook, room.runtime)
        data = await render(room.notebook, room.runtime, file.residue, self._blobs)
        sha256 = await digest(data)
        may_sign = await self._signing.may_sign(origin, path, on_disk)
        if file.path != path:
            return False
        if sha256 != on_disk:
            await room.before_write(data, sha256)
            if on_disk is not None and not self._has_checkpoint:
                await self._checkpoint(path)
            self._check_allowed()
            try:
                state = await self._contents.write(path, data, expected=on_disk, create=on_disk is None)
            except (FileChanged, FileExists):
                return False
            self._has_checkpoint = True
            sha256, data = state.sha256, state.content
            file.last_saved = self._clock.now()
        file.note(sha256, heads, revision)
        self._guard.note(room.notebook)
        if may_sign:
            await self._signing.sign(data, sha256)
        await room.after_write()
        return True

    async def _checkpoint(self, path: str) -> None:
        """Rule 6. A storage without checkpoints does not keep people from saving."""
        try:
            await self._contents.checkpoint(path)
        except RuntimedError as error:
            _log.info("no checkpoint path=%s error=%s", path, error.message)

    async def _save_as(self, path: str, *, overwrite: bool, on_written: Callable[[], None]) -> None:
        room, file = self._room, self._room.file
        room.check_ready()
        heads, revision = room.notebook.replica.heads, room.runtime.revision
        origin = origin_of_active(room.notebook, room.runtime)
        data = await render(room.notebook, room.runtime, file.residue, self._blobs)
        may_sign = await self._signing.may_sign(origin, file.path or path, file.sha256)
        await room.before_write(data, await digest(data))
        self._check_allowed()
        state = await self._contents.write(path, data, create=not overwrite)
        file.path = path
        file.last_saved = self._clock.now()
        file.note(state.sha256, heads, revision)
        self._guard.note(room.notebook)
        self._has_checkpoint = True
        on_written()
        if may_sign:
            await self._signing.sign(state.content, state.sha256)
        await room.after_write()
