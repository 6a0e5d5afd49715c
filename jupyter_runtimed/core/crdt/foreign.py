"""Look over a whole Automerge document from outside before the engine loads it.

A run-length column claims a billion rows in a few bytes, and deflate makes a gigabyte of a megabyte; the engine
believes both. Here the sizes are added up first. What the rows say is checked change by change once the document is
loaded: a document is only ever loaded into an engine of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_runtimed.core.crdt.change_reader import read_change
from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.column_reader import (
    read_booleans,
    read_runs,
    read_sleb,
    read_str,
    read_uleb,
)
from jupyter_runtimed.core.crdt.document_chunk import open_document
from jupyter_runtimed.core.crdt.engine import EnginePanic, EngineRefused, new_actor
from jupyter_runtimed.core.crdt.replica import Replica
from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.limits import Limits

_TYPE = 7
_DELTA, _BOOLEAN, _STRING, _RAW = 3, 4, 5, 7

_FREE_ROWS = 20_000
_ROWS_PER_BYTE = 64
"""As for changes: rows beyond the free ones are paid for in bytes, before they are deflated."""


def load_foreign(data: bytes, limits: Limits) -> Replica:
    """A replica of a document that a client sent, in an engine of its own.

    Args:
        data: a document chunk, or changes, or both.
        limits: of inflated bytes and of operations.

    Raises:
        Malformed: it is no Automerge document, or one that the engine would not have made.
        OverLimit: it is larger than it looks.
    """
    left = limits.max_inflated_bytes
    for kind, body, chunk, digest in split_chunks(data, limits.max_inflated_bytes):
        if kind == DOCUMENT_CHUNK:
            left -= _check_document(body, left)
        else:
            left -= len(body)
            read_change(body, chunk, digest, limits.max_message_ops)
    try:
        replica = Replica.load(data, actor=new_actor())
        for chunk in replica.changes_since(()):
            for _, body, whole, digest in split_chunks(chunk, limits.max_inflated_bytes):
                read_change(body, whole, digest, limits.max_message_ops)
    except (EnginePanic, EngineRefused) as error:
        raise Malformed(f"not an Automerge document: {error}") from error
    return replica


def _check_document(body: bytes, left: int) -> int:
    """Add up what a document chunk unfolds to; the bytes of its columns. Raises Malformed and OverLimit."""
    document = open_document(body, left)
    total = 0
    for spec, column in (*document.changes.items(), *document.operations.items()):
        total += len(column)
        _check_rows(spec, column)
    return total


def _check_rows(spec: int, column: bytes) -> None:
    allowed = _FREE_ROWS + _ROWS_PER_BYTE * len(column)
    rows = 0
    for times in _lengths(spec & _TYPE, column):
        rows += times
        if rows > allowed:
            raise OverLimit("the document claims more rows than its size allows")


def _lengths(kind: int, column: bytes) -> Iterator[int]:
    if kind == _RAW:
        return
    if kind == _BOOLEAN:
        runs = read_booleans(column, 0, len(column))
    else:
        read = {_STRING: read_str, _DELTA: read_sleb}.get(kind, read_uleb)
        runs = read_runs(column, 0, len(column), read)
    for _, times in runs:
        yield times
