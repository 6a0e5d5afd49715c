"""The index of a history is the same, whether it is made of a document chunk or of changes one by one."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import Engine, Replica, read_chunk
from jupyter_runtimed.core.crdt.history import History
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.limits import Limits
from tests.support.automerge_model import HISTORIES, Twins
from tests.support.gate_fuzz import Ground, invented_change

GROUND = Ground()


def contents(history: History) -> Any:
    authors = {
        actor: (author.seq, author.last, author.max_op, author.firsts, author.runs)
        for actor, author in history._authors.items()
    }
    return authors, history._objects, history._max_ops, history._max_op


def of_changes(chunks: list[bytes]) -> History:
    history = History(Limits().max_depth)
    for chunk in chunks:
        history.enter(read_chunk(chunk))
    return history


def assert_same(data: bytes, chunks: list[bytes], actor: bytes) -> None:
    expected = contents(of_changes(chunks))
    of_document = Replica.load(data, actor=actor)
    assert contents(of_document.history) == expected
    logged = Replica(b"", actor=actor, heads=(), known=())
    logged.apply([read_chunk(chunk) for chunk in chunks], origin=None)
    assert contents(logged.history) == expected
    half = Engine.empty(actor)
    half.apply(chunks[: len(chunks) // 2])
    both = Replica.load(half.save(), actor=actor)
    both.apply([read_chunk(chunk) for chunk in chunks], origin=None)
    both.cool()
    assert contents(both.history) == expected


@given(HISTORIES)
@settings(max_examples=15, deadline=None)
def test_of_histories_by_several_authors(history: list[Any]) -> None:
    twins = Twins()
    for actor, edits in history:
        twins.transact(actor, edits)
    assert_same(twins.engine.save(), [chunk for chunk, _ in twins.changes], b"server")


def test_of_concurrent_histories() -> None:
    assert_same(GROUND.data, GROUND.chunks, b"server")


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_change_that_is_taken_back_leaves_no_trace(seed: int) -> None:
    """Refused half-way, or entered and then withdrawn."""
    history = of_changes(GROUND.chunks)
    before = repr(contents(history))
    marks = []
    try:
        marks.append(history.check(read_chunk(invented_change(random.Random(seed), GROUND)[-1])))
    except Malformed:
        assert repr(contents(history)) == before
    for mark in marks:
        assert repr(contents(history)) != before
        history.forget(mark)
    assert repr(contents(history)) == before
