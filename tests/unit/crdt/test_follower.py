"""A client's replica, which lets its engine wait."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.crdt import ROOT, TEXT, Engine, EngineRefused, Follower, Replica, new_actor, op_id
from jupyter_runtimed.core.errors import Malformed


def followed(chunks: list[bytes]) -> Follower:
    """A client's replica that has followed these changes, and whose engine has not been given them."""
    follower = Follower(new_actor())
    assert follower.follow(chunks[:1], origin="server")
    follower.engine
    assert follower.follow(chunks[1:], origin="server")
    return follower


def typed(word: str) -> tuple[Replica, list[bytes]]:
    """A replica with a text, and its changes: the text's making, and each character."""
    replica = Replica(b"", actor=new_actor(), heads=(), known=())
    with replica.transact() as writer:
        text = writer.make(ROOT, "text", TEXT)
    for index, character in enumerate(word):
        with replica.transact() as writer:
            writer.splice_text(text, index, 0, character)
    return replica, [entry.chunk for entry in replica.log(0)]


def test_a_follower_gives_the_engine_what_it_lacks_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    replica, chunks = typed("a word")
    follower = followed(chunks)
    assert follower.heads == replica.heads and follower.contains(replica.heads)
    given: list[int] = []
    apply = Engine.apply

    def noted(engine: Engine, chunks: list[bytes]) -> None:
        given.append(len(chunks))
        apply(engine, chunks)

    monkeypatch.setattr(Engine, "apply", noted)
    assert follower.follow(chunks, origin="server") and not given, "what is known is not taken twice"
    assert follower.engine.value(ROOT, "text") == "a word" and given == [6]
    assert follower.engine.heads == follower.heads and given == [6]


def test_a_follower_takes_nothing_that_builds_on_what_it_lacks() -> None:
    _, chunks = typed("ab")
    follower = Follower(new_actor())
    assert not follower.follow([chunks[0], chunks[2]], origin="server")
    assert follower.heads == () and follower.log_end == 0


def test_a_follower_does_not_believe_changes_in_its_own_name() -> None:
    replica, chunks = typed("ab")
    follower = Follower(replica.actor)
    assert not follower.follow(chunks, origin="server") and follower.log_end == 0


def test_a_follower_writes_the_change_that_the_engine_would_have_written() -> None:
    _, chunks = typed("ab")
    by_engine, by_itself = followed(chunks), followed(chunks)
    obj = op_id(by_engine.engine.child(ROOT, "text") or b"")
    assert obj is not None
    for each in (by_engine, by_itself):
        each.actor = b"\x07" * 16
        each.engine._document.set_actor(each.actor)
    text = by_engine.engine.child(ROOT, "text") or b""
    with by_engine.transact() as writer:
        writer.splice_text(text, 0, 0, "é")
    assert by_itself.insert(obj, None, "é")
    assert by_itself.log(0)[-1].chunk == by_engine.log(0)[-1].chunk
    assert by_itself.heads == by_engine.heads and by_itself.engine.value(ROOT, "text") == "éab"


def test_changes_that_the_engine_does_not_take_are_said_to_be_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    _, chunks = typed("ab")
    follower = followed(chunks)

    def refuse(*_: object) -> None:
        raise EngineRefused("the test says so")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "apply", refuse)
        with pytest.raises(Malformed, match="the test says so"):
            follower.engine
    assert follower.engine.value(ROOT, "text") == "ab"
