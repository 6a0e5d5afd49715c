"""The changes of an import, kept small beside its document chunk.

The engine takes a document chunk in one go, about a millisecond for a thousand characters. The same changes can be
given to it one by one, with everybody else's turns in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

HEAVY_BYTES = 20_000
"""Bytes of changes, which is about as many characters: a document with fewer is in the engine in 20 ms."""

_FAST = 1
"""The level of zlib: most of what level 6 gains, in a third of the time."""


class Parts:
    """Change chunks in order; iterating gives them back one by one.

    Args:
        chunks: not deflated.

    Attributes:
        is_heavy: whether the engine needs so long for all of them that others would notice.
    """

    def __init__(self, chunks: Sequence[bytes]) -> None:
        size = sum(map(len, chunks))
        self.is_heavy = size >= HEAVY_BYTES
        self._sizes = [len(chunk) for chunk in chunks] if self.is_heavy else []
        self._packed = zlib.compress(b"".join(chunks), _FAST) if self.is_heavy else b""

    def __iter__(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj()
        packed = self._packed
        for size in self._sizes:
            chunk = inflater.decompress(packed, size)
            packed = inflater.unconsumed_tail
            while len(chunk) < size:  # the end of what it had read before
                more = inflater.decompress(packed, size - len(chunk))
                if not more:
                    raise ValueError("the packed changes end early")
                chunk += more
                packed = inflater.unconsumed_tail
            yield chunk
