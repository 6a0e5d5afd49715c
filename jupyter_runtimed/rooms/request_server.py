"""Requests to one room: read, waited for, done, answered. One task each, off the reader.

Requests whose heads are there act in the order in which they came: a task begins in its turn and reaches its action
without waiting, be its peer gone by then or not. Those that wait hold up nothing else. Whatever happens, a request is
answered, once, unless the peer is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.core.errors import HeadsMissing, Internal, RateExceeded, RuntimedError
from jupyter_runtimed.core.requests import (
    InvalidRequest,
    Request,
    error_json,
    parse_request,
    required_heads,
    result_json,
)
from jupyter_runtimed.rooms.dispatch import act, changes_notebook, check_permission
from jupyter_runtimed.rooms.peer import Caller, Peer

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room

_log = logging.getLogger("jupyter_runtimed.rooms")


class RequestServer:
    """The requests of one room.

    Attributes:
        under_way: how many have come and are not answered.
    """

    def __init__(self, room: Room) -> None:
        self.under_way = 0
        self._room = room

    async def answer(self, caller: Caller, payload: bytes) -> dict[str, Any]:
        """Do one request that came without a socket; its answer, which says itself whether it worked.

        Raises:
            Malformed, OverLimit: it is no request at all.
        """
        try:
            request = parse_request(payload, self._room.services.settings.limits)
        except InvalidRequest as error:
            return error_json(error.request_id, error)
        return await self._do(lambda: caller, request, None)

    def receive(self, peer: Peer, payload: bytes) -> None:
        """Take a request frame of a peer; the answer goes to its outbox.

        Raises:
            Malformed, OverLimit: it is no request at all.
            RateExceeded: too many are under way.
        """
        room, settings = self._room, self._room.services.settings
        try:
            request = parse_request(payload, settings.limits)
        except InvalidRequest as error:
            room.hub.respond(peer, error_json(error.request_id, error))
            return
        if peer.serving >= settings.max_requests:
            raise RateExceeded(f"more than {settings.max_requests} requests at a time")
        peer.serving += 1
        room.tasks.start(self._serve(peer, request), f"request {request.id[:40]}")

    async def _serve(self, peer: Peer, request: Request) -> None:
        try:
            answer = await self._do(lambda: peer.caller, request, peer)
        finally:
            peer.serving -= 1
        self._room.hub.respond(peer, answer)

    async def _do(self, who: Callable[[], Caller], request: Request, peer: Peer | None) -> dict[str, Any]:
        room = self._room
        self.under_way += 1
        try:
            check_permission(who(), request)
            await self._wait(request, peer)
            return result_json(request.id, await act(room, who(), request))
        except RuntimedError as error:
            return error_json(request.id, error)
        except Exception as error:  # our own mistake is answered, too: somebody waits
            _log.exception("request failed room=%s action=%s", room.id, type(request).__name__)
            return error_json(request.id, Internal(f"the request failed: {type(error).__name__}"))
        finally:
            self.under_way -= 1
            room.unused()

    async def _wait(self, request: Request, peer: Peer | None) -> None:
        """Wait for the load and the required heads. Meanwhile nothing was done, and a peer that leaves ends it."""
        room = self._room
        heads = required_heads(request)
        must_warm = room.warming.is_due and changes_notebook(request)
        if not room.is_loading and not must_warm and room.contains(heads):
            room.check_ready()
            return
        if peer is not None and peer.is_gone:
            raise HeadsMissing("the peer has left")
        task = asyncio.current_task()
        assert task is not None
        waits = peer.waits if peer is not None else set()
        waits.add(task)
        try:
            await room.until_ready()
            await room.waiters.wait(heads)
            if must_warm:
                await room.warming.done()
        finally:
            waits.discard(task)
