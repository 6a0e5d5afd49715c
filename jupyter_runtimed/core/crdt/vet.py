"""The gate in front of the engine: a foreign sync message, parsed, checked and split into changes.

What is refused here, the engine would not survive, or would pass on to peers that do not. Whether a change fits the
document is `history`'s business.
"""

from __future__ import annotations

from typing import NamedTuple

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_change
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.sync_message import SyncMessage, parse_sync
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.limits import Limits

_FREE_OPS = 20_000
"""Operations that a message may have whatever its size: a run of deletions is a few bytes long."""

_OPS_PER_BYTE = 64
"""Beyond that, operations must be paid for in bytes: inserted characters cost at least one each before deflation,
while a deletion run is nearly free. 64 lets a megabyte text be deleted by a 16 kB message, and refuses the
110 bytes that claim a million insertions."""


class VettedMessage(NamedTuple):
    """A message that the engine may see, and what its changes say."""

    sync: SyncMessage
    infos: tuple[ChangeInfo, ...]


def vet_sync(message: bytes, limits: Limits) -> VettedMessage:
    """Parse and check a foreign message.

    Raises:
        Malformed: anything broken, a document chunk among the changes.
        OverLimit: more bytes or operations than allowed.
    """
    sync = parse_sync(message)
    infos: list[ChangeInfo] = []
    n_ops = n_bytes = 0
    for field in sync.changes:
        if not field:
            raise Malformed("an empty change")
        for kind, body, chunk, digest in split_chunks(field, limits.max_inflated_bytes - n_bytes):
            if kind != CHANGE_CHUNK:
                raise Malformed("document chunks are for the server to send; send changes")
            n_bytes += len(body)
            info = read_change(body, chunk, digest, _allowance(limits, n_bytes) - n_ops)
            n_ops += info.n_ops
            infos.append(info)
    return VettedMessage(sync, tuple(infos))


def _allowance(limits: Limits, n_bytes: int) -> int:
    """How many operations so many bytes of changes may hold."""
    return min(limits.max_message_ops, _FREE_OPS + _OPS_PER_BYTE * n_bytes)
