"""Content: small things stand where they are, large and binary ones are blobs, and everything is given back."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Any

import pytest

from jupyter_runtimed.core.content import decode_content, encode_content, references
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.references import blob_reference, is_reference
from tests.support.notebooks import b64, png

LIMITS = Limits()
PICTURE = png(3000)


def encode(mime: str, value: Any) -> tuple[Any, dict[str, bytes]]:
    """The content and its blobs by hash, which are those it names."""
    content, blobs = encode_content(mime, value, LIMITS)
    stored = {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}
    assert references(content) == set(stored)
    return content, stored


# What is a blob.


@pytest.mark.parametrize(
    ("mime", "value"),
    [
        ("text/plain", ""),
        ("text/plain", "x" * 1024),
        ("text/plain", "é" * 512),
        ("application/json", {"a": [1, None, True, 2.5]}),
        ("application/json", None),
        ("application/json", "text"),
        ("application/json", {"x": {"blob": "nested is data"}}),
        ("application/x+json", ["a", "b"]),
        ("text/html", 5),
    ],
)
def test_small_values_stand_as_they_are(mime: str, value: Any) -> None:
    assert encode(mime, value) == (value, {})


@pytest.mark.parametrize(
    ("mime", "value", "data"),
    [
        ("text/plain", "x" * 1025, b"x" * 1025),
        ("text/plain", "é" * 513, "é".encode() * 513),
        ("application/json", ["x" * 1025], b'["' + b"x" * 1025 + b'"]'),
        ("application/json", {"blob": 1}, b'{"blob":1}'),
        ("application/json", "é" * 600, '"{}"'.format("é" * 600).encode()),
        ("image/svg+xml", "<svg>" * 300, b"<svg>" * 300),
        ("image/png", b64(PICTURE), PICTURE),
        ("image/png", b64(b"x"), b"x"),
        ("application/json", 2**70, str(2**70).encode()),
        ("application/json", "\ud800", b'"\\ud800"'),
        ("application/json", {"": 1}, b'{"":1}'),
        ("text/plain", "\ud800", b"\xed\xa0\x80"),
    ],
)
def test_large_binary_and_unholdable_values_are_blobs(mime: str, value: Any, data: bytes) -> None:
    content, blobs = encode(mime, value)
    assert content == blob_reference(data) == {"blob": hashlib.sha256(data).hexdigest(), "size": len(data)}
    assert list(blobs.values()) == [data]
    assert decode_content(mime, content, blobs.__getitem__) == value


def test_a_list_of_lines_is_a_text_but_for_json() -> None:
    assert encode("text/plain", ["a\n", "b"])[0] == "a\nb"
    assert encode("application/json", ["a\n", "b"])[0] == ["a\n", "b"]
    assert encode("text/plain", ["a\ud83d", "\ude00"])[0] == "a😀"


def test_json_under_a_type_that_is_none_says_so() -> None:
    value = {"a": "x" * 2000}
    content, blobs = encode("text/plain", value)
    assert content["json"] is True
    assert decode_content("text/plain", content, blobs.__getitem__) == value


def test_a_text_where_base64_should_be_stays_a_text() -> None:
    assert encode("image/png", "no picture!") == ("no picture!", {})
    content, blobs = encode("image/png", "no picture! " * 200)
    assert content["text"] is True
    assert decode_content("image/png", content, blobs.__getitem__) == "no picture! " * 200


LAYOUTS = {
    "lines of 76": (base64.encodebytes(PICTURE).decode(), {"line": 76, "end": "\n"}),
    "a newline at the end": (b64(PICTURE) + "\n", {"line": 0, "end": "\n"}),
    "lines of 64, no newline": (
        "\n".join(b64(PICTURE)[at : at + 64] for at in range(0, 4000, 64)),
        {"line": 64, "end": ""},
    ),
    "CRLF": (base64.encodebytes(PICTURE).decode().replace("\n", "\r\n"), {"line": 76, "end": "\r\n", "break": "\r\n"}),
    "no padding": (b64(b"abcd").rstrip("="), {"line": 0, "end": "", "padded": False}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_base64_leaves_its_layout_in_the_reference(name: str) -> None:
    text, layout = LAYOUTS[name]
    content, blobs = encode("image/png", text)
    assert content["b64"] == layout
    assert next(iter(blobs.values())) in (PICTURE, b"abcd")
    assert decode_content("image/png", content, blobs.__getitem__) == text


def test_base64_that_is_slightly_broken_comes_back_as_it_was() -> None:
    draw = random.Random(1)
    regular = 0
    for _ in range(3000):
        data = draw.randbytes(draw.choice([1, 2, 3, 9, 57, 58, 200]))
        width, line_break = draw.choice([200, 1, 2, 4, 5, 76]), draw.choice(["\n", "\r\n"])
        text = b64(data)
        text = line_break.join(text[at : at + width] for at in range(0, len(text), width))
        text += draw.choice(["", "\n", "\r\n", " ", "\n\n"])
        if draw.random() < 0.5:
            at = draw.randrange(len(text))
            text = (
                text[:at] + draw.choice(["\n", "\r", "=", "A", "*", " ", "\r\n", ""]) + text[at + draw.randrange(2) :]
            )
        content, stored = encode("image/png", text)
        assert decode_content("image/png", content, stored.__getitem__) == text
        regular += is_reference(content) and "text" not in content
    assert regular > 1500


def test_canonical_base64_has_no_layout() -> None:
    assert "b64" not in encode("image/png", b64(PICTURE))[0]


def test_only_a_hash_makes_a_reference() -> None:
    assert is_reference(blob_reference(b"x"))
    for value in (None, "x", {}, {"blob": 1}, {"blob": "x"}, {"blob": "A" * 64}, ["blob"]):
        assert not is_reference(value)
    assert decode_content("image/png", {"blob": "x"}, lambda _: b"") == {"blob": "x"}


def test_references_are_found_at_any_depth() -> None:
    one, two = blob_reference(b"1"), blob_reference(b"2")
    assert references([{"a": [one]}, {"b": {"c": two}}, "x"]) == {one["blob"], two["blob"]}
