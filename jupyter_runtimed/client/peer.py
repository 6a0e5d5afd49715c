"""A full peer of one room: replicas, requests and waits over a connection that is kept up.

Reads are whatever the view shows now. An edit changes the replica at once and then waits until it has been handed to
the socket; without a connection it stays in the replica, and the next sync brings it up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from jupyter_runtimed.client.answers import DEADLINE_S, Answers, deadline_of
from jupyter_runtimed.client.connection import Backoff, Connection
from jupyter_runtimed.client.errors import (
    CLOSED_NO_SUCH_ROOM,
    Disconnected,
    HeadsUnconfirmed,
    NotebookClosed,
    error_from_close,
)
from jupyter_runtimed.client.rest import RoomInfo
from jupyter_runtimed.client.tasks import Tasks
from jupyter_runtimed.client.transport import Transport, TransportClosed
from jupyter_runtimed.client.view import Change, RoomView
from jupyter_runtimed.client.waiters import Waiters
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import BadRequest, Forbidden, LoadFailed, Malformed, OtherLineage, RuntimedError
from jupyter_runtimed.core.frames import FrameType, decode_frame
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Server(Protocol):
    """What a peer needs of a server besides frames."""

    async def connect(self, room_id: str) -> Transport:
        """A new socket of a room."""

    async def merge(
        self, room_id: str, document: bytes, saved_heads: Heads = (), durable_heads: Heads = ()
    ) -> Mapping[str, Any]:
        """Hand over a replica of another lineage, and what of it was saved, and durable; `heads`, `kept_aside`."""

    async def open_room(self, path: str) -> RoomInfo:
        """The room of a file."""


class Peer:
    """One replica joined to one room.

    Args:
        server: where the room is.
        room_id: its id; another one only when the server forgot the room and opened the file anew.
        new_actor: makes a random actor id for each new replica.
        backoff: how to come back after a loss.

    Attributes:
        view: what is known of the room.
        waiters: ends of waits; noticed after every frame and every edit.
        tasks: ended by `stop`.
        kept_aside: ids of cells that a merge could place nowhere else.
    """

    def __init__(
        self, server: Server, room_id: str, *, new_actor: Callable[[], bytes], backoff: Backoff | None = None
    ) -> None:
        self.room_id = room_id
        self.view = RoomView(new_actor)
        self.waiters = Waiters()
        self.tasks = Tasks()
        self.kept_aside: list[str] = []
        self._server = server
        self._answers = Answers()
        self._posted: list[bytes] = []
        self._failure: RuntimedError | None = None
        self._had_room = False
        self._merged_heads: Heads = ()
        self._connection = Connection(self._dial, self, self.tasks, backoff or Backoff())
        self._listeners: list[Callable[[Change], None]] = []
        self._event_listeners: list[Callable[[Mapping[str, Any]], None]] = []

    # ---- life ----

    async def start(self, timeout: float = DEADLINE_S) -> None:
        """Connect, and wait until the whole notebook is here.

        Raises:
            LoadFailed: the file cannot be loaded; the message says why.
            RuntimedError: no such room, forbidden, not reached.
        """
        try:
            await self._connection.start()
            await self.waiters.until(self._is_open, timeout, f"room {self.room_id} to be loaded")
        except BaseException:
            await self.stop()
            raise

    def _is_open(self) -> bool:
        status = self.view.status
        if status is not None and status.phase == "failed":
            error = status.error or {}
            raise LoadFailed(str(error.get("message") or "the notebook could not be loaded"), path=status.path)
        return status is not None and status.phase == "ready" and self.view.is_level

    async def stop(self) -> None:
        """Leave the room. What was not sent is lost with the replica."""
        if self._failure is None:
            self.failed(NotebookClosed("this notebook was closed; open it again"))
        await self.tasks.stop()

    @property
    def is_connected(self) -> bool:
        return self._connection.is_connected

    @property
    def is_alive(self) -> bool:
        """Whether it is connected or still tries to be."""
        return self._failure is None

    def check_alive(self) -> None:
        """Raise what ended this peer, if anything did."""
        if self._failure is not None:
            raise self._failure

    # ---- edits ----

    async def edit(self, change: Callable[[NotebookDocument], _T]) -> _T:
        """Apply a change to the document now, then wait until it is on its way.

        Raises:
            Forbidden: this user may not write; nothing was changed.
            RuntimedError: the document refused (NoSuchCell), or the notebook is closed.
        """
        self.check_alive()
        if self.view.is_between:
            # Our replica is being merged into another lineage: an edit now would be made to what is thrown away.
            await self._merged()
        if self.view.status is not None and not self.view.status.writable:
            raise Forbidden("this user may read the notebook, not edit it")
        try:
            result = self.view.edit(change)
        finally:
            self._settle()
        await self._connection.flush()
        return result

    async def _merged(self) -> None:
        await self.waiters.until(lambda: not self.view.is_between, DEADLINE_S, "the merge after a reconnect")

    def post_presence(self, presence: Mapping[str, Any]) -> None:
        """Say where we are, now and after each reconnect."""
        self.view.set_presence(presence)
        self._connection.wake()

    # ---- requests ----

    async def request(
        self, action: str, *, with_heads: bool = False, deadline_s: float | None = None, **fields: Any
    ) -> Any:
        """Ask the room for something and wait for its answer.

        Args:
            action: of the protocol.
            with_heads: let the server first see all we have.
            deadline_s: when to give up; default longer than the server's own limits.
            fields: of the action.

        Raises:
            RuntimedError: the server's refusal; Disconnected when the connection broke before the answer.
        """
        self.check_alive()
        deadline = deadline_of(action, fields) if deadline_s is None else deadline_s
        if not self.is_connected:
            await self.waiters.until(lambda: self.is_connected, deadline, f"a connection for {action}")
        if with_heads:
            await self._merged()
            fields["required_heads"] = heads_to_hex(self.view.notebook.replica.heads)
        frame, answer = self._answers.expect(action, fields)
        self._posted.append(frame)
        self._connection.wake()
        return await self._answers.wait(answer, deadline, action)

    # ---- confirmation ----

    async def confirm(self, timeout: float) -> Heads:
        """Wait until the server has said that it has all we have now; those heads.

        Raises:
            HeadsUnconfirmed: it did not in time. The edits stay, and will go up.
        """
        return await self._reached(self.view.server_has, timeout, "the server's word that it has our changes")

    async def durable(self, timeout: float) -> Heads:
        """Wait until all we have now, outputs too, survives the death of the server; the notebook's heads.

        Raises:
            HeadsUnconfirmed: it is not known to, in time.
        """
        view, runtime = self.view, self.view.runtime.replica
        shown = runtime.heads

        def is_durable(heads: Heads) -> bool:
            return view.is_durable(heads) and view.is_runtime_durable(runtime, shown)

        return await self._reached(is_durable, timeout, "our changes to be durable")

    async def _reached(self, is_there: Callable[[Heads], bool], timeout: float, what: str) -> Heads:
        self.check_alive()
        replica = self.view.notebook.replica
        heads = replica.heads

        def target() -> Heads:
            # Through a merge our changes became others, of the lineage that the server has.
            return heads if self.view.notebook.replica is replica else self._merged_heads

        await self.waiters.until(lambda: is_there(target()), timeout, what, HeadsUnconfirmed)
        return target()

    # ---- listeners ----

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call a listener after each change; returns a function that ends it."""
        return _subscribe(self._listeners, listener)

    def on_event(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call a listener with each event frame; returns a function that ends it."""
        return _subscribe(self._event_listeners, listener)

    def _settle(self) -> None:
        """Tell waiters and listeners what has changed."""
        change = self.view.take_change()
        self.waiters.notice()
        if change is not None:
            _tell(self._listeners, change)

    # ---- the connection's side (client.connection.Connected) ----

    async def _dial(self) -> Transport:
        return await self._server.connect(self.room_id)

    def connected(self) -> None:
        self.view.connected()
        self._posted.clear()
        self.waiters.notice()

    def receive(self, frame: bytes) -> None:
        kind, payload = decode_frame(frame)
        if kind is None:
            return
        if kind is FrameType.NOTEBOOK_SYNC:
            self.view.receive_notebook(payload)
        elif kind is FrameType.RUNTIME_SYNC:
            self.view.receive_runtime(payload)
        else:
            try:
                self._receive_json(kind, payload)
            except (msgspec.DecodeError, BadRequest, TypeError, AttributeError, KeyError) as error:
                raise Malformed(f"a {kind.name} frame of the server does not parse: {error!r}") from error
        if self.view.is_level:
            self._had_room = True
        self._settle()

    def _receive_json(self, kind: FrameType, payload: bytes) -> None:
        if kind is FrameType.RESPONSE:
            self._answers.receive(payload)
            return
        body = msgspec.json.decode(payload)
        if kind is FrameType.STATUS:
            self.view.receive_status(body)
        elif kind is FrameType.PRESENCE:
            self.view.receive_presence(body)
        elif kind is FrameType.EVENT:
            _tell(self._event_listeners, body)

    def outgoing(self) -> Iterator[bytes]:
        """Sync first: what a request needs is there before it."""
        yield from self.view.outgoing()
        while self._posted:
            yield self._posted.pop(0)

    def lost(self, closed: TransportClosed) -> bool:
        useful = self.view.is_level
        self._answers.fail(
            Disconnected(f"the connection ended ({closed.code}) before the answer came; it may have been done or not")
        )
        self.view.disconnected()
        self._settle()
        return useful

    async def recover(self, closed: TransportClosed) -> None:
        if closed.code == OtherLineage.close_code:
            await self._merge()
            return
        path = self.view.status.path if self.view.status else None
        if closed.code == CLOSED_NO_SUCH_ROOM and self._had_room and path is not None:
            # The server has forgotten the room, not the file: equal bytes give an equal history, so our replica fits.
            self.room_id = (await self._server.open_room(path)).room_id
            return
        error = error_from_close(closed.code, closed.reason)
        if error is not None:
            raise error

    async def _merge(self) -> None:
        """Give our edits to the server to merge by content, and start with an empty replica."""
        self.view.begin_merge()
        if self.view.has_own_edits:
            view, document = self.view, self.view.notebook.replica.save()
            answer = await self._server.merge(self.room_id, document, view.saved_heads, view.durable_heads)
            self._merged_heads = heads_from_hex(answer.get("heads", []))
            self.kept_aside.extend(answer.get("kept_aside", []))
        self.view.start_afresh()

    def failed(self, error: RuntimedError) -> None:
        self._failure = error
        self._answers.fail(error)
        self.waiters.fail(error)
        self._settle()


def _subscribe(listeners: list[_T], listener: _T) -> Callable[[], None]:
    listeners.append(listener)

    def end() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return end


def _tell(listeners: list[Callable[[Any], None]], news: object) -> None:
    for listener in tuple(listeners):
        try:
            listener(news)
        except Exception:  # a listener's fault stays its own
            _log.exception("listener failed name=%r", listener)
