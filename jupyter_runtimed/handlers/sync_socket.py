"""The WebSocket of a room: one peer. It knows who it is and what they may do; what is said is the room's business.

Rules
1. No sign-in, a foreign origin or no right to read is HTTP 403. A room that is not there is told after the handshake
   (4404), because a browser does not let its page see why a handshake failed.
2. `on_message` is a plain function: Tornado reads the next message only when it has returned, and nothing else runs
   in between.
3. `send` says whether the connection has taken everything; when it has not, `on_drained` follows.
4. Identity and permissions are asked for again every `identity_check_s`: a token that was withdrawn ends the socket.
5. One keepalive, Jupyter's.
"""

from __future__ import annotations

import uuid
from asyncio import Future
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketHandler

from jupyter_runtimed.core.errors import ActiveElsewhere, NoSuchRoom
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.requests import encode_json
from jupyter_runtimed.handlers.base import JsonErrors
from jupyter_runtimed.handlers.errors import CODES
from jupyter_runtimed.handlers.identity import Permissions, ask_permissions, ask_user_again, describe_user, principals
from jupyter_runtimed.handlers.services import Services
from jupyter_runtimed.handlers.wire import binary_message
from jupyter_runtimed.rooms.peer import Peer
from jupyter_runtimed.rooms.room import Room

SUB_PROTOCOL = "v1.runtimed.jupyter.org"

TOO_LARGE = 1009
NO_LONGER_ALLOWED = 4401
NO_SUCH_ROOM = 4404

MAX_REASON_BYTES = 123
"""A close frame has no room for more."""


class SyncSocket(JsonErrors, WebSocketMixin, WebSocketHandler, JupyterHandler):
    """`/api/runtimed/rooms/{room_id}/sync`. A `rooms.ports.socket.PeerSocket`."""

    auth_resource = "contents"

    def initialize(self) -> None:
        self.peer_id = PeerId(uuid.uuid4().hex)
        self.user: dict[str, Any] = {}
        self.principals: frozenset[str] = frozenset()
        self._may = Permissions(read=False, write=False, execute=False)
        self._room: Room | None = None
        self._peer: Peer | None = None
        self._identity_check: PeriodicCallback | None = None

    # The handshake.

    @property
    def services(self) -> Services:
        return Services.of(self.settings)

    def set_default_headers(self) -> None:
        """Those of pages mean nothing here."""

    @ws_authenticated
    async def get(self, room_id: str) -> None:
        self._may = await ask_permissions(self, self.current_user)
        if not self._may.read:
            raise web.HTTPError(403, "you may not read notebooks on this server")
        self.user = describe_user(self.current_user)
        self.principals = principals(self)
        await self.services.start()
        try:
            await self.services.rooms.recall(room_id)  # it may wait in the log
        except (NoSuchRoom, ActiveElsewhere):
            pass  # told after the handshake
        await super().get(room_id)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Tornado refuses handshakes in plain text; ours are refused in JSON."""
        status = self.get_status()
        if isinstance(chunk, str) and status >= 400:
            self.set_header("Content-Type", "application/json")
            chunk = encode_json({"code": CODES.get(status, "bad_request"), "message": chunk})
        return super().finish(chunk)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUB_PROTOCOL if SUB_PROTOCOL in subprotocols else None

    def get_compression_options(self) -> None:
        """None: what is sent is compressed already, and a keystroke is shorter than a deflate header."""
        return

    @property
    def max_message_size(self) -> int:
        """Larger than what is allowed, so that the answer to a message that is too large is ours.

        Tornado's own limit cuts the connection, which the other side sees as a failure of the network.
        """
        return 2 * self.services.limits.max_frame_bytes

    @property
    def ping_interval(self) -> float:
        """Milliseconds, as Jupyter's mixin reads it.

        Tornado reads the same name in seconds, before there is a connection; 0 keeps its pinger off.
        """
        return 0.0 if self.ws_connection is None else float(super().ping_interval)

    # The life of the peer.

    def open(self, room_id: str) -> None:
        super().open()
        self.set_nodelay(True)  # without it Nagle's algorithm holds small frames back for 40 ms
        try:
            room = self.services.rooms.get(room_id)
            peer = room.join(self)
        except NoSuchRoom as error:
            self.close(NO_SUCH_ROOM, error.message)
            return
        self._room, self._peer = room, peer
        self._identity_check = PeriodicCallback(self._check_identity, self.services.identity_check_s * 1000)
        self._identity_check.start()

    def on_message(self, message: str | bytes) -> None:
        room, peer = self._room, self._peer
        if room is None or peer is None:
            return
        limit = self.services.limits.max_frame_bytes
        if len(message) > limit:
            self._part()
            self.close(TOO_LARGE, f"a message may have {limit:,} bytes")
            return
        room.on_message(peer, message)

    def on_close(self) -> None:
        if self._identity_check is not None:
            self._identity_check.stop()
        pinger: PeriodicCallback | None = self.ping_callback
        if pinger is not None:
            pinger.stop()
        self._part()

    def _part(self) -> None:
        room, peer = self._room, self._peer
        self._room = self._peer = None
        if room is not None and peer is not None:
            room.leave(peer)

    # What a room asks of a socket.

    @property
    def can_write(self) -> bool:
        return self._may.write

    @property
    def can_execute(self) -> bool:
        return self._may.execute

    def send(self, frame: bytes) -> bool:
        connection = self.ws_connection
        stream = None if connection is None or connection.is_closing() else connection.stream
        if stream is None:
            raise ConnectionError("the WebSocket is closed")
        for piece in binary_message(frame):
            written = stream.write(piece)
        if not stream.writing():
            return True
        written.add_done_callback(self._on_written)
        return False

    def _on_written(self, written: Future[None]) -> None:
        if written.cancelled() or written.exception() is not None:
            return  # the connection is gone, and `on_close` has said so or will
        if self._room is not None and self._peer is not None:
            self._room.on_drained(self._peer)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        if reason is not None:
            reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        super().close(code, reason)

    # Rule 4.

    async def _check_identity(self) -> None:
        user = await ask_user_again(self)
        if user is None:
            self._end("you are not signed in any more")
            return
        may = await ask_permissions(self, user)
        if not may.read:
            self._end("you may not read notebooks on this server any more")
        elif may != self._may:
            self._may = may
            if self._room is not None:
                self._room.hub.tell_status()

    def _end(self, reason: str) -> None:
        self._part()
        self.close(NO_LONGER_ALLOWED, reason)
