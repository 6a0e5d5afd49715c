"""Which names of blobs stand anywhere in Automerge chunks, in their history too.

Nothing is interpreted: every run of 64 hexadecimal digits in the operations counts as a name, wherever it begins.
So a name may be found that means nothing, but none that means something is missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.document_chunk import open_document

_NO_LIMIT = 1 << 62
_DIGITS = 64
_SLICE = 1 << 16
"""Bytes that are searched in one go: a search holds the interpreter for about a millisecond."""

_RUN = re.compile(rb"[0-9a-f]{64,}")


def mentions(data: bytes, wanted: Set[bytes]) -> set[bytes]:
    """Those of the wanted names that chunks in a row hold.

    Raises:
        Malformed: the bytes are no chunks.
    """
    found: set[bytes] = set()
    for kind, body, _, _ in split_chunks(data, _NO_LIMIT) if data else ():
        parts = open_document(body, _NO_LIMIT).operations.values() if kind == DOCUMENT_CHUNK else (body,)
        for part in parts:
            found |= mentions_in(part, wanted)
    return found


def mentions_in(data: bytes, wanted: Set[bytes]) -> set[bytes]:
    """Those of the wanted names that stand in plain bytes."""
    return {name for name in _names(data) if name in wanted}


def _names(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _SLICE):
        for run in _RUN.finditer(data[start : start + _SLICE + _DIGITS - 1]):
            digits = run.group()
            for place in range(len(digits) - _DIGITS + 1):
                yield digits[place : place + _DIGITS]
