"""A notebook file becomes documents: the same ones everywhere, or a clear complaint."""

from __future__ import annotations

import hashlib
import json

import pytest

from jupyter_runtimed.core.crdt import Engine, read_chunk
from jupyter_runtimed.core.document import GENESIS, GENESIS_HASH, NotebookDocument
from jupyter_runtimed.core.errors import LoadFailed
from jupyter_runtimed.core.ipynb import IMPORT_ACTOR_PREFIX, Import, parse, valid_cell_id
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.references import is_reference
from tests.support import notebooks
from tests.support.notebooks import code, markdown, notebook, to_bytes
from tests.support.opened import Opened

FROZEN_GENESIS = (
    "856f4a8366dd2b4f014f00106a7570797465725f72756e74696d6564010100000006151f340142045604570170027d0e736368656d615f76"
    "657273696f6e086d657461646174610563656c6c73037f0102007f130200010300"
)
FROZEN_GENESIS_HASH = "66dd2b4f8d02f0825f8878790de2f89cf566b0ae250c177851aabf1e05e50eda"
FROZEN_IMPORTS = {
    "empty": "94b1195f242453fee465a6c096a601ef7458348162ba262a31365186e9b4b37d",
    "minor-4": "84bfc4755126b6798a770f01f63bc1361da38a254c0b5197874266992159d6e5",
    "hard-values": "b2a20c57748a66a62c4cb7359f4a95515d3f2d67b748cfb716f9e27edca0dea8",
    "attachments": "cc9167ece01c134c42c222d4940fbab0cab8ec890168db6d5bb015a5480df7ce",
}


def heads_of(data: bytes) -> str:
    source = Import(data, Limits())
    list(source.batches())
    return source.heads[0].hex()


# The same everywhere.


def test_genesis_never_changes() -> None:
    """Documents that begin differently cannot be merged; a new genesis is a new protocol."""
    assert GENESIS_HASH.hex() == FROZEN_GENESIS_HASH
    assert GENESIS.hex() == FROZEN_GENESIS
    engine = Engine.load(GENESIS, b"reader")
    assert engine.extract() == {"schema_version": 1, "cells": {}, "metadata": {}}
    assert engine.heads == (GENESIS_HASH,)


@pytest.mark.parametrize("name", FROZEN_IMPORTS)
def test_the_import_of_a_file_never_changes(name: str) -> None:
    """Importing a file in another way strands every client that was away: a new protocol too."""
    assert heads_of({**notebooks.regular(), **notebooks.odd()}[name]) == FROZEN_IMPORTS[name]


@pytest.mark.parametrize("shift", range(4))
def test_characters_that_lie_across_the_pieces_of_a_file_are_read(shift: int) -> None:
    source = "a" * shift + "\u2014\U0001f600\u00e9" * 10_000
    data = json.dumps({"nbformat": 4, "cells": [{"source": source}]}, ensure_ascii=False).encode()
    assert [cell["source"] for cell in parse.parse_notebook(data).cells()] == [source]


def test_a_large_file_is_imported_as_a_small_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scanned cell by cell, taken apart or parsed whole: the changes are the same."""
    files = {**notebooks.regular(), **notebooks.odd()}
    taken_apart = {name: heads_of(data) for name, data in files.items()}
    monkeypatch.setattr(parse, "STREAM_ABOVE_BYTES", 0)
    scanned = {name: heads_of(data) for name, data in files.items()}
    monkeypatch.setattr(parse, "_can_be_scanned", lambda _: False)
    assert taken_apart == scanned == {name: heads_of(data) for name, data in files.items()}


def test_other_bytes_make_another_lineage() -> None:
    data = notebooks.regular()["minor-5"]
    one, two = Import(data, Limits()), Import(data + b"\n", Limits())
    assert one.actor != two.actor
    assert one.actor[:8] == two.actor[:8] == IMPORT_ACTOR_PREFIX and len(one.actor) == 32
    assert heads_of(data) != heads_of(data + b"\n")


def test_a_known_hash_is_not_computed_again() -> None:
    data = notebooks.regular()["minor-5"]
    assert Import(data, Limits(), sha256=Import(data, Limits()).sha256).actor == Import(data, Limits()).actor


def test_changes_are_one_chain_in_small_slices() -> None:
    source = Import(notebooks.regular()["many-cells"], Limits())
    batches = list(source.batches())
    assert [len(batch.cells) for batch in batches[:-1]] == [3] * 111 and len(batches[-1].cells) == 2
    before = GENESIS_HASH
    for seq, batch in enumerate(batches, 1):
        info = read_chunk(batch.change[0])
        assert (info.deps, info.seq, info.actor, info.hash) == ((before,), seq, source.actor, batch.change[1])
        before = info.hash
    assert source.heads == (before,) and source.known == [GENESIS_HASH, *(batch.change[1] for batch in batches)]
    assert source.total == len(source.cells) == 335


# What the documents say.


@pytest.mark.parametrize("data", notebooks.each(lambda: {**notebooks.regular(), **notebooks.odd()}))
def test_a_cold_document_reads_as_the_engine_does(data: bytes) -> None:
    """What the import says the documents are is what the engine reads out of them."""
    opened = Opened(data)
    hot = opened.hot()
    assert hot.replica.heads == opened.file.heads == opened.document.replica.heads

    def text(document: NotebookDocument) -> str:
        cells = [[getattr(cell, name) for name in cell.__slots__] for cell in document.cells()]
        return json.dumps([cells, document.metadata(), document.root()], sort_keys=True)

    assert text(hot) == text(opened.document)
    state = opened.runtime.replica.engine.extract()
    assert json.dumps(state, sort_keys=True) == json.dumps(opened.runtime.state(), sort_keys=True)
    assert opened.save(hot) == opened.save()


def test_outputs_of_a_file_are_executions_that_are_done() -> None:
    opened = Opened(
        to_bytes(notebook([code("a", [notebooks.stream("x")], 3), code("b"), code("c", [], 5), markdown()]))
    )
    with_output, untouched, with_count, text = opened.document.cells()
    assert untouched.execution_id is None and text.execution_id is None
    execution = opened.runtime.execution(with_output.execution_id or "")
    assert execution is not None
    assert (execution.cell_id, execution.status, execution.execution_count) == ("cell-0", "done", 3)
    assert (execution.submitted_by, execution.queued_at, len(execution.outputs)) == ("", None, 1)
    counted = opened.runtime.execution(with_count.execution_id or "")
    assert counted is not None and counted.execution_count == 5 and not counted.outputs
    again = Opened(to_bytes(notebook([code("a", [notebooks.stream("x")], 3)])))
    assert again.document.cells()[0].execution_id != with_output.execution_id


def test_pictures_are_blobs_and_exist_before_the_change_that_names_them() -> None:
    source = Import(notebooks.regular()["attachments"], Limits())
    stored: set[str] = set()
    seen = 0
    for batch in source.batches():
        stored |= {hashlib.sha256(blob).hexdigest() for blob in batch.blobs}
        for cell in batch.cells:
            for bundle in (cell.attachments or {}).values():
                for content in bundle.values():
                    if is_reference(content):
                        assert content["blob"] in stored
                        seen += 1
    assert seen == 3


def test_streams_of_a_file_are_kept_verbatim() -> None:
    text = "50%\r100%\x08\x08\x1b[A\n\r\n"
    opened = Opened(to_bytes(notebook([code("x", [notebooks.stream(text)], 1)])))
    ((_, manifest),) = opened.runtime.outputs(opened.document.cells()[0].execution_id or "")
    assert manifest["text"] == [text]


def test_missing_double_and_invalid_ids_are_derived_and_stay() -> None:
    data = notebooks.odd()["odd-ids"]
    opened = Opened(data)
    ids = [cell.id for cell in opened.document.cells()]
    assert len(set(ids)) == len(ids) == len(json.loads(data)["cells"])
    assert all(valid_cell_id(cell_id) == cell_id for cell_id in ids)
    assert ids.count("same") == 1 and ids.index("same") == 4 and "ok-id_1" in ids and "position" in ids
    assert opened.file.derived_ids == set(ids) - {"same", "ok-id_1", "position", "A", "a", "0" * 64}
    assert ids == [cell.id for cell in Opened(data).document.cells()]


def test_ids_of_equal_cells_differ_by_position() -> None:
    ids = [cell.id for cell in Opened(notebooks.odd()["without-ids"]).document.cells()]
    assert len(set(ids)) == 4


def test_trust_never_enters_the_document() -> None:
    opened = Opened(notebooks.odd()["trusted"])
    assert [cell.metadata for cell in opened.document.cells()] == [{"kept": 1}, {}]
    assert "trusted" not in json.dumps(opened.file.residue.to_json())
    assert opened.document.metadata()["trusted"] == "of the notebook, kept"


def test_old_formats_are_converted_as_nbformat_does() -> None:
    cells = Opened(notebooks.odd()["version-3"]).document.cells()
    assert [cell.cell_type for cell in cells] == ["markdown", "markdown", "markdown", "raw", "code", "code"]
    assert cells[0].source == "## A heading" and cells[4].source == "print(1)\n2"


def test_an_unknown_cell_type_reads_as_raw_and_is_saved_as_it_was() -> None:
    opened = Opened(to_bytes(notebook([{"cell_type": "sql", "metadata": {}, "source": "select 1", "outputs": [1]}])))
    assert opened.document.cells()[0].cell_type == "raw"
    saved = opened.saved()["cells"][0]
    assert (saved["cell_type"], saved["outputs"], saved["source"]) == ("sql", [1], ["select 1"])


# Complaints.


@pytest.mark.parametrize(
    ("data", "words"), [pytest.param(*entry, id=name) for name, entry in notebooks.broken().items()]
)
def test_what_is_no_notebook_is_refused_with_the_place(data: bytes, words: tuple[str, ...]) -> None:
    with pytest.raises(LoadFailed) as refused:
        Opened(data)
    assert all(word in refused.value.message for word in words), refused.value.message
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    ("data", "words"), [pytest.param(*entry, id=name) for name, entry in notebooks.broken().items()]
)
def test_a_large_file_is_refused_too(data: bytes, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader that streams complains as the other does."""
    monkeypatch.setattr(parse, "STREAM_ABOVE_BYTES", 0)
    with pytest.raises(LoadFailed) as refused:
        Opened(data)
    assert all(word in refused.value.message for word in words), refused.value.message


def test_the_first_cells_of_a_large_file_come_before_the_last_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "STREAM_ABOVE_BYTES", 0)
    data = notebooks.regular()["many-cells"]
    broken = data.replace(b'"id": "cell-334"', b'"id": cell-334')
    batches = Import(broken, Limits()).batches()
    assert [cell.id for cell in next(batches).cells] == ["cell-0", "cell-1", "cell-2"]
    with pytest.raises(LoadFailed, match="line"):
        list(batches)


def test_a_large_file_that_was_cut_off_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "STREAM_ABOVE_BYTES", 0)
    data = notebooks.regular()["many-cells"]
    with pytest.raises(LoadFailed, match="line"):
        next(Import(data[: len(data) * 2 // 3], Limits()).batches())
