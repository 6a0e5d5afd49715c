"""Who is in a room and where they are. Never stored.

A client's frame says where it is *now*: what it leaves out it is not at. Identity comes from the server when the peer
joins and nothing a client says touches it. The last word of each peer is kept, so whoever joins late, or reads
slowly, is told the present and not its history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jupyter_runtimed.core.errors import BadRequest, Malformed, OverLimit
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.requests import convert, read_json

USER_FIELDS = ("username", "name", "color", "avatar_url")


class Cursor(msgspec.Struct, omit_defaults=True):
    """A selection in a cell. Offsets count Unicode code points, or are Automerge cursors as strings."""

    cell_id: str
    anchor: int | str
    head: int | str


class Place(msgspec.Struct, omit_defaults=True):
    """Where a peer is."""

    cursor: Cursor | None = None
    focus: str | None = None


class Presence:
    """The peers of a room.

    Args:
        limits: `max_presence_bytes` and `max_depth` count here.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._users: dict[PeerId, dict[str, Any]] = {}
        self._places: dict[PeerId, Place] = {}

    def join(self, peer_id: PeerId, user: Mapping[str, Any]) -> None:
        """Take a peer in, as the person the server says it is."""
        self._users[peer_id] = {field: user.get(field) for field in USER_FIELDS}
        self._places[peer_id] = Place()

    def leave(self, peer_id: PeerId) -> None:
        self._users.pop(peer_id, None)
        self._places.pop(peer_id, None)

    def receive(self, peer_id: PeerId, payload: bytes) -> bool:
        """Take a peer's frame.

        Returns:
            Whether anything is different now.

        Raises:
            OverLimit: it is larger than a presence frame may be.
            Malformed: it is no JSON, no object, or has fields of the wrong type.
        """
        if len(payload) > self._limits.max_presence_bytes:
            raise OverLimit(f"a presence frame may have {self._limits.max_presence_bytes} bytes")
        try:
            place = convert(read_json(payload, self._limits.max_depth), Place)
        except BadRequest as error:
            raise Malformed(f"presence: {error.message}") from error
        if place == self._places.get(peer_id):
            return False
        self._places[peer_id] = place
        return True

    def everybody(self) -> dict[str, Any]:
        """The frame for somebody who joins: all peers, themselves included."""
        return {"peers": {peer_id: self._person(peer_id) for peer_id in self._users}}

    def one(self, peer_id: PeerId) -> dict[str, Any]:
        """The frame that says where one peer is, or that it left."""
        if peer_id not in self._users:
            return {"peer_id": peer_id, "left": True}
        return {"peer_id": peer_id, **self._person(peer_id)}

    def _person(self, peer_id: PeerId) -> dict[str, Any]:
        place: dict[str, Any] = msgspec.to_builtins(self._places[peer_id])
        return {"user": self._users[peer_id], **place}
