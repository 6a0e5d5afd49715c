"""What the state folder holds, for an operator to see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from jupyter_runtimed.core.files import StoredFile, StoredLog
from jupyter_runtimed.rooms.blob_collector import BlobCollector
from jupyter_runtimed.rooms.ports.blobs import BlobInventory

MAX_ROOMS = 1000
"""So many rooms are named, those with the largest logs."""


class LogUsage(Protocol):
    """The sizes of logs."""

    async def usage(self) -> tuple[list[StoredLog], int]:
        """The logs of this server, largest first; and the bytes of all there are, of other servers too."""

    async def aside(self) -> list[StoredFile]:
        """Logs that could not be read, largest first. While there are any, no blob is removed."""


async def storage_object(logs: LogUsage, blobs: BlobInventory, collector: BlobCollector) -> dict[str, Any]:
    """The answer of the storage call (docs/protocol.md)."""
    stored = await blobs.inventory()
    mine, log_bytes = await logs.usage()
    return {
        "blobs": {"count": len(stored), "bytes": sum(blob.size for blob in stored)},
        "logs": {"count": len(mine), "bytes": log_bytes},
        "rooms": [{"room_id": log.room_id, "path": log.path, "log_bytes": log.size} for log in mine[:MAX_ROOMS]],
        "set_aside": [{"name": file.name, "bytes": file.size} for file in (await logs.aside())[:MAX_ROOMS]],
        "garbage": {"grace_s": collector.grace_s, **asdict(collector.last)},
    }
