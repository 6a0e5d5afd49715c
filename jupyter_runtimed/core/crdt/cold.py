"""A replica from bytes that we have written ourselves, without the engine.

The engine takes a document chunk in one go. Where its changes were kept beside it (`Parts`), a replica can be had from
both that is in the engine only after some steps, with everybody else's turns in between (`Replica.warm`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from jupyter_runtimed.core.crdt.ahead import AheadReplica
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.document_chunk import open_document
from jupyter_runtimed.core.crdt.log import LogEntry, heads_after
from jupyter_runtimed.core.crdt.parts import Parts
from jupyter_runtimed.core.errors import ProtocolError
from jupyter_runtimed.core.ids import Hash, Heads

_NO_LIMIT = 1 << 62


def cold_replica(data: bytes, packed_parts: bytes, *, actor: bytes) -> AheadReplica | None:
    """A replica that `warm` makes the engine of.

    Args:
        data: at most one document chunk, and changes behind it in an order in which they can be applied.
        packed_parts: the changes of that document chunk, packed; b"" when nobody has kept them.
        actor: whom the replica's own changes are by.

    Returns:
        None when the bytes are not like that: then only the engine can tell what they hold.
    """
    try:
        return _cold_replica(data, packed_parts, actor)
    except (ProtocolError, ValueError, zlib.error):
        return None


def _cold_replica(data: bytes, packed_parts: bytes, actor: bytes) -> AheadReplica | None:
    chunks = list(split_chunks(data, _NO_LIMIT))
    snapshot, parts = b"", None
    known: set[Hash] = set()
    heads: Heads = ()
    if chunks and chunks[0][0] == DOCUMENT_CHUNK:
        _, body, snapshot, _ = chunks.pop(0)
        parts = Parts.unpack(packed_parts)
        heads = _enter(_entries(split_chunks(b"".join(parts), _NO_LIMIT)), heads, known)
        if heads != open_document(body, _NO_LIMIT).heads:
            return None
    log = _entries(chunks)
    heads = _enter(log, heads, known)
    return AheadReplica(snapshot, actor=actor, heads=heads, known=known, log=log, parts=parts)


def _entries(chunks: Iterable[tuple[int, bytes, bytes, Hash]]) -> list[LogEntry]:
    found = []
    for kind, _, chunk, digest in chunks:
        if kind != CHANGE_CHUNK:
            raise ValueError("a document chunk behind changes")
        found.append(LogEntry(chunk, digest, None))
    return found


def _enter(entries: list[LogEntry], heads: Heads, known: set[Hash]) -> Heads:
    """The heads behind these changes, whose names are added to what is known."""
    for entry in entries:
        if entry.hash in known or not known.issuperset(entry.deps):
            raise ValueError("changes that are there twice, or in no order in which they can be applied")
        known.add(entry.hash)
    return heads_after(heads, entries)
