"""Whatever JSON a notebook file has, opening and saving it loses nothing, and opening never fails but with LoadFailed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.content import decode_content, encode_content
from jupyter_runtimed.core.errors import LoadFailed
from jupyter_runtimed.core.ipynb import Import, parse, saved_cell_ids, valid_cell_id
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import manifest_to_output, output_to_manifest
from jupyter_runtimed.core.native import fits, same
from tests.support.notebooks import b64, meaning, rich_outputs, to_bytes
from tests.support.opened import Opened

SURROGATES = st.sampled_from(["\ud800", "a\udfffb", "\udc00\ud800"])
TEXTS = st.text(max_size=20) | SURROGATES | st.text(min_size=1, max_size=3).map(lambda text: text * 500)
KEYS = st.text(max_size=6) | SURROGATES | st.sampled_from(["blob", "size", "metadata", "position", "seq", "id", "text"])
NUMBERS = st.integers() | st.integers(2**62, 2**66) | st.floats(allow_nan=True)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
REFERENCES = st.builds(lambda size: {"blob": "0" * 64, "size": size}, st.integers(0, 9))
LINES = st.lists(TEXTS, max_size=4)
MULTILINE = TEXTS | LINES
BASE64 = st.binary(max_size=200).map(b64)
LAID_OUT = st.builds(
    lambda text, width, end: end.join(text[at : at + width] for at in range(0, len(text), width)) + end,
    BASE64,
    st.integers(1, 80),
    st.sampled_from(["", "\n", "\r\n", " "]),
)
MIMES = st.sampled_from(
    ["text/plain", "text/html", "image/png", "image/svg+xml", "application/json", "application/x+json", "application/pdf",
     "application/javascript", "audio/wav", "application/vnd.custom", "odd", "image/PNG"]
)  # fmt: skip
BUNDLES = st.dictionaries(MIMES | KEYS, MULTILINE | BASE64 | LAID_OUT | VALUES | REFERENCES, max_size=4)
EXTRA = st.dictionaries(KEYS, VALUES | REFERENCES, max_size=3)
OURS = {"id", "cell_type", "source", "metadata", "attachments", "outputs", "execution_count"}


@st.composite
def outputs(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["stream", "display_data", "execute_result", "error", "custom"]))
    fields: dict[str, Any] = {"output_type": kind}
    if kind == "stream":
        fields |= {"name": draw(st.sampled_from(["stdout", "stderr"])), "text": draw(MULTILINE)}
    elif kind == "error":
        fields |= {"ename": draw(TEXTS), "evalue": draw(TEXTS), "traceback": draw(LINES)}
    elif kind != "custom":
        fields |= {"data": draw(BUNDLES), "metadata": draw(EXTRA)}
    if kind == "execute_result":
        fields["execution_count"] = draw(st.none() | st.integers())
    return {**{key: value for key, value in draw(EXTRA).items() if key != "text"}, **fields}


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["code", "markdown", "raw"]))
    cell = {key: value for key, value in draw(EXTRA).items() if key not in OURS}
    cell |= {"cell_type": kind, "source": draw(MULTILINE), "metadata": draw(EXTRA)}
    if draw(st.booleans()):
        cell["id"] = draw(st.text(max_size=4) | st.sampled_from("abc"))
    if draw(st.integers(0, 4)) == 0:
        cell["attachments"] = draw(st.dictionaries(KEYS, BUNDLES, max_size=2))
    if kind == "code":
        cell |= {"outputs": draw(st.lists(outputs(), max_size=3)), "execution_count": draw(st.none() | NUMBERS)}
    return cell


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    extra = {key: value for key, value in draw(EXTRA).items() if key not in ("cells", "worksheets")}
    return {
        **extra,
        "cells": draw(st.lists(cells(), max_size=6)),
        "metadata": draw(EXTRA),
        "nbformat": 4,
        "nbformat_minor": draw(st.integers(0, 6)),
    }


@given(files())
@settings(max_examples=80, deadline=None)
def test_a_save_says_what_the_file_said(notebook: dict[str, Any]) -> None:
    data = to_bytes(notebook)
    opened = Opened(data)
    assert meaning(opened.save(), of_save=True) == meaning(data)
    ids = [cell["id"] for cell in opened.saved()["cells"]]
    assert len(set(ids)) == len(ids) and all(valid_cell_id(cell_id) == cell_id for cell_id in ids)


@given(files())
@settings(max_examples=50, deadline=None)
def test_the_engine_reads_what_the_import_said(notebook: dict[str, Any]) -> None:
    opened = Opened(to_bytes(notebook))
    hot = opened.hot()
    assert hot.replica.heads == opened.file.heads
    assert opened.save(hot) == opened.save()
    for cell, read in zip(opened.document.cells(), hot.cells(), strict=True):
        assert (cell.id, cell.source, cell.position) == (read.id, read.source, read.position)
        assert same(cell.metadata, read.metadata) and same(cell.extra, read.extra)


@given(files())
@settings(max_examples=50, deadline=None)
def test_both_readers_make_the_same_changes(notebook: dict[str, Any]) -> None:
    data = to_bytes(notebook)
    taken_apart = [batch.change for batch in Import(data, Limits()).batches()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse, "STREAM_ABOVE_BYTES", 0)
        assert [batch.change for batch in Import(data, Limits()).batches()] == taken_apart


GOOD = to_bytes(rich_outputs(), indent=None)[:4000]


@given(
    st.binary(max_size=60) | st.builds(lambda at, junk: GOOD[:at] + junk + GOOD[at:], st.integers(0, 4000), st.binary())
)
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_notebook_only_fail_to_load(data: bytes) -> None:
    with contextlib.suppress(LoadFailed):
        json.loads(Opened(data).save())


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_any_json_file_only_fails_to_load(value: Any) -> None:
    """As a whole, as its cells, as one cell, and in the places that have a type."""
    frame = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": []}
    places = [value, {**frame, "cells": value}, {**frame, "cells": [value]}, {**frame, "cells": [], "metadata": value}]
    places += [{**frame, "cells": [{**cell, key: value}]} for key in (*cell, "id", "attachments", "execution_count")]
    places += [{"nbformat": 3, "metadata": {}, "worksheets": value}, {**frame, "nbformat": value, "cells": []}]
    for place in places:
        with contextlib.suppress(LoadFailed):
            json.loads(Opened(to_bytes(place)).save())


@given(MIMES | KEYS, MULTILINE | BASE64 | LAID_OUT | VALUES | REFERENCES)
@settings(max_examples=200)
def test_content_is_given_back(mime: str, value: Any) -> None:
    blobs: dict[str, bytes] = {}
    content, new = encode_content(mime, value, Limits())
    if new:
        blobs[content["blob"]] = new[0]
        assert content["size"] == len(new[0])
    else:
        assert not isinstance(content, dict) or "blob" not in content
    is_text = isinstance(value, list) and all(isinstance(line, str) for line in value)
    is_json_list = mime in ("application/json", "application/x+json")
    expected = "".join(value) if is_text and not is_json_list else value
    assert same(_paired(decode_content(mime, content, blobs.__getitem__)), _paired(expected))


@given(outputs())
@settings(max_examples=150)
def test_an_output_of_a_kernel_always_has_a_manifest_that_a_document_holds(output: dict[str, Any]) -> None:
    manifest, new = output_to_manifest(output, Limits())
    assert fits(manifest, 48)
    blobs = {hashlib.sha256(data).hexdigest(): data for data in new}
    assert manifest_to_output(manifest, blobs.__getitem__)["output_type"] == output["output_type"]


def _paired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return value


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=20))
def test_saved_ids_are_valid_and_unique(ids: list[str]) -> None:
    saved = saved_cell_ids(ids)
    assert sorted(saved) == sorted(ids) and len(set(saved.values())) == len(ids)
    assert all(valid_cell_id(cell_id) == cell_id for cell_id in saved.values())
    assert all(saved[cell_id] == cell_id for cell_id in ids if valid_cell_id(cell_id) == cell_id)
