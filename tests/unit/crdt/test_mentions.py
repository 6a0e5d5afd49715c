"""Names of blobs in Automerge bytes: none that stands in a document or its past is missed."""

from __future__ import annotations

import hashlib

import pytest

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, Engine, new_actor
from jupyter_runtimed.core.crdt.mentions import mentions, mentions_in
from jupyter_runtimed.core.errors import Malformed


def name(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


NAMES = [name(number) for number in range(60)]
WANTED = frozenset(one.encode() for one in NAMES)


def document() -> Engine:
    """Thirty references, those of even numbers overwritten; and one name as a Text, as JavaScript writes strings."""
    engine = Engine.empty(new_actor())
    for number in range(30):
        with engine.transaction() as writer:
            writer.put(ROOT, f"r{number}", {"blob": NAMES[number], "size": 0x61 + number, "next": "ab"})
    for number in range(0, 30, 2):
        with engine.transaction() as writer:
            writer.put(ROOT, f"r{number}", None)
    with engine.transaction() as writer:
        text = writer.make(writer.make(ROOT, "js", MAP), "blob", TEXT)
        writer.splice_text(text, 0, 0, NAMES[30])
    return engine


def test_names_are_found_in_a_document_and_in_its_history() -> None:
    engine = document()
    assert mentions(engine.save(), WANTED) == {one.encode() for one in NAMES[:31]}


def test_names_are_found_in_changes() -> None:
    changes = b"".join(chunk for _, chunk in document().changes_since(()))
    assert mentions(changes, WANTED) == {one.encode() for one in NAMES[:31]}


def test_nothing_else_is_named() -> None:
    assert mentions(document().save(), frozenset({NAMES[40].encode()})) == set() == mentions(b"", WANTED)


def test_a_name_is_found_wherever_a_run_of_digits_and_a_slice_begin() -> None:
    for before in (0, 1, 63, 64, 65_472, 65_473, 65_535, 65_536):
        assert mentions_in(b"a" * before + NAMES[0].encode() + b"f" * 3, WANTED) == {NAMES[0].encode()}


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(Malformed):
        mentions(b"no chunk at all", WANTED)
