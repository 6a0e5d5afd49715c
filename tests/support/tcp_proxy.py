"""A wire that can be cut: a TCP proxy on loopback between a client and a server."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Wire:
    """Forwards bytes until it is cut.

    Args:
        port: of the server, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._is_cut = False
        self._listener: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Wire:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut()
        assert self._listener is not None
        self._listener.close()

    def cut(self) -> None:
        """Break every connection, and let nobody through."""
        self._is_cut = True
        for pair in tuple(self._pairs):
            for writer in pair:
                writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        pair = (writer, there_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        finally:
            self._pairs.discard(pair)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
