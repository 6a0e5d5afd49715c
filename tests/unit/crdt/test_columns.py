"""Automerge's column encodings, as literal bytes; and that the reader takes only what the writer writes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt.column_reader import (
    DeltaCursor,
    read_booleans,
    read_bytes,
    read_runs,
    read_sleb,
    read_str,
    read_uleb,
)
from jupyter_runtimed.core.crdt.columns import (
    BoolWriter,
    DeltaWriter,
    RunWriter,
    Uint,
    encode_scalar,
    encode_str,
    sleb,
    uleb,
)
from jupyter_runtimed.core.errors import Malformed

UNSIGNED = [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**64 - 1, "ffffffffffffffffff01")]
SIGNED = [
    (0, "00"),
    (1, "01"),
    (-1, "7f"),
    (63, "3f"),
    (64, "c000"),
    (-64, "40"),
    (-65, "bf7f"),
    (2**63 - 1, "ffffffffffffffffff00"),
    (-(2**63), "8080808080808080807f"),
]


@pytest.mark.parametrize(("number", "data"), UNSIGNED)
def test_unsigned_numbers(number: int, data: str) -> None:
    assert uleb(number).hex() == data
    assert read_uleb(bytes.fromhex("ff" + data + "ff"), 1) == (number, 1 + len(data) // 2)


@pytest.mark.parametrize(("number", "data"), SIGNED)
def test_signed_numbers(number: int, data: str) -> None:
    assert sleb(number).hex() == data
    assert read_sleb(bytes.fromhex("ff" + data + "ff"), 1) == (number, 1 + len(data) // 2)


@pytest.mark.parametrize("data", ["", "80", "8000", "ffffffffffffffffff02", "ff" * 11 + "01"])
def test_unsigned_numbers_that_end_early_or_are_padded_or_too_big_are_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        read_uleb(bytes.fromhex(data), 0)


@pytest.mark.parametrize("data", ["", "80", "8000", "ff7f", "8080808080808080808001", "ffffffffffffffffff01"])
def test_signed_numbers_that_end_early_or_are_padded_or_too_big_are_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        read_sleb(bytes.fromhex(data), 0)


def test_fields_and_strings() -> None:
    assert read_bytes(b"\x02abc", 0) == (b"ab", 3)
    assert read_str(encode_str("é"), 0) == ("é", 3)
    with pytest.raises(Malformed):
        read_bytes(b"\x04abc", 0)
    with pytest.raises(Malformed):
        read_str(b"\x01\xff", 0)


SCALARS: list[tuple[Any, int, bytes]] = [
    (None, 0x00, b""),
    (False, 0x01, b""),
    (True, 0x02, b""),
    (Uint(300), 0x23, b"\xac\x02"),
    (Uint(0), 0x13, b"\x00"),
    (-1, 0x14, b"\x7f"),
    (1, 0x14, b"\x01"),
    (2**63, 0xA3, bytes.fromhex("80808080808080808001")),
    (1.5, 0x85, struct.pack("<d", 1.5)),
    ("", 0x06, b""),
    ("é", 0x26, "é".encode()),
    (b"\xff", 0x17, b"\xff"),
]


@pytest.mark.parametrize(("value", "meta", "raw"), SCALARS)
def test_scalars(value: Any, meta: int, raw: bytes) -> None:
    assert encode_scalar(value) == (meta, raw)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, Uint(2**64), Uint(-1)])
def test_integers_over_64_bits_are_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        encode_scalar(value)


@pytest.mark.parametrize("value", [[], {}, object()])
def test_what_is_no_scalar_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode_scalar(value)


def column(values: list[Any]) -> bytes:
    writer = RunWriter()
    for value in values:
        writer.add(value)
    return writer.finish()


RUNS = [
    ([], ""),
    ([None, None], ""),
    ([5], "7f05"),
    ([5, 5], "0205"),
    ([5, 6], "7e0506"),
    ([5, 5, 6], "02057f06"),
    ([5, 6, 6], "7f050206"),
    ([None, 5], "00017f05"),
    ([5, None, None], "7f050002"),
    ([1, 1, 2, 2], "02010202"),
]


@pytest.mark.parametrize(("values", "data"), RUNS)
def test_run_length_columns(values: list[Any], data: str) -> None:
    assert column(values).hex() == data


def unfold(runs: Any) -> list[Any]:
    return [value for value, times in runs for _ in range(times)]


@given(st.lists(st.none() | st.integers(0, 3) | st.integers(0, 2**64 - 1), max_size=40))
def test_what_was_written_as_runs_is_read(values: list[Any]) -> None:
    data = column(values)
    if data:
        assert unfold(read_runs(b"x" + data + b"y", 1, 1 + len(data))) == values


@given(st.lists(st.booleans(), max_size=40))
def test_what_was_written_as_booleans_is_read(values: list[bool]) -> None:
    writer = BoolWriter()
    for value in values:
        writer.add(value)
    data = writer.finish()
    assert unfold(read_booleans(data, 0, len(data))) == values


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=40))
def test_what_was_written_as_differences_is_read(values: list[int]) -> None:
    writer = DeltaWriter()
    for value in values:
        writer.value(value)
    data = writer.finish()
    cursor = DeltaCursor(read_runs(data, 0, len(data), read_sleb))
    found = []
    for _ in values:
        cursor.fill()
        found.append(cursor.first)
        cursor.advance(1)
    cursor.finish(present=True)
    assert found == values


def test_a_sequence_is_two_runs() -> None:
    writer = DeltaWriter()
    writer.sequence(7, 1000)
    assert writer.finish().hex() == "7f07e70701"


@given(st.binary(max_size=12))
def test_only_the_one_way_to_write_a_column_is_read(data: bytes) -> None:
    try:
        runs = list(read_runs(data, 0, len(data)))
    except Malformed:
        return
    if sum(times for _, times in runs) < 10_000:
        assert column(unfold(runs)) == data


@given(st.binary(max_size=12))
def test_only_the_one_way_to_write_booleans_is_read(data: bytes) -> None:
    try:
        runs = list(read_booleans(data, 0, len(data)))
    except Malformed:
        return
    writer = BoolWriter()
    for value, times in runs:
        writer.add(value, times)
    assert writer.finish() == data
