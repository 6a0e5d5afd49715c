"""How frames travel: a port with three calls, and its WebSocket.

A transport carries whole messages in order or ends; it knows nothing of what is in them. Anything with these three
calls will do (the unit tests join two ends in memory).
"""

from __future__ import annotations

from typing import Protocol

import aiohttp


class TransportClosed(Exception):
    """The other side, or the network, ended the connection.

    Attributes:
        code: the WebSocket close code; None when the connection just broke.
    """

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(f"closed with {code}: {reason}")
        self.code = code
        self.reason = reason


class Transport(Protocol):
    """One connection of one client to one room."""

    async def send(self, frame: bytes) -> None:
        """Hand one frame over and wait while the network is behind.

        Raises:
            TransportClosed: it did not go out, or it is unknown whether it did.
        """

    async def receive(self) -> bytes:
        """The next frame, whole.

        Raises:
            TransportClosed: there will be no more.
        """

    async def close(self) -> None:
        """End the connection; a pending `receive` ends with TransportClosed."""


class WebSocketTransport:
    """An aiohttp WebSocket as a `Transport`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._socket = socket

    async def send(self, frame: bytes) -> None:
        try:
            await self._socket.send_bytes(frame)
        except (ConnectionError, aiohttp.ClientError) as error:
            raise TransportClosed(self._socket.close_code, str(error)) from error

    async def receive(self) -> bytes:
        try:
            message = await self._socket.receive()
        except (ConnectionError, aiohttp.ClientError) as error:
            # A ping that is answered when the connection is going already.
            raise TransportClosed(self._socket.close_code, str(error)) from error
        if message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.CLOSE:
            raise TransportClosed(message.data, str(message.extra or ""))
        if message.type is aiohttp.WSMsgType.ERROR:
            raise TransportClosed(None, str(message.data))
        raise TransportClosed(self._socket.close_code, "")

    async def close(self) -> None:
        await self._socket.close()
