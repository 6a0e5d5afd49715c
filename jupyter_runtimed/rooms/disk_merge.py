"""Bring into a room what was done elsewhere: to its file, or to a replica of another epoch.

The file is read and taken apart with waits in between; the documents are edited in one turn, at the end. A file that
is no notebook may be half written, so it is looked at again before anybody is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.crdt.foreign import load_foreign
from jupyter_runtimed.core.errors import FileChanged, LoadFailed, RuntimedError
from jupyter_runtimed.core.ids import Hash, Heads, heads_to_hex
from jupyter_runtimed.core.ipynb import Import
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.merge import merge_file, merge_replica
from jupyter_runtimed.core.runtime import Execution
from jupyter_runtimed.core.versions import ON_DISK
from jupyter_runtimed.rooms.authors import acting_as
from jupyter_runtimed.rooms.durability import Durability, DurableRoom
from jupyter_runtimed.rooms.loader import LARGE_BYTES, threaded
from jupyter_runtimed.rooms.ports.contents import FileState
from jupyter_runtimed.rooms.services import Services

_log = logging.getLogger("jupyter_runtimed.rooms")

LOOK_AGAIN_S = (0.2, 0.5)
"""Waits before a file that cannot be read is looked at again."""


class MergingRoom(DurableRoom, Protocol):
    """The part of a room that a merge sees."""

    services: Services
    durability: Durability


class _Incoming:
    """A file taken apart."""

    def __init__(self, state: FileState, limits: Limits) -> None:
        self.state = state
        self.imported = Import(state.content, limits, state.sha256)
        self.blobs: list[bytes] = []
        self.executions: dict[str, Execution] = {}
        for batch in self.imported.batches():
            self.blobs += batch.blobs
        for execution, new in self.imported.executions():
            self.executions[execution.execution_id] = execution
            self.blobs += new


async def merge_from_disk(room: MergingRoom, state: FileState, *, check: Callable[[], None]) -> None:
    """Merge a version of the room's file, three ways, against the last common one.

    Args:
        room: with its saves held up, so that nobody writes the file meanwhile.
        state: what was found in the file.
        check: raises when the documents are not to be edited any more; asked before they are.

    Raises:
        FileChanged: it is no notebook. Neither file nor documents were changed.
        NotFound, OutOfSpace: likewise.
    """
    file, services = room.file, room.services
    incoming = await _read(room, state)
    if incoming.blobs:
        await services.blobs.put_many(incoming.blobs)
    check()
    if file.path != state.path:
        return
    # From here to the end there is no wait: nobody sees half a merge.
    had_unsaved = file.lacks(room.notebook.replica.heads, room.runtime.revision)  # in a room that is reopened, too
    with acting_as(ON_DISK):
        merged = merge_file(
            room.notebook,
            room.runtime,
            room.durability.base(),
            incoming.imported,
            incoming.executions,
            residue=file.residue,
            fetch=services.blobs.read,
            is_fresh=lambda execution: execution.revision > file.saved_revision,
        )
    file.residue = merged.residue
    file.is_deleted = False
    if had_unsaved:
        file.sha256 = incoming.state.sha256
        file.base = merged.base
    else:  # nothing but what is in the file is in the documents now
        file.note(incoming.state.sha256, room.notebook.replica.heads, room.runtime.revision)
    room.durability.file_changed()
    done = merged.cells
    _log.info(
        "file merged room=%s path=%s inserted=%d deleted=%d kept=%d restored=%d",
        room.id, file.path, len(done.inserted), len(done.deleted), len(done.kept), len(done.restored),
    )  # fmt: skip


async def _read(room: MergingRoom, state: FileState) -> _Incoming:
    services = room.services
    for wait_s in LOOK_AGAIN_S:
        try:
            return await _take_apart(state, services.settings.limits)
        except LoadFailed:
            await services.clock.sleep(wait_s)
            state = await services.contents.read(state.path)
    try:
        return await _take_apart(state, services.settings.limits)
    except LoadFailed as error:
        raise FileChanged(
            f"{state.path} was changed and is no notebook any more ({error.message}); it is not overwritten, and the"
            " notebook in this room is kept. Mend or remove the file, or save under another name.",
            path=state.path,
        ) from error


async def _take_apart(state: FileState, limits: Limits) -> _Incoming:
    return await threaded(len(state.content) > LARGE_BYTES, lambda: _Incoming(state, limits))


async def merge_from_replica(
    room: MergingRoom, data: bytes, saved_heads: Heads, durable_heads: Heads, *, check: Callable[[], None]
) -> dict[str, Any]:
    """Merge the edits of a replica of another epoch.

    What the replica and the room have in common is not merged again.

    Args:
        room: whose documents are whole.
        data: the replica's document, as Automerge bytes.
        saved_heads: of the replica, when it was last in the file: what came before is no unsent edit.
        durable_heads: of the replica, when the server last had it for good: what came before may have been saved.
        check: as of `merge_from_disk`.

    Returns:
        The answer to the merge call.

    Raises:
        Malformed, OverLimit: the bytes are no Automerge document, or too large a one.
    """
    limits = room.services.settings.limits
    theirs = await threaded(len(data) > LARGE_BYTES, lambda: load_foreign(data, limits))
    check()
    replica, forgotten = room.notebook.replica, room.forgotten
    was_saved, was_durable = _history_of(saved_heads, theirs), _history_of(durable_heads, theirs)

    def is_known(change: Hash) -> bool:
        return change in was_saved or change in forgotten or replica.contains((change,))

    new = [change for change in theirs.engine.hashes() if not is_known(change)]
    merged = merge_replica(room.notebook, theirs, is_known, was_durable)
    if new:  # others have them, too, and must not bring them a second time
        forgotten.add(new)
        room.durability.file_changed()
    return {"heads": heads_to_hex(replica.heads), "kept_aside": list(merged.kept_aside)}


def _history_of(heads: Heads, replica: Replica) -> set[Hash]:
    """The changes of a replica up to some heads; those that are not its own count for nothing."""
    there = tuple(head for head in heads if replica.contains((head,)))
    if not there:
        return set()
    return set(replica.engine.hashes()).difference(digest for digest, _ in replica.engine.changes_since(there))


def is_notebook(content: bytes, limits: Limits) -> bool:
    """Whether bytes can be opened as a notebook."""
    return _imported(content, limits) is not None


def says_something(content: bytes, limits: Limits) -> bool:
    """Whether bytes are a notebook that can be told from a new one: some cell has a source."""
    imported = _imported(content, limits)
    return imported is not None and any(cell.source.strip() for cell in imported.cells)


def _imported(content: bytes, limits: Limits) -> Import | None:
    imported = Import(content, limits)
    try:
        for _ in imported.batches():
            pass
    except RuntimedError:
        return None
    return imported
