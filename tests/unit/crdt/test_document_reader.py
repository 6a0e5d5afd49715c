"""A document chunk reads without the engine as the engine reads it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import LIST, MAP, ROOT, TEXT, Engine, Uint
from jupyter_runtimed.core.crdt.document_reader import read_document
from jupyter_runtimed.core.errors import ProtocolError

LIMIT = 1 << 28
VALUES = (None, True, False, 0, -5, 2**60, 1.5, "", "é🎉", Uint(7), {"a": [1, {"b": "x"}], "t": "s"}, [[], {}, [None]])


def edit(engine: Engine, dice: random.Random) -> None:
    """One transaction of anything, anywhere."""
    maps, lists, texts = [ROOT], [], []
    waiting = [ROOT]
    while waiting:
        obj = waiting.pop()
        keys = engine.keys(obj) if engine.kind(obj) == MAP else range(engine.length(obj))
        for key in keys:
            child = engine.child(obj, key)
            if child is not None:
                kind = engine.kind(child)
                {MAP: maps, LIST: lists, TEXT: texts}[kind].append(child)
                if kind != TEXT:
                    waiting.append(child)
    with engine.transaction() as writer:
        for _ in range(dice.randrange(1, 5)):
            target = dice.choice(maps)
            key = f"k{dice.randrange(6)}"
            match dice.randrange(7):
                case 0 | 1:
                    writer.put(target, key, dice.choice(VALUES))
                case 2:
                    texts.append(writer.make(target, key, TEXT))
                case 3 if lists:
                    chosen = dice.choice(lists)
                    writer.insert(chosen, dice.randrange(writer.length(chosen) + 1), dice.choice(VALUES))
                case 4 if texts:
                    text = dice.choice(texts)
                    length = writer.length(text)
                    at = dice.randrange(length + 1)
                    writer.splice_text(
                        text, at, min(dice.randrange(3), length - at), dice.choice(("x", "añ🎉", "long " * 9))
                    )
                case 5 if lists and writer.length(lists[-1]):
                    writer.delete(lists[-1], dice.randrange(writer.length(lists[-1])))
                case _:
                    writer.delete(target, key)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_history_reads_alike(seed: int) -> None:
    """Two actors edit and merge; conflicts, deletions and overwritten objects included."""
    dice = random.Random(seed)
    one, two = Engine.empty(b"a" * 16), Engine.empty(b"b" * 16)
    for _ in range(dice.randrange(1, 12)):
        edit(dice.choice((one, two)), dice)
        if dice.random() < 0.3:
            one.apply([chunk for _, chunk in two.changes_since(())])
            two.apply([chunk for _, chunk in one.changes_since(())])
    one.apply([chunk for _, chunk in two.changes_since(())])
    root, heads = read_document(one.save(), LIMIT)
    assert root == one.extract() and heads == one.heads


@pytest.mark.parametrize("cut", [0, 8, 40, 100, -1])
def test_what_is_broken_is_refused(cut: int) -> None:
    engine = Engine.empty(b"a" * 16)
    with engine.transaction() as writer:
        writer.put(ROOT, "a", {"b": [1, 2, 3], "c": "text " * 40})
    with pytest.raises(ProtocolError):
        read_document(engine.save()[:cut], LIMIT)
