"""A wire that can be cut, or go silent: a TCP proxy on loopback between a client and a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        self._flows = asyncio.Event()
        self._flows.set()
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

    def silence(self) -> None:
        """Carry nothing any more, and tell nobody: as when a lid is closed, or a network is left."""
        self._flows.clear()

    def let_flow(self) -> None:
        """Carry again, what was said meanwhile first."""
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        pair = (writer, there_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
        finally:
            self._pairs.discard(pair)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


class WireThread:
    """The hands of a wire whose loop runs in a thread of its own."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self.port = wire.port
        self._wire = wire
        self._loop = loop

    def cut(self) -> None:
        self._call(self._wire.cut)

    def mend(self) -> None:
        self._call(self._wire.mend)

    def silence(self) -> None:
        self._call(self._wire.silence)

    def let_flow(self) -> None:
        self._call(self._wire.let_flow)

    def _call(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)


@contextmanager
def wire_in_a_thread(port: int) -> Iterator[WireThread]:
    """A wire for tests that have no event loop."""
    ready: list[WireThread] = []
    is_ready, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with Wire(port) as wire:
            ready.append(WireThread(wire, asyncio.get_running_loop()))
            is_ready.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert is_ready.wait(10)
        yield ready[0]
    finally:
        is_over.set()
        thread.join(10)
