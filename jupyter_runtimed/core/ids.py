"""Names for the identifiers that travel through every layer, and the two spellings of heads.

Invariant: inside the server a change hash is 32 raw bytes; on the wire (JSON, headers) it is 64 lower-case
hexadecimal digits. Only the functions here convert.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NewType

from jupyter_runtimed.core.errors import BadRequest

RoomId = NewType("RoomId", str)
PeerId = NewType("PeerId", str)
CellId = NewType("CellId", str)
ExecutionId = NewType("ExecutionId", str)
OutputId = NewType("OutputId", str)
BlobHash = NewType("BlobHash", str)

Hash = bytes
"""One change hash: 32 raw bytes (SHA-256)."""

Heads = tuple[Hash, ...]
"""The change hashes at the tip of a document, sorted, no duplicates. Never empty for a document that exists."""

_HEX_HASH = re.compile(r"[0-9a-f]{64}")


def heads_to_hex(heads: Iterable[Hash]) -> list[str]:
    """Spell heads for JSON: sorted 64-digit lower-case hexadecimal strings."""
    return sorted(head.hex() for head in heads)


def heads_from_hex(value: object) -> Heads:
    """Read heads out of a JSON value.

    Args:
        value: a list of 64-digit lower-case hexadecimal strings.

    Raises:
        BadRequest: the value is not such a list; the message names the first bad element.
    """
    if not isinstance(value, list | tuple):
        raise BadRequest("heads must be a list of 64-digit hexadecimal change hashes")
    heads = set()
    for item in value:
        if not isinstance(item, str) or _HEX_HASH.fullmatch(item) is None:
            raise BadRequest(f"not a change hash (64 lower-case hexadecimal digits): {str(item)[:80]!r}")
        heads.add(bytes.fromhex(item))
    return tuple(sorted(heads))


def is_blob_hash(value: str) -> bool:
    """Whether a string can name a blob: exactly 64 lower-case hexadecimal digits."""
    return _HEX_HASH.fullmatch(value) is not None
