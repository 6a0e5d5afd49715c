"""What kernel sessions share: the server's managers, and the inbox in front of a room."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.adapters.kernels_channels import Spawn
from jupyter_runtimed.adapters.kernels_line import MakeChannels
from jupyter_runtimed.core.limits import MIB
from jupyter_runtimed.core.messages import KernelEvent, KernelMessage, KernelNotice

T = TypeVar("T")

_INBOX_BYTES = 16 * MIB
_MESSAGE_BYTES = 1024
"""About what a message takes beside its content."""


@dataclass(frozen=True, slots=True)
class Server:
    """What sessions need of the server.

    Attributes:
        sessions: jupyter_server's session manager.
        kernels: its kernel manager.
        specs: its kernelspec manager.
        make_channels: makes the line to a kernel, given its manager.
        spawn: starts a task by name.
        start_timeout_seconds: how long a kernel may take until it answers.
    """

    sessions: Any
    kernels: Any
    specs: Any
    make_channels: MakeChannels
    spawn: Spawn
    start_timeout_seconds: float

    def manager(self, kernel_id: str | None) -> Any:
        """A kernel's own manager; None when there is no such kernel (any more)."""
        return self.kernels.get_kernel(kernel_id) if kernel_id is not None and kernel_id in self.kernels else None

    async def rows(self) -> list[dict[str, Any]]:
        """All sessions that have a kernel, as models, the oldest first. Raises ForeignError."""
        rows: list[dict[str, Any]] = await call(self.sessions.list_sessions)
        return [row for row in rows if row["kernel"]]

    async def describe(self, name: str) -> tuple[str, str]:
        """Display name and language of a kernelspec. Raises ForeignError."""
        spec = await call(self.specs.get_kernel_spec, name)
        if isinstance(spec, dict):
            # A gateway answers with JSON.
            spec = spec.get("spec", {})
            return str(spec.get("display_name", name)), str(spec.get("language", ""))
        return spec.display_name or name, spec.language or ""

    async def why_not_started(self, kernel_name: str | None, error: ForeignError) -> str:
        """What to tell of a launch that failed."""
        names: list[str] = []
        with contextlib.suppress(ForeignError):
            names = sorted(await call(self.specs.get_all_specs))
        if kernel_name is not None and names and kernel_name not in names:
            return f"there is no kernel named {kernel_name!r} on this server; there are: {', '.join(names)}"
        return f"the kernel {kernel_name or 'of the server'} could not be started: {error.message}"

    async def whole(self, doing: Coroutine[Any, Any, T], name: str) -> T:
        """Do to its end what the server must not be left half-way in; a cancellation is passed on then.

        A launch or shutdown that is cut off leaves a process that nobody knows, and a manager that waits for ever.
        """
        task = self.spawn(doing, name)
        try:
            result: T = await asyncio.shield(task)
            return result
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise


class Inbox:
    """Events on their way to the room, bounded in bytes."""

    def __init__(self, limit_bytes: int = _INBOX_BYTES) -> None:
        self._events: deque[KernelEvent] = deque()
        self._bytes = 0
        self._limit_bytes = limit_bytes
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def put(self, event: KernelEvent) -> None:
        """Add an event, full or not."""
        self._events.append(event)
        if isinstance(event, KernelMessage):
            self._bytes += event.size + _MESSAGE_BYTES
            if self._bytes > self._limit_bytes:
                self._has_room.clear()
        self._filled.set()

    async def room(self) -> None:
        """Wait until what is there was taken, when it is too much."""
        await self._has_room.wait()

    async def take(self) -> list[KernelEvent]:
        """Wait for events, and take them all."""
        await self._filled.wait()
        events = list(self._events)
        self._empty()
        return events

    def drop_messages(self) -> None:
        """Forget the messages that were not taken: the kernel that sent them is no more."""
        notices = [event for event in self._events if isinstance(event, KernelNotice)]
        self._empty()
        for notice in notices:
            self.put(notice)

    def clear(self) -> None:
        """Forget everything: the room itself does something to its kernel, and what was before is over."""
        self._empty()

    def _empty(self) -> None:
        self._events.clear()
        self._bytes = 0
        self._filled.clear()
        self._has_room.set()
