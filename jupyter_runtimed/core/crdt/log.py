"""The log of a replica: changes in the order they came, and what is told when some came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_chunk
from jupyter_runtimed.core.crdt.change_writer import OpId
from jupyter_runtimed.core.crdt.column_reader import read_bytes, read_uleb
from jupyter_runtimed.core.crdt.insertion import Insertion
from jupyter_runtimed.core.ids import Hash, Heads

BODY_AT = 9
"""Where the body of a chunk stands, its length first: behind magic, checksum and type."""

_STEP = 32
"""So many changes are given to the engine at a time, which takes some milliseconds."""

Touched = Mapping[OpId | None, Set[str]]
"""Object -> keys written in it; the keys are empty for lists and texts."""


class LogEntry(NamedTuple):
    """One change of the log.

    Attributes:
        chunk: the change chunk, not deflated.
        hash: its name.
        origin: who brought it; None for the owner of the replica.
        known_touched: `touched`, when it was read before.
        insertion: the change, when it is one and builds on all that was there: its element stands right behind the
            one that it names, whatever else there is.
    """

    chunk: bytes
    hash: Hash
    origin: str | None
    known_touched: Touched | None = None
    insertion: Insertion | None = None

    @property
    def actor(self) -> bytes:
        """The author."""
        _, at = read_uleb(self.chunk, BODY_AT)
        n_deps, at = read_uleb(self.chunk, at)
        return read_bytes(self.chunk, at + 32 * n_deps)[0]

    @property
    def seq(self) -> int:
        """Its number among its author's changes."""
        _, at = read_uleb(self.chunk, BODY_AT)
        n_deps, at = read_uleb(self.chunk, at)
        return read_uleb(self.chunk, read_bytes(self.chunk, at + 32 * n_deps)[1])[0]

    @property
    def deps(self) -> list[Hash]:
        """The changes that it builds on directly."""
        _, at = read_uleb(self.chunk, BODY_AT)
        n_deps, at = read_uleb(self.chunk, at)
        return [self.chunk[place : place + 32] for place in range(at, at + 32 * n_deps, 32)]

    @property
    def touched(self) -> Touched:
        """The objects that the change writes to (None is the root), and the keys it writes in maps."""
        if self.known_touched is not None:
            return self.known_touched
        return read_chunk(self.chunk).touched


class Advance(NamedTuple):
    """What changed the heads: the entries that came, in order, and the heads before."""

    entries: tuple[LogEntry, ...]
    before: Heads

    def infos(self) -> list[ChangeInfo]:
        """What the changes say; parsed on demand."""
        return [read_chunk(entry.chunk) for entry in self.entries]


def heads_after(heads: Heads, infos: Sequence[ChangeInfo | LogEntry]) -> Heads:
    """The heads when changes, in order, have come to a document."""
    if len(infos) == 1 and tuple(infos[0].deps) == heads:
        return (infos[0].hash,)
    after = set(heads)
    for info in infos:
        after.difference_update(info.deps)
        after.add(info.hash)
    return tuple(sorted(after))


def in_steps(parts: Iterable[bytes], log: Sequence[LogEntry]) -> Iterator[list[bytes]]:
    """All changes of a document, a few at a time: those of its snapshot, then the log, which may grow meanwhile."""
    yield from ([chunk] for chunk in parts)
    at = 0
    while step := log[at : at + _STEP]:
        yield [entry.chunk for entry in step]
        at += len(step)
