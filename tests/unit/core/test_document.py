"""The notebook document: what it says after edits of ours and of others, and what the edits write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, Replica, Writer, new_actor
from jupyter_runtimed.core.document import Cell, NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import BadRequest, NoSuchCell
from jupyter_runtimed.core.position import between, is_position
from tests.support import notebooks
from tests.support.opened import Opened

Edit = Callable[[NotebookDocument], object]


def notebook(*sources: str) -> NotebookDocument:
    """A notebook with code cells a, b, c, …."""
    document = NotebookDocument(new_notebook_replica(b"alice"))
    for name, source in zip("abcdefgh", sources, strict=False):
        document.insert_cell("code", source, id=name)
    return document


def copy(document: NotebookDocument) -> NotebookDocument:
    """Another peer's replica of it."""
    return NotebookDocument(Replica.load(document.replica.save(), actor=new_actor()))


def merge(*documents: NotebookDocument) -> None:
    """Bring all to the same heads."""
    for document in documents:
        for other in documents:
            document.replica.engine.apply([entry.chunk for entry in other.replica.log(other.replica.log_start)])
            with document.replica.transact():
                pass  # what the engine was given is entered into the log
    assert len({document.replica.heads for document in documents}) == 1


def fresh(document: NotebookDocument) -> NotebookDocument:
    """The document as somebody reads it who has cached nothing."""
    return NotebookDocument(Replica.load(document.replica.save(), actor=new_actor()))


def changes_of(document: NotebookDocument, edit: Edit) -> int:
    """How many changes an edit makes."""
    before = document.replica.log_end
    edit(document)
    return document.replica.log_end - before


def sources(document: NotebookDocument) -> list[str]:
    return [cell.source for cell in document.cells()]


def raw(document: NotebookDocument, write: Callable[[Writer, bytes], object]) -> None:
    """Write into the cells map what a peer of another make might."""
    with document.replica.transact() as writer:
        cells = writer.child(ROOT, "cells")
        assert cells is not None
        write(writer, cells)


# Cells.


def test_a_new_notebook_is_empty() -> None:
    document = NotebookDocument(new_notebook_replica(b"alice"))
    assert document.cells() == [] and document.metadata() == {} and document.root() == {} == document.extra()


def test_a_cell_has_all_the_keys_of_the_schema() -> None:
    document = notebook()
    cell = document.insert_cell("markdown", "# é", id="x", metadata={"tags": ["a"], "trusted": True})
    assert cell == Cell("x", "markdown", "# é", {"tags": ["a"]}, None, None, cell.position, {})
    assert is_position(cell.position)
    content = document.replica.engine.extract()["cells"]["x"]
    assert set(content) == {"id", "cell_type", "position", "source", "metadata", "execution_id"}
    cells = document.replica.engine.child(ROOT, "cells")
    assert cells is not None
    made = document.replica.engine.child(cells, "x")
    assert made is not None
    source = document.replica.engine.child(made, "source")
    assert source is not None and document.replica.engine.kind(source) == TEXT
    assert document.replica.engine.child(made, "cell_type") is None


def test_cells_are_inserted_where_one_says() -> None:
    document = notebook("1", "2")
    document.insert_cell("code", "end", id="x")
    document.insert_cell("code", "front", id="y", index=0)
    document.insert_cell("code", "behind 1", id="z", after="a")
    document.insert_cell("code", "far away", id="w", index=99)
    document.insert_cell("code", "before all", id="v", index=-5)
    assert sources(document) == ["before all", "front", "1", "behind 1", "2", "end", "far away"]


def test_a_move_overwrites_the_position_and_nothing_else() -> None:
    document = notebook("1", "2", "3")
    bob = copy(document)
    assert changes_of(document, lambda d: d.move_cell("c", index=0)) == 1
    document.move_cell("a", after="b")
    assert document.cell_ids() == ["c", "b", "a"]
    bob.append("c", "!")
    merge(document, bob)
    assert sources(document) == sources(bob) == ["3!", "2", "1"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.insert_cell("code", "x" * 500, id="x", metadata={"a": 1}, attachments={"a": {"text/plain": "b"}}),
        lambda d: d.delete_cell("a"),
        lambda d: d.set_cell_type("a", "raw"),
        lambda d: d.set_source("a", "something else altogether"),
        lambda d: d.set_source("a", "One, two and three."),
        lambda d: d.append("a", "x" * 5000),
        lambda d: d.splice("a", 0, 3, "x"),
        lambda d: d.set_cell_metadata("a", "k", {"x": [1, {"y": None}]}),
        lambda d: d.set_metadata("k", {"x": [1, {"y": None}]}),
        lambda d: d.set_attachments("a", {"p": {"image/png": "x"}}),
        lambda d: d.set_attachment("a", "p", {"image/png": "x"}),
        lambda d: d.set_execution_ids({"a": "1", "b": "2", "gone": "3"}),
    ],
)
def test_each_edit_is_one_change_and_read_by_everybody(edit: Edit) -> None:
    document = notebook("one, two, three", "other")
    assert changes_of(document, edit) == 1
    again = fresh(document)
    assert document.cells() == again.cells() and document.metadata() == again.metadata()


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.set_source("a", "one"),
        lambda d: d.splice("a", 1, 0, ""),
        lambda d: d.set_execution_id("a", None),
        lambda d: d.delete_metadata("absent"),
        lambda d: d.delete_cell_metadata("a", "absent"),
        lambda d: d.set_attachments("a", None),
        lambda d: d.delete_attachment("a", "absent"),
        lambda d: d.set_metadata("same", {"x": [1, {"y": 2.0}]}),
        lambda d: d.set_cell_metadata("a", "same", None),
    ],
)
def test_an_edit_that_changes_nothing_writes_nothing(edit: Edit) -> None:
    document = notebook("one")
    document.set_metadata("same", {"x": [1, {"y": 2.0}]})
    document.set_cell_metadata("a", "same", None)
    assert changes_of(document, edit) == 0


def test_metadata_of_equal_value_and_other_type_is_written() -> None:
    document = notebook("x")
    for value in (1, 1.0, True, "1", [1], {"a": 1}, {"a": True}, None):
        assert changes_of(document, lambda d: d.set_metadata("k", value)) == 1
        assert type(document.get_metadata("k")) is type(value) and document.get_metadata("k") == value


def test_edits_of_different_keys_of_one_object_are_both_kept() -> None:
    alice = notebook("x")
    alice.set_metadata("k", {"a": 1, "b": {"c": 1, "d": 1}, "gone": 1})
    bob = copy(alice)
    alice.set_metadata("k", {"a": 2, "b": {"c": 1, "d": 1}, "gone": 1})
    bob.set_metadata("k", {"a": 1, "b": {"c": 1, "d": 2}, "new": 1})
    merge(alice, bob)
    assert alice.metadata() == bob.metadata() == {"k": {"a": 2, "b": {"c": 1, "d": 2}, "new": 1}}


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.insert_cell("poem", "", id="x"),
        lambda d: d.insert_cell("code", "", id="a"),
        lambda d: d.insert_cell("code", "", id=""),
        lambda d: d.insert_cell("code", "", id="\ud800"),
        lambda d: d.insert_cell("code", "\ud800", id="x"),
        lambda d: d.insert_cell("code", "", id="x", metadata={"": 1}),
        lambda d: d.insert_cell("code", "", id="x", attachments={"a": {"b": "\ud800"}}),
        lambda d: d.set_cell_type("a", "heading"),
        lambda d: d.set_source("a", "\udfff"),
        lambda d: d.splice("a", 5, 0, "x"),
        lambda d: d.splice("a", 2, 2, "x"),
        lambda d: d.splice("a", -1, 0, "x"),
        lambda d: d.splice("a", 0, 0, "\ud800"),
        lambda d: d.set_metadata("k", 2**63),
        lambda d: d.set_metadata("", 1),
        lambda d: d.set_cell_metadata("a", "k", ["\ud800"]),
        lambda d: d.set_cell_metadata("a", "trusted", True),
        lambda d: d.set_attachments("a", {"": {}}),
        lambda d: d.set_attachment("a", "", {}),
        lambda d: d.set_metadata("k", {"a": [{"": 1}]}),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(edit: Edit) -> None:
    document = notebook("one")
    heads = document.replica.heads
    with pytest.raises(BadRequest):
        edit(document)
    assert document.replica.heads == heads


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.cell("x"),
        lambda d: d.delete_cell("x"),
        lambda d: d.move_cell("x", index=0),
        lambda d: d.move_cell("a", after="x"),
        lambda d: d.insert_cell("code", "", id="new", after="x"),
        lambda d: d.set_source("x", ""),
        lambda d: d.append("x", ""),
        lambda d: d.set_cell_type("x", "raw"),
        lambda d: d.set_cell_metadata("x", "k", 1),
        lambda d: d.delete_cell_metadata("x", "k"),
        lambda d: d.set_attachments("x", {}),
        lambda d: d.set_attachment("x", "p", {}),
        lambda d: d.delete_attachment("x", "p"),
    ],
)
def test_a_cell_that_is_not_there_is_named(edit: Edit) -> None:
    document = notebook("one")
    document.insert_cell("code", "", id="x")
    document.delete_cell("x")
    with pytest.raises(NoSuchCell, match="'x'"):
        edit(document)
    assert not document.has_cell("x")


# Sources.


def test_indices_are_code_points() -> None:
    document = notebook("a👩‍🔬é")
    document.splice("a", 1, 3, "😀")
    assert sources(document) == ["a😀é"]
    document.splice("a", 2, 0, "x")
    assert sources(document) == ["a😀xé"]


def test_others_edits_in_what_stayed_are_kept() -> None:
    alice = notebook("def f(x):\n    return x\n\n\nprint(f(1))\n")
    bob = copy(alice)
    alice.set_source("a", "def g(x):\n    return x\n\n\nprint(g(1))\n")
    bob.splice("a", len("def f(x):\n    return x"), 0, " + 1")
    merge(alice, bob)
    assert sources(alice) == sources(bob) == ["def g(x):\n    return x + 1\n\n\nprint(g(1))\n"]


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_source_becomes_what_it_is_set_to(before: str, after: str) -> None:
    document = notebook(before)
    assert changes_of(document, lambda d: d.set_source("a", after)) == (before != after)
    assert sources(document) == sources(fresh(document)) == [after]


# Order.


@given(
    st.lists(
        st.sampled_from(["b", "b", "ba", "A", "~", "b0", "", "0", "z", "é"]) | st.none() | st.integers(0, 3),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 6),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_a_cell_comes_to_stand_where_one_says_whatever_the_positions_are(
    positions: list[Any], place: int, is_move: bool
) -> None:
    """Equal positions, positions that are none, and cells without one."""
    document = notebook()
    for number, position in enumerate(positions):
        fields = {"cell_type": "raw"} if position is None else {"cell_type": "raw", "position": position}
        with document.replica.transact() as writer:
            writer.put(writer.child(ROOT, "cells") or ROOT, f"cell-{number}", fields)
    order = document.cell_ids()
    if is_move:
        moved = order.pop(place % len(order))
        document.move_cell(moved, index=min(place, len(order)))
        order.insert(min(place, len(order)), moved)
    else:
        document.insert_cell("code", "", id="new", index=min(place, len(order)))
        order.insert(min(place, len(order)), "new")
    assert document.cell_ids() == fresh(document).cell_ids() == order


def test_insertions_at_one_place_at_once_stay_ordered_and_distinct() -> None:
    alice = notebook("1", "2")
    bob = copy(alice)
    for number in range(3):
        alice.insert_cell("code", f"alice {number}", id=f"alice-{number}", index=1 + number)
        bob.insert_cell("code", f"bob {number}", id=f"bob-{number}", index=1 + number)
    merge(alice, bob)
    assert alice.cell_ids() == bob.cell_ids() and len(set(alice.cell_ids())) == 8
    order = alice.cell_ids()
    assert order[0] == "a" and order[-1] == "b"
    for name in ("alice", "bob"):
        assert [key for key in order if key.startswith(name)] == [f"{name}-{number}" for number in range(3)]
    # And there is room between what stands at one position.
    alice.insert_cell("code", "", id="between", index=2)
    assert alice.cell_ids() == [*order[:2], "between", *order[2:]]


def test_appending_a_thousand_cells_keeps_positions_short() -> None:
    document = notebook("1")
    position = document.cells()[0].position
    for _ in range(1000):
        position = between(position, "")
    document.insert_cell("code", "", id="x")
    assert len(position) <= 4 and len(document.cell("x").position) <= 4


# What others write.


def test_broken_cells_read_as_something_harmless_and_stay() -> None:
    document = notebook()

    def write(writer: Writer, cells: bytes) -> None:
        writer.put(cells, "scalar", 5)
        writer.put(cells, "list", [1])
        writer.put(cells, "empty", {})
        writer.put(
            cells,
            "types",
            {
                "id": 3,
                "cell_type": [],
                "source": 5,
                "metadata": "x",
                "attachments": [],
                "execution_id": 5,
                "position": 1,
            },
        )
        writer.put(cells, "liar", {"id": "somebody else", "cell_type": "sql", "source": "text", "extra": {"x": 1}})

    raw(document, write)
    assert {cell.id for cell in document.cells()} == {"scalar", "list", "empty", "types", "liar"}
    for name in ("scalar", "list", "empty", "types"):
        assert document.cell(name) == Cell(name)
    assert document.cell("liar") == Cell("liar", "code", "text", extra={"extra": {"x": 1}})
    for name in document.cell_ids():
        document.append(name, "!")
        document.set_cell_metadata(name, "k", 1)
        document.set_execution_id(name, "e")
        document.move_cell(name, index=0)
        assert document.cell(name).source.endswith("!") and document.cell(name).metadata == {"k": 1}
    assert document.cells() == fresh(document).cells()


def test_texts_are_strings_to_readers() -> None:
    document = notebook()

    def write(writer: Writer, cells: bytes) -> None:
        cell = writer.make(cells, "js", MAP)
        for key, value in (("cell_type", "raw"), ("position", "m"), ("source", "text"), ("execution_id", "e")):
            writer.splice_text(writer.make(cell, key, TEXT), 0, 0, value)
        writer.splice_text(writer.make(writer.make(cell, "metadata", MAP), "name", TEXT), 0, 0, "value")

    raw(document, write)
    assert document.cells() == [Cell("js", "raw", "text", {"name": "value"}, None, "e", "m")]


def test_changes_of_others_are_read_wherever_they_are() -> None:
    """A cache that follows: after each foreign change it says what a reader without one does."""
    alice = notebook("one", "two")
    alice.set_metadata("m", {"x": {"y": 1}})
    alice.set_cell_metadata("a", "m", {"x": {"y": 1}})
    with alice.replica.transact() as writer:
        writer.put(ROOT, "extra", {"x": {"y": 1}})
    bob = copy(alice)

    def set_deep(owner: list[str], value: int) -> Edit:
        def edit(document: NotebookDocument) -> None:
            with document.replica.transact() as writer:
                obj = ROOT
                for key in owner:
                    found = writer.child(obj, key)
                    assert found is not None
                    obj = found
                writer.put(obj, "y", value)

        return edit

    edits: list[Edit] = [
        lambda d: d.append("a", "!"),
        lambda d: d.move_cell("b", index=0),
        set_deep(["metadata", "m", "x"], 2),
        set_deep(["cells", "a", "metadata", "m", "x"], 2),
        set_deep(["extra", "x"], 2),
        lambda d: d.set_cell_metadata("b", "new", {"x": {"y": 1}}),
        set_deep(["cells", "b", "metadata", "new", "x"], 2),
        lambda d: d.insert_cell("code", "new", id="n", index=1),
        lambda d: d.set_source("n", "newer"),
        lambda d: d.delete_cell("a"),
        lambda d: d.set_metadata("other", 1),
        lambda d: d.set_attachments("n", {"x": {"text/plain": "1"}}),
        lambda d: d.set_cell_type("n", "raw"),
    ]
    for edit in edits:
        assert alice.cells() is not None and alice.metadata() is not None and alice.root() is not None
        edit(bob)
        merge(alice, bob)
        reader = fresh(alice)
        assert alice.cells() == reader.cells() == bob.cells()
        assert (alice.metadata(), alice.root()) == (reader.metadata(), reader.root())


def test_a_log_that_was_compacted_away_is_no_obstacle() -> None:
    document = notebook("one")
    assert sources(document) == ["one"]
    document.append("a", "!")
    document.replica.compact()
    document.append("a", "?")
    assert sources(document) == ["one!?"]


def test_a_cell_is_read_again_only_when_it_was_touched() -> None:
    document = notebook("one", "two")
    before = document.cells()
    document.append("a", "!")
    after = document.cells()
    assert after[0] is not before[0] and after[1] is before[1]


def test_attachments_are_added_and_removed_one_by_one() -> None:
    document = notebook("one")
    other = fresh(document)
    document.set_attachment("a", "p", {"image/png": "x"})
    document.set_attachment("a", "q", {"image/png": "y"})
    document.set_attachment("a", "p", {"text/plain": "z"})
    other.append("a", "!")
    merge(document, other)
    assert document.cell("a").attachments == {"p": {"text/plain": "z"}, "q": {"image/png": "y"}}
    document.delete_attachment("a", "p")
    assert document.cell("a").attachments == fresh(document).cell("a").attachments == {"q": {"image/png": "y"}}


# A document that was read without the engine.

EDITS: dict[str, Edit] = {
    "type": lambda document: document.splice("a", 0, 0, "x"),
    "type elsewhere": lambda document: document.append("b", "y"),
    "insert": lambda document: document.insert_cell("code", "new", id=f"n{document.replica.log_end}", index=0),
    "delete": lambda document: document.delete_cell("c") if document.has_cell("c") else None,
    "move": lambda document: document.move_cell("b", index=0),
    "retype": lambda document: document.set_cell_type("a", "markdown"),
    "metadata": lambda document: document.set_metadata("k", document.replica.log_end),
}


@pytest.mark.parametrize("second", EDITS)
@pytest.mark.parametrize("first", EDITS)
def test_what_was_read_cold_follows_every_edit(first: str, second: str) -> None:
    opened = Opened(notebooks.to_bytes(notebooks.notebook([notebooks.code(name, id=name) for name in "abc"])))
    document = opened.document
    theirs = fresh(document)
    for edit in (EDITS[first], EDITS[second], EDITS[first]):
        edit(document)
        assert document.cells() == fresh(document).cells() and document.metadata() == fresh(document).metadata()
        edit(theirs)
        merge(document, theirs)
        assert document.cells() == fresh(document).cells() and document.metadata() == fresh(document).metadata()


@pytest.mark.parametrize("element", [None, "wide", "", 5])
def test_what_was_just_typed_reads_as_to_somebody_who_has_cached_nothing(element: str | int | None) -> None:
    for index in range(10):
        document = notebook("héllo")
        if element is not None:  # some library put in what is no character: the engine counts in its own way
            raw(document, lambda writer, cells: writer.insert(document._source("a") or b"", 2, element))
        for delete, text in ((0, "Z"), (0, "🎉"), (1, ""), (2, "xy")):
            if index + delete <= len(document.cell("a").source):
                document.splice("a", index, delete, text)
                assert sources(document) == sources(fresh(document))
