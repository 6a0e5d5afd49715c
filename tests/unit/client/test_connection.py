"""The pump, the writer, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from jupyter_runtimed.client.connection import Backoff, Connection
from jupyter_runtimed.client.errors import Disconnected
from jupyter_runtimed.client.tasks import Tasks
from jupyter_runtimed.client.transport import TransportClosed
from jupyter_runtimed.core.errors import Forbidden, Malformed, RuntimedError
from tests.support.memory_transport import MemoryTransport, settle, until

AT_ONCE = Backoff(first_s=0, max_s=0, give_up_after_s=60)


class Recorder:
    """A peer that keeps what happened and says what it is told to say."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.to_say: list[bytes] = []
        self.useful = True
        self.recover_errors: list[RuntimedError] = []
        self.error: RuntimedError | None = None

    def connected(self) -> None:
        self.events.append("connected")

    def receive(self, frame: bytes) -> None:
        if frame == b"broken":
            raise Malformed("broken")
        if frame == b"bug":
            raise KeyError("our own fault")
        self.events.append(frame)

    def outgoing(self) -> Iterator[bytes]:
        while self.to_say:
            yield self.to_say.pop(0)

    def lost(self, closed: TransportClosed) -> bool:
        self.events.append(closed.code)
        return self.useful

    async def recover(self, closed: TransportClosed) -> None:
        self.events.append("recover")
        if self.recover_errors:
            raise self.recover_errors.pop(0)

    def failed(self, error: RuntimedError) -> None:
        self.error = error


class Net:
    """Dials: gives a new transport each time, or the error that is next."""

    def __init__(self) -> None:
        self.transports: list[MemoryTransport] = []
        self.refusals: list[RuntimedError] = []
        self.dialled = 0

    async def dial(self) -> MemoryTransport:
        self.dialled += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.transports.append(MemoryTransport())
        return self.transports[-1]


class Bench:
    def __init__(self, backoff: Backoff = AT_ONCE) -> None:
        self.peer, self.net, self.tasks = Recorder(), Net(), Tasks()
        self.connection = Connection(self.net.dial, self.peer, self.tasks, backoff)

    async def __aenter__(self) -> Bench:
        await self.connection.start()
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tasks.stop()


async def test_frames_are_handed_on_in_order_and_sent_in_order() -> None:
    async with Bench() as bench:
        for frame in (b"1", b"2", b"3"):
            bench.net.transports[0].deliver(frame)
        await settle()
        assert bench.peer.events == ["connected", b"1", b"2", b"3"]
        bench.peer.to_say = [b"a", b"b"]
        await bench.connection.flush()
        assert bench.net.transports[0].sent == [b"a", b"b"]


async def test_a_refused_first_attempt_is_told_and_nothing_goes_on() -> None:
    bench = Bench()
    bench.net.refusals = [Forbidden("no")]
    with pytest.raises(Forbidden):
        await bench.connection.start()
    await settle()
    assert bench.net.dialled == 1 and not bench.connection.is_connected
    await bench.connection.flush()


async def test_reading_goes_on_while_a_send_waits() -> None:
    """A pump that answers by itself would stand still with its peer."""
    async with Bench() as bench:
        transport = bench.net.transports[0]
        transport.hold()
        bench.peer.to_say = [b"slow"]
        flushing = asyncio.ensure_future(bench.connection.flush())
        await settle()
        transport.deliver(b"news")
        await settle()
        assert b"news" in bench.peer.events and not flushing.done()
        transport.release()
        await flushing
        assert transport.sent == [b"slow"]


async def test_what_is_said_while_a_send_waits_travels_after_it() -> None:
    async with Bench() as bench:
        transport = bench.net.transports[0]
        transport.hold()
        bench.peer.to_say = [b"1"]
        first = asyncio.ensure_future(bench.connection.flush())
        await settle()
        bench.peer.to_say = [b"2"]
        second = asyncio.ensure_future(bench.connection.flush())
        await settle()
        transport.release()
        await asyncio.gather(first, second)
        assert transport.sent == [b"1", b"2"]


async def test_a_cancelled_flush_cancels_no_send() -> None:
    """A message that was generated must arrive, or the sync state behind it is wrong."""
    async with Bench() as bench:
        transport = bench.net.transports[0]
        transport.hold()
        bench.peer.to_say = [b"generated"]
        flushing = asyncio.ensure_future(bench.connection.flush())
        await settle()
        flushing.cancel()
        await settle()
        transport.release()
        await settle()
        assert transport.sent == [b"generated"]


async def test_a_lost_connection_is_made_anew_and_a_flush_does_not_hang() -> None:
    async with Bench() as bench:
        first = bench.net.transports[0]
        first.hold()
        bench.peer.to_say = [b"x"]
        flushing = asyncio.ensure_future(bench.connection.flush())
        await settle()
        first.end(None)
        await flushing
        await until(lambda: len(bench.net.transports) == 2)
        await settle()
        assert bench.peer.events[:4] == ["connected", None, "recover", "connected"]
        bench.peer.to_say = [b"y"]
        await bench.connection.flush()
        assert bench.net.transports[1].sent == [b"y"]


async def test_a_server_that_is_away_is_tried_again() -> None:
    async with Bench() as bench:
        bench.net.refusals = [Disconnected("away")] * 4
        bench.net.transports[0].end(1001)
        await until(lambda: len(bench.net.transports) == 2)
        assert bench.net.dialled == 6 and bench.peer.events.count("recover") == 1


async def test_trying_again_has_an_end() -> None:
    async with Bench(Backoff(first_s=0, max_s=0, give_up_after_s=0)) as bench:
        bench.net.refusals = [Disconnected("away")] * 4
        bench.net.transports[0].end(1001)
        await until(lambda: bench.peer.error is not None)
        assert isinstance(bench.peer.error, Disconnected) and len(bench.net.transports) == 1


async def test_connections_that_are_of_no_use_do_not_put_off_the_end() -> None:
    async with Bench(Backoff(first_s=0, max_s=0, give_up_after_s=0)) as bench:
        bench.peer.useful = False
        bench.net.transports[0].end(1011)
        await until(lambda: len(bench.net.transports) == 2)
        bench.net.refusals = [Disconnected("away")]
        bench.net.transports[1].end(1011)
        await until(lambda: bench.peer.error is not None)
        assert isinstance(bench.peer.error, Disconnected)


async def test_an_end_that_means_no_is_not_tried_again() -> None:
    async with Bench() as bench:
        bench.peer.recover_errors = [Forbidden("no")]
        bench.net.transports[0].end(4403)
        await until(lambda: bench.peer.error is not None)
        assert isinstance(bench.peer.error, Forbidden) and bench.net.dialled == 1


async def test_a_recovery_that_may_pass_is_tried_again_and_done_once() -> None:
    async with Bench() as bench:
        bench.peer.recover_errors = [Disconnected("away")]
        bench.net.refusals = [Disconnected("away")]
        bench.net.transports[0].end(4410)
        await until(lambda: len(bench.net.transports) == 2)
        assert bench.peer.events.count("recover") == 2 and bench.net.dialled == 3


async def test_a_frame_that_is_broken_ends_that_connection_only() -> None:
    async with Bench() as bench:
        bench.net.transports[0].deliver(b"broken")
        await until(lambda: len(bench.net.transports) == 2)
        assert not bench.net.transports[0].is_open and bench.peer.error is None


async def test_a_fault_of_our_own_is_told_to_whoever_waits(caplog: pytest.LogCaptureFixture) -> None:
    async with Bench() as bench:
        bench.net.transports[0].deliver(b"bug")
        await until(lambda: bench.peer.error is not None)
        assert bench.peer.error is not None and "our own fault" in bench.peer.error.message
        await settle()
        assert "task failed name=pump" in caplog.text


def test_pauses_grow_and_are_bounded() -> None:
    backoff = Backoff(first_s=0.1, max_s=10)
    for attempt, longest in [(0, 0.1), (1, 0.2), (5, 3.2), (20, 10), (10_000, 10)]:
        pauses = {backoff.pause(attempt) for _ in range(20)}
        assert all(0.75 * longest <= pause <= 1.25 * longest for pause in pauses) and len(pauses) > 1
