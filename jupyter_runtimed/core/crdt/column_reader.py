"""Read Automerge's column encodings, strictly: what the engine would not have written itself is malformed.

The engine rewrites all columns when it saves a document, and a change's name is the hash of its bytes. A change that
says the same in other bytes (a run split in two, a number with padding) would come back with another name, and the
saved document would not load. So only the one canonical form passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jupyter_runtimed.core.errors import Malformed

_MAX_UNSIGNED = (1 << 64) - 1
_MIN_SIGNED, _MAX_SIGNED = -(1 << 63), (1 << 63) - 1
_MAX_NUMBER_BYTES = 10


def read_uleb(data: bytes, at: int) -> tuple[int, int]:
    """(number, position behind it) of an unsigned LEB128 number of up to 64 bits."""
    try:
        byte = data[at]
        if byte < 0x80:
            return byte, at + 1
        number, shift = byte & 0x7F, 7
        while True:
            at += 1
            byte = data[at]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= 7 * _MAX_NUMBER_BYTES:
                raise Malformed("a number of more than 64 bits")
    except IndexError:
        raise Malformed("the data ends inside a number") from None
    if byte == 0 or number > _MAX_UNSIGNED:
        raise Malformed("a number with padding, or of more than 64 bits")
    return number, at + 1


def read_sleb(data: bytes, at: int) -> tuple[int, int]:
    """As `read_uleb`, for signed numbers."""
    number = shift = before = 0
    try:
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= 7 * _MAX_NUMBER_BYTES:
                raise Malformed("a number of more than 64 bits")
            before = byte
    except IndexError:
        raise Malformed("the data ends inside a number") from None
    if shift > 7 and ((byte == 0x00 and not before & 0x40) or (byte == 0x7F and before & 0x40)):
        raise Malformed("a number with padding")
    if byte & 0x40:
        number -= 1 << shift
    if not _MIN_SIGNED <= number <= _MAX_SIGNED:
        raise Malformed("a number of more than 64 bits")
    return number, at


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """A length and so many bytes."""
    size, at = read_uleb(data, at)
    end = at + size
    if end > len(data):
        raise Malformed("the data ends inside a field")
    return data[at:end], end


def read_str(data: bytes, at: int) -> tuple[str, int]:
    """A length in bytes and UTF-8."""
    raw, at = read_bytes(data, at)
    try:
        return raw.decode(), at
    except UnicodeDecodeError:
        raise Malformed("text that is not UTF-8") from None


Runs = Iterator[tuple[Any, int]]
"""(value or None, times)"""

_NOTHING = object()

_LITERAL_OF_ONE = 0x7F
"""-1: one value follows that stands for itself."""


def read_runs(data: bytes, at: int, end: int, read: Callable[[bytes, int], tuple[Any, int]] = read_uleb) -> Runs:
    """The runs of a run-length column between two positions. Single values come as runs of one."""
    last: Any = _NOTHING
    after_literal = False
    start = at
    while at < end:
        times, at = read_sleb(data, at)
        if times > 0:
            value, at = read(data, at)
            if times == 1 or value == last:
                raise Malformed("a run that is none, or that is split")
            last, after_literal = value, False
            yield value, times
        elif times < 0:
            if after_literal:
                raise Malformed("a literal run that is split")
            for _ in range(-times):
                if at >= end:
                    raise Malformed("a literal run is longer than its column")
                value, at = read(data, at)
                if value == last:
                    raise Malformed("equal values outside a run")
                last = value
                yield value, 1
            after_literal = True
        else:
            only = at == start + 1
            times, at = read_uleb(data, at)
            if times == 0 or last is None or (only and at == end):
                raise Malformed("a run of nulls that is empty, split or all there is")
            last, after_literal = None, False
            yield None, times
    if at != end:
        raise Malformed("a column runs over its end")


def read_booleans(data: bytes, at: int, end: int) -> Runs:
    """The runs of a column of booleans: alternating lengths, beginning with false."""
    value, first = False, True
    while at < end:
        times, at = read_uleb(data, at)
        if times:
            yield value, times
        elif not first or at == end:
            raise Malformed("an empty run of booleans")
        value, first = not value, False
    if at != end:
        raise Malformed("a column runs over its end")


def read_only_value(data: bytes, at: int, read: Callable[[bytes, int], tuple[Any, int]]) -> tuple[Any, int]:
    """(value, position behind it) of a run-length column of one value; no value when it begins in another way."""
    return read(data, at + 1) if data[at] == _LITERAL_OF_ONE else (None, at)


def read_only_flag(data: bytes, at: int) -> tuple[bool | None, int]:
    """(value, position behind it) of a column of one boolean; no value when it begins in another way."""
    if data[at] == 1:
        return False, at + 1
    return (True, at + 2) if data[at : at + 2] == b"\x00\x01" else (None, at)


class Cursor:
    """A column walked in steps of any length. A column that has ended is nulls for ever.

    Attributes:
        value: the current value; valid after `fill`.
        left: how many operations the current run still has.
    """

    __slots__ = ("_runs", "ended", "left", "value")

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.value: Any = None
        self.left = 0
        self.ended = False

    def fill(self) -> int:
        """Make `value` current; for how many operations it is."""
        if self.left == 0:
            step = next(self._runs, None)
            if step is None:
                self.ended = True
                self.value, self.left = None, 1 << 62
            else:
                self.value, self.left = step
        return self.left

    def finish(self, *, present: bool) -> None:
        """All operations are read: refuse a column that is there and longer or shorter."""
        if present and (self.ended or self.left or next(self._runs, None) is not None):
            raise Malformed("a column longer or shorter than the operations")


class DeltaCursor(Cursor):
    """A column of differences: `first` is the current absolute value, `value` the step between values of the run."""

    __slots__ = ("_last",)

    def __init__(self, runs: Runs) -> None:
        super().__init__(runs)
        self._last = 0

    @property
    def first(self) -> int | None:
        return None if self.value is None else self._last + self.value

    def advance(self, times: int) -> None:
        self.left -= times
        if self.value is not None:
            self._last += self.value * times
