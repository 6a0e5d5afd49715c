"""The log of one room: appends from the event loop, group commits from a thread.

```
append ──▶ buffer ──(10 ms)──▶ thread: write, fsync ──▶ durable
            └─ copy in `tail` while the log is written anew:
               thread: state of the room into a new file, fsync ─▶ thread: tail, fsync, rename ─▶ durable
```

Rules, cited by number below:
1. A change is durable only after an fsync that came after its write succeeded.
2. The file is made by the first append, and made anew after anything that leaves doubt about it: an earlier life,
   a failed fsync, a failed rename. Doubt is never appended to.
3. While writing fails, nothing is dropped; it is tried again with growing pauses, at once when somebody asks.
4. All fields belong to the event loop; a job in a thread sees only bytes and the `LogFile`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from jupyter_runtimed.adapters.disk import Disk, disk_error
from jupyter_runtimed.adapters.log_file import LogFile
from jupyter_runtimed.adapters.log_progress import Pace, Progress, settle
from jupyter_runtimed.core.errors import Internal, RuntimedError
from jupyter_runtimed.core.journal import (
    CHANGE_KINDS,
    SNAPSHOT_KINDS,
    DocumentHeads,
    DocumentName,
    LogState,
    RoomMeta,
    encode_meta,
    encode_record,
    encode_version,
    iter_encoded,
)

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """What the log asks of its room (`rooms.ports.log.LogOwner`)."""

    def log_state(self, compact: bool) -> LogState: ...

    def log_changed(self) -> None: ...


class FileRoomLog:
    """The `RoomLog` port over one file. Made by `FileRoomLogs.log`."""

    def __init__(
        self,
        path: Path,
        owner: Owner,
        meta: RoomMeta,
        *,
        pool: Executor,
        disk: Disk,
        pace: Pace,
        on_meta: Callable[[RoomMeta], None] = lambda meta: None,
    ) -> None:
        self.path = path
        self._owner = owner
        self._meta = meta
        self._pool = pool
        self._disk = disk
        self._pace = pace
        self._on_meta = on_meta
        self._loop = asyncio.get_running_loop()
        self._file = LogFile(path, disk)
        self._existed = path.exists()
        self._progress = Progress()
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._tail: list[bytes] | None = None  # records since the state was taken; None: not being rewritten
        self._new_is_written = False
        self._base_size = 0
        self._wants_rewrite = False
        self._rewrite_waiters: list[asyncio.Future[None]] = []
        self._heads: DocumentHeads | None = None
        self._durable_heads: DocumentHeads | None = None
        self._n_jobs = 0
        self._is_writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._trouble: str | None = None
        self._is_closed = False
        self._no_jobs: asyncio.Future[None] | None = None

    # What it says.

    @property
    def durable_heads(self) -> DocumentHeads | None:
        return self._durable_heads

    @property
    def trouble(self) -> str | None:
        return self._trouble

    @property
    def exists(self) -> bool:
        return self._existed or self._progress.given > 0

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def size(self) -> int:
        """Bytes of the file, as far as this life has written it."""
        return self._file.size

    @property
    def meta(self) -> RoomMeta:
        """The fields as they are in the log, or will be."""
        return self._meta

    # Taking records.

    def append(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        kind = CHANGE_KINDS[document]
        self._take([encode_record(kind, chunk) for chunk in chunks], heads)

    def replace(self, document: DocumentName, chunks: Sequence[bytes], heads: DocumentHeads) -> None:
        self._take([encode_record(SNAPSHOT_KINDS[document], b"".join(chunks))], heads)

    def _take(self, records: list[bytes], heads: DocumentHeads) -> None:
        self._heads = heads
        if self._meta.settled:
            self._meta = replace(self._meta, settled=False)
            self._on_meta(self._meta)
        self._push(records)

    def note_version(self, version: Mapping[str, Any]) -> None:
        if self.exists:
            self._push([encode_version(version)])

    def update(self, meta: RoomMeta) -> None:
        self._set_meta(replace(meta, pending=self._meta.pending, settled=self._meta.settled))

    def _set_meta(self, meta: RoomMeta) -> None:
        old, new = self._meta.to_json(), meta.to_json()
        changed = {name: value for name, value in new.items() if name not in old or old[name] != value}
        changed.update((name, None) for name in old if name not in new)
        self._meta = meta
        if self.exists:
            self._on_meta(meta)
            if changed:
                self._push([encode_meta(changed)])

    def _push(self, records: list[bytes]) -> None:
        if self._is_closed:
            logger.error("append to a closed log path=%s", self.path)
            return
        if self._progress.given == 0:
            self._on_meta(self._meta)
        self._progress.given += 1
        self._buffer += records
        self._buffered_bytes += sum(map(len, records))
        if self._tail is not None:
            self._tail += records
        if not self._file.is_open:
            self._wants_rewrite = True  # rule 2
        too_much = self._failures and self._buffered_bytes > self._pace.max_buffer_bytes
        if too_much and not self._is_writing and self._tail is None:
            self._file.close()
            self._wants_rewrite = True
            self._clear_buffer()  # the rewrite will hold it
        self._run_soon(self._pace.gather_s)

    # Waiting.

    async def sync(self) -> None:
        if self._progress.durable < self._progress.given:
            self._refuse_if_closed()
            waiter = self._progress.wait()
            self._run_now()
            await waiter

    async def rewrite(self) -> None:
        if self.exists:
            self._refuse_if_closed()
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._rewrite_waiters.append(waiter)
            self._wants_rewrite = True
            self._run_now()
            await waiter

    async def begin_save(self, data: bytes, sha256: str) -> None:
        try:
            await self._loop.run_in_executor(self._pool, self._disk.write_file, save_path(self.path), [data])
        except OSError as error:
            raise disk_error(error) from error
        meta = replace(self._meta, pending=sha256)
        if self.exists:
            self._set_meta(meta)
        else:
            self._meta = meta
            self._push([])
        await self.sync()

    async def end_save(self, meta: RoomMeta) -> None:
        self._set_meta(replace(meta, pending=None))
        try:
            await self.sync()
            # Saves of one room come one after the other, so nobody writes this file now.
            await self._loop.run_in_executor(self._pool, self._disk.remove, save_path(self.path))
        except (OSError, RuntimedError):
            logger.warning("the end of a save could not be logged path=%s", self.path, exc_info=True)

    async def close(self) -> None:
        if self._is_closed:
            return
        await self.sync()
        self.abandon()
        if self._n_jobs:
            self._no_jobs = self._loop.create_future()
            await self._no_jobs
        await self._loop.run_in_executor(self._pool, self._file.discard_new)

    def abandon(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        closed = Internal("the log was closed")
        self._progress.fail(closed)
        self._end_rewrite(closed)
        if not self._n_jobs:
            self._file.close()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Internal("the log was closed")

    # Deciding what to do next: every event ends here.

    def _run_soon(self, delay_s: float) -> None:
        if self._timer is None and not self._is_writing and not self._is_closed:
            self._timer = self._loop.call_later(delay_s, self._run)

    def _run_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._run()

    def _run(self) -> None:
        self._timer = None
        if self._is_closed:
            return
        if self._wants_rewrite and self._tail is None:
            self._begin_rewrite()
        if self._is_writing:
            return
        if self._new_is_written:
            self._switch()
        elif self._buffer and self._file.is_open:
            self._write()

    def _write(self) -> None:
        taken, given, heads = self._buffer, self._progress.given, self._heads
        self._clear_buffer()
        file = self._file

        def done(error: BaseException | None) -> None:
            self._is_writing = False
            if error is not None:
                self._give_back(taken)
                self._wants_rewrite = self._wants_rewrite or not file.is_open  # rule 2
                self._failed(error)
                return
            self._wants_rewrite = self._wants_rewrite or self._pace.is_grown(file.size, self._base_size)
            self._succeeded(given, heads)

        self._is_writing = True
        self._start(lambda: file.append(b"".join(taken)), done)

    def _begin_rewrite(self) -> None:
        state = self._owner.log_state(self._file.is_open)
        self._heads = state.heads
        self._tail = []
        if not self._file.is_open:
            self._clear_buffer()  # all of it is in the state
        file, meta = self._file, self._meta

        def done(error: BaseException | None) -> None:
            if error is None:
                self._new_is_written = True
                self._run_now()
                return
            self._tail = None
            if file.is_open:
                # No room for a smaller log: go on with the large one, and try again when it has grown more.
                logger.warning("rewriting a log failed path=%s: %s", self.path, error)
                self._base_size = file.size
                self._end_rewrite(disk_error(error))
            else:
                self._failed(error)

        self._start(lambda: file.begin_new(iter_encoded(meta, state)), done)

    def _switch(self) -> None:
        assert self._tail is not None
        # All that waits in the buffer is either in the state that was taken or in the tail.
        taken, given, heads, tail = self._buffer, self._progress.given, self._heads, self._tail
        written = b"".join(tail)
        self._clear_buffer()
        self._new_is_written = False
        file = self._file

        def done(error: BaseException | None) -> None:
            self._is_writing = False
            self._tail = None
            if error is not None:
                self._give_back(taken)
                self._wants_rewrite = True
                self._failed(error)
                return
            self._existed = True
            self._base_size = file.size
            self._end_rewrite()
            self._succeeded(given, heads)

        self._is_writing = True
        self._start(lambda: file.switch(written), done)

    # Jobs and their ends.

    def _start(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self._n_jobs += 1

        def finished(future: asyncio.Future[Any]) -> None:
            self._n_jobs -= 1
            done(asyncio.CancelledError() if future.cancelled() else future.exception())
            if self._is_closed and not self._n_jobs:
                self._file.close()
                if self._no_jobs is not None:
                    settle([self._no_jobs])

        self._loop.run_in_executor(self._pool, job).add_done_callback(finished)

    def _succeeded(self, given: int, heads: DocumentHeads | None) -> None:
        self._durable_heads = heads
        self._failures = 0
        self._trouble = None
        self._progress.reach(given)
        self._owner.log_changed()
        if self._wants_rewrite or (self._buffer and self._progress.is_awaited):
            self._run_now()
        elif self._buffer:
            self._run_soon(self._pace.gather_s)

    def _failed(self, error: BaseException) -> None:
        ours = disk_error(error)
        self._failures += 1
        if self._trouble != ours.message:
            logger.error("writing a log failed path=%s: %s", self.path, ours.message)
        self._trouble = ours.message
        self._progress.fail(ours)
        if not self._file.is_open:
            self._end_rewrite(ours)
            self._wants_rewrite = True
        self._owner.log_changed()
        self._run_soon(self._pace.pause_s(self._failures))  # rule 3

    def _end_rewrite(self, error: RuntimedError | None = None) -> None:
        self._wants_rewrite = False
        waiters, self._rewrite_waiters = self._rewrite_waiters, []
        settle(waiters, error)

    def _clear_buffer(self) -> None:
        self._buffer = []
        self._buffered_bytes = 0

    def _give_back(self, records: list[bytes]) -> None:
        self._buffer = records + self._buffer
        self._buffered_bytes = sum(map(len, self._buffer))


def save_path(log_path: Path) -> Path:
    """Where the bytes of a save are kept beside the log until the save is confirmed."""
    return log_path.with_suffix(".save")
