"""A connection in memory: the client's end is a `Transport`, the test holds the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_runtimed.client.transport import TransportClosed


class MemoryTransport:
    """Frames go straight to `on_frame` and are kept in `sent`; what the test delivers is received in order.

    Attributes:
        sent: the frames the client has sent.
        on_frame: the server's ear; called inside `send`.
        on_close: called once, when either side ends the connection.
        is_open: until either side ends it.
    """

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.on_frame: Callable[[bytes], None] = self.sent.append
        self.on_close: Callable[[], None] = lambda: None
        self.is_open = True
        self._incoming: asyncio.Queue[bytes | TransportClosed] = asyncio.Queue()
        self._may_send = asyncio.Event()
        self._may_send.set()

    # The client's end.

    async def send(self, frame: bytes) -> None:
        await self._may_send.wait()
        if not self.is_open:
            raise TransportClosed(None, "closed")
        self.on_frame(frame)

    async def receive(self) -> bytes:
        item = await self._incoming.get()
        if isinstance(item, TransportClosed):
            self._incoming.put_nowait(item)
            raise item
        return item

    async def close(self) -> None:
        self.end(1000)

    # The server's end.

    def deliver(self, frame: bytes) -> None:
        """Send a frame to the client."""
        if self.is_open:
            self._incoming.put_nowait(frame)

    def end(self, code: int | None, reason: str = "") -> None:
        """Close the connection, or break it (None)."""
        if self.is_open:
            self.is_open = False
            self._incoming.put_nowait(TransportClosed(code, reason))
            self._may_send.set()
            self.on_close()

    def hold(self) -> None:
        """The network takes nothing until `release`."""
        self._may_send.clear()

    def release(self) -> None:
        self._may_send.set()


async def settle(turns: int = 20) -> None:
    """Let everything that can run now run."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(test: Callable[[], object]) -> None:
    """Let things run until a condition is true; it is an error when that takes too many turns."""
    for _ in range(500):
        if test():
            return
        await settle()
    raise AssertionError("it never came true")
