"""Kernel messages on the wire: parts of JSON, to values.

Parts are `[header, parent_header, metadata, content, *buffers]`. A kernel is somebody's program: whatever it sends,
reading gives a message or None, and never text that UTF-8 cannot hold.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from jupyter_runtimed.core.messages import KernelMessage

log = logging.getLogger(__name__)

_SURROGATES = re.compile("[\ud800-\udfff]")
_decode = msgspec.json.Decoder().decode


def read_parts(channel: str, parts: Sequence[bytes]) -> KernelMessage | None:
    """Read one message, or None (logged, without its content) when it is none.

    Args:
        channel: where it came from.
        parts: header, parent header, metadata, content, then buffers.
    """
    try:
        return message_from(channel, [read_json(part) for part in parts[:4]], parts[4:], sum(map(len, parts[3:])))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("malformed kernel message skipped channel=%s parts=%d cause=%s", channel, len(parts), type(error))
        return None


def message_from(channel: str, values: Sequence[Any], buffers: Sequence[bytes], size: int) -> KernelMessage:
    """A message from its decoded parts.

    Args:
        channel: where it came from.
        values: header, parent header, metadata, content.
        buffers: binary parts.
        size: bytes of content and buffers on the wire.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: they do not have the shape of a message.
    """
    header, parent, metadata, content = values
    parent = parent or {}
    if not isinstance(content, dict):
        raise TypeError("content is no object")
    return KernelMessage(
        channel=channel,
        msg_type=str(header["msg_type"]),
        msg_id=str(header["msg_id"]),
        parent_id=str(parent.get("msg_id", "")),
        parent_type=str(parent.get("msg_type", "")),
        content=content,
        metadata=metadata if isinstance(metadata, dict) else {},
        buffers=[bytes(buffer) for buffer in buffers],
        size=size,
    )


def read_json(part: bytes) -> Any:
    """JSON as kernels write it: strict and fast first, then with NaN, lone surrogates and bytes that are no UTF-8."""
    try:
        return _decode(part)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _without_surrogates(json.loads(bytes(part).decode("utf-8", "replace")))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
