"""The past of a room: its versions as people see them, a version brought back, and all of it forgotten."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.core.crdt import Replica, new_actor
from jupyter_runtimed.core.document import renewed_replica
from jupyter_runtimed.core.errors import NoSuchVersion
from jupyter_runtimed.core.ids import Heads, heads_to_hex
from jupyter_runtimed.core.ipynb import import_actor
from jupyter_runtimed.core.merge import Version, merge_version
from jupyter_runtimed.core.versions import Touched, VersionRecord, notebook_of
from jupyter_runtimed.rooms.lineage import Lineage
from jupyter_runtimed.rooms.loader import LARGE_BYTES, threaded

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room

_log = logging.getLogger("jupyter_runtimed.rooms")


class RoomHistory:
    """The history of one room."""

    def __init__(self, room: Room) -> None:
        self._room = room

    # Looking.

    async def versions(self) -> dict[str, Any]:
        """All versions, latest first. Raises as `Room.check_ready`."""
        room = self._room
        await room.until_ready()
        for record in room.versions.all():
            if record.touched is None and record.heads is not None:
                old, new = await self._states(record.before, record.heads)
                room.versions.complete(record, Touched.between(old, new))
        found = [record.describe() for record in room.versions.all()]
        return {"versions": found, "retention_s": room.versions.retention_s}

    async def view(self, number: str) -> dict[str, Any]:
        """A version, and the notebook as it was, without outputs.

        Raises:
            NoSuchVersion, BadRequest; as `Room.check_ready`.
        """
        await self._room.until_ready()
        record = self._room.versions.get(number)
        (state,) = await self._states(_heads_of(record))
        notebook = await threaded(True, lambda: notebook_of(state, self._room.services.blobs.read))
        return {**record.describe(), "notebook": notebook}

    async def _states(self, *heads: Heads) -> list[Version]:
        """What the notebook was at some heads. The engine works on a copy, in a thread when it is large."""
        data = self._room.notebook.replica.save()

        def look() -> list[Version]:
            replica = Replica.load(data, actor=new_actor())
            return [Version.at(replica, each) for each in heads]

        return await threaded(len(data) > LARGE_BYTES, look)

    # Bringing back.

    async def restore(self, number: str) -> dict[str, Any]:
        """Make the notebook what a version was, as one edit of the present. Outputs of cells that are here stay.

        Raises:
            NoSuchVersion, BadRequest; as `Room.check_ready`.
        """
        room = self._room
        await room.until_ready()
        record = room.versions.get(number)
        (state,) = await self._states(_heads_of(record))
        room.check_ready()
        room.versions.cut()
        merge_version(room.notebook, Version.of(room.notebook), state)
        room.versions.cut()
        _log.info("version restored room=%s version=%d", room.id, record.number)
        return {"heads": heads_to_hex(room.notebook.replica.heads)}

    # Forgetting.

    async def forget(self) -> dict[str, Any]:
        """Keep the present and nothing else: both documents are written anew, and the log with them.

        Peers are sent away (4410); what they have and the room has not, they bring by the merge call. A notebook that
        has a file is saved first, because the state of the last save is kept until the next one.

        Raises:
            NotSaved, OutOfSpace, FileChanged, …: it could not be saved, or the log not be written. Nothing that
                people see has changed; try again.
        """
        room = self._room
        await room.until_ready()
        if room.file.path is not None and not room.file.is_deleted and room.has_unsaved:
            await room.save()
        await room.saver.exclusively(self._renew)
        await room.durability.forget()
        _log.info("history forgotten room=%s", room.id)
        return {"heads": heads_to_hex(room.notebook.replica.heads)}

    async def _renew(self) -> None:
        """In one turn; no save is under way, so that none notes heads that are gone."""
        room = self._room
        room.check_ready()
        file, notebook = room.file, room.notebook
        was_saved = notebook.replica.heads == file.saved_heads
        base = None if was_saved else room.durability.base()
        room.forgotten.add(notebook.replica.engine.hashes())
        lineage = secrets.token_bytes(32)
        author = import_actor(lineage)
        replica = renewed_replica(notebook, actor=room.services.new_actor(), author=author)
        notebook.replica.on_advance = None
        notebook.renew(replica)
        replica.on_advance = room.advances.notebook_advanced
        file.import_sha256 = lineage.hex()
        file.base, file.saved_heads = base, replica.heads if was_saved else ()
        room.durability.notebook_renewed()
        room.versions.forget()
        room.renew_runtime()
        room.hub.serve_notebook(replica)
        room.hub.open_notebook(Lineage(room.contains, author, room.forgotten))
        room.hub.notebook_loaded()
        room.hub.tell_status()


def _heads_of(record: VersionRecord) -> Heads:
    if record.heads is None:
        raise NoSuchVersion("this version is still going on")
    return record.heads
