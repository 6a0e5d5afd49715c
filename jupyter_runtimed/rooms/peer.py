"""One client's connection to a room: its socket, and what it must still be told.

Nothing here grows with what a slow client has not read: documents and presence are told as they are when it reads
again, and what must be told word for word (answers, events) is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from jupyter_runtimed.core.errors import ProtocolError, RateExceeded
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.versions import Person
from jupyter_runtimed.rooms.frame_rate import FrameRate
from jupyter_runtimed.rooms.ports.socket import PeerSocket

MAX_OUTBOX_BYTES = 64 * 1024 * 1024
MAX_HELD_FRAMES = 256
MAX_HELD_BYTES = 64 * 1024 * 1024


class TooSlow(ProtocolError):
    """The client asks for more than it reads."""

    close_code = 1013


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, and what they may do.

    Attributes:
        name: the username, for `submitted_by`.
        display_name: how others are told of them.
    """

    name: str
    can_write: bool
    can_execute: bool
    display_name: str = ""

    @property
    def person(self) -> Person:
        """For the history."""
        return Person(self.name, self.display_name)


class Peer:
    """See the module.

    Attributes:
        rate: counts the frames it sends.
        is_drained: the transport takes more; the hub sends nothing while it is false.
        is_gone: the peer has left or was dropped. Nothing is sent to it any more.
        outbox: encoded answers and events, in order.
        status_due, presence_due: what it must be told; `None` among the due peers stands for all of them.
        last_status: the status frame it has, so that it is not told twice.
        was_level: it had everything at some time, of both documents.
        needs_runtime: the runtime document was renewed, and it does not know yet.
        held_notebook, held_runtime: sync messages that cannot be taken yet, because the room is loading.
        serving: how many of its requests are under way.
        waits: tasks of requests that wait and have done nothing yet.
    """

    def __init__(self, socket: PeerSocket, now: Callable[[], float]) -> None:
        self.id: PeerId = socket.peer_id
        self.socket = socket
        self.rate = FrameRate(now)
        self.is_drained = True
        self.is_gone = False
        self.outbox: deque[bytes] = deque()
        self.status_due = True
        self.presence_due: set[PeerId | None] = {None}
        self.last_status = b""
        self.was_level = False
        self.needs_runtime = False
        self.held_notebook: list[bytes] = []
        self.held_runtime: list[bytes] = []
        self.serving = 0
        self.waits: set[asyncio.Task[Any]] = set()
        self._outbox_bytes = 0
        self._held_bytes = 0

    @property
    def principals(self) -> Set[str]:
        """Names under which its user is known again."""
        return self.socket.principals

    @property
    def caller(self) -> Caller:
        """Who the peer is, with what it may do now."""
        socket = self.socket
        username, name = str(socket.user.get("username") or ""), str(socket.user.get("name") or "")
        return Caller(username, socket.can_write, socket.can_execute, name)

    def put(self, frame: bytes) -> None:
        """Add a frame that must be sent word for word. Raises TooSlow."""
        self._outbox_bytes += len(frame)
        if self._outbox_bytes > MAX_OUTBOX_BYTES:
            raise TooSlow("too much was asked for that has not been read")
        self.outbox.append(frame)

    def take(self) -> bytes:
        """The next frame of the outbox."""
        frame = self.outbox.popleft()
        self._outbox_bytes -= len(frame)
        return frame

    def hold(self, frames: list[bytes], payload: bytes) -> None:
        """Keep a sync message for later, in one of the held lists. Raises RateExceeded."""
        self._held_bytes += len(payload)
        if len(frames) >= MAX_HELD_FRAMES or self._held_bytes > MAX_HELD_BYTES:
            raise RateExceeded("too many messages while the notebook is loading")
        frames.append(payload)

    def release(self, frames: list[bytes]) -> list[bytes]:
        """Take what was held out of one of the lists."""
        released = frames[:]
        frames.clear()
        self._held_bytes -= sum(map(len, released))
        return released
