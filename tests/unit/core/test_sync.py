"""The sync states of peers, arrow by arrow, with rc1 as the other side: NEW, LEVEL, MEETING."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.crdt import ROOT, Engine, EngineSyncState, Replica, encode_sync, new_actor, parse_sync
from jupyter_runtimed.core.document import GENESIS_HASH, NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import Malformed, MayNotWrite, OtherLineage, OverLimit
from jupyter_runtimed.core.ipynb import Import
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.sync import DocumentSync
from tests.unit.rooms.test_room_loading import notebook


def imported(cells: int = 3) -> Replica:
    """A cold replica, as opening a file makes it."""
    source = Import(notebook(cells), Limits())
    changes = [batch.change for batch in source.batches()]
    replica = new_notebook_replica(new_actor())
    replica.append(changes)
    replica.adopt_snapshot(source.snapshot())
    return replica


class Peer:
    """Any Automerge library: a document and one sync state, speaking when it has something to say."""

    def __init__(self, hub: DocumentSync, name: str, engine: Engine | None = None) -> None:
        self.hub = hub
        self.name = name
        self.engine = engine or Engine.empty(new_actor())
        self.state = EngineSyncState()
        self.received: list[bytes] = []
        self.take(hub.join(name))

    def take(self, message: bytes) -> None:
        self.received.append(message)
        self.engine.receive(self.state, message)

    def say(self) -> bool:
        message = self.engine.generate(self.state)
        if message is not None:
            self.hub.receive(self.name, message, may_write=True)
        return message is not None

    def listen(self) -> bool:
        message = self.hub.outgoing(self.name) if self.hub.is_behind(self.name) else None
        if message is not None:
            self.take(message)
        return message is not None

    def write(self, key: str, value: object) -> None:
        with self.engine.transaction() as writer:
            writer.put(ROOT, key, value)


def settle(*peers: Peer) -> int:
    """Let everybody speak until nobody has anything to say; how many messages that took."""
    count = 0
    for _ in range(200):
        said = sum(peer.say() for peer in peers) + sum(peer.listen() for peer in peers)
        count += said
        if not said:
            return count
    raise AssertionError("the peers never come to rest")


@pytest.fixture
def replica() -> Replica:
    return imported()


@pytest.fixture
def hub(replica: Replica) -> DocumentSync:
    return DocumentSync(replica, Limits(), genesis=frozenset({GENESIS_HASH}))


# NEW.


def test_the_hello_says_the_heads_and_nothing_of_what_we_have(hub: DocumentSync, replica: Replica) -> None:
    message = parse_sync(hub.join("alice"))
    assert message.heads == replica.heads and message.have == () and message.changes == () and message.need == ()


def test_a_silent_peer_is_told_the_new_heads_and_no_changes(hub: DocumentSync, replica: Replica) -> None:
    hub.join("alice")
    assert not hub.is_behind("alice")
    NotebookDocument(replica).set_metadata("x", 1)
    assert hub.is_behind("alice") and not hub.is_level("alice")
    told = hub.outgoing("alice")
    assert told is not None and parse_sync(told).heads == replica.heads and parse_sync(told).changes == ()
    assert not hub.is_behind("alice")


def test_no_message_of_ours_announces_that_we_read_documents(hub: DocumentSync, replica: Replica) -> None:
    """Else a browser that comes back with many edits sends its whole document, which is refused."""
    alice = Peer(hub, "alice")
    settle(alice)
    hub.leave("alice")
    for number in range(20):
        alice.write("offline", number)
    NotebookDocument(replica).set_metadata("online", 1)
    again = Peer(hub, "alice.2", alice.engine)
    settle(again)
    assert again.engine.heads == replica.heads
    assert all(parse_sync(message).capabilities == b"" for message in alice.received + again.received)


# NEW to LEVEL.


def test_an_empty_peer_gets_the_snapshot_once_and_answers_once(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    assert settle(alice) == 3, "its hello, the snapshot, its acknowledgement"
    assert alice.engine.heads == replica.heads and hub.is_level("alice") and not replica.is_hot
    assert replica.snapshot in alice.received[1]


def test_a_need_that_crossed_the_snapshot_is_not_answered_again(hub: DocumentSync) -> None:
    alice = Peer(hub, "alice")
    asked = alice.engine.generate(alice.state)
    assert asked is not None and parse_sync(asked).need
    hub.receive("alice", asked, may_write=True)
    hub.receive("alice", asked, may_write=True)
    assert hub.outgoing("alice") is not None
    hub.receive("alice", asked, may_write=True)
    assert hub.outgoing("alice") is None


def test_a_peer_that_has_all_of_it_is_level_at_once(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice", Engine.load(replica.snapshot, new_actor()))
    assert settle(alice) <= 3 and hub.is_level("alice") and not replica.is_hot
    assert all(len(message) < 200 for message in alice.received)


def test_a_peer_that_is_a_little_behind_gets_what_it_lacks(hub: DocumentSync, replica: Replica) -> None:
    old = Engine.load(replica.snapshot, new_actor())
    NotebookDocument(replica).set_metadata("x", 1)
    alice = Peer(hub, "alice", old)
    settle(alice)
    assert alice.engine.heads == replica.heads and hub.is_level("alice")
    assert sum(map(len, alice.received)) < len(replica.snapshot) + 300


def test_a_peer_without_document_chunks_gets_plain_changes(hub: DocumentSync, replica: Replica) -> None:
    hub.join("old")
    hub.receive("old", encode_sync((), (), [*replica.heads]), may_write=True)
    message = hub.outgoing("old")
    assert message is not None and message[0] == 0x42
    engine = Engine.empty(new_actor())
    engine.apply(list(parse_sync(message).changes))
    assert engine.heads == replica.heads


# NEW to MEETING to LEVEL.


def test_a_peer_with_changes_of_its_own_is_met_and_then_level(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    hub.leave("alice")
    alice.write("offline", "edit")
    NotebookDocument(replica).set_metadata("online", 1)
    again = Peer(hub, "alice.2", alice.engine)
    settle(again)
    assert again.engine.heads == replica.heads and hub.is_level("alice.2")
    assert replica.engine.value(ROOT, "offline") == "edit"


def held_back(hub: DocumentSync, name: str) -> bytes:
    """Meet a peer of whose two changes the first is held back by the bloom filter; that first one."""
    replica = hub.replica
    engine = Engine.load(replica.snapshot, new_actor())
    with engine.transaction() as writer:
        writer.put(ROOT, name, 1)
    with engine.transaction() as writer:
        writer.put(ROOT, name, 2)
    first, second = (chunk for _, chunk in engine.changes_since(replica.heads))
    hub.join(name)
    hub.receive(name, encode_sync((), engine.heads), may_write=True)
    assert hub.outgoing(name) is not None, "it is asked for what it has"
    hub.receive(name, encode_sync([second], engine.heads), may_write=True)
    return first


def test_what_came_without_what_it_builds_on_is_asked_for_in_one_message(hub: DocumentSync, replica: Replica) -> None:
    """A second message would make the peer forget the first, and neither side would ever come to rest."""
    first = held_back(hub, "alice")
    asked = hub.outgoing("alice")
    assert asked is not None and len(parse_sync(asked).need) == 1
    assert hub.outgoing("alice") is None
    hub.receive("alice", encode_sync([first], replica.heads), may_write=True)
    assert replica.engine.value(ROOT, "alice") == 2


def test_nobody_waits_for_what_somebody_else_held_back(hub: DocumentSync, replica: Replica) -> None:
    held_back(hub, "alice")
    bob = Engine.load(replica.snapshot, new_actor())
    with bob.transaction() as writer:
        writer.put(ROOT, "bob", 1)
    met = Peer(hub, "bob", bob)
    settle(met)
    assert hub.is_level("bob") and replica.engine.value(ROOT, "bob") == 1


def test_who_leaves_takes_along_what_waits(hub: DocumentSync, replica: Replica) -> None:
    held_back(hub, "alice")
    hub.leave("alice")
    assert replica.missing("alice") == ()


# LEVEL.


def test_a_keystroke_is_one_message_to_each_other_peer_and_an_acknowledgement_to_its_author(hub: DocumentSync) -> None:
    alice, bob = Peer(hub, "alice"), Peer(hub, "bob")
    settle(alice, bob)
    for peer in (alice, bob):
        peer.received.clear()
    alice.write("x", 1)
    settle(alice, bob)
    assert len(bob.received) == 1 and len(parse_sync(bob.received[0]).changes) == 1
    assert len(alice.received) == 1 and parse_sync(alice.received[0]).changes == ()
    assert parse_sync(alice.received[0]).heads == alice.engine.heads == bob.engine.heads


def test_level_peers_share_one_message(hub: DocumentSync, replica: Replica) -> None:
    peers = [Peer(hub, name) for name in ("alice", "bob", "carol")]
    settle(*peers)
    NotebookDocument(replica).set_metadata("x", 1)
    messages = {id(hub.outgoing(peer.name)) for peer in peers}
    assert len(messages) == 1


def test_who_is_behind_gets_everything_since_in_one_message(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    document = NotebookDocument(replica)
    for number in range(50):
        document.set_metadata("x", number)
    alice.received.clear()
    settle(alice)
    assert len(alice.received) == 1 and alice.engine.heads == replica.heads


def test_a_peer_whose_place_was_compacted_away_gets_the_snapshot_again(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    NotebookDocument(replica).set_metadata("x", 1)
    replica.compact()
    settle(alice)
    assert alice.engine.heads == replica.heads and hub.is_level("alice")


def test_what_a_keystroke_costs_does_not_grow_with_the_document_or_its_history() -> None:
    costs = []
    for cells, history in ((3, 10), (200, 10), (3, 600)):
        replica = imported(cells)
        hub = DocumentSync(replica, Limits(), genesis=frozenset({GENESIS_HASH}))
        alice, bob = Peer(hub, "alice"), Peer(hub, "bob")
        settle(alice, bob)
        for number in range(history):
            alice.write("x", number % 2)
            settle(alice, bob)
        alice.received.clear()
        bob.received.clear()
        for number in range(20):
            alice.write("x", number % 2)
            settle(alice, bob)
        costs.append(sum(map(len, alice.received)) + sum(map(len, bob.received)))
    assert max(costs) - min(costs) < 200, costs  # operation counters grow by a byte now and then


def test_a_peer_that_asks_for_what_it_lost_is_met(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    hub.receive("alice", encode_sync((), replica.heads, [replica.heads[0]]), may_write=True)
    assert hub.is_behind("alice")
    answer = hub.outgoing("alice")
    assert answer is not None and parse_sync(answer).changes


# What is refused.


def test_changes_of_a_peer_that_may_not_write_are_refused_whole(hub: DocumentSync, replica: Replica) -> None:
    guest = Peer(hub, "guest")
    settle(guest)
    before = replica.heads
    guest.write("x", 1)
    message = guest.engine.generate(guest.state)
    assert message is not None
    with pytest.raises(MayNotWrite):
        hub.receive("guest", message, may_write=False)
    assert replica.heads == before
    hub.receive("guest", encode_sync((), before), may_write=False)  # listening is allowed


def test_a_read_only_document_takes_no_changes_from_anybody(replica: Replica) -> None:
    hub = DocumentSync(replica, Limits(), read_only=True)
    alice = Peer(hub, "alice")
    settle(alice)
    alice.write("x", 1)
    message = alice.engine.generate(alice.state)
    assert message is not None
    with pytest.raises(MayNotWrite):
        hub.receive("alice", message, may_write=True)


def test_what_the_room_refuses_is_not_applied(replica: Replica) -> None:
    def refuse(*_: object) -> None:
        raise OtherLineage("no")

    hub = DocumentSync(replica, Limits(), check=refuse)
    alice = Peer(hub, "alice")
    settle(alice)
    before = replica.heads
    alice.write("x", 1)
    message = alice.engine.generate(alice.state)
    assert message is not None
    with pytest.raises(OtherLineage):
        hub.receive("alice", message, may_write=True)
    assert replica.heads == before


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x42", b"\x42\xff\xff\xff\xff\x0f", b"nonsense"])
def test_what_is_no_sync_message_is_malformed_and_changes_nothing(
    hub: DocumentSync, replica: Replica, message: bytes
) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    before = replica.heads
    with pytest.raises((Malformed, OverLimit)):
        hub.receive("alice", message, may_write=True)
    assert replica.heads == before and hub.is_level("alice")


def test_a_document_chunk_from_a_peer_is_malformed(hub: DocumentSync, replica: Replica) -> None:
    alice = Peer(hub, "alice")
    settle(alice)
    with pytest.raises(Malformed):
        hub.receive("alice", encode_sync([replica.snapshot], replica.heads, v2=True), may_write=True)


def test_a_peer_that_has_left_is_forgotten(hub: DocumentSync) -> None:
    hub.join("alice")
    hub.leave("alice")
    hub.leave("alice")
    with pytest.raises(KeyError):
        hub.outgoing("alice")
