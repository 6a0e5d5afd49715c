"""The changes of an import, kept small beside its document chunks.

The engine takes a document chunk in one go, about a millisecond for a thousand characters. The same changes can be
given to it one by one, with everybody else's turns in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import msgspec

HEAVY_BYTES = 20_000
"""Bytes of changes, which is about as many characters: a document with fewer is in the engine in 20 ms."""

_FAST = 1
"""The level of zlib: most of what level 6 gains, in a third of the time."""


_Pack = tuple[list[int], bytes]
"""The sizes of chunks, and the chunks in a row, deflated."""


class Parts:
    """Change chunks in order; iterating gives them back one by one."""

    def __init__(self, chunks: Sequence[bytes] = ()) -> None:
        self._size = 0
        self._packs: list[_Pack] = []
        if chunks:
            self.add(chunks)

    def add(self, chunks: Sequence[bytes]) -> None:
        """What comes behind. The chunks are not deflated."""
        self._size += sum(map(len, chunks))
        self._packs.append(([len(chunk) for chunk in chunks], zlib.compress(b"".join(chunks), _FAST)))

    def packed(self) -> bytes:
        """All of it as bytes, for `unpack`."""
        return msgspec.msgpack.encode(self._packs)

    @classmethod
    def unpack(cls, data: bytes) -> Parts:
        """What `packed` gave. Raises ValueError when it did not."""
        parts = cls()
        try:
            parts._packs = msgspec.msgpack.decode(data, type=list[_Pack])
        except msgspec.DecodeError as error:
            raise ValueError("these are no packed changes") from error
        parts._size = sum(sum(sizes) for sizes, _ in parts._packs)
        return parts

    @property
    def is_heavy(self) -> bool:
        """Whether the engine needs so long for all of them that others would notice."""
        return self._size >= HEAVY_BYTES

    def __iter__(self) -> Iterator[bytes]:
        for sizes, packed in self._packs:
            yield from _unpack(sizes, packed)


def _unpack(sizes: Sequence[int], packed: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for size in sizes:
        chunk = inflater.decompress(packed, size)
        packed = inflater.unconsumed_tail
        while len(chunk) < size:  # the end of what it had read before
            more = inflater.decompress(packed, size - len(chunk))
            if not more:
                raise ValueError("the packed changes end early")
            chunk += more
            packed = inflater.unconsumed_tail
        yield chunk
