"""The hub: what comes in is looked at, what goes out is in order, and one bad peer harms nobody."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import MAP, ROOT, ChangeBuilder, Engine, encode_sync, new_actor
from jupyter_runtimed.core.document import GENESIS_HASH, NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.frames import FrameType, encode_frame
from jupyter_runtimed.core.ipynb import import_actor
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.frame_rate import BURST_FRAMES, FRAMES_PER_S
from jupyter_runtimed.rooms.hub import Hub
from jupyter_runtimed.rooms.lineage import Lineage
from jupyter_runtimed.rooms.peer import MAX_HELD_FRAMES, Peer
from tests.support.manual_clock import settle
from tests.support.room_peers import Client, level


class Setting:
    """A hub with a notebook of one cell, and a runtime document."""

    def __init__(self, *, is_ready: bool = True) -> None:
        self.requests: list[bytes] = []
        self.said: dict[str, Any] = {"load": {"phase": "ready"}, "saved_heads": []}
        self.seconds = 0.0
        self.hub = Hub(Limits(), status=lambda: dict(self.said), on_request=self._on_request, now=lambda: self.seconds)
        self.replica = new_notebook_replica(new_actor())
        self.document = NotebookDocument(self.replica)
        self.runtime = RuntimeDocument(new_actor())
        self.hub.serve_notebook(self.replica)
        self.replica.on_advance = lambda _: self.hub.wake()
        if is_ready:
            self.document.insert_cell("code", "hello", id="a")
            self.make_ready()

    def make_ready(self) -> None:
        self.hub.open_notebook(Lineage(self.replica.contains, None))
        self.hub.notebook_loaded()
        self.hub.serve_runtime(self.runtime.replica)
        self.runtime.replica.on_advance = lambda _: self.hub.wake()

    def _on_request(self, _: Peer, payload: bytes) -> None:
        self.requests.append(payload)

    async def join(self, name: str, **options: Any) -> Client:
        client = Client(name).connect(self.hub, **options)
        await self.settle(client)
        return client

    async def settle(self, *clients: Client) -> None:
        """Let frames travel until nobody has anything to say."""
        for _ in range(50):
            await settle(2)
            if sum(client.read() for client in clients) == 0:
                return
        raise AssertionError("the peers never come to rest")


async def test_the_first_frames_are_notebook_runtime_presence_and_status() -> None:
    s = Setting()
    alice = Client("alice").connect(s.hub)
    await settle(2)
    assert alice.socket.kinds()[0] == FrameType.NOTEBOOK_SYNC
    order = list(dict.fromkeys(alice.socket.kinds()))
    assert order == [FrameType.NOTEBOOK_SYNC, FrameType.RUNTIME_SYNC, FrameType.PRESENCE, FrameType.STATUS]


async def test_an_empty_client_has_everything_by_sync_alone() -> None:
    """Seed 608: no other way in."""
    s = Setting()
    alice = await s.join("alice")
    assert level(s.replica, alice) and alice.sources() == ["hello"]
    assert alice.runtime.heads == s.runtime.replica.heads and alice.runtime.extract()["schema_version"] == 1


async def test_two_clients_type_at_once_and_converge() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    alice.type_text("a", 5, " wörld 🎉")
    bob.type_text("a", 0, ">> ")
    await s.settle(alice, bob)
    assert level(s.replica, alice, bob) and alice.sources() == bob.sources() == [">> hello wörld 🎉"]


async def test_a_burst_in_one_turn_is_one_message_for_each_peer() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    before = len(bob.socket.sent)
    for index in range(20):
        s.document.splice("a", 0, 0, str(index))
    await settle(2)
    assert len(bob.socket.sent) == before + 1
    await s.settle(alice, bob)
    assert level(s.replica, alice, bob)


async def test_a_key_is_sent_on_at_once_and_what_follows_in_its_turn_together() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    before = len(bob.socket.sent)
    for index in range(20):
        alice.type_text("a", 0, str(index))
        assert len(bob.socket.sent) == before + 1
    assert bob.socket.kinds()[-1] == FrameType.NOTEBOOK_SYNC
    await settle(2)
    assert len(bob.socket.sent) == before + 2
    await s.settle(alice, bob)
    assert level(s.replica, alice, bob)


async def test_who_types_is_told_behind_those_who_wait_for_it() -> None:
    s = Setting()
    alice, bob, carol = [await s.join(name) for name in ("alice", "bob", "carol")]
    told: list[str] = []
    for client in (alice, bob, carol):
        client.socket.on_send = partial(told.append, client.name)
    for typist in (bob, alice, carol):
        told.clear()
        typist.type_text("a", 0, "x")
        assert len(told) == 3 and told[-1] == typist.name
        await s.settle(alice, bob, carol)


async def test_level_peers_are_sent_the_very_same_bytes() -> None:
    s = Setting()
    clients = [await s.join(name) for name in ("alice", "bob", "carol")]
    s.document.splice("a", 0, 0, "x")
    await settle(2)
    frames = [client.socket.sent[-1] for client in clients]
    assert frames[0] is frames[1] is frames[2]


async def test_a_slow_peer_gets_one_larger_message_later_and_delays_nobody() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    bob.socket.is_slow = True
    at = len(bob.socket.sent)
    for index in range(100):
        alice.type_text("a", 0, str(index % 10))
        await settle(2)
        alice.read()
    assert len(bob.socket.sent) == at + 1, "what was sent before the socket said that it is full"
    bob.socket.is_slow = False
    s.hub.drained(bob.peer)
    await settle(2)
    assert len(bob.socket.sent) == at + 2
    await s.settle(alice, bob)
    assert level(s.replica, alice, bob)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 1002),
        ("text", 1002),
        (b"\x02{}", 1002),
        (b"\x03{}", 1002),
        (b"\x07{}", 1002),
        (b"\x00nonsense", 1002),
        (b"\x00", 1002),
        (b"\x05\x42\xff\xff\xff\xff", 1002),
        (b"\x04[", 1002),
        (b'\x04{"focus": "' + b"x" * 5000 + b'"}', 1009),
    ],
)
async def test_a_broken_frame_ends_that_peer_alone(data: bytes | str, code: int) -> None:
    s = Setting()
    alice, bob, mallory = await s.join("alice"), await s.join("bob"), await s.join("mallory")
    mallory.send_raw(data)
    assert mallory.socket.close_code == code
    alice.type_text("a", 0, "still ")
    await s.settle(alice, bob)
    assert bob.sources() == ["still hello"]
    assert {"peer_id": mallory.peer.id, "left": True} in bob.socket.bodies(FrameType.PRESENCE)


async def test_frames_over_the_limit_end_the_peer() -> None:
    s = Setting()
    s.hub._limits = Limits(max_frame_bytes=100)
    alice = await s.join("alice")
    alice.send_raw(b"\x06" + b"x" * 100)
    assert alice.socket.close_code == 1009


async def test_unknown_frames_are_skipped() -> None:
    s = Setting()
    alice = await s.join("alice")
    alice.send_raw(b"\x06whatever")
    alice.send_raw(b"\xff")
    assert alice.socket.closed is None


async def test_a_write_that_fails_ends_that_peer_alone() -> None:
    s = Setting()
    alice, bob, carol = await s.join("alice"), await s.join("bob"), await s.join("carol")
    bob.socket.is_broken = True
    alice.type_text("a", 0, "x")
    await s.settle(alice, carol)
    assert bob.peer.is_gone and bob.socket.close_code == 1011
    assert level(s.replica, alice, carol)


async def test_a_peer_that_may_not_write_is_closed_and_nothing_of_it_applied() -> None:
    s = Setting()
    alice, guest = await s.join("alice"), await s.join("guest", can_write=False)
    assert guest.sources() == ["hello"]
    before = s.replica.heads
    guest.type_text("a", 0, "forged")
    assert guest.socket.close_code == 4403 and s.replica.heads == before
    alice.type_text("a", 5, "!")
    await s.settle(alice)
    assert s.document.cell("a").source == "hello!"


async def test_rights_are_asked_for_at_each_frame() -> None:
    s = Setting()
    alice = await s.join("alice")
    alice.type_text("a", 0, "1")
    await s.settle(alice)
    alice.socket.can_write = False
    alice.type_text("a", 0, "2")
    assert alice.socket.close_code == 4403 and s.document.cell("a").source == "1hello"


async def test_a_change_to_the_runtime_document_is_refused_whoever_it_is() -> None:
    s = Setting()
    mallory = await s.join("mallory")
    before = s.runtime.replica.heads
    with mallory.runtime.transaction() as writer:
        writer.put(b"\x00", "forged", "output")
    mallory.send_all()
    assert mallory.socket.close_code == 4403 and s.runtime.replica.heads == before


def import_change(sha: bytes) -> bytes:
    builder = ChangeBuilder(import_actor(sha), 1, 10, [GENESIS_HASH])
    builder.make(None, "other", MAP)
    return builder.finish()[0]


async def test_changes_of_another_import_are_refused_as_a_whole() -> None:
    s = Setting()
    stranger = await s.join("stranger")
    before = s.replica.heads
    stranger.send(FrameType.NOTEBOOK_SYNC, encode_sync([import_change(b"x" * 32)], before))
    assert stranger.socket.close_code == 4410 and s.replica.heads == before


async def test_changes_made_upon_nothing_but_the_beginning_are_of_another_lineage_once_there_is_an_import() -> None:
    s = Setting(is_ready=False)
    first = ChangeBuilder(import_actor(b"f" * 32), 1, 10, [GENESIS_HASH])
    first.put(None, "one", 1)
    s.replica.append([first.finish()])
    s.hub.open_notebook(Lineage(s.replica.contains, import_actor(b"f" * 32)))
    s.hub.notebook_loaded()
    stranger = await s.join("stranger")
    builder = ChangeBuilder(new_actor(), 1, 10, [GENESIS_HASH])
    builder.put(None, "untitled", "before")
    before = s.replica.heads
    stranger.send(FrameType.NOTEBOOK_SYNC, encode_sync([builder.finish()[0]], before))
    assert stranger.socket.close_code == 4410 and s.replica.heads == before


async def test_changes_of_our_own_import_that_were_not_read_yet_are_no_other_lineage() -> None:
    s = Setting(is_ready=False)
    actor = import_actor(b"f" * 32)
    first = ChangeBuilder(actor, 1, 10, [GENESIS_HASH])
    first.put(None, "one", 1)
    one = first.finish()
    second = ChangeBuilder(actor, 2, first.next, [one[1]])
    second.put(None, "two", 2)
    two = second.finish()
    s.replica.append([one])
    s.hub.open_notebook(Lineage(s.replica.contains, actor))
    alice = Client("alice").connect(s.hub)
    await s.settle(alice)
    alice.send(FrameType.NOTEBOOK_SYNC, encode_sync([two[0]], [two[1]]))
    assert alice.socket.closed is None and not s.replica.contains((two[1],))
    s.replica.append([two])
    s.hub.notebook_loaded()
    await s.settle(alice)
    assert alice.socket.closed is None and s.replica.heads == (two[1],)


async def test_a_document_that_began_differently_is_another_lineage() -> None:
    s = Setting()
    stranger = await s.join("stranger")
    builder = ChangeBuilder(new_actor())
    builder.make(None, "cells", MAP)
    stranger.send(FrameType.NOTEBOOK_SYNC, encode_sync([builder.finish()[0]], s.replica.heads))
    assert stranger.socket.close_code == 4410


async def test_another_cells_map_is_refused_as_a_whole() -> None:
    """Whoever puts one takes every cell away at once, and no delete says so."""
    s = Setting()
    for name, write in (
        ("mallory", lambda writer: writer.make(ROOT, "cells", MAP)),
        ("trudy", lambda writer: writer.delete(ROOT, "cells")),
    ):
        peer = await s.join(name)
        with peer.notebook.transaction() as writer:
            write(writer)
        peer.send_all()
        assert peer.socket.close_code == 1002
    assert s.document.cell_ids() == ["a"] and s.document.is_intact


async def test_a_flood_of_small_frames_ends_the_peer_and_nobody_else() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    frame = encode_frame(FrameType.PRESENCE, b"{}")
    sent = 0
    while alice.is_connected and sent < 2 * BURST_FRAMES:
        sent += 1
        s.seconds += 1 / 10_000
        alice.send_raw(frame)
    assert alice.socket.close_code == 1008 and sent < BURST_FRAMES * 1.2
    bob.type_text("a", 0, "x")
    await s.settle(bob)
    assert s.document.cell("a").source == "xhello"


async def test_who_sends_no_faster_than_is_allowed_may_do_so_for_ever() -> None:
    s = Setting()
    alice = await s.join("alice")
    frame = encode_frame(FrameType.PRESENCE, b"{}")
    for _ in range(4 * BURST_FRAMES):
        s.seconds += 1 / FRAMES_PER_S
        alice.send_raw(frame)
    assert alice.is_connected


async def test_presence_is_told_to_others_and_to_who_comes_late() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    bob.send(FrameType.PRESENCE, json.dumps({"focus": "a", "user": {"username": "queen"}}).encode())
    await s.settle(alice, bob)
    seen = alice.socket.bodies(FrameType.PRESENCE)[-1]
    assert seen["peer_id"] == bob.peer.id and seen["focus"] == "a" and seen["user"]["username"] == "alice"
    assert [body for body in bob.socket.bodies(FrameType.PRESENCE) if body.get("peer_id") == bob.peer.id] == []
    carol = await s.join("carol")
    assert carol.socket.bodies(FrameType.PRESENCE)[0]["peers"][bob.peer.id]["focus"] == "a"


async def test_a_slow_peer_is_told_the_last_presence_only() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    alice.peer.is_drained = False
    at = len(alice.socket.sent)
    for index in range(50):
        bob.send(FrameType.PRESENCE, json.dumps({"focus": str(index)}).encode())
        await settle(1)
    s.hub.drained(alice.peer)
    await settle(2)
    assert [frame[0] for frame in alice.socket.sent[at:]] == [FrameType.PRESENCE]
    assert alice.socket.bodies(FrameType.PRESENCE)[-1]["focus"] == "49"


async def test_a_status_never_overtakes_the_changes_it_speaks_of() -> None:
    """Seed 672's lane rule, with a peer that stops reading at every possible place."""
    s = Setting()
    alice = await s.join("alice")
    for index in range(30):
        alice.socket.is_slow = index % 2 == 0
        s.document.splice("a", 0, 0, str(index))
        s.said = {"saved_heads": [head.hex() for head in s.replica.heads]}
        s.hub.tell_status()
        await settle(1)
        if index % 3 == 0:
            s.hub.drained(alice.peer)
    alice.socket.is_slow = False
    s.hub.drained(alice.peer)
    await settle(2)
    told = 0
    while alice.socket.frames:
        frame = alice.socket.frames[0]
        if frame[0] == FrameType.STATUS:
            for head in json.loads(frame[1:])["saved_heads"]:
                assert any(digest.hex() == head for digest, _ in alice.notebook.changes_since(())), "overtaken"
                told += 1
        alice.read(1)
    assert told > 3 and level(s.replica, alice)


async def test_a_peer_that_is_not_level_any_more_is_told_no_status_before_it_is_again() -> None:
    s = Setting()
    alice = await s.join("alice")
    held = alice.hold_back()
    alice.type_text("a", 0, "x")
    alice.send_raw(bytes((FrameType.NOTEBOOK_SYNC,)) + encode_sync((), alice.heads))  # "I have more than you know"
    await settle(2)
    at = len(alice.socket.sent)
    s.said = {"dirty": True}
    s.hub.tell_status()
    await settle(2)
    assert FrameType.STATUS not in alice.socket.kinds()[at:]
    alice.let_go(held)
    await s.settle(alice)
    assert level(s.replica, alice) and alice.socket.status["dirty"] is True


async def test_a_peer_that_never_says_anything_is_told_the_status_all_the_same() -> None:
    s = Setting()
    dumb = Client("dumb")
    dumb.send_all = lambda: False  # type: ignore[method-assign]
    dumb.connect(s.hub)
    await settle(2)
    s.said = {"dirty": True}
    s.hub.tell_status()
    await settle(2)
    assert dumb.socket.status["dirty"] is True and dumb.socket.status["peer_id"] == dumb.peer.id


async def test_the_same_status_is_not_sent_twice() -> None:
    s = Setting()
    alice = await s.join("alice")
    at = len(alice.socket.sent)
    s.hub.tell_status()
    await settle(2)
    assert len(alice.socket.sent) == at


async def test_an_answer_comes_after_the_changes_it_speaks_of() -> None:
    s = Setting()
    alice = await s.join("alice")
    s.hub.respond(alice.peer, {"id": "1", "ok": True, "result": {}})
    s.document.splice("a", 0, 0, "x")
    at = len(alice.socket.sent)
    await settle(2)
    assert [frame[0] for frame in alice.socket.sent[at:]] == [FrameType.NOTEBOOK_SYNC, FrameType.RESPONSE]


async def test_who_asks_and_does_not_read_is_closed_before_memory_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Setting()
    monkeypatch.setattr("jupyter_runtimed.rooms.peer.MAX_OUTBOX_BYTES", 10_000)
    alice = await s.join("alice")
    alice.peer.is_drained = False
    for _ in range(20):
        s.hub.respond(alice.peer, {"id": "1", "result": "x" * 1000})
    assert alice.socket.close_code == 1013


async def test_a_peer_that_leaves_is_forgotten_once_and_told_about() -> None:
    s = Setting()
    alice, bob = await s.join("alice"), await s.join("bob")
    bob.disconnect()
    s.hub.leave(bob.peer)
    await settle(2)
    left = [body for body in alice.socket.bodies(FrameType.PRESENCE) if body.get("left")]
    assert left == [{"peer_id": bob.peer.id, "left": True}] and list(s.hub.peers) == [alice.peer.id]
    s.hub.receive(bob.peer, b"")
    assert bob.socket.closed is None, "a peer that left is nobody's business"


async def test_while_nothing_is_known_of_the_file_messages_are_held_and_then_answered() -> None:
    s = Setting(is_ready=False)
    alice = Client("alice").connect(s.hub)
    await settle(2)
    alice.read()
    assert alice.cells() == {} and alice.socket.closed is None
    s.document.insert_cell("code", "hello", id="a")
    s.make_ready()
    await s.settle(alice)
    assert level(s.replica, alice) and alice.sources() == ["hello"]
    assert alice.runtime.heads == s.runtime.replica.heads


async def test_edits_during_a_load_are_taken_and_changes_only_the_whole_can_place_wait() -> None:
    """Seed 672: what is typed while the rest is still being read survives."""
    s = Setting(is_ready=False)
    first = ChangeBuilder(import_actor(b"f" * 32), 1, 10, [GENESIS_HASH])
    first.put(None, "one", 1)
    one = first.finish()
    second = ChangeBuilder(import_actor(b"f" * 32), 2, first.next, [one[1]])
    second.put(None, "two", 2)
    two = second.finish()
    returning = Engine.empty(new_actor())
    returning.apply([s.replica.log(0)[0].chunk, one[0], two[0]])
    with returning.transaction() as writer:
        writer.put(b"\x00", "offline", "kept")
    s.replica.append([one])
    s.hub.open_notebook(Lineage(s.replica.contains, import_actor(b"f" * 32)))
    alice, old = Client("alice").connect(s.hub), Client("old", returning).connect(s.hub)
    await s.settle(alice, old)
    with alice.notebook.transaction() as writer:
        writer.put(b"\x00", "typed", "early")
    alice.send_all()
    await s.settle(alice, old)
    assert s.replica.engine.extract()["typed"] == "early" and "offline" not in s.replica.engine.extract()
    s.replica.append([two])
    s.hub.notebook_loaded()
    await s.settle(alice, old)
    assert level(s.replica, alice, old)
    root = s.replica.engine.extract()
    assert (root["one"], root["two"], root["typed"], root["offline"]) == (1, 2, "early", "kept")


async def test_what_is_held_is_bounded() -> None:
    s = Setting(is_ready=False)
    alice = Client("alice").connect(s.hub)
    for _ in range(MAX_HELD_FRAMES + 1):
        if alice.is_connected:
            alice.send(FrameType.NOTEBOOK_SYNC, encode_sync((), s.replica.heads))
    assert alice.socket.close_code == 1008


async def test_a_notebook_that_is_loaded_anew_sends_its_peers_away() -> None:
    s = Setting()
    alice = await s.join("alice")
    s.hub.serve_notebook(new_notebook_replica(new_actor()))
    assert alice.socket.close_code == 4410 and not s.hub.peers


async def test_leaving_ends_what_the_peers_requests_wait_for() -> None:
    s = Setting()
    alice = await s.join("alice")
    task = asyncio.ensure_future(asyncio.Event().wait())
    alice.peer.waits.add(task)
    alice.disconnect()
    await settle(2)
    assert task.cancelled()
