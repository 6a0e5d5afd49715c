"""Manifests: an output as the runtime document has it, and given back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from jupyter_runtimed.core.content import references
from jupyter_runtimed.core.errors import NotFound, TooLarge
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import (
    SHOWN_BYTES,
    UNKNOWN_BYTES,
    manifest_to_output,
    output_to_manifest,
    stream_text,
)
from jupyter_runtimed.core.output_fields import as_nbformat
from jupyter_runtimed.core.references import blob_reference
from tests.support import notebooks
from tests.support.notebooks import b64, png

LIMITS = Limits()
PICTURE = png(3000)
OUTPUTS: list[dict[str, Any]] = [
    {"output_type": "stream", "name": "stdout", "text": "x"},
    {"output_type": "display_data", "data": {}, "metadata": {}},
    {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": 1},
    {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
]
UNKNOWN = {
    "small": {"deep": [1, None, "é"]},
    "text of mine": "a" * 3000,
    "json of mine": {"values": list(range(2000))},
    "odd": {"blob": "0" * 64, "size": 1},
    "lines": ["a\n", "b"],
}


def stored(blobs: list[bytes]) -> dict[str, bytes]:
    return {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output["output_type"])
@pytest.mark.parametrize("from_file", [True, False], ids=["of a file", "of a kernel"])
def test_fields_that_nobody_knows_are_content(output: dict[str, Any], from_file: bool) -> None:
    manifest, blobs = output_to_manifest({**output, **UNKNOWN}, LIMITS, from_file=from_file)
    assert "original" not in manifest and manifest["small"] == UNKNOWN["small"]
    assert manifest["text of mine"] == blob_reference(b"a" * 3000)
    assert manifest["odd"]["blob"] != "0" * 64 and manifest["odd"]["json"] is True
    assert references(manifest) == set(stored(blobs)) and len(blobs) == 3
    back = manifest_to_output({**manifest, "seq": 1}, stored(blobs).__getitem__)
    assert back == {**output, **UNKNOWN} and as_nbformat(back) == output


def test_of_too_many_fields_a_kernels_first_are_kept_and_a_files_all() -> None:
    output = {**OUTPUTS[1], **{f"key {number}": "x" * 100 for number in range(1000)}, "n" * 2 * UNKNOWN_BYTES: 1}
    manifest, blobs = output_to_manifest(output, LIMITS)
    unknown = {key: value for key, value in manifest.items() if key not in OUTPUTS[1]}
    assert 100 < len(unknown) < 200 and len(json.dumps(unknown)) < 2 * UNKNOWN_BYTES and not blobs
    manifest, blobs = output_to_manifest(output, LIMITS, from_file=True)
    assert len(json.dumps(manifest)) < 2 * UNKNOWN_BYTES
    assert manifest_to_output(manifest, stored(blobs).__getitem__) == output


def test_of_an_unknown_type_every_field_is_unknown() -> None:
    output = {"output_type": "mine", "data": {"image/png": "x" * 3000}, "text": ["a", "b"], "metadata": {"blob": "x"}}
    manifest, blobs = output_to_manifest(output, LIMITS, from_file=True)
    assert manifest["data"]["json"] is True and manifest["metadata"]["json"] is True and manifest["text"] == "ab"
    assert (
        manifest_to_output(manifest, stored(blobs).__getitem__)
        == {**output, "text": "ab"}
        == as_nbformat({**output, "text": "ab"})
    )


def test_a_field_whose_blob_is_gone_is_left_out() -> None:
    manifest, _ = output_to_manifest({**OUTPUTS[0], "mine": "x" * 3000}, LIMITS)

    def gone(_: str) -> bytes:
        raise NotFound("gone")

    assert manifest_to_output(manifest, gone) == OUTPUTS[0]


def test_the_manifest_of_a_display_has_contents_in_its_data() -> None:
    output = notebooks.display_of({"image/png": b64(PICTURE), "text/plain": ["a\n", "b"]})
    manifest, blobs = output_to_manifest({**output, "display_id": "d"}, LIMITS)
    assert manifest == {
        "output_type": "display_data",
        "data": {"image/png": blob_reference(PICTURE), "text/plain": "a\nb"},
        "metadata": {},
        "display_id": "d",
    }
    back = manifest_to_output({**manifest, "seq": 4}, lambda _: blobs[0])
    assert back == {**output, "data": {"image/png": b64(PICTURE), "text/plain": "a\nb"}}


def test_a_long_traceback_is_a_blob() -> None:
    lines = ["line " * 100] * 5
    manifest, blobs = output_to_manifest(notebooks.error(lines), LIMITS)
    assert manifest["traceback"] == blob_reference(blobs[0]) and json.loads(blobs[0]) == lines
    assert manifest_to_output(manifest, lambda _: blobs[0])["traceback"] == lines
    assert output_to_manifest(notebooks.error(), LIMITS)[0]["traceback"] == notebooks.ANSI_TRACEBACK


def test_what_has_no_regular_form_in_a_file_is_kept_whole_beside_what_can_be_shown() -> None:
    output = {**notebooks.error(), "evalue": "\ud800" + "x" * 2 * SHOWN_BYTES, "seq": 5, "": 1}
    manifest, blobs = output_to_manifest(output, LIMITS, from_file=True)
    assert manifest["evalue"].startswith("\ufffdxxx") and len(manifest["evalue"]) == SHOWN_BYTES
    assert "" not in manifest and "seq" not in manifest
    assert manifest["original"] == blob_reference(blobs[-1])
    assert manifest_to_output(manifest, lambda _: blobs[-1]) == output

    def gone(_: str) -> bytes:
        raise NotFound("gone")

    assert manifest_to_output(manifest, gone)["ename"] == "ZeroDivisionError"


def test_a_kernel_cannot_make_us_fail_by_what_it_says() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    odd: dict[str, Any] = {
        "output_type": "display_data",
        "data": {"application/json": deep, "text/plain": "shown"},
        "metadata": {"": deep},
        "\ud800": 1,
    }
    manifest, blobs = output_to_manifest(odd, LIMITS)
    assert manifest == {"output_type": "display_data", "data": {"text/plain": "shown"}} and not blobs
    with pytest.raises(TooLarge):
        output_to_manifest(odd, LIMITS, from_file=True)


def test_a_stream_is_the_text_of_its_pieces() -> None:
    data = b"two" * 1000
    pieces = ["one", blob_reference(data), "three"]
    assert stream_text(pieces, lambda _: data) == "one" + "two" * 1000 + "three"
    assert stream_text("a text of a JavaScript peer", lambda _: b"") == "a text of a JavaScript peer"
    assert stream_text(None, lambda _: b"") == ""
