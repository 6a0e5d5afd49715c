"""Takes in what a kernel says, in bursts, and lets what became due be written at the end of each."""

from __future__ import annotations

import logging
from collections.abc import Callable

from jupyter_runtimed.core.messages import KernelEvent
from jupyter_runtimed.rooms.output_sink import OutputSink
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.kernel import KernelSession

_log = logging.getLogger("jupyter_runtimed.rooms.kernel_listener")

_SLICE_SECONDS = 0.005


class KernelListener:
    """See the module.

    Args:
        session: the line to the kernel.
        sink: while it is full no more is taken.
        clock: the time.
        take: takes one event, without a wait.

    Attributes:
        is_taking: an event is being taken; what it changes is written at the end of the burst.
    """

    def __init__(
        self, session: KernelSession, sink: OutputSink, clock: Clock, take: Callable[[KernelEvent], None]
    ) -> None:
        self.is_taking = False
        self._session = session
        self._sink = sink
        self._clock = clock
        self._take = take

    async def listen(self) -> None:
        """Listen for as long as the task is not cancelled."""
        while True:
            events = await self._session.receive()
            deadline = self._clock.monotonic() + _SLICE_SECONDS
            for event in events:
                self._take_one(event)
                if self._clock.monotonic() > deadline:
                    self._sink.wake()
                    await self._clock.sleep(0)
                    deadline = self._clock.monotonic() + _SLICE_SECONDS
            self._sink.wake()
            await self._sink.room()

    def _take_one(self, event: KernelEvent) -> None:
        self.is_taking = True
        try:
            self._take(event)
        except Exception:
            # A mistake of ours in one message must not end the room's line to its kernel.
            _log.exception("kernel event failed")
        finally:
            self.is_taking = False
