"""A server's replica: keys of others are entered before the engine has them, and the engine gets them in time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jupyter_runtimed.core.crdt import (
    ROOT,
    TEXT,
    AheadReplica,
    Engine,
    EnginePanic,
    encode_sync,
    new_actor,
    op_id,
    vet_sync,
)
from jupyter_runtimed.core.crdt.ahead import MAX_DUE
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, make_chunk
from jupyter_runtimed.core.crdt.insertion import next_insertion, write_insertion
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.limits import Limits

Place = tuple[int, bytes | None] | None
"""An object or element: its counter, and its author if that is not the server."""


class Typist:
    """A peer with an engine of its own, and what it has typed, a change a character."""

    def __init__(self, document: bytes) -> None:
        self.engine = Engine.load(document, new_actor())

    def type(self, index: int, character: str) -> bytes:
        before = self.engine.heads
        with self.engine.transaction() as writer:
            writer.splice_text(self.engine.child(ROOT, "text") or b"", index, 0, character)
        ((_, chunk),) = self.engine.changes_since(before)
        return chunk


class Given:
    """How many changes the engine was given at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.numbers: list[int] = []
        self.error: BaseException | None = None
        apply = Engine.apply

        def noted(engine: Engine, chunks: Sequence[bytes]) -> None:
            self.numbers.append(len(chunks))
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            apply(engine, chunks)

        monkeypatch.setattr(Engine, "apply", noted)


def server() -> AheadReplica:
    replica = AheadReplica(b"", actor=new_actor(), heads=(), known=())
    with replica.transact() as writer:
        writer.splice_text(writer.make(ROOT, "text", TEXT), 0, 0, "seed")
    return replica


def take(replica: AheadReplica, chunk: bytes) -> int:
    return len(replica.apply(vet_sync(encode_sync([chunk]), Limits()).infos, origin="alice"))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(monkeypatch)


def test_keys_wait_for_the_engine_until_somebody_asks_it(given: Given) -> None:
    replica = server()
    alice = Typist(replica.save())
    assert [take(replica, alice.type(0, key)) for key in "abc"] == [1, 1, 1]
    assert given.numbers == [] and replica.heads == alice.engine.heads
    assert [entry.insertion.string for entry in replica.log(1) if entry.insertion] == ["a", "b", "c"]
    assert replica.engine.value(ROOT, "text") == "cbaseed" and given.numbers == [3]
    assert replica.engine.heads == replica.heads and replica.save() and given.numbers == [3]


def test_a_known_key_is_nothing_new(given: Given) -> None:
    replica = server()
    chunk = Typist(replica.save()).type(0, "a")
    assert [take(replica, chunk), take(replica, chunk)] == [1, 0]
    assert replica.engine.value(ROOT, "text") == "aseed" and given.numbers == [1]


def test_keys_that_cross_each_other_go_by_the_engine(given: Given) -> None:
    replica = server()
    alice, bob = Typist(replica.save()), Typist(replica.save())
    for key in "ab":
        take(replica, alice.type(0, key))
        take(replica, bob.type(4, key))
    bob.engine.apply([entry.chunk for entry in replica.log(0)])
    assert replica.engine.heads == replica.heads == bob.engine.heads
    assert replica.engine.value(ROOT, "text") == bob.engine.value(ROOT, "text")
    assert len(given.numbers) > 1


def test_a_key_that_came_early_is_taken_when_what_it_waits_for_is_there() -> None:
    replica = server()
    alice = Typist(replica.save())
    first, second, third = (alice.type(0, key) for key in "abc")
    assert [take(replica, second), take(replica, first), take(replica, third)] == [0, 2, 1]
    assert replica.engine.value(ROOT, "text") == "cbaseed" and replica.heads == alice.engine.heads


@pytest.mark.parametrize(
    ("obj", "after", "says"),
    [
        (None, (2, b"n" * 16), "nobody has made"),
        (None, (1, None), "not in its list or text"),
        (None, (99, None), "nobody has made"),
        ((99, None), None, "an object nobody has made"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_without_the_engine(
    given: Given, obj: Place, after: Place, says: str
) -> None:
    replica = server()
    own, text, heads = replica.actor, op_id(replica.engine.child(ROOT, "text") or b""), replica.heads
    assert text is not None
    obj_id = text if obj is None else (obj[0], obj[1] or own)
    element = None if after is None else (after[0], after[1] or own)
    key = next_insertion(new_actor(), 1, 6, heads[0], obj_id, element, "x")
    assert key is not None
    chunk, _ = make_chunk(CHANGE_CHUNK, write_insertion(key))
    with pytest.raises(Malformed, match=says):
        take(replica, chunk)
    assert replica.heads == heads and replica.n_changes == 1 and given.numbers == []
    assert take(replica, Typist(replica.save()).type(4, "x")) == 1 and replica.engine.value(ROOT, "text") == "seedx"


def test_not_too_many_wait(given: Given) -> None:
    replica = server()
    alice = Typist(replica.save())
    for _ in range(3 * MAX_DUE):
        take(replica, alice.type(0, "x"))
    assert given.numbers == [MAX_DUE + 1, MAX_DUE + 1]
    assert replica.engine.heads == replica.heads


def test_an_engine_that_panics_over_what_is_due_is_made_again_of_the_log(given: Given) -> None:
    replica = server()
    alice = Typist(replica.save())
    take(replica, alice.type(0, "a"))
    given.error = EnginePanic("the test says so")
    assert replica.engine.value(ROOT, "text") == "aseed"
    assert replica.panics == 1 and replica.heads == alice.engine.heads
    assert take(replica, alice.type(0, "b")) == 1 and replica.engine.value(ROOT, "text") == "baseed"


def test_nothing_is_given_twice_to_an_engine_that_was_away(given: Given) -> None:
    replica = server()
    alice = Typist(replica.save())
    take(replica, alice.type(0, "a"))
    replica.cool()
    assert not replica.is_hot and replica.engine.value(ROOT, "text") == "aseed"
    take(replica, alice.type(0, "b"))
    replica.compact()
    assert replica.engine.value(ROOT, "text") == "baseed" and replica.engine.heads == replica.heads
