"""Nobody writes under the actor of another user who is here; honest relays and reconnects do not notice."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_runtimed.core.crdt import Engine, Replica, encode_sync, new_actor
from jupyter_runtimed.core.frames import FrameType, encode_frame
from jupyter_runtimed.rooms.actor_bindings import ActorBindings, ForgedActor
from jupyter_runtimed.rooms.room import Room
from tests.support.room_peers import Client, level
from tests.unit.rooms.test_durability import Life, edited
from tests.unit.rooms.test_hub import Setting
from tests.unit.rooms.test_room_loading import rest

MALLORY = {"username": "mallory", "name": "Mallory", "color": None, "avatar_url": None}
BOB = {"username": "bob", "name": "Bob", "color": None, "avatar_url": None}


def forged(s: Setting, like: Client) -> Engine:
    """A replica with all that `like` has, whose next change is by the author of the last one."""
    return under_last_actor(s.replica, like)


def under_last_actor(replica: Replica, like: Client) -> Engine:
    return Engine.load(like.notebook.save(), replica.log(replica.log_start)[-1].actor)


def send_change(sender: Client, engine: Engine, text: str, cell_id: str = "a") -> None:
    """Send one more change of another replica."""
    before = engine.heads
    cells = Client("editor", engine)
    cells.type_text(cell_id, 0, text)
    chunks = [chunk for _, chunk in engine.changes_since(before)]
    sender.send_raw(encode_frame(FrameType.NOTEBOOK_SYNC, encode_sync(chunks, engine.heads)))


async def test_the_next_change_of_somebody_who_is_here_cannot_be_written_for_them() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob", user=BOB)
    mallory = await s.join("mallory", user=MALLORY)
    alice.type_text("a", 0, "mine ")
    await s.settle(alice, bob, mallory)
    send_change(mallory, forged(s, mallory), "forged ")
    assert mallory.socket.close_code == 4410
    alice.type_text("a", 0, "still ")
    await s.settle(alice, bob)
    assert alice.socket.closed is None and bob.socket.closed is None
    assert level(s.replica, alice, bob) and bob.sources() == ["still mine hello"]


async def test_nobody_writes_under_the_servers_actor() -> None:
    s = Setting()
    mallory = await s.join("mallory", user=MALLORY)
    heads = s.replica.heads
    engine = Engine.load(mallory.notebook.save(), s.replica.actor)
    send_change(mallory, engine, "forged ")
    assert mallory.socket.close_code == 4410 and s.replica.heads == heads


async def test_what_an_author_did_offline_may_come_through_somebody_else_first() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob", user=BOB)
    bob.type_text("a", 0, "bob ")
    await s.settle(alice, bob)
    alice.disconnect()
    alice.type_text("a", 0, "offline ")
    bob.notebook.apply([chunk for _, chunk in alice.notebook.changes_since(bob.heads)])
    bob.send_all()
    await s.settle(bob)
    alice.connect(s.hub)
    await s.settle(alice, bob)
    alice.type_text("a", 0, "back ")
    await s.settle(alice, bob)
    assert alice.socket.closed is None and bob.socket.closed is None
    assert level(s.replica, alice, bob) and bob.sources() == ["back offline bob hello"]


async def test_what_somebody_brings_when_they_come_binds_nothing() -> None:
    """Bob merged alice's work while both were away, and comes back first."""
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob", user=BOB)
    alice.disconnect()
    bob.disconnect()
    alice.type_text("a", 0, "offline ")
    bob.notebook.apply([chunk for _, chunk in alice.notebook.changes_since(bob.heads)])
    bob.connect(s.hub, user=BOB)
    await s.settle(bob)
    alice.connect(s.hub)
    alice.type_text("a", 0, "back ")
    await s.settle(alice, bob)
    assert alice.socket.closed is None
    assert level(s.replica, alice, bob) and bob.sources() == ["back offline hello"]


async def test_who_comes_back_does_not_wait_for_the_connection_they_lost() -> None:
    s = Setting()
    alice = await s.join("alice")
    alice.type_text("a", 0, "one ")
    await s.settle(alice)
    half_open = alice.socket
    again = Client("again", alice.notebook)
    again.connect(s.hub)
    await s.settle(again)
    again.type_text("a", 0, "two ")
    await s.settle(again)
    assert half_open.closed is None and again.socket.closed is None
    assert again.sources() == ["two one hello"] and level(s.replica, again)


async def test_what_is_known_may_be_repeated_by_anybody() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob", user=BOB)
    before = s.replica.heads
    alice.type_text("a", 0, "mine ")
    await s.settle(alice, bob)
    chunks = [chunk for _, chunk in bob.notebook.changes_since(before)]
    bob.send_raw(encode_frame(FrameType.NOTEBOOK_SYNC, encode_sync(chunks, bob.heads)))
    await s.settle(alice, bob)
    assert bob.socket.closed is None


async def comes_back_and_is_merged(room: Room, client: Client) -> None:
    """A client's way back after 4410: the merge call, and a fresh replica."""
    client.connect(room.hub)
    await rest(client)
    assert client.socket.close_code == 4410, client.socket.closed
    await room.merge(client.notebook.save(), client.saved_heads, client.durable_heads)
    client.notebook = Engine.empty(new_actor())
    client.connect(room.hub)
    await rest(client)
    assert client.socket.closed is None and level(room.notebook.replica, client)


async def test_what_was_forged_while_its_author_was_away_costs_the_author_nothing() -> None:
    _, room, alice = await edited()
    alice.disconnect()
    mallory = Client("mallory").connect(room.hub, user=MALLORY)
    await rest(mallory)
    mallory.notebook = under_last_actor(room.notebook.replica, mallory)
    mallory.type_text("c0", 0, "forged ")
    assert mallory.socket.closed is None, "nobody can know that it is no relay"
    alice.type_text("c0", 5, "away ")
    alice.type_text("c1", 0, "away, too ")
    await comes_back_and_is_merged(room, alice)
    assert alice.sources() == ["forged mine away x = 0", "away, too x = 1", "x = 2"]
    alice.type_text("c2", 0, "back ")
    await rest(alice, mallory)
    assert alice.sources()[2] == "back x = 2" == mallory.sources()[2]


async def test_what_was_merged_for_its_author_is_not_taken_again_from_who_has_it_too() -> None:
    _, room, alice = await edited()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    alice.disconnect()
    bob.disconnect()
    forger = Client("mallory").connect(room.hub, user=MALLORY)
    await rest(forger)
    send_change(forger, under_last_actor(room.notebook.replica, forger), "forged ", "c0")
    alice.type_text("c1", 0, "away ")
    bob.notebook.apply([chunk for _, chunk in alice.notebook.changes_since(bob.heads)])
    bob.type_text("c1", 0, "bob ")
    await comes_back_and_is_merged(room, alice)
    await comes_back_and_is_merged(room, bob)
    assert sorted(bob.sources()[1].split()[:2]) == ["away", "bob"] and bob.sources()[1].endswith(" x = 1")


async def test_after_a_restart_nobody_keeps_an_author_out_by_writing_under_their_name_first() -> None:
    life, room, alice = await edited()
    author = room.notebook.replica.log(room.notebook.replica.log_start)[-1].actor
    alice.disconnect()
    room = await Life(life).world.open("a.ipynb")
    mallory = Client("mallory").connect(room.hub, user=MALLORY)
    await rest(mallory)
    mallory.notebook = Engine.load(mallory.notebook.save(), author)
    mallory.type_text("c0", 0, "forged ")
    await rest(mallory)
    alice.type_text("c1", 0, "away ")
    await comes_back_and_is_merged(room, alice)
    assert alice.sources() == ["forged mine x = 0", "away x = 1", "x = 2"]
    assert mallory.socket.closed is None


async def test_an_author_whose_work_was_relayed_before_they_wrote_themselves_goes_on() -> None:
    """After a restart: who relays under one actor first is taken for its author."""
    life, room, alice = await edited()
    bob = Client("bob").connect(room.hub, user=BOB)
    await rest(alice, bob)
    alice.disconnect()
    bob.disconnect()
    room = await Life(life).world.open("a.ipynb")
    bob.connect(room.hub, user=BOB)
    await rest(bob)
    alice.type_text("c1", 0, "away ")
    bob.notebook.apply([chunk for _, chunk in alice.notebook.changes_since(bob.heads)])
    bob.send_all()
    await rest(bob)
    alice.type_text("c2", 0, "more ")
    await comes_back_and_is_merged(room, alice)
    await rest(alice, bob)
    assert alice.sources() == bob.sources() == ["mine x = 0", "away x = 1", "more x = 2"]
    bob.type_text("c0", 0, "bob ")
    await rest(alice, bob)
    assert bob.socket.closed is None and alice.sources()[0] == "bob mine x = 0"


class Somebody:
    def __init__(self, *names: str) -> None:
        self.principals = frozenset(names)


A, SERVER = b"a" * 16, b"s" * 16


def refused(bindings: ActorBindings, writer: Any, actor: bytes = A) -> bool:
    try:
        bindings.check(writer, {actor}, SERVER)
    except ForgedActor:
        return True
    return False


def test_when_the_holder_has_gone_others_may_relay_and_nobody_else_comes_to_hold() -> None:
    bindings = ActorBindings()
    alice, bob, again = Somebody("alice"), Somebody("bob"), Somebody("alice", "token")
    bindings.wrote(alice, {A}, is_level=True)
    assert refused(bindings, bob) and not refused(bindings, alice) and not refused(bindings, again)
    bindings.left(alice)
    assert not refused(bindings, bob)
    bindings.wrote(bob, {A}, is_level=True)
    assert not refused(bindings, again), "what bob has relayed is not his"
    bindings.wrote(again, {A}, is_level=False)
    assert refused(bindings, bob), "who comes back with offline edits holds their actor again"


def test_a_socket_holds_one_actor_its_first() -> None:
    bindings = ActorBindings()
    alice, bob = Somebody("alice"), Somebody("bob")
    other = new_actor()
    bindings.wrote(bob, {other, A}, is_level=True)
    assert not refused(bindings, alice, other)
    bindings.wrote(bob, {other}, is_level=True)
    bindings.wrote(bob, {A}, is_level=True)
    assert refused(bindings, alice, other) and not refused(bindings, alice)
    bindings.left(bob)
    bindings.left(bob)
    assert not refused(bindings, alice, other)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runtimed.rooms.actor_bindings.MAX_REMEMBERED", 2)
    bindings = ActorBindings()
    for _ in range(3):
        writer = Somebody("x")
        bindings.wrote(writer, {new_actor()}, is_level=True)
        bindings.left(writer)
    assert len(bindings._users) == 2
