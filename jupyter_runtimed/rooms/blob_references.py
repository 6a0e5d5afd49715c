"""Which blobs the open notebooks refer to: whoever may read notebooks may have those, and no others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from jupyter_runtimed.core.ids import is_blob_hash
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.rooms.room import Room

REMEMBERED = 8
"""A client asks for a picture after it was told of it; by then a plot in a loop may have shown so many others."""


class BlobReferences:
    """Looks references up in the documents, and again only when a document has changed.

    Args:
        rooms: all open rooms.
    """

    def __init__(self, rooms: Callable[[], Iterable[Room]]) -> None:
        self._rooms = rooms
        self._seen: WeakKeyDictionary[Room, _Seen] = WeakKeyDictionary()

    def is_shown(self, name: str) -> bool:
        """Whether an open notebook refers to a blob, or did a moment ago."""
        return any(name in names for room in self._rooms() for names in self._of(room))

    def _of(self, room: Room) -> Iterable[frozenset[str]]:
        if room.lifecycle.state not in (State.READY, State.LOADING):
            return ()
        seen = self._seen.setdefault(room, _Seen())
        heads = (room.notebook.replica.heads, room.runtime.replica.heads)
        if heads != seen.heads:
            seen.heads = heads
            seen.names.append(_names_in(room))
        return seen.names


class _Seen:
    def __init__(self) -> None:
        self.heads: Any = None
        self.names: deque[frozenset[str]] = deque(maxlen=REMEMBERED)


def _names_in(room: Room) -> frozenset[str]:
    names: set[str] = set()
    for cell in room.notebook.cells():
        names.update(blob_names(cell.attachments))
    for execution in room.runtime.executions.values():
        names.update(blob_names(execution.outputs))
    names.update(blob_names(room.runtime.comms))
    return frozenset(names)


def blob_names(value: Any) -> Iterator[str]:
    """The names of all blobs that a value of a document refers to."""
    if isinstance(value, Mapping):
        name = value.get("blob")
        if isinstance(name, str) and is_blob_hash(name):
            yield name
        for item in value.values():
            yield from blob_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from blob_names(item)
