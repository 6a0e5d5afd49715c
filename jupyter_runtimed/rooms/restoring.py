"""A room that comes from its log: its documents at once, then what became of its file meanwhile.

The table of `core.recovery` decides; here it is carried out. What ran when the process ended has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from jupyter_runtimed.core.crdt import AheadReplica, Engine, EnginePanic, EngineRefused, Replica, cold_replica
from jupyter_runtimed.core.document import GENESIS_HASH
from jupyter_runtimed.core.errors import FileChanged, LoadFailed
from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.core.journal import CorruptJournal, LoggedRoom
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.recovery import Opening, choose_opening
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument
from jupyter_runtimed.rooms.disk_merge import MergingRoom, is_notebook, merge_from_disk
from jupyter_runtimed.rooms.file import NotebookFile
from jupyter_runtimed.rooms.loader import LARGE_BYTES, threaded
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.saver import Saver
from jupyter_runtimed.rooms.turns import give_way

_log = logging.getLogger("jupyter_runtimed.rooms")

_ENDED_WITH_SERVER = {"code": "kernel_died", "message": "the server ended while this was running"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What a log has given back.

    Attributes:
        notebook: the notebook document.
        heads: what it had when it was restored.
        runtime: the content of the runtime document; it becomes a new document, with a new epoch.
    """

    logged: LoggedRoom
    notebook: Replica
    heads: Heads
    runtime: dict[str, Any]

    def file(self) -> NotebookFile:
        """What the room knows of its file."""
        meta = self.logged.meta
        return NotebookFile(
            path=meta.path,
            key=meta.key,
            directory=meta.directory,
            sha256=meta.file_sha256,
            is_deleted=meta.deleted_at is not None,
            import_sha256=meta.import_sha256,
            residue=Residue.from_json(meta.residue or []),
            saved_heads=meta.saved_heads,
            # Whether the file has all outputs, nobody knows, unless the log says that it had everything.
            saved_revision=0 if meta.settled else -1,
            last_saved=None if meta.saved_at is None else datetime.fromisoformat(meta.saved_at.replace("Z", "+00:00")),
            base=None if meta.base is None else Version.from_json(meta.base),
        )

    def runtime_document(self, actor: bytes) -> RuntimeDocument:
        """A runtime document with this content, in which nothing is queued or running."""
        document = RuntimeDocument.from_state({**self.runtime, "kernel": {}}, actor)
        for execution in document.executions.values():
            end_interrupted(execution)
        document.load(list(document.executions.values()))
        return document


async def restore(logged: LoggedRoom, new_actor: Callable[[], bytes], clock: Clock) -> Restored:
    """Make the documents of what was logged, the notebook's step by step where that can be done.

    Raises:
        CorruptJournal: the log does not hold a notebook.
    """
    data, actor = b"".join(logged.notebook), new_actor()
    try:
        notebook: Replica | None = await threaded(
            len(data) > LARGE_BYTES, lambda: cold_replica(data, logged.parts, actor=actor)
        )
        if notebook is not None:
            for _ in notebook.warm():
                await give_way(clock)
        if notebook is None or not notebook.is_hot:
            notebook = AheadReplica.load(data, actor=actor)
        runtime = Engine.load(b"".join(logged.runtime), new_actor()).extract() if logged.runtime else {}
    except (EnginePanic, EngineRefused) as error:
        raise CorruptJournal(f"the log holds no Automerge documents: {error}") from error
    if not notebook.contains((GENESIS_HASH,)):
        raise CorruptJournal("the log holds a document that is no notebook")
    return Restored(logged, notebook, notebook.heads, runtime)


def end_interrupted(execution: Execution) -> None:
    """End an execution that the process did not see the end of."""
    if execution.has_ended:
        return
    if execution.status == "running":
        execution.status, execution.error = "error", dict(_ENDED_WITH_SERVER)
    else:
        execution.status = "cancelled"
    execution.input_request = None


class ReopenedRoom(MergingRoom, Protocol):
    """The part of a room that reopening sees."""

    saver: Saver


async def reopen(room: ReopenedRoom, logged: LoggedRoom) -> None:
    """Find out what became of the file while the room was closed, and bring both together.

    Raises:
        LoadFailed: there is nothing to open.
        Forbidden, Internal, OutOfSpace: storage fails.
    """
    file, contents, limits = room.file, room.services.contents, room.services.settings.limits
    assert file.path is not None
    on_disk = await contents.sha256(file.path)
    if on_disk is not None and on_disk == file.sha256:
        return
    state = await contents.read(file.path) if on_disk is not None else None
    content = state.content if state is not None else None
    opening = await threaded(
        content is not None and len(content) > LARGE_BYTES,
        lambda: choose_opening(logged, content, lambda data: is_notebook(data, limits), on_disk),
    )
    _log.info("room reopened room=%s path=%s as=%s", room.id, file.path, opening.name)
    if opening is Opening.LOG_SAVED:
        file.sha256, file.is_deleted = on_disk, False
    elif opening is Opening.LOG_THEN_SAVE:
        await _complete(room, logged, on_disk)
    elif opening is Opening.LOG_THEN_MERGE:
        assert state is not None
        await merge_from_disk(room, state, check=lambda: None)
    elif opening is Opening.LOG_KEEP_FILE:
        room.saver.error = FileChanged(
            f"{file.path} is no notebook any more; it is not overwritten, and this room has what the notebook was."
            " Mend or remove the file, or save under another name.",
            path=file.path,
        )
    elif opening is Opening.LOG_WITHOUT_FILE:
        file.is_deleted, file.sha256 = True, None
    elif opening is not Opening.LOG:
        raise LoadFailed(f"there is no file {file.path}", reason="not_found")


async def _complete(room: ReopenedRoom, logged: LoggedRoom, torn_sha256: str | None) -> None:
    """A save was torn: write it again, or let the next save go over it."""
    file = room.file
    assert file.path is not None
    if logged.pending is not None:
        state = await room.services.contents.write(file.path, logged.pending, expected=torn_sha256)
        file.sha256 = state.sha256
    else:
        file.sha256, file.saved_heads = torn_sha256, ()
    file.is_deleted = False
