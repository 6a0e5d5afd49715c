"""How a room's documents come to be: of a file, of its log, or of nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import LoadFailed, RuntimedError
from jupyter_runtimed.core.ipynb import import_actor
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.lineage import Lineage
from jupyter_runtimed.rooms.loader import Loaded, Loader, begin_untitled
from jupyter_runtimed.rooms.restoring import Restored, reopen

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room

_log = logging.getLogger("jupyter_runtimed.rooms")


class RoomOpening:
    """The beginning of one room.

    Args:
        room: whose.
        restored: what its log has given back.

    Attributes:
        loader: the load of the file; None for a room that has none, or comes from its log.
    """

    def __init__(self, room: Room, restored: Restored | None) -> None:
        self._room = room
        self._restored = restored
        self.loader: Loader | None = None

    @property
    def is_appending(self) -> bool:
        """Whether the loader is putting cells into the notebook document at this moment."""
        return self.loader is not None and self.loader.is_appending

    def start(self) -> None:
        """Begin: with the load of the file, or, without one, ready."""
        self._begin_documents()
        if self._restored is not None:
            self._begin_restored(self._restored)
        elif self._room.file.path is None:
            self._begin_untitled()
        else:
            self._room.tasks.start(self._load(), "load")

    def retry(self) -> None:
        """Begin again after a failure."""
        if self.loader is not None and self.loader.is_open:
            self._begin_documents()
        self.loader = None
        self._room.hub.tell_status()
        self._room.tasks.start(self._load() if self._restored is None else self._reopen(self._restored), "load")

    def _begin_documents(self) -> None:
        room, restored, new_actor = self._room, self._restored, self._room.services.new_actor
        replica = restored.notebook if restored is not None else new_notebook_replica(new_actor())
        room.notebook = NotebookDocument(replica)
        if room.file.path is None and restored is None:
            begin_untitled(room.notebook, room.kernel_name)
        replica.on_advance = room.advances.notebook_advanced
        actor = new_actor()
        room.runtime_epoch = actor.hex()
        room.runtime = restored.runtime_document(actor) if restored is not None else RuntimeDocument(actor)
        room.hub.serve_notebook(replica)

    def _begin_untitled(self) -> None:
        room = self._room
        room.file.saved_heads = room.notebook.replica.heads
        room.hub.open_notebook(Lineage(room.contains, None, room.forgotten))
        self._become_whole()

    def _begin_restored(self, restored: Restored) -> None:
        room = self._room
        imported = room.file.import_sha256
        actor = import_actor(bytes.fromhex(imported)) if imported is not None else None
        room.hub.open_notebook(Lineage(room.contains, actor, room.forgotten))
        if room.file.path is None:
            self._become_whole()
        else:
            room.tasks.start(self._reopen(restored), "reopen")

    async def _reopen(self, restored: Restored) -> None:
        room = self._room
        try:
            await reopen(room, restored.logged)
        except LoadFailed as error:
            self._failed(error)
        except RuntimedError as error:
            self._failed(LoadFailed(error.message, reason=error.code))
        except Exception as error:  # whatever a storage raises: a room that loads for ever helps nobody
            _log.exception("reopening failed room=%s", room.id)
            self._failed(LoadFailed(f"the notebook could not be opened again: {error!r}"))
        else:
            room.lifecycle.loaded()
            self._become_whole()
            if room.saver.has_unsaved:
                room.saver.touched()

    async def _load(self) -> None:
        room, services = self._room, self._room.services
        assert room.file.path is not None
        loader = self.loader = Loader(
            room.notebook,
            room.runtime,
            contents=services.contents,
            blobs=services.blobs,
            clock=services.clock,
            settings=services.settings,
            on_open=lambda actor: room.hub.open_notebook(Lineage(room.contains, actor, room.forgotten)),
            on_publish=self._progressed,
        )
        try:
            loaded = await loader.run(room.file.path)
        except LoadFailed as error:
            self._failed(error)
        else:
            self._loaded(loaded)

    def _failed(self, error: LoadFailed) -> None:
        room = self._room
        _log.warning("load failed room=%s path=%s error=%s", room.id, room.file.path, error.message)
        room.lifecycle.failed(error)
        room.readiness.settle()
        room.hub.tell_status()
        room.unused()

    def _progressed(self) -> None:
        self._room.hub.wake()
        self._room.hub.tell_status()

    def _loaded(self, loaded: Loaded) -> None:
        room, file = self._room, self._room.file
        file.import_sha256 = loaded.imported.sha256
        file.residue = loaded.imported.residue
        file.note(loaded.state.sha256, loaded.imported.heads, room.runtime.revision)
        room.lifecycle.loaded()
        self._become_whole()
        if room.saver.has_unsaved:  # edits that came during the load
            room.saver.touched()

    def _become_whole(self) -> None:
        hub = self._room.hub
        hub.serve_runtime(self._room.runtime.replica)
        hub.flush()  # whoever waits for the outputs is sent them before the room makes ready to log, save and run
        restored = self._restored
        logged = (restored.heads, restored.logged.meta) if restored is not None else (None,)
        self._room.durability.begin(*logged)
        if restored is not None:
            self._room.versions.begin(restored.logged.versions, restored.heads)
        else:
            self._room.versions.begin()
        self._room.documents_whole()
