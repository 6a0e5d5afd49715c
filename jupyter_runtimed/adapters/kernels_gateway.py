"""A kernel's channels over a WebSocket to a kernel gateway.

jupyter_server's own client for such kernels reads with a thread and a spinning loop, and does not log in. This one
speaks the same protocol as a browser does, with the gateway client's configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import struct
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import aiohttp
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_binary_message,
    serialize_msg_to_ws_v1,
)

from jupyter_runtimed.adapters.kernels_channels import Spawn
from jupyter_runtimed.adapters.kernels_line import ChannelOwner
from jupyter_runtimed.adapters.kernels_messages import message_from, read_json, read_parts
from jupyter_runtimed.core.messages import KernelMessage

log = logging.getLogger(__name__)

_PROTOCOL = "v1.kernel.websocket.jupyter.org"
_TRIES = 6
_FIRST_DELAY_SECONDS = 0.25
_CONNECT_SECONDS = 30.0
_HEARTBEAT_SECONDS = 30.0
_GOODBYE_SECONDS = 1.0


class GatewayChannels:
    """One WebSocket, reopened under the same session id when it breaks: the gateway keeps what was missed.

    Args:
        manager: the kernel's manager; only its id is used.
        owner: where messages go.
        spawn: starts the task that reads and the one that writes.
        close_soon: runs what closes the connection, to its end.
    """

    def __init__(
        self,
        manager: Any,
        owner: ChannelOwner,
        spawn: Spawn,
        close_soon: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._manager = manager
        self._owner = owner
        self._spawn = spawn
        self._close_soon = close_soon
        self._session_id = uuid.uuid4().hex
        self._http: aiohttp.ClientSession | None = None
        self._socket: Any = None
        self._outgoing: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.may_ask: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Connect; messages go to the owner from now on."""
        await self._connect()
        self.may_ask.set_result(None)  # the gateway keeps what comes for us
        self._tasks = [self._spawn(self._read(), "gateway reader"), self._spawn(self._write(), "gateway writer")]

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
        header = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": self._session_id,
            "username": "",
            "date": datetime.now(timezone.utc).isoformat(),
            "version": "5.3",
        }
        parts: tuple[dict[str, Any], ...] = (header, {}, metadata, content)
        if self._socket is not None and self._socket.protocol == _PROTOCOL:
            packed = [json.dumps(part).encode() for part in parts]
            self._outgoing.put_nowait(serialize_msg_to_ws_v1([*packed, *buffers], channel))
            return
        message: dict[str, Any] = dict(zip(("header", "parent_header", "metadata", "content"), parts, strict=True))
        message["channel"] = channel
        if buffers:
            self._outgoing.put_nowait(serialize_binary_message({**message, "buffers": list(buffers)}))
        else:
            self._outgoing.put_nowait(json.dumps(message))

    def close(self) -> None:
        """Disconnect. Nothing comes any more."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        http, self._http, socket, self._socket = self._http, None, self._socket, None
        if http is not None:
            self._close_soon(_close(http, socket))

    async def _connect(self) -> None:
        client = GatewayClient.instance()
        arguments = client.load_connection_args()
        kernel = quote(str(self._manager.kernel_id), safe="")
        endpoint = f"{(client.ws_url or '').rstrip('/')}/{client.kernels_endpoint.strip('/')}/{kernel}/channels"
        if self._http is None:
            user = arguments.get("auth_username")
            self._http = aiohttp.ClientSession(
                headers=arguments.get("headers"),
                auth=aiohttp.BasicAuth(user, arguments.get("auth_password") or "") if user else None,
                timeout=aiohttp.ClientTimeout(total=_CONNECT_SECONDS),
            )
        self._socket = await self._http.ws_connect(
            f"{endpoint}?session_id={self._session_id}",
            protocols=(_PROTOCOL,),
            ssl=_ssl(arguments),
            max_msg_size=0,
            heartbeat=_HEARTBEAT_SECONDS,
        )

    async def _read(self) -> None:
        while True:
            assert self._socket is not None
            async for frame in self._socket:
                message = self._message(frame)
                if message is not None:
                    self._owner.take(message)
                    await self._owner.room()
            if not await self._connect_again():
                self._owner.broken("the gateway closed the line to the kernel")
                return

    async def _connect_again(self) -> bool:
        delay = _FIRST_DELAY_SECONDS
        for _ in range(_TRIES):
            await asyncio.sleep(delay)
            delay *= 2
            try:
                await self._connect()
                return True
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 404:
                    return False
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                log.info("gateway not reached kernel=%s cause=%s", self._manager.kernel_id, error)
        return False

    async def _write(self) -> None:
        while True:
            message = await self._outgoing.get()
            while (socket := self._socket) is not None:
                try:
                    await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
                    break
                except (ConnectionError, aiohttp.ClientError):
                    # The reader notices too and opens another socket, which gets the message.
                    await asyncio.sleep(_FIRST_DELAY_SECONDS)

    def _message(self, frame: aiohttp.WSMessage) -> KernelMessage | None:
        assert self._socket is not None
        try:
            if frame.type is aiohttp.WSMsgType.BINARY and self._socket.protocol == _PROTOCOL:
                return read_parts(*_parts_v1(frame.data))
            if frame.type is aiohttp.WSMsgType.BINARY:
                told = deserialize_binary_message(frame.data)
            elif frame.type is aiohttp.WSMsgType.TEXT:
                told = read_json(frame.data.encode("utf-8", "surrogatepass"))
            else:
                return None
            values = [told[key] for key in ("header", "parent_header", "metadata", "content")]
            return message_from(told["channel"], values, told.get("buffers") or [], len(frame.data))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error) as error:
            log.warning("malformed gateway message skipped cause=%s", type(error).__name__)
            return None


def _parts_v1(data: bytes) -> tuple[str, list[bytes]]:
    """Channel and parts of a frame of the newer protocol. Raises ValueError, LookupError."""
    if 8 * (int.from_bytes(data[:8], "little") + 1) > len(data):
        raise ValueError("more offsets than there are bytes")
    channel, parts = deserialize_msg_from_ws_v1(data)
    return channel, parts


async def _close(http: aiohttp.ClientSession, socket: Any) -> None:
    if socket is not None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(socket.close(), _GOODBYE_SECONDS)
    await http.close()


def _ssl(arguments: dict[str, Any]) -> ssl.SSLContext | bool:
    if arguments.get("validate_cert") is False:
        return False
    if not arguments.get("ca_certs") and not arguments.get("client_cert"):
        return True
    context = ssl.create_default_context(cafile=arguments.get("ca_certs"))
    if arguments.get("client_cert"):
        context.load_cert_chain(arguments["client_cert"], arguments.get("client_key"))
    return context
