"""Remove blobs that nothing refers to any more: mark, then sweep.

Rules:

1. A blob is kept while an open room, a room's log of any server, or anything in a notebook document's history names it.
   A name is looked for in bytes, so what looks like one counts as one.
2. A blob is removed when every look for `grace_s` has found it unnamed, and nobody has put it for as long. What is on
   its way (an upload, an output, a save, a load) was put a moment ago.
3. When anything cannot be read, or rooms are just opening or closing, or another server works in the same state
   folder, nothing is removed, and `blocked` says why.
4. No turn of the event loop does more than one piece of this work: bytes are searched in a thread, files removed a
   few at a time, and before each few the rooms are asked what came since.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.crdt.mentions import mentions, mentions_in
from jupyter_runtimed.core.errors import CannotTell, ProtocolError, RuntimedError
from jupyter_runtimed.core.files import StoredBlob
from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.blob_references import blob_names
from jupyter_runtimed.rooms.durability import pieces
from jupyter_runtimed.rooms.ports.blobs import BlobInventory
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.room import Room
from jupyter_runtimed.rooms.room_view import iso

_log = logging.getLogger("jupyter_runtimed.blobs")

BATCH = 64
"""So many blobs are removed, or executions looked at, in one go."""


class LogMentions(Protocol):
    """The logs, as far as they name blobs."""

    async def mentions(self, wanted: Set[bytes], skip: Container[RoomId]) -> set[bytes]:
        """Those of the wanted names that the logs hold, without those of some rooms. Raises CannotTell."""


@dataclass(slots=True)
class Collected:
    """What the last look found.

    Attributes:
        at: when (ISO 8601); None before the first.
        removed: blobs that were removed in this life of the server, and their bytes.
        waiting: blobs that nothing names, and whose time has not come.
        blocked: why nothing was removed; None when the look came to its end.
    """

    at: str | None = None
    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    blocked: str | None = None


@dataclass(slots=True)
class _Marked:
    """How far a notebook document was searched."""

    replica: Replica
    end: int


@dataclass(slots=True)
class _Look:
    """One look at everything: the blobs nobody was found to name yet, and how far each room was searched."""

    unnamed: dict[bytes, StoredBlob]
    marked: dict[Room, _Marked] = field(default_factory=dict)

    def name(self, names: Iterable[bytes]) -> None:
        for name in names:
            self.unnamed.pop(name, None)


class BlobCollector:
    """See the module.

    Args:
        rooms: all open rooms.
        is_settled: whether no room is closing.
        is_alone: whether no other server works in the state folder.
        grace_s: how long a blob must have been unnamed.
    """

    def __init__(
        self,
        rooms: Callable[[], Collection[Room]],
        logs: LogMentions,
        blobs: BlobInventory,
        clock: Clock,
        *,
        grace_s: float,
        is_settled: Callable[[], bool],
        is_alone: Callable[[], Awaitable[bool]],
    ) -> None:
        self.last = Collected()
        self._rooms = rooms
        self._logs = logs
        self._blobs = blobs
        self._clock = clock
        self.grace_s = grace_s
        self._is_settled = is_settled
        self._is_alone = is_alone
        self._unnamed_since: dict[bytes, float] = {}

    async def collect(self) -> Collected:
        """Look at everything once, and remove what may go. `last` is what it found."""
        last = self.last
        try:
            last.blocked = None
            await self._collect()
        except (CannotTell, ProtocolError) as error:
            last.blocked = error.message
            _log.warning("no blobs were collected: %s", error.message)
        except (OSError, RuntimedError) as error:
            last.blocked = f"the blobs could not be looked through: {error}"
            _log.warning("no blobs were collected: %s", error)
        last.at = iso(self._clock.now())
        return last

    async def _collect(self) -> None:
        await self._check()
        stored = await self._blobs.inventory()
        look = _Look({blob.name.encode(): blob for blob in stored})
        for room in self._rooms():
            await self._mark_room(room, look)
        open_rooms = {room.id for room in look.marked}
        if look.unnamed:
            look.name(await self._logs.mentions(frozenset(look.unnamed), open_rooms))
        now = self._clock.monotonic()
        self._unnamed_since = {name: self._unnamed_since.get(name, now) for name in look.unnamed}
        due = [name for name, since in self._unnamed_since.items() if now - since >= self.grace_s]
        self.last.waiting = len(look.unnamed)
        for start in range(0, len(due), BATCH):
            await self._sweep(due[start : start + BATCH], look)

    async def _check(self) -> None:
        """Rule 3."""
        if not await self._is_alone():
            raise CannotTell("another server works in the same state folder")
        self._check_rooms()

    def _check_rooms(self) -> None:
        if not self._is_settled() or any(room.lifecycle.state is State.LOADING for room in self._rooms()):
            raise CannotTell("a notebook is being opened or closed")

    async def _mark_room(self, room: Room, look: _Look) -> None:
        if room.lifecycle.state is not State.READY:
            return  # a failed room has nothing in memory; if it has a log, that is read
        replica = room.notebook.replica
        look.marked[room] = _Marked(replica, replica.log_end)
        wanted, data = frozenset(look.unnamed), pieces(replica)
        look.name(await asyncio.to_thread(lambda: set().union(*(mentions(chunk, wanted) for chunk in data))))
        file = room.file
        look.name(mentions_in(json.dumps([file.residue.to_json(), file.base and file.base.to_json()]).encode(), wanted))
        executions = list(room.runtime.executions.values())
        for start in range(0, len(executions), BATCH):
            look.name(_names([execution.outputs for execution in executions[start : start + BATCH]]))
            await asyncio.sleep(0)
        look.name(_names(room.runtime.comms))

    async def _sweep(self, names: list[bytes], look: _Look) -> None:
        self._check_rooms()
        for room in self._rooms():
            self._mark_news(room, look)
        left = [name for name in names if name in look.unnamed]
        removed = await self._blobs.remove([name.decode() for name in left], self.grace_s)
        if removed:
            _log.info("blobs collected count=%d", removed)
        self.last.removed += removed
        self.last.waiting -= removed
        if removed == len(left):
            self.last.removed_bytes += sum(look.unnamed[name].size for name in left)
        for name in left:
            self._unnamed_since.pop(name, None)

    def _mark_news(self, room: Room, look: _Look) -> None:
        """What a room has come to name since it was searched. What a kernel prints was put a moment ago.

        Raises:
            CannotTell: that is more than can be searched in a moment. The next look begins anew.
        """
        if room.lifecycle.state is not State.READY:
            return
        replica, marked = room.notebook.replica, look.marked.get(room)
        if marked is None or marked.replica is not replica or marked.end < replica.log_start:
            raise CannotTell("a notebook was opened or written anew meanwhile")
        data = b"".join(entry.chunk for entry in replica.log(marked.end))
        look.marked[room] = _Marked(replica, replica.log_end)
        look.name(mentions(data, frozenset(look.unnamed)))


def _names(value: Any) -> list[bytes]:
    found = blob_names(list(value) if isinstance(value, (list, tuple)) else value)
    return [name.encode() for name in found]
