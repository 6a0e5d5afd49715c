"""A kernel's channels over ZMQ, through the client its kernel manager makes.

Reading never blocks the kernel: our side of IOPub has no high-water mark, ZMQ's own threads take everything off the
wire, and messages wait there, undecoded, for as long as their owner has no room for them.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from hmac import compare_digest
from typing import Any

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from jupyter_runtimed.adapters.kernels_line import ChannelOwner
from jupyter_runtimed.adapters.kernels_messages import message_from, read_parts
from jupyter_runtimed.core.messages import KernelMessage

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]
"""Starts a task with a name; whoever wires the server knows where tasks live."""

_SLICE_SECONDS = 0.004
_CHANNELS = ("iopub", "shell", "stdin", "control")


def unbounded_context() -> zmq.asyncio.Context:
    """A ZMQ context whose sockets queue what they are given: the other side is never blocked, nor are we."""
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.RCVHWM, 0)
    context.setsockopt(zmq.SNDHWM, 0)
    return context


class ZmqChannels:
    """The four channels of a kernel client, each read by a task.

    Args:
        manager: the kernel's manager, of jupyter_client's kind; it knows how to connect.
        owner: where messages go.
        context: see `unbounded_context`.
        spawn: starts the reading tasks.
    """

    def __init__(self, manager: Any, owner: ChannelOwner, context: zmq.asyncio.Context, spawn: Spawn) -> None:
        self._manager = manager
        self._owner = owner
        self._context = context
        self._spawn = spawn
        self._client: Any = None
        self._sockets: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.may_ask: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Connect; messages go to the owner from now on."""
        client = self._client = self._manager.client(context=self._context)
        # The kernel tells its clients apart by this name, and the manager gives all its clients the same one.
        client.session.session = uuid.uuid4().hex
        client.start_channels(hb=False)
        for channel in _CHANNELS:
            socket = getattr(client, f"{channel}_channel").socket
            if not isinstance(socket, zmq.asyncio.Socket):
                socket = zmq.asyncio.Socket.from_socket(socket)
            self._sockets[channel] = socket
            if channel == "stdin":
                self._tasks.append(self._spawn(self._watch_stdin(socket), "kernel stdin connecting"))
            self._tasks.append(self._spawn(self._read(channel, socket), f"kernel {channel}"))

    def send(
        self,
        channel: str,
        msg_type: str,
        content: dict[str, Any],
        msg_id: str,
        metadata: dict[str, Any],
        buffers: Sequence[bytes],
    ) -> None:
        """Send one message without waiting."""
        session = self._client.session
        header = session.msg_header(msg_type)
        header["msg_id"] = msg_id
        message = session.msg(msg_type, content=content, header=header, metadata=metadata)
        # Not through `session.send`: it writes past the asyncio socket, which then misses what arrives meanwhile.
        self._sockets[channel].send_multipart([*session.serialize(message), *buffers])

    def close(self) -> None:
        """Disconnect. Nothing comes any more."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._sockets.clear()
        client, self._client = self._client, None
        if client is not None:
            for channel in _CHANNELS:
                getattr(client, f"{channel}_channel").stop()

    async def _watch_stdin(self, socket: Any) -> None:
        """ZMQ connects by itself, each socket in its own time."""
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            await recv_monitor_message(monitor)
            self.may_ask.set_result(None)
        finally:
            if not socket.closed:
                socket.disable_monitor()

    async def _read(self, channel: str, socket: Any) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._owner.room()
            frames = await socket.recv_multipart()
            # What else is there is taken without going through the loop for each, but not for long.
            deadline = clock() + _SLICE_SECONDS
            self._deliver(channel, frames)
            while clock() < deadline:
                await self._owner.room()
                try:
                    frames = await socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._deliver(channel, frames)
            await asyncio.sleep(0)

    def _deliver(self, channel: str, frames: list[bytes]) -> None:
        if self._client is not None:
            message = self._unpack(channel, frames)
            if message is not None:
                self._owner.take(message)

    def _unpack(self, channel: str, frames: list[bytes]) -> KernelMessage | None:
        session = self._client.session
        try:
            _, parts = session.feed_identities(frames)
            if "json" not in session.packer:
                told = session.deserialize(parts)
                return message_from(
                    channel,
                    [told[key] for key in ("header", "parent_header", "metadata", "content")],
                    told["buffers"],
                    sum(map(len, parts[4:])),
                )
            if session.auth is not None and not compare_digest(parts[0], session.sign(parts[1:5])):
                raise ValueError("wrong signature")
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            log.warning("kernel message that is not one skipped channel=%s cause=%s", channel, error)
            return None
        return read_parts(channel, parts[1:])
