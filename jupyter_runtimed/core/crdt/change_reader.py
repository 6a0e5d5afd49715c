"""Read Automerge changes without the engine: who made them, on what, and every operation, run by run.

Also the first half of the gate in front of the engine (the second is `history`): a crafted change of a hundred bytes
can make the engine spin, swallow the memory, abort the process, or write documents that do not load. So what passes
here is exactly what an engine would have written; what it says of *this* document is the second half's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jupyter_runtimed.core.crdt.change_writer import DELETE, INCREMENT, LIST, MAP, MAX_COUNTER, SET, TEXT, OpId
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.column_reader import read_bytes, read_runs, read_sleb, read_str, read_uleb
from jupyter_runtimed.core.crdt.insertion import Insertion, read_insertion
from jupyter_runtimed.core.crdt.operations import MAKES, OpRun, ids_of, read_operations
from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.ids import Hash

_MAX_ACTOR_BYTES = 64
_MAX_ACTORS = 100_000
_NO_LIMIT = 1 << 62

_KNOWN_ACTIONS = frozenset((MAP, SET, LIST, DELETE, TEXT, INCREMENT))
_COLUMNS = frozenset((0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73))


class ChangeInfo(NamedTuple):
    """What one change says.

    Attributes:
        chunk: the change chunk, not deflated.
        body: the part of it behind the framing.
        actors: the author, then the others it names.
        touched: object -> keys of a map that were written; for lists and texts the set is empty. None is the root.
        made: object -> (kind, parent object, key in the parent or None in a list).
        runs_kept: the operations, when they are few runs; see `runs`.
        insertion: the change, when it is one.
    """

    chunk: bytes
    body: bytes
    hash: Hash
    actors: tuple[bytes, ...]
    seq: int
    start_op: int
    n_ops: int
    deps: tuple[Hash, ...]
    touched: dict[OpId | None, set[str]]
    made: dict[OpId, tuple[int, OpId | None, str | None]]
    runs_kept: tuple[OpRun, ...] | None
    insertion: Insertion | None = None

    @property
    def actor(self) -> bytes:
        """The author."""
        return self.actors[0]

    @property
    def max_op(self) -> int:
        """Counter of the last operation; of a change without any, that of the last one before it."""
        return self.start_op + self.n_ops - 1

    def runs(self) -> Iterator[OpRun]:
        """The operations, in order."""
        if self.runs_kept is not None:
            return iter(self.runs_kept)
        return _Header(self.body).operations(self.n_ops)


def _is_ascending(items: tuple[bytes, ...]) -> bool:
    return len(items) < 2 or all(items[place] < items[place + 1] for place in range(len(items) - 1))


class _Header:
    """The fields of a change before its columns, and where the columns are."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        number, at = read_uleb(body, 0)
        end = at + 32 * number
        if end > len(body):
            raise Malformed("the dependencies run over the change")
        self.deps = tuple([body[place : place + 32] for place in range(at, end, 32)])
        self.actor, at = read_bytes(body, end)
        self.seq, at = read_uleb(body, at)
        self.start_op, at = read_uleb(body, at)
        self.time, at = read_sleb(body, at)
        self.message, at = read_str(body, at)
        number, at = read_uleb(body, at)
        if number > _MAX_ACTORS:
            raise Malformed("too many actors")
        actors = [self.actor]
        for _ in range(number):
            actor, at = read_bytes(body, at)
            actors.append(actor)
        self.actors = tuple(actors)
        self._check()
        self.columns = self._find_columns(body, at)

    def _check(self) -> None:
        if not _is_ascending(self.deps):
            raise Malformed("dependencies that are not in order, or twice there")
        if any(not 1 <= len(actor) <= _MAX_ACTOR_BYTES for actor in self.actors):
            raise Malformed("an actor id of no or too many bytes")
        others = self.actors[1:]
        if self.actor in others or not _is_ascending(others):
            raise Malformed("actors that are not in order, or twice there")
        if not self.seq or not self.start_op:
            raise Malformed("a change without sequence number or operation counter")

    def _find_columns(self, body: bytes, at: int) -> dict[int, tuple[int, int]]:
        number, at = read_uleb(body, at)
        if number > len(_COLUMNS):
            raise Malformed("more columns than there are")
        sizes = {}
        last = -1
        for _ in range(number):
            spec, at = read_uleb(body, at)
            size, at = read_uleb(body, at)
            if spec <= last or spec not in _COLUMNS or not size:
                raise Malformed("columns that are unknown (text marks, say), empty, deflated or out of order")
            last = spec
            sizes[spec] = size
        columns = {}
        for spec, size in sizes.items():
            columns[spec] = (at, at := at + size)
        if at > len(body):
            raise Malformed("the columns run over the change")
        return columns

    def operations(self, n_ops: int) -> Iterator[OpRun]:
        """The operations; they are so many."""
        return read_operations(self._body, self.actors, self.start_op, n_ops, self.columns)


_MAX_KEPT_RUNS = 1000


def read_change(body: bytes, chunk: bytes, digest: Hash, max_ops: int) -> ChangeInfo:
    """Read the body of a change chunk.

    Args:
        body: the inflated body.
        chunk: the whole chunk, kept in the result.
        digest: its hash.
        max_ops: how many operations it may have.

    Raises:
        Malformed: no engine writes this.
        OverLimit: too many operations.
    """
    insertion = read_insertion(body) if max_ops else None
    if insertion is not None:
        return _info_of(insertion, body, chunk, digest)
    header = _Header(body)
    n_ops = _count_operations(body, header, max_ops)
    touched: dict[OpId | None, set[str]] = {}
    made: dict[OpId, tuple[int, OpId | None, str | None]] = {}
    kept: list[OpRun] | None = []
    author = header.actor
    for run in header.operations(n_ops):
        first, times, obj, key, elements, insert, action, preds = run
        if key is not None:
            touched.setdefault(obj, set()).add(key)
            if insert:
                raise Malformed("an insertion with a map key")
        else:
            touched.setdefault(obj, set())
            if obj is None or (elements is None and not insert):
                raise Malformed("an operation on an element of the root, or on the place before the first")
        if insert and (preds or action in (DELETE, INCREMENT)):
            raise Malformed("an insertion that overwrites, deletes or counts")
        if action in MAKES:
            for counter in range(first, first + times):
                made[(counter, author)] = (action, obj, key)
        elif action == DELETE and not preds:
            raise Malformed("a deletion of nothing")
        if kept is not None:
            kept.append(run)
            if len(kept) > _MAX_KEPT_RUNS:
                kept = None
    return ChangeInfo(
        chunk,
        body,
        digest,
        header.actors,
        header.seq,
        header.start_op,
        n_ops,
        header.deps,
        touched,
        made,
        None if kept is None else tuple(kept),
    )


def _info_of(insertion: Insertion, body: bytes, chunk: bytes, digest: Hash) -> ChangeInfo:
    actors, seq, counter, dep, obj, after, _ = insertion
    elements = ids_of(after) if after is not None else None
    run = OpRun(counter, 1, obj, None, elements, True, SET, ())
    return ChangeInfo(chunk, body, digest, actors, seq, counter, 1, (dep,), {obj: set()}, {}, (run,), insertion)


def _count_operations(body: bytes, header: _Header, max_ops: int) -> int:
    n_ops = 0
    for action, times in read_runs(body, *header.columns.get(0x42, (0, 0))):
        n_ops += times
        if n_ops > max_ops:
            raise OverLimit(f"a message of more than {max_ops} operations")
        if action not in _KNOWN_ACTIONS:
            raise Malformed("an operation of an unknown kind (text marks, say)")
    if header.start_op + n_ops > MAX_COUNTER:
        raise Malformed("operation counters beyond 32 bits")
    return n_ops


def read_chunk(chunk: bytes) -> ChangeInfo:
    """Read one change chunk of our own making, or one that was vetted before."""
    for kind, body, whole, digest in split_chunks(chunk, _NO_LIMIT):
        if kind == CHANGE_CHUNK:
            return read_change(body, whole, digest, _NO_LIMIT)
    raise Malformed("not a change chunk")
