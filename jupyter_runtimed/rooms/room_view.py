"""What a room shows of itself: the room object of the REST calls, and the status that its peers are told."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.core.ids import heads_to_hex
from jupyter_runtimed.core.lifecycle import State

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room

NO_KERNEL: dict[str, Any] = {"name": None, "status": "not_started", "kernel_id": None}


def room_object(room: Room) -> dict[str, Any]:
    """The room object (docs/protocol.md)."""
    return {
        "room_id": room.id,
        "path": room.file.path,
        "state": room.lifecycle.state.value,
        "error": room.lifecycle.error_json(),
        "cells": _cells(room) if room.is_loading else len(room.notebook.cell_ids()),
        "peers": len(room.hub.peers),
        "kernel": room.executor.kernel_object() if room.executor is not None else NO_KERNEL,
        "heads": heads_to_hex(room.notebook.replica.heads),
        "last_saved": iso(room.file.last_saved),
    }


def room_status(room: Room) -> dict[str, Any]:
    """The status, without what differs from peer to peer."""
    file, loader = room.file, room.opening.loader
    cells = _cells(room)
    return {
        "load": {
            "phase": room.lifecycle.state.value,
            "done": cells,
            "total": cells if loader is None else loader.total,
            "error": room.lifecycle.error_json(),
        },
        "path": file.path,
        "dirty": room.lifecycle.state is State.READY and room.saver.is_dirty,
        "epochs": {"notebook": file.import_sha256 or room.id, "runtime": room.runtime_epoch},
        "durable_heads": heads_to_hex(room.durability.durable_heads),
        "durable_runtime_heads": heads_to_hex(room.durability.durable_runtime_heads),
        "saved_heads": heads_to_hex(file.saved_heads) if file.path is not None else [],
        "last_saved": iso(file.last_saved),
        "autosave": room.saver.is_automatic,
        "log_error": room.durability.trouble,
        "save_error": room.saver.error.to_json() if room.saver.error is not None else None,
    }


def _cells(room: Room) -> int:
    """How many cells have been loaded."""
    return 0 if room.opening.loader is None else room.opening.loader.done


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
