"""Kernel messages off the wire: whatever a kernel sends, it is a message or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.adapters.kernels_messages import read_json, read_parts

HEADER = json.dumps({"msg_id": "m", "msg_type": "stream"}).encode()
PARENT = json.dumps({"msg_id": "p", "msg_type": "execute_request"}).encode()


def test_a_message_is_read_with_its_parent_and_buffers() -> None:
    parts = [HEADER, PARENT, b'{"a": 1}', b'{"name": "stdout", "text": "\xc3\xa9"}', b"\x00\x01", memoryview(b"two")]
    message = read_parts("iopub", parts)
    assert message is not None
    assert (message.channel, message.msg_type, message.msg_id) == ("iopub", "stream", "m")
    assert (message.parent_id, message.parent_type) == ("p", "execute_request")
    assert message.content == {"name": "stdout", "text": "é"} and message.metadata == {"a": 1}
    assert message.buffers == [b"\x00\x01", b"two"] and message.size == sum(map(len, parts[3:]))


def test_a_message_without_parent_or_metadata_is_one() -> None:
    message = read_parts("iopub", [HEADER, b"{}", b"null", b"{}"])
    assert message is not None and message.parent_id == message.parent_type == "" and message.metadata == {}


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [HEADER],
        [HEADER, PARENT, b"{}"],
        [b"{}", PARENT, b"{}", b"{}"],
        [b"[]", PARENT, b"{}", b"{}"],
        [HEADER, b"[1]", b"{}", b"{}"],
        [HEADER, PARENT, b"{}", b"[]"],
        [HEADER, PARENT, b"{}", b"{"],
        [HEADER, PARENT, b"{}", b"[" * 100_000],
        [b"\xff\xfe", PARENT, b"{}", b"{}"],
    ],
)
def test_what_is_no_message_is_none(parts: list[bytes]) -> None:
    assert read_parts("iopub", parts) is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"a\\ud800b"', "a\ufffdb"),
        (b'{"\\udc00": ["\\ud800"]}', {"\ufffd": ["\ufffd"]}),
        (b'"raw \xff"', "raw \ufffd"),
        (b"[1e400, -1e400]", [float("inf"), float("-inf")]),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_json_is_read_as_kernels_write_it(raw: bytes, value: object) -> None:
    assert read_json(raw) == value


def test_not_a_number_is_a_number() -> None:
    value = read_json(b"[NaN]")[0]
    assert value != value


@given(st.lists(st.binary(max_size=40), max_size=7))
@settings(max_examples=100)
def test_no_bytes_do_harm(parts: list[bytes]) -> None:
    assert read_parts("shell", parts) is None
