"""The log of a replica: changes in the order they came, and what is told when some came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_chunk
from jupyter_runtimed.core.crdt.change_writer import OpId
from jupyter_runtimed.core.crdt.column_reader import read_bytes, read_uleb
from jupyter_runtimed.core.ids import Hash, Heads

_LENGTH_AT = 9
"""Where the length of a chunk's body stands: behind magic, checksum and type."""

_STEP = 32
"""So many changes are given to the engine at a time, which takes some milliseconds."""

Touched = Mapping[OpId | None, Set[str]]
"""Object -> keys written in it; the keys are empty for lists and texts."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One change of the log.

    Attributes:
        chunk: the change chunk, not deflated.
        hash: its name.
        origin: who brought it; None for the owner of the replica.
        known_touched: `touched`, when it was read before.
    """

    chunk: bytes
    hash: Hash
    origin: str | None
    known_touched: Touched | None = None

    @property
    def actor(self) -> bytes:
        """The author."""
        _, at = read_uleb(self.chunk, _LENGTH_AT)
        n_deps, at = read_uleb(self.chunk, at)
        return read_bytes(self.chunk, at + 32 * n_deps)[0]

    @property
    def deps(self) -> list[Hash]:
        """The changes that it builds on directly."""
        _, at = read_uleb(self.chunk, _LENGTH_AT)
        n_deps, at = read_uleb(self.chunk, at)
        return [self.chunk[place : place + 32] for place in range(at, at + 32 * n_deps, 32)]

    @property
    def touched(self) -> Touched:
        """The objects that the change writes to (None is the root), and the keys it writes in maps."""
        if self.known_touched is not None:
            return self.known_touched
        return read_chunk(self.chunk).touched


@dataclass(frozen=True, slots=True)
class Advance:
    """What changed the heads: the entries that came, in order, and the heads before."""

    entries: tuple[LogEntry, ...]
    before: Heads

    def infos(self) -> list[ChangeInfo]:
        """What the changes say; parsed on demand."""
        return [read_chunk(entry.chunk) for entry in self.entries]


def heads_after(heads: Heads, infos: Iterable[ChangeInfo | LogEntry]) -> Heads:
    """The heads when changes, in order, have come to a document."""
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
