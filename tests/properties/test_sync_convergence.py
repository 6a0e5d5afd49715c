"""Whatever peers do and however their messages are delayed, everybody ends with the same document."""

from __future__ import annotations

import random
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import HEAD, MAP, ROOT, TEXT, AheadReplica, ChangeBuilder, DocumentWriter, Engine
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.sync import DocumentSync

PIECES = ("a", "é", "🎉", "日本", "x = 1\n", "👩‍🔬", "long " * 30)


def imported(cells: int = 6) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A document chunk and its changes, as opening a file makes them."""
    writer = DocumentWriter()
    genesis = ChangeBuilder(b"genesis", recorder=writer)
    root = (genesis.make(None, "cells", MAP), b"genesis")
    changes = [genesis.finish()]
    start = genesis.next
    for number in range(cells):
        builder = ChangeBuilder(b"import-actor", number + 1, start, [changes[-1][1]], recorder=writer)
        cell = builder.make(root, f"c{number}", MAP)
        builder.text(builder.make(cell, "source", TEXT), f"cell {number}", HEAD)
        changes.append(builder.finish())
        start = builder.next
    return writer.finish(), changes


class StandardPeer:
    """What any Automerge library does: one sync state a connection, a message whenever there is one."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.engine = Engine.empty(bytes([number + 1]) * 16)
        self.connections = 0
        self.id: str | None = None
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()

    def connect(self, hub: DocumentSync) -> None:
        self.connections += 1
        self.id = f"{self.number}.{self.connections}"
        self.state = AheadReplica.new_sync_state()
        self.up.clear()
        self.down.clear()
        self.down.append(hub.join(self.id))
        self.speak()

    def speak(self) -> None:
        if self.id is not None and (message := self.engine.generate(self.state)) is not None:
            self.up.append(message)

    def hear(self) -> None:
        if self.down:
            self.engine.receive(self.state, self.down.popleft())
            self.speak()

    def edit(self, dice: random.Random) -> None:
        root = self.engine.child(ROOT, "cells")
        keys = self.engine.keys(root) if root else []
        if not root or not keys:
            return
        key = dice.choice(keys)
        text = self.engine.child(self.engine.child(root, key) or b"", "source")
        with self.engine.transaction() as writer:
            match dice.randrange(5):
                case 0 if len(keys) > 2:
                    writer.delete(root, key)
                case 1:
                    cell = writer.make(root, f"n{self.number}-{dice.randrange(10**6)}", MAP)
                    writer.splice_text(writer.make(cell, "source", TEXT), 0, 0, dice.choice(PIECES))
                case _ if text:
                    length = self.engine.length(text)
                    at = dice.randrange(length + 1)
                    writer.splice_text(text, at, min(dice.randrange(3), length - at), dice.choice(PIECES))
        self.speak()


def deliver(hub: DocumentSync, peer: StandardPeer) -> None:
    """One message up, if there is one, and what the hub has to say down."""
    assert peer.id is not None
    if peer.up:
        hub.receive(peer.id, peer.up.popleft(), may_write=True)


def flush(hub: DocumentSync, peers: list[StandardPeer], dice: random.Random | None = None) -> bool:
    said = False
    for peer in peers:
        if peer.id is None or (dice is not None and dice.random() < 0.3):
            continue
        if hub.is_behind(peer.id) and (message := hub.outgoing(peer.id)) is not None:
            peer.down.append(message)
            said = True
    return said


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), streaming=st.booleans())
def test_any_interleaving_converges(seed: int, streaming: bool) -> None:
    dice = random.Random(seed)
    chunk, changes = imported()
    if streaming:
        replica = AheadReplica(b"", actor=b"server-actor-one", heads=(), known=())
        replica.append(changes[:1])
        pending = changes[1:]
    else:
        replica = AheadReplica(chunk, actor=b"server-actor-one", heads=(changes[-1][1],), known=[h for _, h in changes])
        pending = []
    hub = DocumentSync(replica, Limits(), genesis=frozenset([changes[0][1]]))
    peers = [StandardPeer(number) for number in range(4)]
    for _ in range(120):
        peer = dice.choice(peers)
        match dice.randrange(12):
            case 0:
                if peer.id is None:
                    peer.connect(hub)
                elif dice.random() < 0.3:
                    hub.leave(peer.id)
                    peer.id = None
                    peer.up.clear()
                    peer.down.clear()
            case 1 | 2 | 3:
                peer.edit(dice)
            case 4 | 5 | 6:
                if peer.id is not None:
                    deliver(hub, peer)
            case 7 | 8:
                peer.hear()
            case 9 if pending:
                replica.append(pending[:2])
                pending = pending[2:]
            case 10 if not pending and dice.random() < 0.2:
                replica.compact()
            case _:
                flush(hub, peers, dice)
    replica.append(pending)
    for peer in peers:
        if peer.id is None:
            peer.connect(hub)
    for _ in range(400):
        busy = flush(hub, peers)
        for peer in peers:
            busy |= bool(peer.up or peer.down)
            while peer.up:
                deliver(hub, peer)
            while peer.down:
                peer.hear()
        if not busy:
            break
    else:
        raise AssertionError("the peers never come to rest")
    for peer in peers:
        assert peer.engine.heads == replica.heads
        assert peer.engine.extract() == replica.engine.extract()
        assert peer.id is not None and hub.is_level(peer.id)
