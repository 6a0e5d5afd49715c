"""The server's side of syncing one document with many sockets.

One `DocumentSync` serves all peers of one document of one room. Each peer has a state:

| state   | means                                            | leaves it when |
|---------|--------------------------------------------------|----------------|
| NEW     | our hello is sent; nothing was heard             | its first message: heads we know → LEVEL, |
|         |                                                  | heads we do not know → MEETING            |
| LEVEL   | an index: it has, or was sent, the log up to it  | it has heads we do not know → MEETING     |
| MEETING | the engine's own protocol asks it for what we do | we know its heads → LEVEL, with what it   |
|         | not know; nothing of ours is sent                | lacks                                     |

Sockets keep order and lose nothing, so a peer that is level needs no bloom filters and no history: it gets the part
of the log behind its index. Peers at the same index get the same bytes, encoded once. Neither a keystroke nor its
relay touches anything that grows with the document or its history.

Rules:
1. Only `outgoing` makes messages for a peer, and what it returns must be sent, in order, or the peer must `leave`.
2. A peer's own changes are not sent back to it; the new heads are, because its confirmation waits for them.
3. A peer that never heard our snapshot asks for it (`need`) in messages that crossed it: those are not answered again.
4. A peer whose changes we do not know yet gets none of ours: they may belong to another import of the notebook, and
   its replica must not become a mixture before it is told so.
5. Our messages announce no capabilities. A library that believes we read document chunks sends its whole document as
   soon as it has more to say than a third of it, and a document from a peer is refused. What we send does not depend
   on it: document chunks go to whoever announces them.
6. A peer believes that we have what its view of our bloom filter says, so now and then a change comes without one it
   depends on. We ask for that one and say nothing more until it is here: a library answers the last message it has
   read, and a second one would make it forget the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jupyter_runtimed.core.crdt import (
    ChangeInfo,
    EngineSyncState,
    LogEntry,
    Replica,
    SyncMessage,
    encode_news,
    encode_sync,
    parse_sync,
    vet_sync,
)
from jupyter_runtimed.core.crdt.sync_message import V2
from jupyter_runtimed.core.errors import MayNotWrite
from jupyter_runtimed.core.ids import Hash, Heads
from jupyter_runtimed.core.limits import Limits

CheckChanges = Callable[[str, tuple[ChangeInfo, ...]], None]
"""Looks at the foreign changes of a peer before they are applied, and raises a ProtocolError to refuse them."""


@dataclass(slots=True)
class _Peer:
    """What we know of one peer.

    Attributes:
        index: LEVEL: the log up to here is there or on its way; None before (NEW).
        told: the heads of our last message.
        settled: LEVEL: it has shown heads that came with our snapshot, so what it asks for is really missing.
        v2: it reads document chunks.
        needs_snapshot: LEVEL: it has nothing yet and gets everything next.
        since: LEVEL: it came with these heads and gets what is missing next.
        first: the heads of its first message.
        asked: MEETING: dependencies of early changes that we asked it for.
        state: MEETING: the engine's state; None otherwise.
    """

    index: int | None = None
    told: Heads | None = None
    settled: bool = False
    v2: bool = True
    needs_snapshot: bool = False
    since: Heads | None = None
    state: EngineSyncState | None = None
    first: Heads = ()
    asked: Heads = ()


class DocumentSync:
    """See the module.

    Args:
        replica: the document.
        limits: of foreign messages.
        genesis: hashes that a peer may have and still count as having nothing.
        check: refuses foreign changes.
        read_only: whether changes of peers are refused altogether (the runtime document).
    """

    def __init__(
        self,
        replica: Replica,
        limits: Limits,
        *,
        genesis: frozenset[Hash] = frozenset(),
        check: CheckChanges | None = None,
        read_only: bool = False,
    ) -> None:
        self.replica = replica
        self._limits = limits
        self._genesis = genesis
        self._check = check
        self._read_only = read_only
        self._peers: dict[str, _Peer] = {}
        self._cache: dict[tuple[int, str | None], bytes] = {}
        self._cache_heads: Heads = ()

    def join(self, peer_id: str) -> bytes:
        """Take a peer in; the hello to send it first. It says our heads and nothing of what we have."""
        heads = self.replica.heads
        self._peers[peer_id] = _Peer(told=heads)
        return encode_sync((), heads)

    def leave(self, peer_id: str) -> None:
        """Forget a peer."""
        if self._peers.pop(peer_id, None) is not None:
            self.replica.forget_early(peer_id)

    def is_level(self, peer_id: str) -> bool:
        """Whether all there is was sent to the peer."""
        peer = self._peers[peer_id]
        return peer.index is not None and not self.is_behind(peer_id)

    def has_met(self, peer_id: str) -> bool:
        """Whether we know all that the peer had when it came; what it brings from then on is new."""
        return self._peers[peer_id].index is not None

    def is_behind(self, peer_id: str) -> bool:
        """Whether `outgoing` may have something for the peer."""
        peer = self._peers[peer_id]
        if peer.state is not None or peer.needs_snapshot or peer.since is not None:
            return True
        return peer.told != self.replica.heads

    def receive(self, peer_id: str, payload: bytes, *, may_write: bool) -> list[LogEntry]:
        """Take a message of a peer in.

        Returns:
            The changes that became part of the document.

        Raises:
            Malformed, OverLimit: see `vet_sync`.
            MayNotWrite: it carries changes and the peer may not; none of them is applied.
            ProtocolError: what `check` raises.
        """
        peer = self._peers[peer_id]
        vetted = vet_sync(payload, self._limits)
        message = vetted.sync
        if vetted.infos:
            if self._read_only or not may_write:
                raise MayNotWrite("changes to this document are refused")
            if self._check is not None:
                self._check(peer_id, vetted.infos)
        entries = self.replica.apply(vetted.infos, origin=peer_id) if vetted.infos else []
        if peer.state is not None:
            self._confer(peer, message)
        elif peer.index is None:
            self._greet(peer, message)
        else:
            self._hear(peer, message, brought_changes=bool(vetted.infos))
        return entries

    def needs_engine(self, peer_id: str, payload: bytes) -> bool:
        """Whether taking in a message would make the replica's engine. Raises Malformed when it does not parse."""
        message = parse_sync(payload)
        heads = set(message.heads)
        if message.changes:
            return True
        if heads <= self._genesis or heads == set(self.replica.heads):
            return False
        # Who is level and follows a load tells that it has come to some place of the log, and asks for nothing.
        peer = self._peers[peer_id]
        is_following = peer.index is not None and peer.since is None and not message.need
        return not (is_following and self.replica.surely_contains(heads))

    def outgoing(self, peer_id: str) -> bytes | None:
        """The next message for a peer, or None when there is nothing to say. See rule 1."""
        peer = self._peers[peer_id]
        replica = self.replica
        if peer.state is not None:
            missing = replica.missing(peer_id)
            if missing:  # rule 6
                if missing == peer.asked:
                    return None
                peer.asked = missing
                return encode_sync((), replica.heads, need=missing)
            message = replica.sync_generate(peer.state)
            return None if message is None else _unannounced(message)
        if peer.needs_snapshot:
            return self._send_snapshot(peer)
        if peer.since is not None:
            chunks = replica.changes_since(peer.since)
            peer.since = None
            return self._send(peer, chunks)
        if peer.told == replica.heads:
            return None
        if peer.index is None:
            peer.told = replica.heads
            return encode_sync((), replica.heads)
        if peer.index < replica.log_start:
            return self._send_snapshot(peer)
        return self._send_log(peer, peer_id)

    # The three states.

    def _greet(self, peer: _Peer, message: SyncMessage) -> None:
        """The first message of a peer decides how it goes on."""
        peer.v2 = message.takes_document_chunks
        peer.first = message.heads
        heads = set(message.heads)
        if heads <= self._genesis:
            peer.index = self.replica.log_end
            peer.needs_snapshot = True
        elif self.replica.contains(heads):
            self._level_since(peer, message)
        else:
            self._meet(peer, message)

    def _hear(self, peer: _Peer, message: SyncMessage, *, brought_changes: bool) -> None:
        """A message of a peer that is level."""
        if brought_changes:
            peer.told = None  # rule 2: its confirmation waits for our word
        if not self.replica.contains(message.heads):
            self._meet(peer, message)
            return
        if not peer.settled:
            if message.heads == peer.first and not brought_changes:
                return  # rule 3
            peer.settled = True
        if message.need:
            self._level_since(peer, message)

    def _level_since(self, peer: _Peer, message: SyncMessage) -> None:
        """We know all the peer has: it gets what it lacks next."""
        heads = tuple(sorted(message.heads))
        peer.state, peer.index, peer.first = None, self.replica.log_end, message.heads
        has_all = heads == self.replica.heads
        peer.settled = has_all and not message.need
        peer.needs_snapshot = has_all and bool(message.need)  # it has lost something behind its own heads
        peer.told, peer.since = None, None if has_all else heads

    def _meet(self, peer: _Peer, message: SyncMessage) -> None:
        """Ask the peer, by the engine's own protocol, for what we do not know of it."""
        peer.index, peer.told, peer.since, peer.needs_snapshot = None, None, None, False
        peer.state = self.replica.new_sync_state()
        self._confer(peer, message)

    def _confer(self, peer: _Peer, message: SyncMessage) -> None:
        """Tell the engine's protocol what a message says; its changes have been applied, or left out, before."""
        assert peer.state is not None
        if self.replica.contains(message.heads):
            self._level_since(peer, message)
            return
        # Rule 4: as far as the engine is told, the peer has all we have and wants nothing.
        ours = [(self.replica.heads, b"")]
        rest = encode_sync((), message.heads, (), ours, message.capabilities or None)
        self.replica.sync_receive(peer.state, rest)

    # Messages.

    def _send(self, peer: _Peer, chunks: list[bytes]) -> bytes:
        heads = self.replica.heads
        peer.index, peer.told = self.replica.log_end, heads
        return encode_news(chunks, heads, heads)

    def _send_snapshot(self, peer: _Peer) -> bytes:
        """Everything there is: the snapshot's chunk and the log behind it."""
        replica = self.replica
        heads = replica.heads
        peer.index, peer.told, peer.needs_snapshot = replica.log_end, heads, False
        if not peer.v2:
            return encode_news(replica.changes_since(()), heads, heads)
        log = [entry.chunk for entry in replica.log(replica.log_start)]
        chunks = [replica.snapshot, *log] if replica.snapshot else log
        return encode_sync(chunks, heads, have=[(heads, b"")], v2=True)

    def _send_log(self, peer: _Peer, peer_id: str) -> bytes:
        """The part of the log behind a peer's index, without its own changes."""
        replica = self.replica
        index = peer.index
        assert index is not None
        if self._cache_heads != replica.heads:
            self._cache.clear()
            self._cache_heads = replica.heads
        entries = replica.log(index)
        own = peer_id if any(entry.origin == peer_id for entry in entries) else None
        message = self._cache.get((index, own))
        if message is None:
            chunks = [entry.chunk for entry in entries if entry.origin is None or entry.origin != own]
            message = self._cache[index, own] = encode_news(chunks, replica.heads, replica.heads)
        peer.index, peer.told = replica.log_end, replica.heads
        return message


def _unannounced(message: bytes) -> bytes:
    """A message of the engine without its capabilities: rule 5."""
    sync = parse_sync(message)
    return encode_sync(sync.changes, sync.heads, sync.need, sync.have, v2=sync.version == V2)
