"""Kernels of jupyter_server, behind the kernel port: one watcher for the sessions of all rooms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from weakref import WeakSet

from jupyter_events.schema_registry import SchemaRegistryException

from jupyter_runtimed.adapters.foreign import ForeignError
from jupyter_runtimed.adapters.kernels_channels import Spawn, ZmqChannels, unbounded_context
from jupyter_runtimed.adapters.kernels_gateway import GatewayChannels
from jupyter_runtimed.adapters.kernels_line import ChannelOwner, Channels, is_behind_gateway
from jupyter_runtimed.adapters.kernels_server import Server
from jupyter_runtimed.adapters.kernels_session import JupyterKernelSession

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often sessions are compared with what is. A kernel's end has to be told within two seconds."""

_CLOSE_SECONDS = 5.0
_ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


class JupyterKernels:
    """A `rooms.ports.kernel.Kernels` over the managers of a running server.

    Any kernelspec, provisioner and kernel manager class will do, a gateway's included.

    Args:
        session_manager: the server's.
        kernel_manager: the server's.
        kernel_spec_manager: the server's.
        spawn: starts a task with a name.
        event_logger: the server's; what it tells of kernels that are restarted is listened to.
        start_timeout_seconds: how long a kernel may take until it answers.
        poll_seconds: how often to look what others did to the kernels.
    """

    def __init__(
        self,
        session_manager: Any,
        kernel_manager: Any,
        kernel_spec_manager: Any,
        spawn: Spawn,
        *,
        event_logger: Any = None,
        start_timeout_seconds: float = 60.0,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._server = Server(
            session_manager, kernel_manager, kernel_spec_manager, self._make_channels, spawn, start_timeout_seconds
        )
        self._spawn = spawn
        self._events = event_logger
        self._poll_seconds = poll_seconds
        self._context: Any = None
        self._sessions: WeakSet[JupyterKernelSession] = WeakSet()
        self._watcher: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def session(self, room_id: str, path: str | None, directory: str = "") -> JupyterKernelSession:
        """The session of a room. Does no I/O."""
        session = JupyterKernelSession(self._server, room_id, path, directory)
        self._sessions.add(session)
        if self._watcher is None:
            self._watcher = self._spawn(self._watch(), "kernel watcher")
            if self._events is not None:
                try:
                    self._events.add_listener(schema_id=_ACTIONS, listener=self._on_action)
                except SchemaRegistryException:
                    # A server without that schema tells nothing; the watcher sees all but gateways' restarts.
                    log.info("the server tells no kernel actions")
                    self._events = None
        return session

    async def stop(self) -> None:
        """Let go of all kernels."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
            if self._events is not None:
                self._events.remove_listener(listener=self._on_action)
        for session in list(self._sessions):
            await session.close()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def _make_channels(self, manager: Any, owner: ChannelOwner) -> Channels:
        if is_behind_gateway(manager):
            return GatewayChannels(manager, owner, self._spawn, self._close_soon)
        if self._context is None:
            self._context = unbounded_context()
        return ZmqChannels(manager, owner, self._context, self._spawn)

    def _close_soon(self, closing: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(closing, "kernel close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            sessions = [session for session in self._sessions if session.wants_looks]
            if not sessions:
                continue
            try:
                rows = await self._server.rows()
            except ForeignError as error:  # the next look may work
                log.warning("the server's sessions could not be listed: %s", error.message)
                continue
            for session in sessions:
                if session.wants_looks and await session.is_changed(rows):
                    self._spawn(session.look(rows), "kernel look")

    async def _on_action(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data.get("action") == "restart" and data.get("status") == "success":
            for session in list(self._sessions):
                await session.heard_of_restart(str(data.get("kernel_id")))
