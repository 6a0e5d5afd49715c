"""Merging a version of a notebook into the live document: rules of `core.merge.cells`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.merge import Merged, Version, merge_version
from tests.support.versions import cell, document_of, ids, sources, version

BASE = version(cell("a", "one"), cell("b", "two"), cell("c", "three"), title="t")


def live() -> NotebookDocument:
    return document_of(BASE)


def with_cell(state: Version, cell_id: str, **fields: object) -> Version:
    cells = tuple(replace(c, **fields) if c.id == cell_id else c for c in state.cells)  # type: ignore[arg-type]
    return replace(state, cells=cells)


def ordered(state: Version, order: str) -> Version:
    by_id = {c.id: c for c in state.cells}
    return replace(state, cells=tuple(by_id.get(key) or cell(key, f"new {key}") for key in order))


def merge(document: NotebookDocument, theirs: Version, base: Version = BASE) -> Merged:
    return merge_version(document, base, theirs)


def test_merging_what_is_there_changes_nothing() -> None:
    document = live()
    heads = document.replica.heads
    merge(document, BASE)
    assert document.replica.heads == heads


def test_edits_in_different_cells_both_stay() -> None:
    document = live()
    document.splice("a", 3, 0, " from the room")
    merge(document, with_cell(BASE, "b", source="two from outside"))
    assert sources(document) == {"a": "one from the room", "b": "two from outside", "c": "three"}


def test_edits_in_one_cell_merge_by_character() -> None:
    document = live()
    document.splice("a", 0, 0, "number ")
    merge(document, with_cell(BASE, "a", source="one!"))
    assert sources(document)["a"] == "number one!"


def test_a_cell_they_removed_goes() -> None:
    document = live()
    merged = merge(document, ordered(BASE, "ac"))
    assert ids(document) == "ac" and merged.deleted == ["b"]


@pytest.mark.parametrize("edit", ["source", "type", "metadata"])
def test_a_cell_they_removed_stays_when_it_was_edited_here(edit: str) -> None:
    document = live()
    if edit == "source":
        document.append("b", "!")
    elif edit == "type":
        document.set_cell_type("b", "markdown")
    else:
        document.set_cell_metadata("b", "tags", ["mine"])
    merged = merge(document, ordered(BASE, "ac"))
    assert ids(document) == "abc" and merged.kept == ["b"] and not merged.deleted


def test_running_or_moving_a_cell_does_not_keep_it_from_being_removed() -> None:
    document = live()
    document.set_execution_id("b", "e1")
    document.move_cell("b", index=0)
    merge(document, ordered(BASE, "ac"))
    assert ids(document) == "ac"


def test_a_cell_removed_here_stays_removed_unless_they_have_changed_it() -> None:
    document = live()
    document.delete_cell("b")
    document.delete_cell("c")
    merged = merge(document, with_cell(BASE, "b", source="two, improved"))
    assert sources(document) == {"a": "one", "b": "two, improved"} and merged.restored == ["b"]


def test_an_empty_base_removes_nothing() -> None:
    document = live()
    merge(document, version(cell("z", "other")), base=Version())
    assert set(sources(document)) == {"a", "b", "c", "z"}


def test_the_same_cells_without_a_base_are_not_doubled() -> None:
    document = live()
    merge(document, BASE, base=Version())
    assert sources(document) == {"a": "one", "b": "two", "c": "three"}


def test_new_cells_stand_where_they_were_put() -> None:
    document = live()
    merged = merge(document, ordered(BASE, "xaybzc"))
    assert ids(document) == "xaybzc" and merged.inserted == ["x", "y", "z"]
    assert len({c.position for c in document.cells()}) == 6


def test_cells_added_here_stay_beside_cells_added_there() -> None:
    document = live()
    document.insert_cell("code", "mine", id="m", after="a")
    merge(document, ordered(BASE, "axbc"))
    assert sorted(ids(document)) == sorted("amxbc") and ids(document)[0] == "a" and ids(document)[-2:] == "bc"


@pytest.mark.parametrize("order", ["acb", "cba", "bca", "cab", "bac"])
def test_a_new_order_is_taken_over_by_moving(order: str) -> None:
    document = live()
    objects = {key: document.replica.engine.child(document.replica.engine.child(b"\0", "cells"), key) for key in "abc"}  # type: ignore[arg-type]
    merged = merge(document, ordered(BASE, order))
    assert ids(document) == order and not merged.deleted and not merged.inserted
    assert objects == {
        key: document.replica.engine.child(document.replica.engine.child(b"\0", "cells"), key)  # type: ignore[arg-type]
        for key in "abc"
    }


def test_their_move_and_our_edit_are_both_there() -> None:
    document = live()
    document.append("c", "!")
    merge(document, ordered(BASE, "cab"))
    assert ids(document) == "cab" and sources(document)["c"] == "three!"


def test_our_order_stays_where_they_changed_none() -> None:
    document = live()
    document.move_cell("c", index=0)
    merge(document, with_cell(BASE, "a", source="1"))
    assert ids(document) == "cab"


def test_wholesale_replacement_keeps_only_what_was_edited_here() -> None:
    document = live()
    document.append("b", " and mine")
    merge(document, version(*(cell(key, f"new {key}") for key in "vwxyz")))
    assert set(ids(document)) == set("vwxyzb") and sources(document)["b"] == "two and mine"


def test_many_cells_at_one_place_have_short_positions() -> None:
    document = live()
    new = tuple(cell(f"n{number}", str(number)) for number in range(500))
    merge(document, replace(BASE, cells=(BASE.cells[0], *new, *BASE.cells[1:])))
    assert [c.id for c in document.cells()] == ["a", *(f"n{number}" for number in range(500)), "b", "c"]
    assert max(len(c.position) for c in document.cells()) < 12


def test_types_and_metadata_merge_key_by_key() -> None:
    base = version(cell("a", "x", tags=["t"], nested={"p": 1, "q": 2}), kernelspec={"name": "python3"}, k=1)
    document = document_of(base)
    document.set_cell_metadata("a", "nested", {"p": 1, "q": 3})
    document.set_cell_metadata("a", "mine", True)
    document.set_metadata("k", 2)
    theirs = version(
        cell("a", "x", "markdown", nested={"p": 5, "q": 2}, theirs=None), kernelspec={"name": "julia"}, k=1, new="n"
    )
    merge(document, theirs, base)
    (merged,) = document.cells()
    assert merged.cell_type == "markdown"
    assert merged.metadata == {"nested": {"p": 5, "q": 3}, "mine": True, "theirs": None}
    assert document.metadata() == {"kernelspec": {"name": "julia"}, "k": 2, "new": "n"}


def test_where_both_changed_one_value_ours_stays() -> None:
    document = live()
    document.set_cell_type("a", "raw")
    document.set_cell_metadata("a", "k", "ours")
    theirs = with_cell(BASE, "a", cell_type="markdown", metadata={"k": "theirs"})
    merge(document, theirs)
    assert document.cell("a").cell_type == "raw" and document.cell("a").metadata == {"k": "ours"}


def test_attachments_and_unknown_keys_come_along() -> None:
    document = live()
    theirs = with_cell(BASE, "a", attachments={"p.png": {"image/png": {"blob": "0" * 64, "size": 1}}}, extra={"u": [1]})
    merged = merge(document, theirs)
    assert document.cell("a").attachments == {"p.png": {"image/png": {"blob": "0" * 64, "size": 1}}}
    assert document.cell("a").extra == {"u": [1]}
    heads = document.replica.heads
    less = with_cell(merged.base, "a", attachments={"p.png": {"image/png": {"blob": "0" * 64, "size": 1, "b64": {}}}})
    merge(document, less, merged.base)
    assert document.replica.heads == heads, "the same blob under another reference is no change"
    merge(document, with_cell(merged.base, "a", attachments=None, extra={}), merged.base)
    assert document.cell("a").attachments is None and document.cell("a").extra == {}


def test_the_new_base_is_their_version_in_our_ids() -> None:
    document = live()
    document.append("a", " here")
    theirs = version(cell("q", "one"), cell("b", "two!"), cell("d", "four"))
    merged = merge(document, theirs)
    assert merged.cells["q"] == "a", "a tool gave the cell another id"
    assert [(c.id, c.source) for c in merged.base.cells] == [("a", "one"), ("b", "two!"), ("d", "four")]
    heads = document.replica.heads
    again = merge(document, theirs, merged.base)
    assert document.replica.heads == heads and again.base.cells == merged.base.cells
    assert Version.from_json(merged.base.to_json()) == merged.base


def test_a_long_text_is_inserted_in_good_time() -> None:
    document = live()
    merge(document, with_cell(BASE, "a", source="x = 1\n" * 20_000))
    assert len(document.cell("a").source) == 120_000


def test_a_broken_cell_can_be_merged_into() -> None:
    document = live()
    with document.replica.transact() as writer:
        cells = writer.child(b"\0", "cells")
        assert cells is not None
        writer.put(cells, "broken", 7)
        writer.put(cells, "worse", {"id": 1, "position": 3, "metadata": "no"})
    base = Version.of(document)
    theirs = with_cell(with_cell(base, "broken", source="mended", metadata={"k": 1}), "worse", metadata={"k": 2})
    merge(document, theirs, base)
    assert document.cell("broken").source == "mended" and document.cell("broken").metadata == {"k": 1}
    assert document.cell("worse").metadata == {"k": 2}
