"""Documents become a notebook file: nothing of what was opened is lost, and what was changed stands."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import nbformat
import pytest
from nbformat.v4 import nbjson

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, Uint
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import NotFound
from jupyter_runtimed.core.ipynb import Export, saved_cell_ids, valid_cell_id
from jupyter_runtimed.core.ipynb.layout import to_utf8, write_json
from jupyter_runtimed.core.runtime import RuntimeDocument
from tests.support import notebooks
from tests.support.notebooks import SURROGATE, code, markdown, meaning, notebook, to_bytes
from tests.support.opened import Opened

NBFORMAT_STUMBLES = {"odd-cells", "hard-values", "colliding-keys"}
"""Nbformat's own writer needs text in stream outputs, say."""


@cache
def saved(data: bytes) -> bytes:
    """What a save of a file that was opened writes."""
    return Opened(data).save()


@pytest.mark.parametrize("data", notebooks.each(notebooks.openable))
def test_nothing_is_lost(data: bytes) -> None:
    """A save says what the file said: every key and value at every level, types exact."""
    assert meaning(saved(data), of_save=True) == meaning(data)


@pytest.mark.parametrize(
    "data",
    notebooks.each(
        lambda: {name: data for name, data in notebooks.openable().items() if name not in NBFORMAT_STUMBLES}
    ),
)
def test_the_bytes_are_what_nbformat_writes(data: bytes) -> None:
    written = saved(data)
    parsed = nbformat.v4.to_notebook(json.loads(written))
    assert written.decode() == nbjson.writes(copy.deepcopy(parsed)) + "\n"


@pytest.mark.parametrize("data", notebooks.each(notebooks.regular))
def test_a_save_of_a_valid_notebook_is_valid(data: bytes) -> None:
    saved = Opened(data).saved()
    nbformat.validate(saved)
    assert saved["nbformat_minor"] == 5 and all(cell["id"] for cell in saved["cells"])


@pytest.mark.parametrize("name", ["minor-5", "fifty-cells", "rich-outputs", "scripts", "attachments", "widget-state"])
def test_a_file_that_nbformat_wrote_comes_back_byte_for_byte(name: str) -> None:
    data = notebooks.regular()[name]
    assert saved(data) == data


@pytest.mark.parametrize("data", notebooks.each(notebooks.odd))
def test_a_saved_file_opens_and_saves_as_itself(data: bytes) -> None:
    once = saved(data)
    assert saved(once) == once


def test_the_writer_writes_what_the_json_module_does() -> None:
    values: list[Any] = [
        notebooks.hard_values(),
        {"b": [], "a": {}, "": [[], {}, [[]]], "é": '\u2028\x7f"\\/\b\f\n\r\t\x00'},
        [1e16, 1e-7, 0.1, -0.0, 1.0, float("inf"), 10**30, True, None],
        [],
        {},
        "text",
        5,
    ]
    for value in values:
        expected = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": "))
        assert write_json(value, 0) == expected
    assert json.loads(to_utf8(write_json({"x": SURROGATE}, 0))) == {"x": SURROGATE}


def test_a_large_save_comes_cell_by_cell() -> None:
    """So a thread that writes lets others run in between, and holds one cell's outputs at a time."""
    opened = Opened(notebooks.regular()["many-cells"])
    fetched: list[str] = []

    def fetch(blob: str) -> bytes:
        fetched.append(blob)
        return opened.fetch(blob)

    chunks = Export(opened.document, opened.runtime, opened.residue).chunks(fetch)
    next(chunks)
    assert fetched == []
    sizes = [len(chunk) for chunk in chunks]
    assert len(sizes) > 335 and max(sizes) < 5000


def test_what_happens_after_an_export_was_taken_is_not_in_it() -> None:
    opened = Opened(notebooks.regular()["minor-5"])
    before = opened.save()
    document = opened.hot()
    export = Export(document, opened.runtime, opened.residue)
    document.set_source("cell-0", "changed")
    document.delete_cell("cell-1")
    document.set_metadata("new", 1)
    execution_id = opened.document.cells()[1].execution_id or ""
    with opened.runtime.edit() as edit:
        edit.update_execution(execution_id, execution_count=99)
        edit.clear_outputs(execution_id)
    assert export.data(opened.fetch) == before


def test_a_stream_that_grows_after_an_export_was_taken_is_as_it_was() -> None:
    opened = Opened(to_bytes(notebook([code("x", [notebooks.stream("one\n")], 1)])))
    export = Export(opened.document, opened.runtime, opened.residue)
    before = opened.save()
    execution_id = opened.document.cells()[0].execution_id or ""
    ((output_id, _),) = opened.runtime.outputs(execution_id)
    with opened.runtime.edit() as edit:
        edit.append_piece(execution_id, output_id, "two\n")
    assert export.data(opened.fetch) == before
    assert opened.saved()["cells"][0]["outputs"][0]["text"] == ["one\n", "two\n"]


# Residue: what the document cannot hold comes back, unless somebody wrote since.


def test_a_substitute_that_was_changed_is_not_undone() -> None:
    opened = Opened(notebooks.odd()["hard-values"])
    document = opened.hot()
    first = document.cell_ids()[0]
    assert "\ufffd" in document.cell(first).source
    document.append(first, " more")
    document.set_metadata("big", 5)
    document.delete_metadata("surrogate")
    document.set_cell_metadata(first, "big-in-list", [1, 2])
    saved = opened.saved(document)
    assert "\ufffd" in "".join(saved["cells"][0]["source"])
    assert saved["metadata"]["big"] == 5 and "surrogate" not in saved["metadata"]
    assert saved["metadata"]["negative-big"] == -notebooks.BIG
    assert saved["cells"][0]["metadata"]["big-in-list"] == [1, 2]
    assert saved["cells"][0]["metadata"][SURROGATE] == "a key with surrogates"
    assert saved["hard"]["big"] == notebooks.BIG


def test_the_residue_of_a_deleted_cell_goes_with_it() -> None:
    opened = Opened(notebooks.odd()["hard-values"])
    document = opened.hot()
    for cell_id in document.cell_ids()[:2]:
        document.delete_cell(cell_id)
    assert [cell["source"] for cell in opened.saved(document)["cells"]] == [["split \ud83d"]]


def test_a_strange_execution_count_goes_with_its_execution() -> None:
    opened = Opened(to_bytes(notebook([code("x", [], metadata={}, execution_count="4")])))
    assert opened.saved()["cells"][0]["execution_count"] == "4"
    document = opened.hot()
    document.set_execution_id("cell-0", None)
    assert opened.saved(document)["cells"][0]["execution_count"] is None


def test_outputs_that_a_markdown_cell_had_give_way_when_it_becomes_code() -> None:
    opened = Opened(notebooks.odd()["colliding-keys"])
    document = opened.hot()
    document.set_cell_type("cell-1", "code")
    assert opened.saved(document)["cells"][1]["outputs"] == []


# Nothing in a document keeps it from being saved.


def room() -> tuple[NotebookDocument, RuntimeDocument]:
    return NotebookDocument(new_notebook_replica(b"actor")), RuntimeDocument(b"actor")


def save(document: NotebookDocument, runtime: RuntimeDocument) -> dict[str, Any]:
    def fetch(blob: str) -> bytes:
        raise NotFound(f"no blob {blob}")

    value: dict[str, Any] = json.loads(Export(document, runtime).data(fetch))
    return value


def test_a_notebook_that_began_without_a_file_is_valid() -> None:
    document, runtime = room()
    document.insert_cell("markdown", "# Title", id="a")
    document.insert_cell("code", "1 + 1", id="b")
    saved = save(document, runtime)
    nbformat.validate(saved)
    assert [cell["source"] for cell in saved["cells"]] == [["# Title"], ["1 + 1"]]


def test_broken_cells_are_saved_as_empty_code_cells() -> None:
    document, runtime = room()
    with document.replica.transact() as writer:
        cells = writer.child(ROOT, "cells")
        assert cells is not None
        writer.put(cells, "a scalar", 5)
        writer.put(cells, "empty", {})
        writer.put(cells, "types", {"cell_type": 5, "source": 6, "metadata": [], "position": {}, "attachments": "x"})
        writer.put(cells, "more", {"id": "liar", "cell_type": "sql", "source": "text", "execution_id": 7, "extra": [1]})
        writer.put(cells, "attached", {"cell_type": "raw", "attachments": {"a": 5, "b": {"image/png": {"blob": 1}}}})
    saved = save(document, runtime)
    nbformat.validate({**saved, "cells": [cell for cell in saved["cells"] if not {"extra", "attachments"} & set(cell)]})
    assert {cell["cell_type"] for cell in saved["cells"]} == {"code", "raw"}
    assert sorted(cell["id"] for cell in saved["cells"]) == sorted(
        valid_cell_id(name) for name in ("a scalar", "empty", "types", "more", "attached")
    )
    assert [cell["extra"] for cell in saved["cells"] if "extra" in cell] == [[1]]


def test_texts_of_javascript_peers_are_strings() -> None:
    document, runtime = room()
    with document.replica.transact() as writer:
        cells = writer.child(ROOT, "cells")
        assert cells is not None
        cell = writer.make(cells, "js", MAP)
        for key, value in (("cell_type", "markdown"), ("position", "a"), ("source", "text"), ("id", "js")):
            writer.splice_text(writer.make(cell, key, TEXT), 0, 0, value)
        metadata = writer.make(cell, "metadata", MAP)
        writer.splice_text(writer.make(metadata, "name", TEXT), 0, 0, "value")
        writer.put(ROOT, "nbformat_minor", Uint(7))
    saved = save(document, runtime)
    assert saved["cells"] == [
        {"cell_type": "markdown", "id": "js", "metadata": {"name": "value"}, "source": ["text"]},
    ]
    assert saved["nbformat_minor"] == 7


def test_ids_in_a_file_are_valid_and_no_two_alike() -> None:
    taken = valid_cell_id("a b")
    ids = ["a b", taken, "ok", "a" * 65, "ü"]
    saved = saved_cell_ids(ids)
    assert saved["ok"] == "ok" and saved[taken] == taken
    assert len(set(saved.values())) == len(ids)
    assert all(valid_cell_id(cell_id) == cell_id for cell_id in saved.values())
    document, runtime = room()
    for cell_id in ids:
        document.insert_cell("raw", "", id=cell_id)
    nbformat.validate(save(document, runtime))


def test_what_is_in_a_blob_that_is_gone_is_left_out() -> None:
    gone = {"blob": "0" * 64, "size": 5}
    document, runtime = room()
    document.insert_cell("code", "x", id="a")
    document.insert_cell("markdown", "y", id="b", attachments={"p.png": {"image/png": gone, "text/plain": "here"}})
    with runtime.edit() as edit:
        edit.add_execution("e", "a", seq=1, status="done", execution_count=3)
        edit.add_output("e", "1", 0, {"output_type": "stream", "name": "stdout", "text": ["a", gone, "b"]})
        edit.add_output(
            "e", "2", 1, {"output_type": "display_data", "data": {"text/plain": "p", "image/png": gone}, "metadata": {}}
        )
        edit.add_output("e", "3", 2, {"output_type": "error", "ename": "E", "evalue": "v", "traceback": gone})
    document.set_execution_id("a", "e")
    saved = save(document, runtime)
    nbformat.validate(saved)
    stream, display, error = saved["cells"][0]["outputs"]
    assert stream["text"] == ["ab"] and display["data"] == {"text/plain": ["p"]} and error["traceback"] == []
    assert saved["cells"][1]["attachments"] == {"p.png": {"text/plain": ["here"]}}


def test_our_own_fields_stay_out_of_the_file() -> None:
    document, runtime = room()
    document.insert_cell("code", "x", id="a")
    with runtime.edit() as edit:
        edit.add_execution("e", "a", seq=1, status="done", execution_count=3, submitted_by="alice", queued_at="now")
        manifest = {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "display_id": "d"}
        edit.add_output("e", "1", 0, {**manifest, "execution_count": 3})
    document.set_execution_id("a", "e")
    saved = save(document, runtime)
    nbformat.validate(saved)
    output = {"output_type": "execute_result", "data": {"text/plain": ["1"]}, "metadata": {}, "execution_count": 3}
    assert saved["cells"] == [
        {"cell_type": "code", "execution_count": 3, "id": "a", "metadata": {}, "outputs": [output], "source": ["x"]}
    ]


@pytest.mark.parametrize(
    ("origin", "is_kept"),
    [
        ({"queued_at": "now", "submitted_by": "alice"}, False),
        ({"queued_at": "now"}, False),
        ({"submitted_by": "alice"}, False),
        ({}, True),
    ],
    ids=["of a kernel", "of a kernel for nobody", "pasted", "of a file"],
)
def test_fields_that_nbformat_forbids_are_only_those_of_the_file(origin: dict[str, str], is_kept: bool) -> None:
    document, runtime = room()
    document.insert_cell("code", "x", id="a")
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["x"], "mine": 1},
        {"output_type": "display_data", "data": {"text/plain": {"a": [5]}}, "metadata": {"kept": 1}, "mine": 1},
        {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": 1, "mine": 1},
        {"output_type": "error", "ename": "", "evalue": "", "traceback": [], "mine": 1},
    ]
    with runtime.edit() as edit:
        edit.add_execution("e", "a", seq=1, status="done", **origin)
        for number, output in enumerate(outputs):
            edit.add_output("e", str(number), number, output)
    document.set_execution_id("a", "e")
    (cell,) = save(document, runtime)["cells"]
    assert ["mine" in output for output in cell["outputs"]] == [is_kept] * 4
    display = cell["outputs"][1]
    assert display["metadata"] == {"kept": 1}
    assert display["data"]["text/plain"] == ({"a": [5]} if is_kept else ['{"a": [5]}'])
    if not is_kept:
        nbformat.validate(save(document, runtime))


def test_markdown_cells_show_no_outputs() -> None:
    """Nor do their executions leave traces in the file, should they have some."""
    opened = Opened(to_bytes(notebook([code("x", [notebooks.stream("y")], 1), markdown("z")])))
    document = opened.hot()
    document.set_cell_type("cell-0", "markdown")
    saved = opened.saved(document)
    nbformat.validate(saved)
    assert "outputs" not in saved["cells"][0]
