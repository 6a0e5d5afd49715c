"""Whatever was done since, restoring a version gives exactly that version; and a renewed document says the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.document import Cell, NotebookDocument, renewed_replica
from jupyter_runtimed.core.merge import Version, merge_version
from tests.support.versions import cell, document_of, version

START = version(cell("a", "one"), cell("b", "two", "markdown"), cell("c", "three", k=1), t=1)

EDITS = ("type", "rewrite", "delete", "insert", "move", "type of cell", "metadata", "attach", "root")


def edit(data: st.DataObject, document: NotebookDocument, number: int) -> None:
    kind, ids = data.draw(st.sampled_from(EDITS)), document.cell_ids()
    if kind == "insert" or not ids:
        document.insert_cell("code", f"new {number}", id=f"n{number}", index=data.draw(st.integers(0, 4)))
        return
    chosen = data.draw(st.sampled_from(ids))
    if kind == "type":
        document.append(chosen, f" typed {number}")
    elif kind == "rewrite":
        document.set_source(chosen, data.draw(st.text(st.sampled_from("ab\n"), max_size=8)))
    elif kind == "delete":
        document.delete_cell(chosen)
    elif kind == "move":
        document.move_cell(chosen, index=data.draw(st.integers(0, 4)))
    elif kind == "type of cell":
        document.set_cell_type(chosen, data.draw(st.sampled_from(["code", "markdown", "raw"])))
    elif kind == "metadata":
        document.set_cell_metadata(chosen, "k", data.draw(st.sampled_from([1, {"a": [1, None]}, {"b": "x"}])))
    elif kind == "attach":
        document.set_attachment(chosen, "p", {"image/png": f"{number}"})
    else:
        document.set_metadata("k", {"n": number})


def content(state: Version) -> tuple[list[Cell], dict[str, object]]:
    """What people see of a version: the order, not the positions; and no outputs."""
    return [replace(cell, position="", execution_id=None) for cell in state.cells], dict(state.metadata)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_version_comes_back_as_it_was(data: st.DataObject) -> None:
    document = document_of(START)
    states = [(document.replica.heads, Version.of(document))]
    for number in range(data.draw(st.integers(1, 10))):
        edit(data, document, number)
        states.append((document.replica.heads, Version.of(document)))
    heads, past = data.draw(st.sampled_from(states))
    assert content(Version.at(document.replica, heads)) == content(past)
    merge_version(document, Version.of(document), Version.at(document.replica, heads))
    assert content(Version.of(document)) == content(past)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_renewed_document_says_the_same_and_can_be_edited(data: st.DataObject) -> None:
    document = document_of(START)
    for number in range(data.draw(st.integers(0, 10))):
        edit(data, document, number)
    before = Version.of(document)
    renewed = NotebookDocument(renewed_replica(document, actor=new_actor(), author=new_actor()))
    assert Version.of(renewed) == before
    for number in range(20, 20 + data.draw(st.integers(1, 5))):
        edit(data, renewed, number)
    again = Version.of(NotebookDocument(type(renewed.replica).load(renewed.replica.save(), actor=new_actor())))
    assert again == Version.of(renewed)
