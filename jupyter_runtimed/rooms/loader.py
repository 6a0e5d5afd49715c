"""Open a file: read it, publish its cells piece by piece, then its outputs.

The room owns the load; whoever asked for it may leave. Rules:

1. Work goes on for `load_step_s` at a time, then everybody else gets a turn. When the cells turn out to take longer
   than `publish_s`, those of the first turn are published, then what there is when the load has taken three times as
   long, and so on. What is published is always the whole document so far, as one chunk, which a client reads many
   times faster than the changes that make it; so all pieces together cost half as much again as the last one. Behind
   the first piece, when more than half is read, the next one is all of it. Only what somebody edits meanwhile makes
   it changes.
2. Before the first piece nothing is published, so a file that is broken at its beginning leaves no trace.
3. A blob is stored before a document names it; the runtime document is published whole.
4. A failure at any place takes back what was published: no cell, no execution. Nothing is ever written to the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from jupyter_runtimed.core.crdt import MAP, ROOT, Uint
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import LoadFailed, RuntimedError
from jupyter_runtimed.core.ids import Hash
from jupyter_runtimed.core.ipynb import Import, ImportBatch, is_light
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument
from jupyter_runtimed.rooms.ports.blobs import Blobs
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.contents import Contents, FileState
from jupyter_runtimed.rooms.settings import RoomSettings
from jupyter_runtimed.rooms.turns import give_way

T = TypeVar("T")

LARGE_BYTES = 64 * 1024
"""Content that is larger is read whole on a thread."""

LARGE_HISTORY_BYTES = 200_000
"""The snapshot of more change bytes is written on a thread."""

MANY_EXECUTIONS = 50
"""More executions are written into the runtime document on a thread."""

_SPACING = 3.0
"""The next piece is published when the load has taken so many times as long as at the last one."""

BLOB_BATCH_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has found out about the file."""

    state: FileState
    imported: Import


class Loader:
    """One load of one file into the documents of one room.

    Args:
        notebook: nothing but genesis in it.
        runtime: empty, and not served yet.
        on_open: called before the first piece is published, with the actor of the import.
        on_publish: called when peers should be sent what has come.

    Attributes:
        done, total: cells published, and in all; the total is None until it is known.
        is_open: something may have been published.
        is_appending: a change of the document that is being told of comes from this load.
    """

    def __init__(
        self,
        notebook: NotebookDocument,
        runtime: RuntimeDocument,
        *,
        contents: Contents,
        blobs: Blobs,
        clock: Clock,
        settings: RoomSettings,
        on_open: Callable[[bytes], None],
        on_publish: Callable[[], None],
    ) -> None:
        self.done = 0
        self.total: int | None = None
        self.is_open = False
        self.is_appending = False
        self._notebook = notebook
        self._runtime = runtime
        self._contents = contents
        self._blobs = blobs
        self._clock = clock
        self._settings = settings
        self._on_open = on_open
        self._on_publish = on_publish
        self._size = 0
        self._turn_began = 0.0
        self._began = clock.monotonic()
        self._cells_began = 0.0
        self._publish_after = 0.0

    async def run(self, path: str) -> Loaded:
        """Load the file.

        Raises:
            LoadFailed: says what is wrong; the documents have nothing of the file.
        """
        try:
            return await self._run(path)
        except Exception as error:  # whatever it was, nobody shall see half of a file
            if self.is_open:
                self._take_back()
            if isinstance(error, LoadFailed):
                raise
            if isinstance(error, RuntimedError):
                raise LoadFailed(error.message, reason=error.code) from error
            raise LoadFailed(f"the notebook could not be loaded: {error!r}") from error

    async def _run(self, path: str) -> Loaded:
        await self._yield_turn()  # whoever opened the notebook is told where it is, and connects while it is read
        state = await self._contents.read(path)
        await self._yield_turn()
        imported, batches, first = await threaded(
            not is_light(state.content), lambda: _begin(state, self._settings.limits)
        )
        await self._load_cells(imported, batches, first)
        await self._yield_turn()  # the cells are sent, and who has just come is heard, before the outputs are begun
        await self._load_outputs(imported)
        if not self._notebook.replica.is_hot:
            self._notebook.seed(imported.cells, imported.metadata, imported.root)
        return Loaded(state, imported)

    # Cells.

    async def _load_cells(self, imported: Import, batches: Iterator[ImportBatch], batch: ImportBatch | None) -> None:
        pending: list[tuple[bytes, Hash]] = []
        self._cells_began = self._clock.monotonic()
        while batch is not None:
            if batch.blobs:
                await self._blobs.put_many(batch.blobs)
            pending.append(batch.change)
            self._size += len(batch.change[0])
            self.done += len(batch.cells)
            if self._is_turn_over():
                if self._is_publication_due(imported):
                    await self._publish(imported, pending)
                    self._publish_after = _SPACING * self._elapsed()
                await self._yield_turn()
            batch = next(batches, None)
        self.total = self.done
        await self._publish(imported, pending)

    async def _publish(self, imported: Import, pending: list[tuple[bytes, Hash]]) -> None:
        """Give the document what has come, and have it sent."""
        replica = self._notebook.replica
        snapshot = None
        if not replica.is_hot:
            snapshot = await threaded(self._size > LARGE_HISTORY_BYTES, imported.snapshot)
        self.is_appending = True
        try:
            replica.append(pending)
        finally:
            self.is_appending = False
        pending.clear()
        if snapshot is not None and not replica.is_hot and replica.heads == imported.heads:
            replica.adopt_snapshot(snapshot)
        if not self.is_open:
            self.is_open = True
            self._on_open(imported.actor)
        self._on_publish()

    # Outputs.

    async def _load_outputs(self, imported: Import) -> None:
        executions: list[Execution] = []
        blobs: list[bytes] = []
        size = 0
        for execution, new in imported.executions():
            executions.append(execution)
            blobs += new
            size += sum(map(len, new))
            if size >= BLOB_BATCH_BYTES:
                await self._blobs.put_many(blobs)
                blobs, size = [], 0
            if self._is_turn_over():
                await self._yield_turn()
        if blobs:
            await self._blobs.put_many(blobs)
        if executions:
            await threaded(len(executions) > MANY_EXECUTIONS, lambda: self._runtime.load(executions))

    # Pace.

    def _is_publication_due(self, imported: Import) -> bool:
        total = imported.total
        if not self.is_open:
            taken = self._clock.monotonic() - self._cells_began
            return total is None or taken * total >= self._settings.publish_s * self.done
        is_past_half = total is not None and 2 * self.done > total
        return self._elapsed() >= self._publish_after and not is_past_half

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _is_turn_over(self) -> bool:
        return self._clock.monotonic() - self._turn_began >= self._settings.load_step_s

    async def _yield_turn(self) -> None:
        self._turn_began = await give_way(self._clock)

    def _take_back(self) -> None:
        """Rule 4, in one change, so that peers see it as one."""
        self.done, self.total = 0, 0
        with self._notebook.replica.transact() as writer:
            for name in ("cells", "metadata"):
                obj = writer.child(ROOT, name)
                if obj is not None:
                    for key in self._notebook.replica.engine.keys(obj):
                        writer.delete(obj, key)


def _begin(state: FileState, limits: Limits) -> tuple[Import, Iterator[ImportBatch], ImportBatch | None]:
    """Take the first cells out of a file."""
    imported = Import(state.content, limits, state.sha256)
    batches = imported.batches()
    return imported, batches, next(batches, None)


async def threaded(is_much: bool, work: Callable[[], T]) -> T:
    """Do a piece of work; much work on a thread, so that the event loop goes on meanwhile."""
    return await asyncio.to_thread(work) if is_much else work()


def begin_untitled(notebook: NotebookDocument, kernel_name: str | None) -> None:
    """What a notebook that began without a file begins with."""
    with notebook.replica.transact() as writer:
        writer.put(ROOT, "nbformat", Uint(4))
        writer.put(ROOT, "nbformat_minor", Uint(5))
        if kernel_name is not None:
            metadata = writer.child(ROOT, "metadata") or writer.make(ROOT, "metadata", MAP)
            writer.put(metadata, "kernelspec", {"display_name": kernel_name, "name": kernel_name})
