"""What others do to files through the contents API, as the server's own events tell it.

Jupyter's contents managers emit an event for each rename, deletion and save, whichever manager it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_runtimed.core.files import ContentsEvent

SCHEMA = "https://events.jupyter.org/jupyter_server/contents_service/v1"


class ContentsListener:
    """Hands contents events on, from `start` to `stop`.

    Args:
        event_logger: the server's.
        on_event: called for each rename, deletion and save.
    """

    def __init__(self, event_logger: Any, on_event: Callable[[ContentsEvent], Awaitable[None]]) -> None:
        self._events = event_logger
        self._on_event = on_event

    def start(self) -> None:
        self._events.add_listener(schema_id=SCHEMA, listener=self._heard)

    def stop(self) -> None:
        self._events.remove_listener(listener=self._heard)

    async def _heard(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        event = _read(data)
        if event is not None:
            # A task of its own, whose failure the server's event logger reports.
            await self._on_event(event)


def _read(data: dict[str, Any]) -> ContentsEvent | None:
    path = str(data.get("path") or "").strip("/")
    match data.get("action"):
        case "rename":
            return ContentsEvent("renamed", str(data.get("source_path") or "").strip("/"), path)
        case "delete":
            return ContentsEvent("deleted", path)
        case "save" | "upload":
            return ContentsEvent("saved", path)
        case _:
            return None
