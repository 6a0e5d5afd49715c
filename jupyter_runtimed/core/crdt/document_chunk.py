"""Take a document chunk apart: its actors, heads, columns, and the operations that its rows were.

```
actors            n, n × (length, bytes)
heads             n, n × 32 bytes
change columns    n, n × (specification, length)
operation columns n, n × (specification, length)
the columns of both, deflated where the specification says so
for each head, the number of its change
```
One row for each operation that is no deletion, sorted by object, then by key or place.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.column_reader import (
    Cursor,
    DeltaCursor,
    read_booleans,
    read_bytes,
    read_runs,
    read_sleb,
    read_str,
    read_uleb,
)
from jupyter_runtimed.core.crdt.engine import ChangeName
from jupyter_runtimed.core.crdt.operations import Ids, OpRun
from jupyter_runtimed.core.errors import Malformed, OverLimit, ProtocolError
from jupyter_runtimed.core.ids import Hash, Heads

_DEFLATED = 8
_NO_COLUMN = b""
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class DocumentChunk:
    """The parts of a document chunk; columns by their specification, inflated."""

    actors: tuple[bytes, ...]
    heads: Heads
    changes: dict[int, bytes]
    operations: dict[int, bytes]


def open_document(body: bytes, limit: int) -> DocumentChunk:
    """Take the body of a document chunk apart.

    Raises:
        Malformed: a part runs over the chunk, or does not inflate.
        OverLimit: the columns inflate to more bytes than the limit.
    """
    number, at = read_uleb(body, 0)
    actors = []
    for _ in range(number):
        actor, at = read_bytes(body, at)
        actors.append(actor)
    number, at = read_uleb(body, at)
    end = at + 32 * number
    if end > len(body):
        raise Malformed("the document ends inside its heads")
    heads = tuple(sorted(body[place : place + 32] for place in range(at, end, 32)))
    changes, at = _table(body, end)
    operations, at = _table(body, at)
    columns: list[dict[int, bytes]] = []
    for table in (changes, operations):
        found = {}
        for spec, size in table:
            data = body[at : at + size]
            at += size
            if at > len(body):
                raise Malformed("the document ends inside a column")
            if spec & _DEFLATED:
                data = _inflate(data, limit)
            limit -= len(data)
            if limit < 0:
                raise OverLimit("the document inflates to more than may be held")
            if spec & ~_DEFLATED in found:
                raise Malformed("a column that is there twice")
            found[spec & ~_DEFLATED] = data
        columns.append(found)
    return DocumentChunk(tuple(actors), heads, columns[0], columns[1])


def _table(body: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    number, at = read_uleb(body, at)
    table = []
    for _ in range(number):
        spec, at = read_uleb(body, at)
        size, at = read_uleb(body, at)
        table.append((spec, size))
    return table, at


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        inflated = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise Malformed("a deflated column that does not inflate") from None
    if len(inflated) > limit:
        raise OverLimit("the document inflates to more than may be held")
    if not inflater.eof:
        raise Malformed("a deflated column that does not end")
    return inflated


def take_apart(data: bytes, names: Sequence[ChangeName]) -> tuple[bytes, list[tuple[bytes, Hash]]] | None:
    """The (document chunk, changes behind it) of bytes that have been loaded; the changes in order of application.

    Args:
        data: the bytes.
        names: all changes of the document that they make.

    Returns:
        None when it is not as plain as that: no document chunk or several, changes that are in the document too, or
        that wait for others.
    """
    try:
        first, *rest = split_chunks(data, _NO_LIMIT)
        changes = {digest: chunk for kind, _, chunk, digest in rest if kind == CHANGE_CHUNK}
        if first[0] != DOCUMENT_CHUNK or len(changes) < len(rest):
            return None
        column = open_document(first[1], _NO_LIMIT).changes.get(0x01, _NO_COLUMN)
        n_changes = sum(times for _, times in read_runs(column, 0, len(column)))
    except (ProtocolError, ValueError):
        return None
    ordered = [(changes[name.hash], name.hash) for name in names if name.hash in changes]
    if len(ordered) < len(changes) or n_changes + len(changes) != len(names):
        return None
    return first[2], ordered


def read_operations(document: DocumentChunk) -> Iterator[tuple[bytes, OpRun]]:
    """The (author, run) of all operations but deletions, in the order of the rows, without predecessors.

    For documents that the engine or we have written: nothing is checked.
    """
    columns, actors = document.operations, document.actors

    def column(spec: int) -> tuple[bytes, int, int]:
        data = columns.get(spec, _NO_COLUMN)
        return data, 0, len(data)

    obj_actor, obj_counter = Cursor(read_runs(*column(0x01))), Cursor(read_runs(*column(0x02)))
    key_actor, key_counter = Cursor(read_runs(*column(0x11))), DeltaCursor(read_runs(*column(0x13), read_sleb))
    key_str = Cursor(read_runs(*column(0x15), read_str))
    id_actor, id_counter = Cursor(read_runs(*column(0x21))), DeltaCursor(read_runs(*column(0x23), read_sleb))
    insert, action = Cursor(read_booleans(*column(0x34))), Cursor(read_runs(*column(0x42)))
    stepped = (obj_actor, obj_counter, key_actor, key_str, id_actor, insert, action)
    while True:
        times = min(key_counter.fill(), id_counter.fill(), *[each.fill() for each in stepped])
        first, step = id_counter.first, id_counter.value
        if first is None:
            return
        obj = None if obj_actor.value is None else (obj_counter.value, actors[obj_actor.value])
        elements = None
        if key_actor.value is not None and key_counter.first is not None:
            elements = Ids(actors[key_actor.value], key_counter.first, key_counter.value)
        if step != 1:
            times = 1
        run = OpRun(first, times, obj, key_str.value, elements, insert.value, action.value, ())
        yield actors[id_actor.value], run
        for each in stepped:
            each.left -= times
        key_counter.advance(times)
        id_counter.advance(times)
