"""A document chunk that we write is the document that our changes make, for the engine and for JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import HEAD, LIST, MAP, TEXT, ChangeBuilder, DocumentWriter, Engine, Replica
from tests.support.automerge_model import JSON, KEYS, TEXTS
from tests.support.js_peer import JsProcess, requires_js

GENESIS, IMPORT = b"the genesis actor", b"an import"

CELLS = st.lists(
    st.tuples(TEXTS, TEXTS, st.dictionaries(KEYS, JSON, max_size=3), st.lists(JSON, max_size=3)), max_size=5
)
"""(source, more of it, metadata, a list)"""

ROOT_VALUES = st.dictionaries(KEYS.filter(lambda key: key != "cells"), JSON, max_size=3)


def import_document(root: dict[str, Any], cells: list[Any]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What opening a file does: the document chunk, and the (chunk, hash) of genesis and imports."""
    writer = DocumentWriter()
    builder = ChangeBuilder(GENESIS, recorder=writer)
    cells_map = (builder.make(None, "cells", MAP), GENESIS)
    log = (builder.make(None, "log", LIST), GENESIS)
    changes = [builder.finish()]
    last: Any = HEAD
    for number, (source, more, metadata, items) in enumerate(cells or [("", "", {}, [])]):
        builder = ChangeBuilder(IMPORT, number + 1, builder.next, [changes[-1][1]], recorder=writer)
        cell = builder.make(cells_map, f"cell {number:x}", MAP)
        text = builder.make(cell, "source", TEXT)
        builder.text(text, more, builder.text(text, source))
        builder.put_json(cell, "metadata", metadata)
        after = builder.extend_json(log, last, items)
        last = (after, IMPORT) if isinstance(after, int) and after else last
        if number == 0:
            for key, value in root.items():
                builder.put_json(None, key, value)
        changes.append(builder.finish(compress=number % 2 == 1))
    return writer.finish(), changes


def value_of(root: dict[str, Any], cells: list[Any]) -> dict[str, Any]:
    cells = cells or [("", "", {}, [])]
    return root | {
        "cells": {
            f"cell {number:x}": {"source": source + more, "metadata": metadata}
            for number, (source, more, metadata, _) in enumerate(cells)
        },
        "log": [item for *_, items in cells for item in items],
    }


def canonical(value: Any) -> str:
    """Equal for equal values, whatever the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return repr(value)


@given(ROOT_VALUES, CELLS)
@settings(max_examples=35, deadline=None)
def test_the_chunk_and_the_changes_are_the_same_document(root: dict[str, Any], cells: list[Any]) -> None:
    chunk, changes = import_document(root, cells)
    loaded = Engine.load(chunk, b"reader")
    assert loaded.heads == (changes[-1][1],)
    assert canonical(loaded.extract()) == canonical(value_of(root, cells))
    assert [digest for digest, _ in loaded.changes_since(())] == [digest for _, digest in changes]

    built = Engine.empty(b"reader")
    built.apply([change for change, _ in changes])
    assert built.heads == loaded.heads
    assert built.changes_since(()) == loaded.changes_since(())
    assert built.save() == loaded.save(), "the engine sees no difference between the two"


@given(ROOT_VALUES, CELLS)
@settings(max_examples=35, deadline=None)
def test_a_replica_of_the_chunk_goes_on_like_one_of_the_changes(root: dict[str, Any], cells: list[Any]) -> None:
    chunk, changes = import_document(root, cells)
    of_chunk = Replica(chunk, actor=b"server", heads=(changes[-1][1],), known=[digest for _, digest in changes])
    of_changes = Replica(b"", actor=b"server", heads=(), known=())
    of_changes.append(changes)
    for replica in (of_chunk, of_changes):
        with replica.transact() as writer:
            writer.put(b"\x00", "new", 1)
        replica.append_own(lambda builder: builder.put(None, "newer", "x"))
    assert of_chunk.heads == of_changes.heads
    assert canonical(of_chunk.engine.extract()) == canonical(of_changes.engine.extract())


@pytest.fixture(scope="module")
def js() -> Iterator[JsProcess]:
    with JsProcess() as process:
        yield process


@requires_js
@given(ROOT_VALUES, CELLS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_javascript_reads_the_chunk_and_the_changes(js: JsProcess, root: dict[str, Any], cells: list[Any]) -> None:
    chunk, changes = import_document(root, cells)
    loaded = js.peer(chunk)
    assert loaded.heads == (changes[-1][1],)
    built = js.peer()
    built.apply([change for change, _ in changes])
    assert built.heads == loaded.heads
    assert canonical(built.value) == canonical(loaded.value)
    again = Engine.load(loaded.save(), b"reader")
    assert again.heads == loaded.heads
    assert canonical(again.extract()) == canonical(value_of(root, cells))
    for peer in (loaded, built):
        peer.free()
