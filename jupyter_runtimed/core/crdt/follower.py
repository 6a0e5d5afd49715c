"""A client's replica: it follows a server that it believes, and troubles the engine when it is asked.

What comes from the server, and what is typed here, is entered into the log at once, and given to the engine when
somebody needs it. Whoever only watches others type, or types, needs it seldom: where an insertion has to stand is said
by the change itself (`LogEntry.insertion`).
"""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_runtimed.core.crdt.ahead import AheadReplica
from jupyter_runtimed.core.crdt.change_writer import OpId
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, make_chunk, split_chunks
from jupyter_runtimed.core.crdt.column_reader import read_bytes
from jupyter_runtimed.core.crdt.engine import Engine, EnginePanic, EngineRefused
from jupyter_runtimed.core.crdt.insertion import Insertion, next_insertion, read_insertion, write_insertion
from jupyter_runtimed.core.crdt.log import BODY_AT, LogEntry, heads_after
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.ids import Hash, Heads

_MAX_INFLATED_BYTES = 1 << 30
"""The server is trusted with what it sends, but not without any bound."""


class Follower(AheadReplica):
    """See the module. Own changes have no origin, all others have one.

    Args:
        actor: whom this replica's own changes are by; unique for each life of a replica.
    """

    def __init__(self, actor: bytes) -> None:
        super().__init__(b"", actor=actor, heads=(), known=())
        self._seq = 0

    @property
    def engine(self) -> Engine:
        """As of any replica that may be ahead. Raises Malformed when the engine does not take what came."""
        try:
            return super().engine
        except (EnginePanic, EngineRefused) as error:
            raise Malformed(f"changes of the server that the engine does not take: {error}") from error

    def follow(self, fields: Iterable[bytes], *, origin: str) -> bool:
        """Take in changes of the server's, as a sync message has them.

        Returns:
            Whether they build on what is here, and are by others; when they do not, nothing is taken.

        Raises:
            Malformed, OverLimit: they are no chunks, or the engine does not take them.
        """
        heads, entries, here = self._heads, list[LogEntry](), set[Hash]()
        for field in fields:
            for kind, body, chunk, digest in split_chunks(field, _MAX_INFLATED_BYTES):
                if kind != CHANGE_CHUNK:
                    return False
                if digest in self._known or digest in here:
                    continue
                entry = _entry(body, chunk, digest, origin, heads)
                author = entry.insertion.actors[0] if entry.insertion is not None else entry.actor
                if author == self.actor:
                    return False  # somebody else goes by our name: the engine refuses that one or ours
                if entry.insertion is None and not all(dep in self._known or dep in here for dep in entry.deps):
                    return False
                heads = (digest,) if entry.insertion is not None else heads_after(heads, [entry])
                here.add(digest)
                entries.append(entry)
        if entries:
            self._enter_ahead(entries, heads)
        return True

    def insert(self, obj: OpId, after: OpId | None, string: str) -> bool:
        last = self._log[-1] if self._log else None
        if last is None or self._heads != (last.hash,):
            return False
        before = last.insertion or (_read(last) if last.origin is None else None)
        if before is None:
            return False
        insertion = next_insertion(self.actor, self._seq + 1, before.counter + 1, last.hash, obj, after, string)
        if insertion is None:
            return False
        chunk, digest = make_chunk(CHANGE_CHUNK, write_insertion(insertion))
        self._enter_ahead([LogEntry(chunk, digest, None, {obj: frozenset()}, insertion)], (digest,))
        return True

    def _enter(self, entries: list[LogEntry], before: Heads) -> None:
        for entry in entries:
            if entry.origin is None:
                self._seq = entry.insertion.seq if entry.insertion is not None else entry.seq
        super()._enter(entries, before)


def _entry(body: bytes, chunk: bytes, digest: Hash, origin: str, heads: Heads) -> LogEntry:
    insertion = read_insertion(body)
    if insertion is None or heads != (insertion.dep,):
        return LogEntry(chunk, digest, origin)
    return LogEntry(chunk, digest, origin, {insertion.obj: frozenset()}, insertion)


def _read(entry: LogEntry) -> Insertion | None:
    return read_insertion(read_bytes(entry.chunk, BODY_AT)[0])
