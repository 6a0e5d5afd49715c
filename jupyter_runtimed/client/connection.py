"""A room's socket, held open: one pump that reads, one writer that sends, and another try when it breaks.

1. The pump reads every frame and hands it on at once; it never waits for anything but the next frame.
2. The writer alone sends. It asks the peer what there is to say, so that edits made while a send is slow travel
   together, and nothing that was generated can be lost but with the connection.
3. A connection that ended is never used again; the next one begins with `connected()`.
4. Trying again has growing pauses and an end.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from jupyter_runtimed.client.errors import Disconnected, TimedOut
from jupyter_runtimed.client.tasks import Tasks
from jupyter_runtimed.client.transport import Transport, TransportClosed
from jupyter_runtimed.core.errors import Internal, Loading, OtherLineage, ProtocolError, RuntimedError

_log = logging.getLogger(__name__)

_RANDOM = random.SystemRandom()
_MAY_PASS = (Disconnected, TimedOut, Loading)


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses between attempts to connect again, in seconds.

    Attributes:
        first_s: the first pause; each further one is twice as long, give or take a quarter.
        max_s: the longest pause.
        give_up_after_s: no attempt is begun later than this after the loss.
    """

    first_s: float = 0.1
    max_s: float = 10.0
    give_up_after_s: float = 600.0

    def pause(self, attempt: int) -> float:
        """The pause before an attempt; the first attempt is number 0."""
        longest = min(self.max_s, self.first_s * 2.0 ** min(attempt, 30))
        return longest * _RANDOM.uniform(0.75, 1.25)


class Connected(Protocol):
    """Whoever speaks over a connection."""

    def connected(self) -> None:
        """A new connection stands; nothing has been said on it."""

    def receive(self, frame: bytes) -> None:
        """Take one frame. A ProtocolError ends the connection."""

    def outgoing(self) -> Iterator[bytes]:
        """The frames to send now, one by one, until there are no more."""

    def lost(self, closed: TransportClosed) -> bool:
        """The connection is over. Whether it had been of use (pauses then begin anew)."""

    async def recover(self, closed: TransportClosed) -> None:
        """Do what the end of the last connection asks for before the next one.

        Raises:
            RuntimedError: there will be no next one (Disconnected, TimedOut, Loading: try again later).
        """

    def failed(self, error: RuntimedError) -> None:
        """There will be no connection any more."""


class Connection:
    """Keeps one peer connected.

    Args:
        dial: makes a new transport, or raises.
        peer: speaks over it.
        tasks: where pump and writer run.
        backoff: when to try again.
    """

    def __init__(
        self, dial: Callable[[], Awaitable[Transport]], peer: Connected, tasks: Tasks, backoff: Backoff
    ) -> None:
        self._dial = dial
        self._peer = peer
        self._tasks = tasks
        self._backoff = backoff
        self._transport: Transport | None = None
        self._wake = asyncio.Event()
        self._flushing: list[asyncio.Future[None]] = []

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    async def start(self) -> None:
        """Connect for the first time, and stay connected from then on.

        Raises:
            RuntimedError: the first attempt failed; nothing goes on.
        """
        transport = await self._dial()
        self._tasks.start(self._run(transport), "pump")

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def flush(self) -> None:
        """Return when all there is to say now has been handed to the socket, or there is none.

        What could not be sent is not lost: it is in the replica, and the next connection's sync brings it up.
        """
        if self._transport is None:
            return
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushing.append(sent)
        self._wake.set()
        await sent

    async def _run(self, transport: Transport) -> None:
        loop = asyncio.get_running_loop()
        useless, end = 0, 0.0
        try:
            while True:
                closed = await self._serve(transport)
                useless += 1
                if self._peer.lost(closed) or not end:
                    useless, end = 0, loop.time() + self._backoff.give_up_after_s
                transport = await self._again(closed, useless, end)
        except RuntimedError as error:
            self._peer.failed(error)
        except Exception as error:
            # Our own fault: whoever waits must hear of it, and the log must have the place.
            self._peer.failed(Internal(f"the connection's task failed: {error!r}"))
            raise

    async def _serve(self, transport: Transport) -> TransportClosed:
        """Speak over a transport until it ends; how it ended."""
        self._peer.connected()
        self._transport = transport
        self._wake.set()
        writer = self._tasks.start(self._write(transport), "writer")
        try:
            while True:
                frame = await transport.receive()
                self._peer.receive(frame)
                self._wake.set()
        except TransportClosed as closed:
            return closed
        except ProtocolError as error:
            _log.warning("connection dropped reason=%s", error.message)
            return TransportClosed(None, error.message)
        finally:
            self._transport = None
            writer.cancel()
            self._release(self._flushing)
            self._flushing = []
            await transport.close()

    async def _write(self, transport: Transport) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            flushing, self._flushing = self._flushing, []
            try:
                for frame in self._peer.outgoing():
                    await transport.send(frame)
            except TransportClosed:
                # The pump hears of it too; closing makes sure that it does.
                await transport.close()
                return
            finally:
                self._release(flushing)

    @staticmethod
    def _release(flushing: list[asyncio.Future[None]]) -> None:
        for sent in flushing:
            if not sent.done():
                sent.set_result(None)

    async def _again(self, closed: TransportClosed, attempt: int, end: float) -> Transport:
        """The next transport.

        Args:
            closed: how the last one ended.
            attempt: how many were of no use since the last that was.
            end: of trying, in the event loop's time.
        """
        recovered = False
        while True:
            # Another lineage is no trouble of the network: the way on is known and open.
            if closed.code != OtherLineage.close_code or attempt:
                await asyncio.sleep(self._backoff.pause(attempt))
            attempt += 1
            try:
                if not recovered:
                    await self._peer.recover(closed)
                    recovered = True
                return await self._dial()
            except _MAY_PASS as error:
                if asyncio.get_running_loop().time() >= end:
                    raise
                _log.info("not connected yet attempt=%d reason=%s", attempt, error.message)
