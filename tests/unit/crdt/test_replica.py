"""A replica: cold and hot, its log, its snapshot, foreign changes, and what a panicking engine leaves of it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import (
    HEAD,
    MAP,
    ROOT,
    TEXT,
    Advance,
    ChangeBuilder,
    DocumentWriter,
    Engine,
    EnginePanic,
    EngineRefused,
    Replica,
    admission,
    cold_replica,
    encode_sync,
    op_id,
    read_chunk,
    splice_text,
    split_chunks,
    vet_sync,
)
from jupyter_runtimed.core.crdt.history import History, Mark
from jupyter_runtimed.core.crdt.parts import HEAVY_BYTES, Parts
from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.core.limits import Limits
from tests.support.js_peer import JsProcess, requires_js

os.environ["RUST_BACKTRACE"] = "0"

GENESIS, IMPORT, SERVER, ALICE, BOB = b"genesis", b"import", b"server", b"alice", b"bob"
Change = tuple[bytes, bytes]


def imported(cells: int = 4) -> tuple[bytes, list[Change]]:
    """(document chunk, changes) of an import: a text for each cell, one change each."""
    writer = DocumentWriter()
    builder = ChangeBuilder(GENESIS, recorder=writer)
    cells_map = (builder.make(None, "cells", MAP), GENESIS)
    changes = [builder.finish()]
    for number in range(cells):
        builder = ChangeBuilder(IMPORT, number + 1, builder.next, [changes[-1][1]], recorder=writer)
        builder.text(builder.make(cells_map, f"c{number}", TEXT), f"cell {number}", HEAD)
        changes.append(builder.finish())
    return writer.finish(), changes


CHUNK, CHANGES = imported()
HASHES = [digest for _, digest in CHANGES]
VALUE = {"cells": {f"c{number}": f"cell {number}" for number in range(4)}}


def cold() -> Replica:
    return Replica(CHUNK, actor=SERVER, heads=(HASHES[-1],), known=HASHES)


def text_of(replica: Replica, cell: str = "c0") -> bytes:
    found = replica.engine.child(replica.engine.child(ROOT, "cells") or b"", cell)
    assert found is not None
    return found


class Peer:
    """Somebody else's document."""

    def __init__(self, actor: bytes = ALICE, data: bytes = CHUNK) -> None:
        self.engine = Engine.load(data, actor)

    def type(self, text: str, cell: str = "c0", at: int = 0, delete: int = 0) -> Any:
        """One edit; what it says."""
        before = self.engine.heads
        obj = self.engine.child(self.engine.child(ROOT, "cells") or b"", cell)
        with self.engine.transaction() as writer:
            writer.splice_text(obj or b"", at, delete, text)
        chunks = [chunk for _, chunk in self.engine.changes_since(before)]
        return vet_sync(encode_sync(chunks), Limits()).infos[0]


# Cold and hot.


def test_a_replica_begins_cold_and_knows_its_history() -> None:
    replica = cold()
    assert replica.heads == (HASHES[-1],) and replica.n_changes == 5
    assert replica.contains(HASHES) and not replica.contains([HASHES[0], bytes(32)])
    assert (replica.log_start, replica.log_end, replica.log(0)) == (0, 0, [])
    assert replica.snapshot == CHUNK == replica.save()
    assert not replica.is_hot


def test_changes_of_our_own_leave_it_cold() -> None:
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    for change in CHANGES:
        replica.append([change])
    assert replica.heads == (HASHES[-1],) and replica.contains(HASHES)
    assert [entry.hash for entry in replica.log(0)] == HASHES
    assert [entry.hash for entry in replica.log(3)] == HASHES[3:]
    assert not replica.is_hot
    assert Engine.load(replica.save(), BOB).extract() == VALUE
    assert not replica.is_hot
    assert replica.engine.extract() == VALUE
    assert replica.is_hot


def test_changes_of_our_own_reach_a_hot_engine() -> None:
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    replica.append(CHANGES[:2])
    assert replica.engine.extract() == {"cells": {"c0": "cell 0"}}
    replica.append(CHANGES[2:])
    assert replica.engine.extract() == VALUE
    assert replica.heads == replica.engine.heads == (HASHES[-1],)


def test_an_import_puts_its_document_in_the_place_of_its_changes() -> None:
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    replica.append(CHANGES)
    replica.adopt_snapshot(CHUNK)
    assert (replica.log_start, replica.log_end, replica.snapshot) == (5, 5, CHUNK)
    with pytest.raises(IndexError):
        replica.log(4)
    assert replica.log(5) == []
    assert replica.engine.extract() == VALUE


@pytest.mark.parametrize("size", [1, 100_000])
def test_cooling_keeps_everything_but_the_engine(size: int) -> None:
    """A short log stays, a long one becomes the snapshot."""
    replica = cold()
    splice_text(replica, text_of(replica), 0, 0, "x" * size)
    heads, log_end = replica.heads, replica.log_end
    replica.cool()
    assert not replica.is_hot
    assert (replica.heads, replica.log_end) == (heads, log_end)
    assert (replica.log_start == log_end) == (size > 1)
    assert Engine.load(replica.save(), BOB).heads == heads
    assert replica.engine.heads == heads
    assert replica.engine.text(text_of(replica)) == "x" * size + "cell 0"
    with replica.transact() as writer:
        writer.put(ROOT, "more", 1)
    assert replica.n_changes == 7


def test_a_snapshot_that_would_not_load_does_not_take_the_place_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = cold()
    splice_text(replica, text_of(replica), 0, 0, "kept")
    monkeypatch.setattr(Engine, "save", lambda _: CHUNK[:-1] + b"?")
    replica.compact()
    assert (replica.snapshot, replica.log_start, replica.log_end) == (CHUNK, 0, 1)
    monkeypatch.undo()
    replica.compact()
    assert (replica.log_start, replica.log_end) == (1, 1)
    assert Engine.load(replica.snapshot, BOB).heads == replica.heads


EDIT = Peer().type("x")

LOADED = {
    "a document": (CHUNK, 0),
    "a document and a change": (CHUNK + EDIT.chunk, 1),
    "a document and a change, twice": (CHUNK + EDIT.chunk * 2, 0),
    "a document and a change that is in it": (CHUNK + CHANGES[2][0] + EDIT.chunk, 0),
    "two documents": (CHUNK + Peer(BOB, CHUNK + EDIT.chunk).engine.save(), 0),
    "changes": (b"".join(chunk for chunk, _ in CHANGES), 0),
}


@pytest.mark.parametrize("case", LOADED)
def test_any_automerge_bytes_load(case: str) -> None:
    """A document and changes stay apart; all else becomes one document."""
    data, logged = LOADED[case]
    replica = Replica.load(data, actor=SERVER)
    assert replica.heads == Engine.load(data, BOB).heads
    assert replica.contains(HASHES)
    assert replica.n_changes == len(set(replica.engine.hashes()))
    assert replica.log_end == logged
    log = b"".join(entry.chunk for entry in replica.log(0))
    assert Engine.load(replica.snapshot + log, BOB).heads == replica.heads
    assert Engine.load(replica.save(), BOB).heads == replica.heads
    splice_text(replica, text_of(replica), 0, 1, "y" * 100)
    assert Engine.load(replica.save(), BOB).heads == replica.heads


@pytest.mark.parametrize("data", [b"junk", CHUNK[:-3], CHUNK[:40] + bytes([CHUNK[40] ^ 1]) + CHUNK[41:]])
def test_broken_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EngineRefused):
        Replica.load(data, actor=SERVER)


# Foreign changes.


def test_foreign_changes_are_applied_logged_and_told() -> None:
    replica = cold()
    told: list[Advance] = []
    replica.on_advance = told.append
    peer = Peer()
    infos = [peer.type("a"), peer.type("b", "c1")]
    entries = replica.apply(infos, origin="alice's socket")
    assert [(entry.chunk, entry.hash, entry.origin) for entry in entries] == [
        (info.chunk, info.hash, "alice's socket") for info in infos
    ]
    assert replica.log(0) == entries
    assert replica.heads == peer.engine.heads
    assert told == [Advance(tuple(entries), (HASHES[-1],))]
    assert [info.hash for info in told[0].infos()] == [info.hash for info in infos]
    touched = op_id(text_of(replica))
    assert touched is not None and entries[0].touched == {touched: set()} == infos[0].touched
    assert replica.changes_since((HASHES[-1],)) == [info.chunk for info in infos]
    assert replica.changes_since((infos[0].hash,)) == [infos[1].chunk]
    assert replica.changes_since(replica.heads) == []


def test_known_changes_are_left_out_and_nothing_is_told() -> None:
    replica = cold()
    info = Peer().type("a")
    replica.apply([info], origin="one")
    replica.on_advance = lambda _: pytest.fail("nothing has happened")
    assert replica.apply([info], origin="another") == []
    assert replica.apply([], origin="another") == []
    assert replica.log_end == 1


def test_changes_that_come_early_wait_for_the_others() -> None:
    replica = cold()
    peer = Peer()
    one, two, three = peer.type("1"), peer.type("2"), peer.type("3")
    assert replica.apply([three], origin="a") == []
    assert list(replica.missing("a")) == [two.hash]
    assert replica.apply([two], origin="a") == []
    assert list(replica.missing("a")) == [one.hash]
    assert replica.heads == (HASHES[-1],)
    assert [entry.hash for entry in replica.apply([one], origin="a")] == [one.hash, two.hash, three.hash]
    assert not replica.missing("a")
    assert replica.engine.text(text_of(replica)) == "321cell 0"


def test_a_change_that_waited_keeps_its_origin() -> None:
    """Who unblocks it may not have it, and must be sent it."""
    replica = cold()
    peer = Peer()
    one, two = peer.type("1"), peer.type("2")
    replica.apply([two], origin="alice")
    entries = replica.apply([one], origin="bob")
    assert [(entry.hash, entry.origin) for entry in entries] == [(one.hash, "bob"), (two.hash, "alice")]


def test_a_bad_change_that_waited_does_not_harm_who_brings_what_it_waited_for() -> None:
    replica = cold()
    alice = Peer()
    good = alice.type("good")
    bad = ChangeBuilder(BOB, 1, good.max_op + 1, [good.hash])
    bad.put((777, ALICE), "k", 1)
    on_bad = ChangeBuilder(BOB, 2, bad.next, [bad.finish()[1]])
    on_bad.put(None, "k", 1)
    for chunk, _ in (bad.finish(), on_bad.finish()):
        assert replica.apply([read_chunk(chunk)], origin="bob") == []
    assert [entry.hash for entry in replica.apply([good], origin="alice")] == [good.hash]
    assert replica.missing("bob") == ()
    fine = ChangeBuilder(BOB, 1, good.max_op + 1, [good.hash])
    fine.put(None, "k", 1)
    assert len(replica.apply([read_chunk(fine.finish()[0])], origin="bob")) == 1


def test_only_so_many_changes_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MAX_EARLY", 100)
    replica = cold()

    def early(number: int) -> Any:
        builder = ChangeBuilder(b"author %d" % number, 1, 1000, [b"nobody has this".ljust(32)])
        builder.put(None, "k", number)
        return read_chunk(builder.finish()[0])

    assert replica.apply([early(number) for number in range(100)], origin="a") == []
    with pytest.raises(OverLimit):
        replica.apply([early(100)], origin="a")
    assert replica.apply([Peer().type("a")], origin="b")


def test_a_message_is_taken_whole_or_not_at_all() -> None:
    replica = cold()
    good = Peer().type("a")
    bad = ChangeBuilder(BOB, 1, good.max_op + 1, [good.hash])
    bad.put((777, ALICE), "k", 1)
    with pytest.raises(Malformed):
        replica.apply([good, read_chunk(bad.finish()[0])], origin="a")
    assert replica.heads == (HASHES[-1],) and replica.log_end == 0
    assert [entry.hash for entry in replica.apply([good], origin="a")] == [good.hash]


# Panics. No change is known any more that passes the gate and makes the engine panic; so the gate is opened for these.


def panicking_change(peer: Peer) -> Any:
    """A map key in a text: the engine panics and poisons its lock."""
    builder = ChangeBuilder(BOB, 1, 10_000, peer.engine.heads)
    builder.put(op_id(text_of(Replica.load(CHUNK, actor=BOB))), "k", 1)
    return read_chunk(builder.finish()[0])


@pytest.fixture
def _no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(history: History, info: Any) -> Mark:
        mark = history._mark(info)
        history.enter(info)
        return mark

    monkeypatch.setattr(History, "check", check)


@pytest.mark.usefixtures("_no_gate")
def test_a_panic_leaves_the_replica_as_it_was() -> None:
    replica = cold()
    peer = Peer()
    replica.apply([peer.type("before ")], origin="alice")
    heads, log = replica.heads, replica.log(0)
    replica.on_advance = lambda _: pytest.fail("nothing has happened")
    with pytest.raises(Malformed):
        replica.apply([peer.type("lost "), panicking_change(peer)], origin="bob")
    assert replica.panics == 1
    assert (replica.heads, replica.log(0)) == (heads, log)
    assert replica.engine.text(text_of(replica)) == "before cell 0"
    replica.on_advance = None
    peer = Peer(BOB, replica.save())
    assert replica.apply([peer.type("after ")], origin="bob")
    splice_text(replica, text_of(replica), 0, 0, "server ")
    assert replica.engine.text(text_of(replica)) == "server after before cell 0"
    assert Engine.load(replica.save(), ALICE).heads == replica.heads


def test_a_panic_in_the_sync_protocol_leaves_the_replica_as_it_was() -> None:
    replica = cold()
    splice_text(replica, text_of(replica), 0, 0, "before ")
    peer = Peer(ALICE, replica.save())
    with pytest.raises(Malformed):
        replica.sync_receive(replica.new_sync_state(), encode_sync([panicking_change(peer).chunk]))
    assert replica.panics == 1
    assert replica.heads == peer.engine.heads
    assert replica.engine.text(text_of(replica)) == "before cell 0"


def test_a_panic_in_an_edit_of_our_own_leaves_the_replica_as_it_was() -> None:
    replica = cold()

    def edit() -> None:
        with replica.transact() as writer:
            writer.put(ROOT, "lost", 1)
            writer.put(ROOT, -1, 1)  # type: ignore[arg-type]

    with pytest.raises(EnginePanic):
        edit()
    assert replica.panics == 1
    assert replica.engine.extract() == VALUE
    with replica.transact() as writer:
        writer.put(ROOT, "kept", 1)
    assert replica.engine.value(ROOT, "kept") == 1


def test_an_engine_that_broke_behind_the_replicas_back_is_made_again() -> None:
    replica = cold()
    splice_text(replica, text_of(replica), 0, 0, "kept ")

    def edit() -> None:
        with replica.engine.transaction() as writer:
            writer.put(ROOT, -1, 1)  # type: ignore[arg-type]

    with pytest.raises(EnginePanic):
        edit()
    assert replica.engine.text(text_of(replica)) == "kept cell 0"


# Own edits.


def test_a_transaction_is_one_change_of_ours() -> None:
    replica = cold()
    told: list[Advance] = []
    replica.on_advance = told.append
    with replica.transact(origin="a request") as writer:
        writer.put(ROOT, "a", 1)
        writer.put(ROOT, "b", {"nested": [1, "two", None, {"x": 2.5}]})
        assert told == []
    [entry] = replica.log(0)
    assert entry.origin == "a request" and told == [Advance((entry,), (HASHES[-1],))]
    info = read_chunk(entry.chunk)
    assert (info.actor, info.seq, info.deps) == (SERVER, 1, (HASHES[-1],))
    assert replica.engine.value(ROOT, "b") == {"nested": [1, "two", None, {"x": 2.5}]}


def test_a_transaction_that_raises_changes_nothing() -> None:
    replica = cold()
    replica.on_advance = lambda _: pytest.fail("nothing has happened")

    def edit() -> None:
        with replica.transact() as writer:
            writer.put(ROOT, "a", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edit()
    assert replica.engine.extract() == VALUE
    with replica.transact():
        pass
    assert replica.heads == (HASHES[-1],)


SPLICES: list[tuple[int, int, str]] = [
    (0, 0, "x"),
    (6, 0, "long é🎉 " * 30),
    (0, 6, "all other " * 30),
    (2, 2, "日本" * 40),
    (1, 3, "n" * 70),
]


@pytest.mark.parametrize(("index", "delete", "insert"), SPLICES)
def test_a_splice_of_any_length_is_the_change_the_engine_would_make(index: int, delete: int, insert: str) -> None:
    ours, by_engine = cold(), cold()
    for replica in (ours, by_engine):  # not the first change, and not on a single head
        splice_text(replica, text_of(replica), 0, 0, "")
        with replica.transact() as writer:
            writer.put(ROOT, "a", 1)
        replica.apply([Peer().type("b", "c1")], origin="alice")
    splice_text(ours, text_of(ours), index, delete, insert)
    with by_engine.transact() as writer:
        writer.splice_text(text_of(by_engine), index, delete, insert)
    assert ours.heads == by_engine.heads
    assert ours.log(0) == by_engine.log(0)
    expected = "cell 0"[:index] + insert + "cell 0"[index + delete :]
    assert ours.engine.text(text_of(ours)) == expected
    with ours.transact() as writer:
        writer.put(ROOT, "the engine goes on", 1)
    assert Engine.load(ours.save(), BOB).heads == ours.heads


def test_a_splice_outside_the_text_is_refused() -> None:
    replica = cold()
    for index, insert in ((7, "x"), (7, "x" * 100)):
        with pytest.raises(EngineRefused):
            splice_text(replica, text_of(replica), index, 0, insert)
    for insert in ("\ud800", "\ud800" * 100):
        with pytest.raises((UnicodeEncodeError, EngineRefused)):
            splice_text(replica, text_of(replica), 0, 0, insert)
    assert replica.log_end == 0 and replica.engine.extract() == VALUE


IRREGULAR: dict[str, Callable[[ChangeBuilder, Any], Any]] = {
    "an overwritten character": lambda b, text: b.put(text, (text[0] + 2, IMPORT), "E", [(text[0] + 2, IMPORT)]),
    "an overwritten and deleted character": lambda b, text: [
        b.put(text, (text[0] + 2, IMPORT), "E", [(text[0] + 2, IMPORT)]),
        b.delete(text, (text[0] + 2, IMPORT), [b.next - 1]),
    ],
    "a string of several characters": lambda b, text: b.insert(text, (text[0] + 1, IMPORT), "wide"),
    "a number": lambda b, text: b.insert(text, (text[0] + 1, IMPORT), 5),
}


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("case", IRREGULAR)
def test_texts_that_are_not_plain_characters_can_be_edited(case: str, size: int) -> None:
    replica = cold()
    text = op_id(text_of(replica))
    start = read_chunk(CHANGES[-1][0]).max_op + 1
    builder = ChangeBuilder(BOB, 1, start, replica.heads)
    IRREGULAR[case](builder, text)
    replica.apply([read_chunk(builder.finish()[0])], origin="bob")
    before = replica.engine.text(text_of(replica))
    length = len(before)
    splice_text(replica, text_of(replica), length, 0, "x" * size)
    assert replica.engine.text(text_of(replica)) == before + "x" * size
    splice_text(replica, text_of(replica), 0, length, "y" * size)
    assert replica.engine.text(text_of(replica)).endswith("y" * size) or replica.engine.text(
        text_of(replica)
    ).startswith("y" * size)
    assert Engine.load(replica.save(), ALICE).heads == replica.heads


def test_a_document_reads_as_it_was() -> None:
    replica = cold()
    heads = replica.heads
    splice_text(replica, text_of(replica), 0, 6, "later")
    then = Engine.load(replica.save(), BOB).fork(heads, BOB)
    assert then.extract() == VALUE and then.heads == heads
    assert replica.engine.value(ROOT, "cells")["c0"] == "later"
    with then.transaction() as writer:
        writer.put(ROOT, "aside", 1)
    assert replica.engine.value(ROOT, "aside") is None


# Reading what JavaScript writes.


@requires_js
def test_javascripts_values_read_as_plain_python() -> None:
    with JsProcess() as js:
        peer = js.peer()
        peer.change("""
            doc.plain = "a plain string is a text"
            doc.scalar = new A.ImmutableString("a scalar")
            doc.nested = { list: ["text", 1, 1.5, null, true, { deep: "é🎉" }] }
            doc.counter = new A.Counter(3)
            doc.date = new Date(0)
            doc.bytes = new Uint8Array([1, 2])
            doc.big = 2n ** 60n
        """)
        engine = Engine.load(peer.save(), BOB)
    assert engine.extract() == {
        "plain": "a plain string is a text",
        "scalar": "a scalar",
        "nested": {"list": ["text", 1, 1.5, None, True, {"deep": "é🎉"}]},
        "counter": None,
        "date": None,
        "bytes": None,
        "big": 2**60,
    }
    assert engine.kind(engine.child(ROOT, "plain") or b"") == TEXT
    assert engine.child(ROOT, "scalar") is None and engine.value(ROOT, "nothing") is None


# Two replicas by the engine's own protocol, as a client and a server that are not level use it.


def test_two_replicas_meet_by_the_engines_protocol() -> None:
    server, client = cold(), Replica(b"", actor=ALICE, heads=(), known=())
    splice_text(server, text_of(server), 0, 0, "by the server ")
    states = {server: server.new_sync_state(), client: client.new_sync_state()}
    told: list[Advance] = []
    client.on_advance = told.append
    speaker, hearer, silent = client, server, 0
    while silent < 2:
        message = speaker.sync_generate(states[speaker])
        silent = 0 if message is not None else silent + 1
        if message is not None:
            hearer.sync_receive(states[hearer], message, origin="the other")
        speaker, hearer = hearer, speaker
    assert client.heads == server.heads
    assert client.engine.extract() == server.engine.extract()
    assert client.log_end == client.n_changes == 6
    assert {entry.hash for advance in told for entry in advance.entries} == {entry.hash for entry in client.log(0)}
    splice_text(client, text_of(client), 0, 0, "long by the client " * 10)
    assert client.engine.text(text_of(client)).endswith("by the server cell 0")


def test_a_heavy_replica_is_warmed_in_steps_and_is_the_same() -> None:
    snapshot, changes = imported(400)
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    replica.append(changes)
    replica.adopt_snapshot(snapshot)
    assert replica.is_heavy
    steps = replica.warm()
    next(steps)
    with replica.transact() as writer:  # what cannot wait makes the engine at once
        writer.put(ROOT, "meanwhile", 1)
    assert replica.is_hot and list(steps) == []
    replica.cool()
    assert replica.is_heavy
    assert len(list(replica.warm())) == len(changes) + 1
    assert replica.is_hot and replica.engine.heads == replica.heads
    assert replica.engine.value(ROOT, "meanwhile") == 1


@pytest.mark.parametrize("sizes", [[], [1], [30_000], [100, 50_000, 3, 70_000, 1], [64] * 1000])
def test_packed_parts_come_back_as_they_were(sizes: list[int]) -> None:
    chunks = [random.Random(index).randbytes(size) for index, size in enumerate(sizes)]
    parts = Parts(chunks)
    assert parts.is_heavy == (sum(sizes) >= HEAVY_BYTES)
    assert list(parts) == chunks
    parts.add(chunks[::-1])
    assert list(parts) == chunks + chunks[::-1]
    again = Parts.unpack(parts.packed())
    assert list(again) == list(parts) and again.is_heavy == parts.is_heavy


# Out of a log.


def logged() -> tuple[bytes, bytes, Heads]:
    """A large import with changes of two people behind it, as a log has it: the bytes, the parts, the heads."""
    snapshot, changes = imported(400)
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    replica.append(changes)
    replica.adopt_snapshot(snapshot)
    alice, bob = Peer(ALICE, snapshot), Peer(BOB, snapshot)
    for number in range(40):
        replica.apply([alice.type(f"a{number} "), bob.type(f"b{number} ", "c1")], origin="somebody")
    assert replica.parts is not None and len(replica.heads) == 2
    data = replica.snapshot + b"".join(entry.chunk for entry in replica.log(replica.log_start))
    return data, replica.parts.packed(), replica.heads


def test_what_a_log_has_of_a_large_document_becomes_its_engine_in_steps() -> None:
    data, parts, heads = logged()
    replica = cold_replica(data, parts, actor=b"carol")
    assert replica is not None and not replica.is_hot and replica.heads == heads
    assert len(list(replica.warm())) > 100
    assert replica.is_hot and replica.engine.heads == heads
    whole = Replica.load(data, actor=b"carol")
    assert replica.engine.extract() == whole.engine.extract() and replica.snapshot == whole.snapshot
    assert replica.log(0) == whole.log(0) and replica.n_changes == whole.n_changes
    replica.cool()
    assert replica.is_heavy, "its parts are still there"


def test_an_early_log_has_no_document_chunk() -> None:
    replica = Replica(b"", actor=SERVER, heads=(), known=())
    replica.append(imported(10)[1])
    found = cold_replica(replica.save(), b"", actor=b"carol")
    assert found is not None and list(found.warm()) and found.is_hot and found.engine.heads == replica.heads


def test_bytes_that_only_the_engine_understands_make_no_cold_replica() -> None:
    data, parts, _ = logged()
    other = Parts([chunk for chunk, _ in imported(399)[1]]).packed()
    chunks = [chunk for _, _, chunk, _ in split_chunks(data, 1 << 40)]
    assert cold_replica(data, b"", actor=b"carol") is None
    assert cold_replica(data, other, actor=b"carol") is None, "parts of something else"
    assert cold_replica(data, parts[:-9], actor=b"carol") is None
    assert cold_replica(data, b"\x91\x92\x91\x09\xc4\x03abc", actor=b"carol") is None, "nothing that inflates"
    assert cold_replica(data + chunks[-1], parts, actor=b"carol") is None, "a change twice"
    assert cold_replica(data + chunks[0], parts, actor=b"carol") is None, "a document behind changes"
    assert cold_replica(chunks[0] + b"".join(chunks[:0:-1]), parts, actor=b"carol") is None, "in no order"
    assert cold_replica(data[:-1], parts, actor=b"carol") is None


def test_a_snapshot_that_takes_the_log_in_keeps_its_parts() -> None:
    data, parts, heads = logged()
    replica = cold_replica(data, parts, actor=b"carol")
    assert replica is not None
    replica.compact()
    assert replica.parts is not None and replica.log_start == replica.log_end
    again = cold_replica(replica.save(), replica.parts.packed(), actor=b"carol")
    assert again is not None and again.heads == heads and list(again.warm()) and again.is_hot
