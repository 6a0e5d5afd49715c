"""A frame: one binary WebSocket message, one type byte and then the payload.

The table of who may send what is the protocol's (docs/protocol.md §2). Reading a frame copies nothing but the
payload slice; writing joins header and payload once.
"""

from __future__ import annotations

from enum import IntEnum

from jupyter_runtimed.core.errors import Malformed


class FrameType(IntEnum):
    """The type byte of a frame."""

    NOTEBOOK_SYNC = 0x00
    REQUEST = 0x01
    RESPONSE = 0x02
    EVENT = 0x03
    PRESENCE = 0x04
    RUNTIME_SYNC = 0x05
    STATUS = 0x07


SERVER_ONLY = frozenset({FrameType.RESPONSE, FrameType.EVENT, FrameType.STATUS})
"""Types a client must not send: its socket is closed with 1002."""

_KNOWN = {int(kind): kind for kind in FrameType}
_HEADERS = {kind: bytes((kind,)) for kind in FrameType}


def encode_frame(kind: FrameType, payload: bytes) -> bytes:
    """Join a type byte and a payload into one WebSocket message."""
    return _HEADERS[kind] + payload


def decode_frame(message: bytes | str) -> tuple[FrameType | None, bytes]:
    """Split a WebSocket message into its frame type and payload.

    Args:
        message: what the socket gave; text messages are no frames.

    Returns:
        The type, or None when the type byte is unknown (skip such a frame), and the payload.

    Raises:
        Malformed: the message is text or empty.
    """
    if isinstance(message, str):
        raise Malformed("text messages are not part of the protocol; send binary frames")
    if not message:
        raise Malformed("an empty message is no frame; the first byte is the frame type")
    return _KNOWN.get(message[0]), message[1:]
