"""Who is connected to a room, what they send about the documents, and what each must still be told.

Frames come in through `receive`, a plain function, which sends on before it returns; the second one in a turn of the
event loop and all behind it are sent on together at its end. What else changes wakes `flush` once a turn. `flush` alone
decides what goes out (rule numbers are cited in the code):

1. Nothing is sent to a peer whose last write has not drained. The documents are the queue.
2. To one peer: sync frames first, notebook before runtime, then answers and events, presence, status. So a status
   never overtakes the sync frames it speaks of, and an answer comes after the changes it made.
3. A peer that was level once is told no status while it is not level again.
4. Whatever goes wrong with one peer ends that peer and touches nobody else.
5. While the notebook is loading, sync messages that only the whole document can answer are held. Before it is known
   which import it will be (`open_notebook`), all of them are; runtime messages until there is a runtime document.
6. A message that needs the engine while the engine is not ready (`warming`) is held, and what its peer says after it.
7. A runtime document that is renewed under a connection is announced by a status; what the peer had said of the old
   one by then is left unheard.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_runtimed.core.crdt import ChangeInfo, Replica, parse_sync, vet_sync
from jupyter_runtimed.core.errors import Malformed, OverLimit, ProtocolError
from jupyter_runtimed.core.frames import SERVER_ONLY, FrameType, decode_frame, encode_frame
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.presence import Presence
from jupyter_runtimed.core.requests import encode_json
from jupyter_runtimed.core.sync import DocumentSync
from jupyter_runtimed.rooms.actor_bindings import ActorBindings
from jupyter_runtimed.rooms.lineage import Lineage
from jupyter_runtimed.rooms.peer import Peer
from jupyter_runtimed.rooms.ports.socket import PeerSocket

_log = logging.getLogger("jupyter_runtimed.rooms")

INTERNAL_ERROR = 1011
OTHER_LINEAGE = 4410


class Hub:
    """See the module.

    Args:
        limits: of foreign messages.
        status: the status of the room, without what differs from peer to peer.
        on_request: called with each request frame's payload.
        on_received: called with whoever has said something, when what it changed has been sent on.
        warm: called with no engine at hand; whether changes must wait until `notebook_warmed`.
        on_leave: called when a peer has left or was dropped.
        now: seconds that only grow; how fast peers send is measured by them.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        status: Callable[[], dict[str, Any]],
        on_request: Callable[[Peer, bytes], None],
        on_received: Callable[[Peer], None] = lambda _: None,
        warm: Callable[[], bool] = lambda: False,
        on_leave: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.peers: dict[PeerId, Peer] = {}
        self._limits = limits
        self._status = status
        self._on_request = on_request
        self._on_received = on_received
        self._warm = warm
        self._on_leave = on_leave
        self._now = now
        self._presence = Presence(limits)
        self._actors = ActorBindings()
        self._notebook: DocumentSync | None = None
        self._runtime: DocumentSync | None = None
        self._lineage: Lineage | None = None
        self._is_loading = True
        self._is_due = False
        self.is_receiving = False  # whether a peer's message is being taken in
        self._has_sent_on = False
        self._framed: tuple[bytes, bytes] = (b"", b"")

    # The documents.

    def serve_notebook(self, replica: Replica) -> None:
        """Sync this notebook document, still closed (rule 5). Peers of another one are sent away."""
        for peer in list(self.peers.values()) if self._notebook is not None else ():
            self.drop(peer, OTHER_LINEAGE, "the notebook was loaded anew; connect again")
        self._notebook = DocumentSync(replica, self._limits, check=self._check)
        self._lineage = None
        self._is_loading = True

    def open_notebook(self, lineage: Lineage) -> None:
        """It is known which changes belong to the document: what the peers have said can be looked at."""
        self._lineage = lineage
        self._take_held()

    def notebook_loaded(self) -> None:
        """The document is whole."""
        self._is_loading = False
        self._take_held()

    def notebook_warmed(self) -> None:
        """The engine has the document, as far as it can be had."""
        self._take_held()

    def serve_runtime(self, replica: Replica) -> None:
        """Sync this runtime document from now on. No peer may have begun with another one."""
        self._runtime = DocumentSync(replica, self._limits, read_only=True)
        for peer in list(self.peers.values()):
            self._guarded(peer, self._join_runtime, peer)
        self.wake()

    def renew_runtime(self, replica: Replica) -> None:
        """Sync another runtime document of the same content. Each peer is told the new epoch before any of it (rule 7).

        The status must say the new epoch by now.
        """
        self._runtime = DocumentSync(replica, self._limits, read_only=True)
        for peer in self.peers.values():
            peer.needs_runtime = peer.status_due = True
        self.wake()

    # Peers.

    def join(self, socket: PeerSocket) -> Peer:
        """Take a peer in and greet it. The first frame is the notebook document's."""
        assert self._notebook is not None
        peer = Peer(socket, self._now)
        self._presence.join(peer.id, socket.user)
        self._tell_presence(peer.id)
        self.peers[peer.id] = peer
        self._guarded(peer, self._greet, peer)
        self.wake()
        return peer

    def leave(self, peer: Peer) -> None:
        """Forget a peer whose socket is closed, or is about to be. No error when it has left."""
        if self.peers.get(peer.id) is not peer:
            return
        del self.peers[peer.id]
        peer.is_gone = True
        self._actors.left(peer)
        for sync in (self._notebook, self._runtime):
            if sync is not None:
                sync.leave(peer.id)
        self._presence.leave(peer.id)
        self._tell_presence(peer.id)
        for task in list(peer.waits):
            task.cancel()
        self._on_leave()

    def drop(self, peer: Peer, code: int, reason: str) -> None:
        """Close a peer's socket and forget it."""
        if not peer.is_gone:
            self.leave(peer)
            peer.socket.close(code, reason)

    def drop_all(self, code: int, reason: str) -> None:
        """Close every socket."""
        for peer in list(self.peers.values()):
            self.drop(peer, code, reason)

    # Coming in.

    def receive(self, peer: Peer, data: bytes | str) -> None:
        """Take one message of a peer, and send on what it changes: another turn of the loop would cost its time."""
        if peer.is_gone:
            return
        self.is_receiving = True
        try:
            self._guarded(peer, self._receive, peer, data)
        finally:
            self.is_receiving = False
        if self._is_due and not self._has_sent_on:
            self._has_sent_on = True
            asyncio.get_running_loop().call_soon(self._turn_ended)
            self.flush()
        self._guarded(peer, self._on_received, peer)

    def _turn_ended(self) -> None:
        self._has_sent_on = False
        if self._is_due:
            self.flush()

    def drained(self, peer: Peer) -> None:
        """The peer's transport takes more."""
        peer.is_drained = True
        self.wake()

    def _receive(self, peer: Peer, data: bytes | str) -> None:
        peer.rate.count()
        kind, payload = decode_frame(data)
        if len(data) > self._limits.max_frame_bytes:
            raise OverLimit(f"a frame may have {self._limits.max_frame_bytes:,} bytes")
        if kind is FrameType.NOTEBOOK_SYNC:
            self._receive_notebook(peer, payload)
        elif kind is FrameType.RUNTIME_SYNC:
            if self._runtime is None:
                peer.hold(peer.held_runtime, payload)
            elif not peer.needs_runtime:
                self._runtime.receive(peer.id, payload, may_write=False)
                self._wake_for(peer, self._runtime)
        elif kind is FrameType.REQUEST:
            self._on_request(peer, payload)
        elif kind is FrameType.PRESENCE:
            if self._presence.receive(peer.id, payload):
                self._tell_presence(peer.id)
        elif kind in SERVER_ONLY:
            raise Malformed(f"{kind.name} frames are for the server to send")

    def _receive_notebook(self, peer: Peer, payload: bytes) -> None:
        sync = self._notebook
        assert sync is not None
        if (self._is_loading and not self._can_take(peer, payload)) or self._must_wait(peer, payload):
            peer.hold(peer.held_notebook, payload)
        else:
            is_level = sync.has_met(peer.id)
            entries = sync.receive(peer.id, payload, may_write=peer.socket.can_write)
            actors = {entry.actor for entry in entries if entry.origin == peer.id}
            self._actors.wrote(peer, actors, is_level=is_level)
            if entries:  # who has spoken is told last: the others wait for the change, they for its confirmation only
                self.peers[peer.id] = self.peers.pop(peer.id)
            self._wake_for(peer, sync)

    def _can_take(self, peer: Peer, payload: bytes) -> bool:
        """Rule 5: whether the part of the document that is there is enough to answer a message."""
        assert self._notebook is not None
        if self._lineage is None or peer.held_notebook:
            return False
        infos = vet_sync(payload, self._limits).infos
        if self._lineage.has_unread(infos):
            return False
        brought = {info.hash for info in infos}
        heads = [head for head in parse_sync(payload).heads if head not in brought]
        return self._notebook.replica.contains(heads)

    def _must_wait(self, peer: Peer, payload: bytes) -> bool:
        """Rule 6."""
        assert self._notebook is not None
        if self._notebook.replica.is_hot:
            return bool(peer.held_notebook)
        if peer.held_notebook:
            return True
        return self._notebook.needs_engine(peer.id, payload) and self._warm()

    def _check(self, peer_id: str, infos: Sequence[ChangeInfo]) -> None:
        assert self._lineage is not None and self._notebook is not None
        self._lineage.check(infos)
        replica = self._notebook.replica
        actors = {info.actor for info in infos if not replica.contains((info.hash,))}
        self._actors.check(self.peers[PeerId(peer_id)], actors, replica.actor)

    def _take_held(self) -> None:
        for peer in list(self.peers.values()):
            for payload in peer.release(peer.held_notebook):
                if not peer.is_gone:
                    self._guarded(peer, self._receive_notebook, peer, payload)
        self.wake()

    # Going out.

    def wake(self) -> None:
        """Something may have to be said: flush, once, behind this message or this turn of the loop."""
        if not self._is_due:
            self._is_due = True
            if not self.is_receiving:
                asyncio.get_running_loop().call_soon(self.flush)

    def _wake_for(self, peer: Peer, sync: DocumentSync) -> None:
        """A peer has said something of a document; mostly that it has what it was sent, and then no answer is due."""
        if sync.is_behind(peer.id):
            self.wake()

    def tell_status(self) -> None:
        """The status has changed."""
        for peer in self.peers.values():
            peer.status_due = True
        self.wake()

    def tell_event(self, event: dict[str, Any]) -> None:
        """Send an event to everybody."""
        frame = encode_frame(FrameType.EVENT, encode_json(event))
        for peer in list(self.peers.values()):
            self._guarded(peer, peer.put, frame)
        self.wake()

    def respond(self, peer: Peer, answer: dict[str, Any]) -> None:
        """Send a peer the answer to its request."""
        if not peer.is_gone:
            self._guarded(peer, peer.put, encode_frame(FrameType.RESPONSE, encode_json(answer)))
            self.wake()

    def flush(self) -> None:
        """Send every peer what it must be told and can take now."""
        self._is_due = False
        status: dict[str, Any] | None = None
        for peer in list(self.peers.values()):
            if peer.is_drained:  # rule 1
                if peer.status_due and status is None:
                    status = self._status()
                self._guarded(peer, self._flush_peer, peer, status)

    def _flush_peer(self, peer: Peer, status: dict[str, Any] | None) -> None:
        self._flush_sync(peer, FrameType.NOTEBOOK_SYNC, self._notebook)
        if peer.needs_runtime:
            if status is None or not self._may_tell(peer, self._notebook):
                return
            self._send_status(peer, status)
            self._join_runtime(peer)
        self._flush_sync(peer, FrameType.RUNTIME_SYNC, self._runtime)
        has_to_know = peer.status_due or not peer.was_level
        may_tell = has_to_know and self._may_tell(peer, self._notebook, self._runtime)
        while peer.outbox and peer.is_drained:
            self._send(peer, peer.take())
        if peer.presence_due and peer.is_drained:
            self._send_presence(peer)
        if peer.status_due and peer.is_drained and status is not None and may_tell:
            self._send_status(peer, status)

    def _flush_sync(self, peer: Peer, kind: FrameType, sync: DocumentSync | None) -> None:
        if sync is not None and sync.is_behind(peer.id):
            message = sync.outgoing(peer.id)
            if message is not None:
                self._send(peer, self._frame(kind, message))

    def _may_tell(self, peer: Peer, *syncs: DocumentSync | None) -> bool:
        """Rule 3, about some of the documents; notes when a peer has all of both."""
        if all(sync is not None and sync.is_level(peer.id) for sync in syncs):
            peer.was_level = peer.was_level or len(syncs) == 2
            return True
        return not peer.was_level

    def _frame(self, kind: FrameType, message: bytes) -> bytes:
        """The frame of a sync message; peers at the same place get the very same one."""
        payload, frame = self._framed
        if payload is not message or frame[0] != kind:
            frame = encode_frame(kind, message)
            self._framed = (message, frame)
        return frame

    def _send_presence(self, peer: Peer) -> None:
        due, peer.presence_due = peer.presence_due, set()
        if None in due:
            messages = [self._presence.everybody()]
        else:
            messages = [self._presence.one(about) for about in due if about is not None]
        for message in messages:
            self._send(peer, encode_frame(FrameType.PRESENCE, encode_json(message)))

    def _send_status(self, peer: Peer, status: dict[str, Any]) -> None:
        peer.status_due = False
        own = {"peer_id": peer.id, "writable": peer.socket.can_write, "executable": peer.socket.can_execute}
        frame = encode_frame(FrameType.STATUS, encode_json({**status, **own}))
        if frame != peer.last_status:
            peer.last_status = frame
            self._send(peer, frame)

    def _tell_presence(self, about: PeerId) -> None:
        for peer in self.peers.values():
            if peer.id != about:
                peer.presence_due.add(about)
        self.wake()

    def _greet(self, peer: Peer) -> None:
        assert self._notebook is not None
        self._send(peer, encode_frame(FrameType.NOTEBOOK_SYNC, self._notebook.join(peer.id)))
        if self._runtime is not None:
            self._join_runtime(peer)

    def _join_runtime(self, peer: Peer) -> None:
        assert self._runtime is not None
        peer.needs_runtime = False
        self._send(peer, encode_frame(FrameType.RUNTIME_SYNC, self._runtime.join(peer.id)))
        for payload in peer.release(peer.held_runtime):
            self._runtime.receive(peer.id, payload, may_write=False)

    @staticmethod
    def _send(peer: Peer, frame: bytes) -> None:
        if not peer.socket.send(frame):
            peer.is_drained = False

    def _guarded(self, peer: Peer, action: Callable[..., None], *arguments: Any) -> None:
        """Rule 4."""
        try:
            action(*arguments)
        except ProtocolError as error:
            _log.warning("peer dropped peer=%s code=%d reason=%s", peer.id, error.close_code, error.message)
            self.drop(peer, error.close_code, error.message)
        except Exception:  # our own mistake costs this peer its socket and nobody else anything
            _log.exception("peer failed peer=%s", peer.id)
            self.drop(peer, INTERNAL_ERROR, "internal error")
