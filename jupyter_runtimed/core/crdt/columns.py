"""Write Automerge's column encodings: LEB128 numbers, run-length, delta and boolean runs, and scalar values.

Source: the Automerge binary format specification. Writers keep runs, so a text of n characters costs a few runs,
not n operations. Every writer is canonical: the bytes are what the engine itself would write.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any


def _spell_uleb(number: int) -> bytes:
    out = bytearray()
    while True:
        low = number & 0x7F
        number >>= 7
        if number:
            out.append(low | 0x80)
        else:
            out.append(low)
            return bytes(out)


def _spell_sleb(number: int) -> bytes:
    out = bytearray()
    while True:
        low = number & 0x7F
        number >>= 7
        if (number == 0 and not low & 0x40) or (number == -1 and low & 0x40):
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)


_SMALL = 0x800
"""Smaller numbers are looked up: nearly all there are but operation counters."""

_ULEBS = tuple(map(_spell_uleb, range(_SMALL)))
_SLEBS = tuple(map(_spell_sleb, range(-_SMALL, _SMALL)))


def uleb(number: int) -> bytes:
    """An unsigned number in LEB128."""
    return _ULEBS[number] if number < _SMALL else _spell_uleb(number)


def sleb(number: int) -> bytes:
    """A signed number in LEB128."""
    return _SLEBS[number + _SMALL] if -_SMALL <= number < _SMALL else _spell_sleb(number)


def encode_str(text: str) -> bytes:
    """A length in bytes and the UTF-8."""
    data = text.encode()
    return uleb(len(data)) + data


class Uint(int):
    """An integer that is written as `uint`."""


def encode_scalar(value: Any) -> tuple[int, bytes]:
    """(value metadata: length << 4 | type, raw bytes) of a scalar.

    Raises:
        OverflowError: an integer of more than 64 bits.
        UnicodeEncodeError: a string with lone surrogates.
        TypeError: no scalar.
    """
    if value is None:
        return 0, b""
    if value is True:
        return 2, b""
    if value is False:
        return 1, b""
    if isinstance(value, str):
        data = value.encode()
        return len(data) << 4 | 6, data
    if isinstance(value, int):
        return _encode_int(value)
    if isinstance(value, float):
        return 8 << 4 | 5, struct.pack("<d", value)
    if isinstance(value, bytes):
        return len(value) << 4 | 7, value
    raise TypeError(f"no Automerge scalar: {type(value).__name__}")


def _encode_int(value: int) -> tuple[int, bytes]:
    """As `uint` what is one or what needs its last bit, as `int` all else."""
    if isinstance(value, Uint) or value >= 1 << 63:
        if not 0 <= value < 1 << 64:
            raise OverflowError("an unsigned integer of more than 64 bits")
        data = uleb(value)
        return len(data) << 4 | 3, data
    if value < -(1 << 63):
        raise OverflowError("an integer of more than 64 bits")
    data = sleb(value)
    return len(data) << 4 | 4, data


class RunWriter:
    """A run-length column: null runs, repeated values, literal runs. All values of one column are of one type."""

    __slots__ = ("counts", "encode", "values")

    def __init__(self, encode: Callable[[Any], bytes] = uleb) -> None:
        # Two flat lists: a list for each run would be work for the garbage collector.
        self.values: list[Any] = []
        self.counts: list[int] = []
        self.encode = encode

    def add(self, value: Any, times: int = 1) -> None:
        """Append a value (None is null) so many times."""
        if times <= 0:
            return
        values = self.values
        if values and values[-1] == value:
            self.counts[-1] += times
        else:
            values.append(value)
            self.counts.append(times)

    def finish(self) -> bytes:
        """The column; empty when there is nothing but nulls."""
        values = self.values
        encode = self.encode
        if not values or (len(values) == 1 and values[0] is None):
            return b""
        out: list[bytes] = []
        literal: list[bytes] = []
        for value, times in zip(values, self.counts, strict=True):
            if times == 1 and value is not None:
                literal.append(encode(value))
                continue
            if literal:
                out.append(sleb(-len(literal)))
                out += literal
                literal = []
            if value is None:
                out.append(b"\x00" + uleb(times))
            else:
                out.append(sleb(times) + encode(value))
        if literal:
            out.append(sleb(-len(literal)))
            out += literal
        return b"".join(out)


class DeltaWriter(RunWriter):
    """A column of differences, run-length encoded."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        super().__init__(sleb)
        self.last = 0

    def value(self, value: int) -> None:
        """Append an absolute value."""
        self.add(value - self.last)
        self.last = value

    def nulls(self, times: int) -> None:
        self.add(None, times)

    def sequence(self, first: int, times: int) -> None:
        """Append first, first + 1, …, so many values."""
        if times <= 0:
            return
        self.add(first - self.last)
        self.add(1, times - 1)
        self.last = first + times - 1


class BoolWriter:
    """A column of booleans as alternating run lengths, beginning with false."""

    __slots__ = ("last", "out", "times")

    def __init__(self) -> None:
        self.out = bytearray()
        self.last = False
        self.times = 0

    def add(self, value: bool, times: int = 1) -> None:
        if times <= 0:
            return
        if value == self.last:
            self.times += times
        else:
            self.out += uleb(self.times)
            self.last = value
            self.times = times

    def finish(self) -> bytes:
        return bytes(self.out) + (uleb(self.times) if self.times else b"")
