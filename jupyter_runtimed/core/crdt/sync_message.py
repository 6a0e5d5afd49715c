"""Automerge sync messages as values: parse and write them.

```
type        42 (V1) or 43 (V2)
heads       n, n × 32 bytes
need        n, n × 32 bytes
have        n, n × (last sync: n, n × 32 bytes; bloom filter: length, bytes)
changes     n, n × (length, bytes): in V1 one chunk each, in V2 any number of chunks
capabilities  length, one byte each                                    (optional)
```
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jupyter_runtimed.core.crdt.column_reader import read_bytes, read_uleb
from jupyter_runtimed.core.crdt.columns import uleb
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.ids import Hash

V1, V2 = 0x42, 0x43

CAPABILITIES = (1, 2)
"""What we announce: both message versions."""

_ONE_STEP = b"\x00\x01\x01"
_ONE_CHANGE = b"\x00\x01"
"""What stands behind one head, and behind one hash of one `have`: nothing needed, no filter, one change."""

_MAX_HASHES = 200_000
_MAX_HAVE = 64
_MAX_PARTS = 1_000_000
_MAX_BLOOM_ENTRIES = 1 << 24
_MAX_BLOOM_BITS = 64
_MAX_BLOOM_PROBES = 32
"""The engine allocates 4 bytes a probe for each hash: 2^32 probes end the process. Real filters use 7."""


class SyncMessage(NamedTuple):
    """A parsed message.

    Attributes:
        version: V1 or V2.
        heads: what the sender has.
        need: hashes of changes the sender asks for.
        have: (last sync heads, bloom filter bytes) pairs.
        changes: the change fields, each one or more chunks.
        capabilities: announced abilities; empty when the message does not say.
    """

    version: int
    heads: tuple[Hash, ...]
    need: tuple[Hash, ...]
    have: tuple[tuple[tuple[Hash, ...], bytes], ...]
    changes: tuple[bytes, ...]
    capabilities: bytes

    @property
    def takes_document_chunks(self) -> bool:
        """Whether the sender reads V2 messages."""
        return self.version == V2 or 2 in self.capabilities


def _hashes(data: bytes, at: int) -> tuple[tuple[Hash, ...], int]:
    number, at = read_uleb(data, at)
    if not number:
        return (), at
    end = at + 32 * number
    if number > _MAX_HASHES or end > len(data):
        raise Malformed("a list of hashes runs over the message")
    return tuple([data[place : place + 32] for place in range(at, end, 32)]), end


def _check_bloom(bloom: bytes) -> None:
    if not bloom:
        return
    entries, at = read_uleb(bloom, 0)
    bits, at = read_uleb(bloom, at)
    probes, at = read_uleb(bloom, at)
    if probes > _MAX_BLOOM_PROBES or bits > _MAX_BLOOM_BITS or entries > _MAX_BLOOM_ENTRIES:
        raise Malformed("an absurd bloom filter")
    if len(bloom) - at != (entries * bits + 7) // 8:
        raise Malformed("a bloom filter of the wrong size")


def parse_sync(data: bytes) -> SyncMessage:
    """Parse a message.

    Raises:
        Malformed: it is none, or it has numbers no real message has.
    """
    if not data or data[0] not in (V1, V2):
        raise Malformed("not an Automerge sync message")
    if data[1:2] == b"\x01" and data[34:37] == _ONE_STEP and data[69:71] == _ONE_CHANGE:  # a key that somebody hits
        change, at = read_bytes(data, 71)
        if at == len(data):
            return SyncMessage(data[0], (data[2:34],), (), (((data[37:69],), b""),), (change,), b"")
    heads, at = _hashes(data, 1)
    need, at = _hashes(data, at)
    number, at = read_uleb(data, at)
    if number > _MAX_HAVE:
        raise Malformed("too many bloom filters")
    have = []
    for _ in range(number):
        last_sync, at = _hashes(data, at)
        bloom, at = read_bytes(data, at)
        _check_bloom(bloom)
        have.append((last_sync, bloom))
    number, at = read_uleb(data, at)
    if number > _MAX_PARTS:
        raise Malformed("too many changes")
    changes = []
    for _ in range(number):
        change, at = read_bytes(data, at)
        changes.append(change)
    capabilities = b""
    if at < len(data):
        capabilities, at = read_bytes(data, at)
    return SyncMessage(data[0], heads, need, tuple(have), tuple(changes), capabilities)


def encode_news(changes: Sequence[bytes], heads: Sequence[Hash], had: Sequence[Hash]) -> bytes:
    """A V1 message to somebody who lacks just these changes: our heads, and that we have everything up to others."""
    if len(changes) == len(heads) == len(had) == 1:  # a key that somebody hits
        change = changes[0]
        return b"".join((b"\x42\x01", heads[0], _ONE_STEP, had[0], _ONE_CHANGE, uleb(len(change)), change))
    return encode_sync(changes, heads, have=[(had, b"")])


def encode_changes(changes: Sequence[bytes]) -> bytes:
    """A V1 message of changes that says nothing else."""
    return b"".join((b"\x42\x00\x00\x00", uleb(len(changes)), *[uleb(len(change)) + change for change in changes]))


def encode_sync(
    changes: Sequence[bytes] = (),
    heads: Iterable[Hash] = (),
    need: Iterable[Hash] = (),
    have: Sequence[tuple[Sequence[Hash], bytes]] = (),
    capabilities: Sequence[int] | None = None,
    *,
    v2: bool = False,
) -> bytes:
    """Write a message.

    Args:
        changes: chunks; in a V2 message they may be document chunks.
        heads: what we have.
        need: hashes of changes we ask for.
        have: an empty sequence says nothing of what we have, so that the peer sends only what is asked for;
            `[(heads, b"")]` says "everything up to heads".
        capabilities: to announce, in the first message.
        v2: whether to write a V2 message.
    """
    sorted_heads, sorted_need = sorted(heads), sorted(need)
    parts = [bytes((V2 if v2 else V1,)), uleb(len(sorted_heads)), *sorted_heads]
    parts += (uleb(len(sorted_need)), *sorted_need, uleb(len(have)))
    for last_sync, bloom in have:
        parts += (uleb(len(last_sync)), *sorted(last_sync), uleb(len(bloom)), bloom)
    if v2 and changes:
        joined = b"".join(changes)
        parts += (b"\x01", uleb(len(joined)), joined)
    else:
        parts.append(uleb(len(changes)))
        for change in changes:
            parts += (uleb(len(change)), change)
    if capabilities is not None:
        parts += (uleb(len(capabilities)), bytes(capabilities))
    return b"".join(parts)
