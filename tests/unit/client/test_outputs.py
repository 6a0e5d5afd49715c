"""Outputs as Python values: text str, binary bytes, JSON JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.errors import CellFailed, NotLoaded
from jupyter_runtimed.client.outputs import (
    BlobRef,
    ExecutionError,
    ExecutionResult,
    Output,
    error_of,
    output_from_manifest,
    references,
)
from jupyter_runtimed.core.references import blob_reference

PNG = b"\x89PNG" + bytes(range(256))
LONG = "é" * 2000
JSON = b'{"blob": "not a reference", "n": NaN}'


class Store:
    """Blobs, and how often each was fetched."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}
        self.fetched: list[str] = []

    async def fetch(self, blob_hash: str) -> bytes:
        self.fetched.append(blob_hash)
        return self.blobs[blob_hash]


DISPLAY: dict[str, Any] = {
    "output_type": "display_data",
    "data": {
        "image/png": blob_reference(PNG),
        "application/json": blob_reference(JSON),
        "application/vnd.x+json": {"deep": {"blob": "a" * 64, "size": 1}},
        "text/html": blob_reference(LONG.encode()),
        "text/plain": "<Figure>",
    },
    "metadata": {"image/png": {"width": 3}},
    "display_id": "d",
}


def test_without_its_blobs_an_output_has_references_in_their_place() -> None:
    output = output_from_manifest("o1", DISPLAY, {})
    assert output.data["image/png"] == BlobRef(hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert output.text == "<Figure>" and not output.is_loaded and output.display_id == "d"


async def test_fetched_values_have_the_type_of_their_mime_type() -> None:
    cache = BlobCache(Store(PNG, JSON, LONG.encode()).fetch)
    (output,) = await cache.load([("o1", DISPLAY)])
    assert output.is_loaded
    assert output.data["image/png"] == PNG
    assert output.data["text/html"] == LONG
    value = output.data["application/json"]
    assert value["blob"] == "not a reference" and value["n"] != value["n"]
    assert output.metadata == {"image/png": {"width": 3}}


def test_a_key_blob_deep_in_data_is_data() -> None:
    assert {reference.hash for reference in references(DISPLAY)} == {
        hashlib.sha256(blob).hexdigest() for blob in (PNG, JSON, LONG.encode())
    }


async def test_a_stream_is_its_pieces_and_says_when_one_is_missing() -> None:
    manifest = {"output_type": "stream", "name": "stderr", "text": [blob_reference(LONG.encode()), "tail\n"]}
    output = output_from_manifest("o1", manifest, {})
    assert output.name == "stderr"
    with pytest.raises(NotLoaded, match="4000 bytes"):
        _ = output.text
    (whole,) = await BlobCache(Store(LONG.encode()).fetch).load([("o1", manifest)])
    assert whole.text == LONG + "tail\n"


async def test_an_error_is_read_with_a_traceback_that_was_too_long() -> None:
    traceback = b'["line 1", "line 2"]'
    manifest = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": blob_reference(traceback)}
    assert output_from_manifest("o1", manifest, {}).text == "E: v"
    (output,) = await BlobCache(Store(traceback).fetch).load([("o1", manifest)])
    assert (output.ename, output.evalue, output.traceback) == ("E", "v", ("line 1", "line 2"))
    assert output.text == "line 1\nline 2"


def test_unknown_kinds_of_output_keep_what_they_have() -> None:
    output = output_from_manifest("o1", {"output_type": "x", "strange": [1]}, {})
    assert output.output_type == "x" and output.fields["strange"] == [1] and output.text == ""


@pytest.mark.parametrize("kind", ["stream", "display_data", "execute_result", "error", "mine"])
async def test_fields_that_nobody_knows_are_there_with_their_values(kind: str) -> None:
    unknown = {"small": [1], "json": {**blob_reference(JSON), "json": True}, "text": blob_reference(LONG.encode())}
    manifest = {"output_type": kind, "mine": unknown["small"], "large": unknown["json"], "long": unknown["text"]}
    output = output_from_manifest("o1", {**manifest, "seq": 1, "display_id": "d"}, {})
    assert output.fields["mine"] == [1] and isinstance(output.fields["long"], BlobRef) and not output.is_loaded
    (loaded,) = await BlobCache(Store(JSON, LONG.encode()).fetch).load([("o1", manifest)])
    assert loaded.is_loaded and set(loaded.fields) == {"mine", "large", "long"}
    assert loaded.fields["large"]["blob"] == "not a reference" and loaded.fields["long"] == LONG


async def test_a_reference_says_when_its_value_is_of_another_kind_than_its_type() -> None:
    data = {
        "image/png": {**blob_reference(b"no base64"), "text": True},
        "text/plain": {**blob_reference(b'{"a": 1}'), "json": True},
    }
    (output,) = await BlobCache(Store(b"no base64", b'{"a": 1}').fetch).load(
        [("o1", {"output_type": "display_data", "data": data})]
    )
    assert output.data == {"image/png": "no base64", "text/plain": {"a": 1}}


async def test_a_blob_is_fetched_once_and_the_longest_unused_goes_first() -> None:
    store = Store(b"a" * 10, b"b" * 10, b"c" * 10)
    a, b, c = store.blobs
    cache = BlobCache(store.fetch, max_bytes=20)
    for blob_hash in (a, b, a, c):
        await cache.get(blob_hash)
    assert store.fetched == [a, b, c] and set(cache.kept) == {a, c}
    big = Store(b"x" * 100)
    cache = BlobCache(big.fetch, max_bytes=20)
    assert await cache.get(next(iter(big.blobs))) == b"x" * 100 and not cache.kept


def stream(name: str, text: str) -> Output:
    return output_from_manifest(name, {"output_type": "stream", "name": name, "text": [text]}, {})


def test_a_result_reads_as_a_terminal_would_show_it() -> None:
    value = output_from_manifest(
        "v", {"output_type": "execute_result", "data": {"text/plain": "45"}, "execution_count": 3}, {}
    )
    result = ExecutionResult("a", "e", "done", 3, (stream("stdout", "x\n"), stream("stderr", "oh\n"), value))
    assert (result.stdout, result.stderr, result.text) == ("x\n", "oh\n", "x\noh\n45")
    assert result.result == {"text/plain": "45"} and result.display_data == (value,)
    assert result.success and result.raise_for_error() is result


def test_a_failure_says_what_was_raised() -> None:
    raised = output_from_manifest(
        "e", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero", "traceback": ["t"]}, {}
    )
    error = error_of([stream("stdout", "x"), raised], None)
    assert error == ExecutionError("ZeroDivisionError", "by zero", ("t",))
    with pytest.raises(CellFailed, match="ZeroDivisionError: by zero") as failed:
        ExecutionResult("a", "e", "error", 1, (raised,), error).raise_for_error()
    assert failed.value.details == {"status": "error", "ename": "ZeroDivisionError"}


def test_a_failure_without_an_output_says_what_the_server_said() -> None:
    assert error_of([], {"code": "kernel_died", "message": "it died"}) == ExecutionError("kernel_died", "it died")
    assert error_of([], None) is None
    with pytest.raises(CellFailed, match="cancelled"):
        ExecutionResult("a", "e", "cancelled", None, ()).raise_for_error()
