"""WebSocket messages as they go over the wire.

Tornado's `write_message` starts a task for each message and joins header and payload anew for each peer. On the path of
a keystroke to twenty peers that is most of the work, so we write to the stream ourselves: a server's binary message is
its header and its payload, not masked, not compressed (RFC 6455, section 5.2).
"""

from __future__ import annotations

import struct

_FINAL_BINARY = 0x82

SMALL_BYTES = 64 * 1024
"""Header and payload of a message up to this size are joined; a larger payload is not copied."""

_last: tuple[bytes, tuple[bytes, ...]] = (b"", (b"\x82\x00",))


def binary_message(payload: bytes) -> tuple[bytes, ...]:
    """One unfragmented binary message, in the pieces to write. The same small payload in a row is joined once."""
    global _last
    if _last[0] is payload:
        return _last[1]
    header = _header(len(payload))
    if len(payload) > SMALL_BYTES:
        return header, payload
    _last = (payload, (header + payload,))
    return _last[1]


def _header(length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", _FINAL_BINARY, length)
    if length < 1 << 16:
        return struct.pack("!BBH", _FINAL_BINARY, 126, length)
    return struct.pack("!BBQ", _FINAL_BINARY, 127, length)
