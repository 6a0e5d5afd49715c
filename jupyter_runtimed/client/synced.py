"""One document over one connection: a replica, its sync state, and what the server has said it has.

No waiting and no I/O: messages go in, messages come out. A message that was generated has to be delivered in order,
or the connection (and with it the sync state) is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_runtimed.core.crdt import (
    CAPABILITIES,
    EngineSyncState,
    Follower,
    SyncMessage,
    encode_news,
    encode_sync,
    parse_sync,
    read_document,
)
from jupyter_runtimed.core.errors import ProtocolError
from jupyter_runtimed.core.ids import Hash, Heads

_SERVER = "server"
"""Whose changes of the log are the server's."""

_MAX_INFLATED_BYTES = 1 << 30
"""The server is trusted with what it sends, but not without any bound."""


class SyncedDocument:
    """A replica that follows the server's document.

    It begins cold: the document chunk that the server sends first is read without the engine, as are those with more
    of a notebook that is still being loaded; the engine is made when a change is read, or made. Until then there are
    three kinds of messages: our hello, the server's document, our word that we have it.

    What the server has sent it knows that we have: a connection loses nothing. So while others' changes come in there
    is nothing to say, and twenty who watch one type cost no twenty acknowledgements a key. Nor is the engine's protocol
    told of them before it is to speak: it walks the whole history for each message it is told of.

    Attributes:
        replica: outlives connections.
        told: the server's heads as of its last message on this connection; None before the first.
        content: the whole document as plain Python, after a message that brought it without the engine. Whoever
            shows the document takes it.
    """

    def __init__(self, replica: Follower) -> None:
        self.replica = replica
        self.told: Heads | None = None
        self.content: dict[str, Any] | None = None
        self._state: EngineSyncState | None = None
        self._is_behind = False
        self._sent_to: int | None = None
        self._said: Heads | None = None
        self._lacking: tuple[Heads, Heads, frozenset[Hash]] | None = None

    def restart(self) -> None:
        """A new connection: both sides start with an empty sync state."""
        self.told = self._said = self._state = self._sent_to = None
        self._is_behind = False

    def receive(self, payload: bytes) -> None:
        """Take the server's sync message.

        Raises:
            ProtocolError: it does not parse.
        """
        message = parse_sync(payload)
        is_news = self._is_engaged or message.changes or message.need
        if not self._begin(message) and is_news and not self._follow(message):
            self.replica.sync_receive(self._engage(), payload, origin=_SERVER)
            self._sent_to = None
        self.told = tuple(sorted(message.heads))
        if self.told == self.replica.heads:
            self._sent_to = self.replica.log_end

    def _follow(self, message: SyncMessage) -> bool:
        """Take changes in that we have all dependencies of, as a server sends them that knows what we have."""
        replica = self.replica
        if self.told is None or message.need:
            return False
        before = replica.heads
        if not replica.follow(message.changes, origin=_SERVER) or not replica.surely_contains(message.heads):
            return False
        self._is_behind = True
        if self._said == before:
            self._said = replica.heads  # the server knows that we have what it has sent
        return True

    def outgoing(self) -> bytes | None:
        """The next message for the server, or None when there is nothing to say."""
        heads = self.replica.heads
        if self._is_engaged:
            if self._said is not None and heads == self.told:
                return None
            if self._said is not None and self._sent_to is not None and self._sent_to >= self.replica.log_start:
                return self._news(self._sent_to)
            self._said = heads
            return self.replica.sync_generate(self._engage())
        if self._said == heads:
            return None
        self._said = heads
        return encode_sync((), heads, have=[(heads, b"")], capabilities=CAPABILITIES)

    def _news(self, sent_to: int) -> bytes | None:
        """Our changes behind a place of the log up to which the server has everything, or None when there are none."""
        replica = self.replica
        own = [entry.chunk for entry in replica.log(sent_to) if entry.origin != _SERVER]
        self._sent_to, self._said, self._is_behind = replica.log_end, replica.heads, True
        return encode_news(own, replica.heads, self.told or ()) if own else None

    @property
    def _is_engaged(self) -> bool:
        """Whether the engine has the document, and speaks for it."""
        return self._state is not None or self.replica.is_hot

    def _begin(self, message: SyncMessage) -> bool:
        """Take a whole document in without the engine; whether that could be done."""
        if self._is_engaged or len(message.changes) != 1 or self.replica.log_end > self.replica.log_start:
            return False
        try:
            content, heads = read_document(message.changes[0], _MAX_INFLATED_BYTES)
        except ProtocolError:
            return False  # changes behind the chunk, say: the engine knows what to do with it
        self.content = content
        self.replica.begin(message.changes[0], heads)
        return True

    def _engage(self) -> EngineSyncState:
        """The engine's sync state; it begins where we and the server were level."""
        if self._state is None:
            self._state, self._is_behind = self.replica.new_sync_state(), True
        if self._is_behind and self.told is not None and self.replica.heads:
            level = encode_sync((), self.told, have=[(self.told, b"")], capabilities=CAPABILITIES)
            self.replica.sync_receive(self._state, level)
        self._is_behind = False
        return self._state

    @property
    def is_level(self) -> bool:
        """Whether we have all the server has told us of. False before it has said anything."""
        return self.told is not None and self.replica.contains(self.told)

    def server_has(self, heads: Iterable[Hash]) -> bool:
        """Whether the server has acknowledged these changes on this connection."""
        return self.told is not None and self.is_in(heads, self.told)

    def is_in(self, heads: Iterable[Hash], history_of: Heads) -> bool:
        """Whether changes are in the history that ends at some heads of the server's.

        False too when we lack part of that history: then it cannot be told.
        """
        wanted = set(heads)
        if wanted <= set(history_of):
            return True
        if not self.replica.contains(history_of) or not self.replica.contains(tuple(wanted)):
            return False
        return not wanted & self._beyond(history_of)

    def _beyond(self, heads: Heads) -> frozenset[Hash]:
        """The changes of the replica that are not in the history of these heads."""
        key = (heads, self.replica.heads)
        if self._lacking is None or self._lacking[:2] != key:
            newer = frozenset(digest for digest, _ in self.replica.engine.changes_since(heads))
            self._lacking = (*key, newer)
        return self._lacking[2]
