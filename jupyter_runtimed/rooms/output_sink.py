"""From outputs to the runtime document: bursts become one transaction a tick, blobs go first.

What is to be written comes as outputs (`outputs`, see `core.outputs`) and as changes (`change`): edits of anything
else in the runtime document. Rules:

1. Changes are written after the outputs that were there when they came. So an execution ends after its last output.
2. Blobs are stored before the transaction that names them begins.
3. There is one writer at a time; what comes meanwhile is the next tick's.
4. The first output after a quiet time is written at once, later ones at the pace of `core.outputs.pace`, or as soon
   as there is a batch of them.
5. What cannot be written takes nothing else with it.
6. When a blob cannot be stored its place says so, the execution is told (`on_lost`), and everything else is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import Any

from jupyter_runtimed.core.errors import OutOfSpace, RuntimedError
from jupyter_runtimed.core.execution_outputs import Operation, OutputLimits, Taken
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.limits import MIB, Limits
from jupyter_runtimed.core.outputs import RoomOutputs, pace
from jupyter_runtimed.core.references import is_reference
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit
from jupyter_runtimed.rooms.ports.blobs import Blobs
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms.output_sink")

_BATCH_BYTES = 2 * MIB
_TOO_MUCH_BYTES = 16 * MIB
_AHEAD = 3

Change = Callable[[RuntimeEdit], None]

_BlobChange = tuple[Change, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class _Store:
    """Operations and changes whose blobs are being stored."""

    operations: list[Operation]
    changes: list[_BlobChange]
    storing: asyncio.Task[RuntimedError | None]


class Urgency(IntEnum):
    """How soon something has to be written."""

    NONE = 0
    LAZY = 1
    """With the next tick."""

    OUTPUT = 2
    """At once if it was quiet, else with the next tick."""

    NOW = 3


class OutputSink:
    """See the module.

    Args:
        runtime: the room's runtime document.
        blobs: where large and binary content goes.
        clock: the time.
        tasks: the room's.
        limits: sizes of what stands in the document.
        output_limits: how much an execution may show.
        on_lost: told which execution lost output, and why.
        on_written: called after each write, when nothing is under way.
    """

    def __init__(
        self,
        runtime: RuntimeDocument,
        blobs: Blobs,
        clock: Clock,
        tasks: Tasks,
        *,
        limits: Limits,
        output_limits: OutputLimits,
        on_lost: Callable[[ExecutionId, RuntimedError], None],
        on_written: Callable[[], None] = lambda: None,
    ) -> None:
        self.outputs = RoomOutputs(limits, output_limits)
        self._runtime = runtime
        self._blobs = blobs
        self._clock = clock
        self._tasks = tasks
        self._on_lost = on_lost
        self._on_written = on_written
        self._changes: list[Callable[[], _BlobChange]] = []
        self._afterwards: list[Callable[[], None]] = []
        self._wanted = Urgency.NONE
        self._timer: Timer | None = None
        self._writing: asyncio.Task[None] | None = None
        self._writing_bytes = 0
        self._last_write = float("-inf")
        self._writes = 0
        self._noted: set[ExecutionId] = set()

    @property
    def is_busy(self) -> bool:
        """Whether something is not written yet."""
        return self._writing is not None or bool(self._changes) or self.outputs.has_pending

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no more should be taken in."""
        return self.outputs.pending_bytes + self._writing_bytes > _TOO_MUCH_BYTES

    def begin(self, execution_id: ExecutionId) -> None:
        """An execution begins: its outputs are wanted, and their pace begins anew."""
        self.outputs.begin(execution_id)
        self._writes = 0

    def forget(self, execution_id: ExecutionId) -> None:
        """An execution is removed: what it said is written no more."""
        self.outputs.forget(execution_id)
        self._noted.discard(execution_id)

    def clear(self, execution_id: ExecutionId) -> None:
        """Remove what an execution shows so far; `wake` has to follow."""
        self.outputs.clear(execution_id)
        self._want(Urgency.NOW)

    def receive(self, execution_id: ExecutionId, msg_type: str, content: dict[str, Any]) -> None:
        """Take in an output; `wake` has to follow."""
        if self.outputs.receive(execution_id, msg_type, content):
            self._want(Urgency.OUTPUT)

    def change(self, change: Change, urgency: Urgency = Urgency.LAZY, blobs: Sequence[bytes] = ()) -> None:
        """Edit something else in the document, after the outputs there are; `wake` has to follow.

        Args:
            change: makes the edit within the transaction. It must look whether what it edits is still there.
            urgency: how soon.
            blobs: what the edit names.
        """
        self.later(lambda: (change, blobs), urgency)

    def later(self, prepare: Callable[[], _BlobChange], urgency: Urgency) -> None:
        """As `change`, but asked for the edit and its blobs only when they are about to be written."""
        self._changes.append(prepare)
        self._want(urgency)

    def after(self, callback: Callable[[], None], urgency: Urgency) -> None:
        """Call when everything that came before is written; `wake` has to follow."""

        def note(_: RuntimeEdit) -> None:
            self._afterwards.append(callback)

        self.change(note, urgency)

    def change_execution(self, execution_id: ExecutionId, change: Change, urgency: Urgency = Urgency.LAZY) -> None:
        """Edit an execution, unless it is gone by then; `wake` has to follow."""

        def change_if_there(edit: RuntimeEdit) -> None:
            if execution_id in self._runtime.executions:
                change(edit)

        self.change(change_if_there, urgency)

    def wake(self) -> None:
        """Write what is due, now or with a timer. Called after each burst of what came in."""
        if self._writing is not None or self._wanted is Urgency.NONE:
            return
        delay = 0.0
        if self._wanted is not Urgency.NOW and self.outputs.pending_bytes < _BATCH_BYTES:
            since = self._clock.monotonic() - self._last_write
            delay = pace(self._writes) - (since if self._wanted is Urgency.OUTPUT else 0.0)
        if delay <= 0:
            self._write()
        elif self._timer is None:
            self._timer = self._clock.call_later(delay, self._tick)

    async def settle(self) -> None:
        """Wait until everything there is now is written."""
        while self.is_busy:
            if self._writing is None:
                self._wanted = Urgency.NOW
                self.wake()
            if self._writing is not None:
                await asyncio.wait({self._writing})

    async def room(self) -> None:
        """Wait while too much waits to be written."""
        while self.is_full:
            if self._writing is None:
                self._write()
            if self._writing is not None:
                await asyncio.wait({self._writing})

    def _want(self, urgency: Urgency) -> None:
        self._wanted = max(self._wanted, urgency)

    def _tick(self) -> None:
        self._timer = None
        if self._writing is None:
            self._write()

    def _write(self) -> None:
        """Write everything there is: at once when it names no blobs, else in a task."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wanted = Urgency.NONE
        prepared, self._changes = self._changes, []
        changes = list(_prepared(prepared))
        waiting = self.outputs.pending_bytes
        taken = self.outputs.take(_BATCH_BYTES)
        self._writes += 1
        is_all = not self.outputs.has_pending
        if is_all and not taken.blobs and not any(blobs for _, blobs in changes):
            self._commit(taken.operations, changes)
            self._on_written()
            return
        self._writing_bytes = waiting
        self._writing = self._tasks.start(self._write_with_blobs(taken, changes, waiting), "outputs")

    async def _write_with_blobs(self, taken: Taken, changes: list[_BlobChange], waiting: int) -> None:
        stores: deque[_Store] = deque()
        try:
            while True:
                waiting -= _BATCH_BYTES
                is_last = waiting <= 0 or not self.outputs.has_pending
                stores.append(self._begin_store(taken, changes if is_last else []))
                # Some batches are on their way to the disk while the next one is encoded.
                while len(stores) > (0 if is_last else _AHEAD):
                    store = stores.popleft()
                    self._commit(*self._stored(store, await store.storing))
                if is_last:
                    return
                # Others first: a batch takes a few milliseconds.
                await self._clock.sleep(0)
                taken = self.outputs.take(_BATCH_BYTES)
        finally:
            self._writing = None
            self._writing_bytes = 0
            if self.outputs.has_pending:
                self._want(Urgency.OUTPUT)
            self.wake()
            self._on_written()

    def _begin_store(self, taken: Taken, changes: list[_BlobChange]) -> _Store:
        blobs = [*taken.blobs, *(blob for _, named in changes for blob in named)]
        return _Store(taken.operations, changes, self._tasks.start(self._put(blobs), "blobs"))

    async def _put(self, blobs: list[bytes]) -> RuntimedError | None:
        """Store blobs; why that was not possible, or None."""
        try:
            if blobs:
                await self._blobs.put_many(blobs)
        except Exception as error:  # a note in the place of the output, or the execution would never end
            cause = error if isinstance(error, RuntimedError) else OutOfSpace(f"output could not be stored: {error}")
            _log.warning("output lost blobs=%d cause=%s", len(blobs), cause.message)
            return cause
        return None

    def _stored(self, store: _Store, cause: RuntimedError | None) -> tuple[list[Operation], list[_BlobChange]]:
        """What may be written now that the blobs are stored, or are not."""
        if cause is None:
            return store.operations, store.changes
        operations = [self._without_blobs(operation, cause) for operation in store.operations]
        return operations, [change for change in store.changes if not change[1]]

    def _without_blobs(self, operation: Operation, cause: RuntimedError) -> Operation:
        if not any(_refers(argument) for argument in operation.arguments):
            return operation
        self._on_lost(operation.execution_id, cause)
        note = ""
        if operation.execution_id not in self._noted:
            self._noted.add(operation.execution_id)
            note = f"\n[Output is missing here: {cause.message}]\n"
        return replace(operation, arguments=tuple(_with_note(argument, note) for argument in operation.arguments))

    def _commit(self, operations: list[Operation], changes: list[_BlobChange]) -> None:
        self._last_write = self._clock.monotonic()
        if not operations and not changes:
            return
        edits: list[Change] = [
            *(partial(self._apply, operation) for operation in operations),
            *(change for change, _ in changes),
        ]
        try:
            self._edit(edits)
        except Exception:
            # What one of them says has no place in a document: each by itself, or the end of an execution is lost too.
            self._afterwards.clear()
            for one in edits:
                try:
                    self._edit([one])
                except Exception:  # whatever it is, the others are to be written
                    _log.exception("edit of the runtime document lost")
        afterwards, self._afterwards = self._afterwards, []
        for callback in afterwards:
            callback()

    def _edit(self, edits: Sequence[Change]) -> None:
        with self._runtime.edit() as edit:
            for one in edits:
                one(edit)

    def _apply(self, operation: Operation, edit: RuntimeEdit) -> None:
        # The execution may have been removed while its blobs were stored.
        if operation.execution_id in self._runtime.executions:
            operation.apply(edit)


def _prepared(prepared: Sequence[Callable[[], _BlobChange]]) -> Iterator[_BlobChange]:
    """The changes and their blobs; one that fails takes no other with it."""
    for prepare in prepared:
        try:
            yield prepare()
        except Exception:  # whatever it is, the others are to be written
            _log.exception("change of the runtime document lost")


def _refers(value: Any) -> bool:
    """Whether a piece of an output, or an output, refers to a blob."""
    if is_reference(value):
        return True
    if isinstance(value, dict):
        return any(_refers(item) for item in value.values())
    return isinstance(value, list) and any(_refers(item) for item in value)


def _with_note(value: Any, note: str) -> Any:
    """A piece or an output with a note in the place of its blobs. Fields that nbformat does not know are left out."""
    if is_reference(value):
        return note
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key == "traceback" or not is_reference(item)}
    if isinstance(kept.get("data"), dict):
        data = {mime: content for mime, content in kept["data"].items() if not _refers(content)}
        return {**kept, "data": data if len(data) == len(kept["data"]) else {**data, "text/plain": note.strip()}}
    if isinstance(kept.get("text"), list):
        return {**kept, "text": [note if is_reference(piece) else piece for piece in kept["text"]]}
    return {**kept, "traceback": [note.strip()]} if _refers(kept.get("traceback")) else kept
