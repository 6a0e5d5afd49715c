"""What a room asks of a peer's socket, and what it offers in return.

The handler makes one object with these members for each WebSocket and hands it to `Room.join`, which gives a `Peer`.
From then on it calls, on the event loop and never from within `send` or `close`:

* `Room.on_message(peer, data)` for each message, in order; it is a plain function and returns at once;
* `Room.on_drained(peer)` once after a `send` that returned False, when the transport has taken everything;
* `Room.leave(peer)` when the WebSocket is closed, by whichever side. More than once does no harm.

A room never sends to a socket after it has closed it, and expects nothing of one that is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Protocol

from jupyter_runtimed.core.ids import PeerId


class PeerSocket(Protocol):
    """One WebSocket of one client."""

    @property
    def peer_id(self) -> PeerId:
        """Unique for each connection."""
        ...

    @property
    def user(self) -> Mapping[str, Any]:
        """Who the server's identity provider says it is: `username`, `name`, `color`, `avatar_url`."""
        ...

    @property
    def principals(self) -> Set[str]:
        """Names under which the user is known again on another connection: the username, the token."""
        ...

    @property
    def can_write(self) -> bool:
        """Whether the user may change the notebook. Asked for each frame that has changes."""
        ...

    @property
    def can_execute(self) -> bool:
        """Whether the user may run code. Asked for each request that does."""
        ...

    def send(self, frame: bytes) -> bool:
        """Write one binary message.

        Returns:
            Whether the transport has taken it and would take more. False: nothing more is sent until `on_drained`.

        Raises:
            Exception: the socket is dead, whatever the reason; the room drops the peer.
        """
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin to close with a code of the protocol. Raises nothing, also when it is closed already."""
        ...
