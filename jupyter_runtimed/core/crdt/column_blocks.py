"""Read the columns of a document chunk in blocks, as fast as Python can.

A column is a sequence of blocks: a literal run is a list of its values, a repeated value is one value and a number.
Whoever reads takes the values of so many rows at a time, which nearly always lie in one block. Unlike
`column_reader` this does not insist on the canonical form: nothing is hashed or passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from jupyter_runtimed.core.crdt.column_reader import read_sleb, read_str, read_uleb
from jupyter_runtimed.core.errors import Malformed

FOREVER = 1 << 62
"""Rows: a column that has ended is nulls."""

Block = tuple[Sequence[Any] | None, Any, int]
"""(values, None, how many), or (None, the value of all of them, how many)"""

ReadLiterals = Callable[[bytes, int, int], tuple[list[Any], int]]
"""Reads so many values behind one another: (values, position behind them)."""


class BlockColumn:
    """A column that is taken from the front.

    Attributes:
        left: how many rows the present block still has; valid after `fill`.
    """

    __slots__ = ("_at", "_blocks", "_next", "_value", "_values", "left")

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._next = 0
        self._values: Sequence[Any] | None = None
        self._value: Any = None
        self._at = 0
        self.left = 0

    def fill(self) -> int:
        """Go to the next block when this one is used up; how many rows it has."""
        if not self.left:
            if self._next < len(self._blocks):
                self._values, self._value, self.left = self._blocks[self._next]
                self._next += 1
            else:
                self._values, self._value, self.left = None, None, FOREVER
            self._at = 0
        return self.left

    @property
    def has_ended(self) -> bool:
        """Whether there are no more rows."""
        return not self.left and self._next == len(self._blocks)

    def take(self, times: int) -> Sequence[Any]:
        """The values of the next rows."""
        if self.left >= times:
            self.left -= times
            values = self._values
            if values is None:
                return [self._value] * times
            at = self._at
            self._at = at + times
            return values[at : at + times]
        out: list[Any] = []
        while times:
            step = min(times, self.fill())
            out += self.take(step)
            times -= step
        return out

    def take_runs(self, times: int) -> list[tuple[Any, int]]:
        """The values of the next rows as (value, how many)."""
        out: list[tuple[Any, int]] = []
        while times:
            step = min(times, self.fill())
            if self._values is None:
                out.append((self._value, step))
                self.left -= step
            else:
                out += [(value, 1) for value in self.take(step)]
            times -= step
        return out

    def skip(self, times: int) -> None:
        """Go over the next rows."""
        while times:
            step = min(times, self.fill())
            self.left -= step
            self._at += step
            times -= step

    def all_are(self, value: Any, times: int) -> bool:
        """Whether the next rows all have one value, in one run."""
        return self.fill() >= times and self._values is None and self._value == value

    def run(self) -> tuple[Any, int]:
        """The next value, and for how many rows at least it is the value."""
        left = self.fill()
        return (self._value, left) if self._values is None else (self._values[self._at], 1)


def _run_blocks(data: bytes, read: Callable[[bytes, int], tuple[Any, int]], literals: ReadLiterals) -> list[Block]:
    blocks: list[Block] = []
    at, end = 0, len(data)
    while at < end:
        times, at = read_sleb(data, at)
        if times > 0:
            value, at = read(data, at)
            blocks.append((None, value, times))
        elif times < 0:
            values, at = literals(data, at, -times)
            blocks.append((values, None, -times))
        else:
            times, at = read_uleb(data, at)
            blocks.append((None, None, times))
    if at != end:
        raise Malformed("a column runs over its end")
    return blocks


def uleb_column(data: bytes) -> BlockColumn:
    """A column of unsigned numbers."""
    return BlockColumn(_run_blocks(data, read_uleb, _ulebs))


def str_column(data: bytes) -> BlockColumn:
    """A column of strings."""
    return BlockColumn(_run_blocks(data, read_str, _strs))


def delta_column(data: bytes) -> BlockColumn:
    """A column of differences, as the absolute values."""
    blocks: list[Block] = []
    last = 0
    for values, value, times in _run_blocks(data, read_sleb, _slebs):
        if values is not None:
            absolute: Sequence[Any] = list(accumulate(values, initial=last))[1:]
        elif value is None:
            blocks.append((None, None, times))
            continue
        elif value == 0:
            blocks.append((None, last, times))
            continue
        else:
            absolute = range(last + value, last + value * (times + 1), value)
        last = absolute[-1]
        blocks.append((absolute, None, times))
    return BlockColumn(blocks)


def bool_column(data: bytes) -> BlockColumn:
    """A column of booleans: alternating lengths, beginning with false."""
    blocks: list[Block] = []
    at, value = 0, False
    while at < len(data):
        times, at = read_uleb(data, at)
        if times:
            blocks.append((None, value, times))
        value = not value
    return BlockColumn(blocks)


def _ulebs(data: bytes, at: int, times: int) -> tuple[list[int], int]:
    if times > len(data) - at:
        raise Malformed("a literal run is longer than its column")
    values = data[at : at + times]
    if values.isascii():
        return list(values), at + times
    out = []
    for _ in range(times):
        value, at = read_uleb(data, at)
        out.append(value)
    return out, at


def _slebs(data: bytes, at: int, times: int) -> tuple[list[int], int]:
    if times > len(data) - at:
        raise Malformed("a literal run is longer than its column")
    out = []
    for _ in range(times):
        byte = data[at]
        if byte < 0x40:
            value, at = byte, at + 1
        elif byte < 0x80:
            value, at = byte - 0x80, at + 1
        else:
            value, at = read_sleb(data, at)
        out.append(value)
    return out, at


def _strs(data: bytes, at: int, times: int) -> tuple[list[str], int]:
    if times > len(data) - at:
        raise Malformed("a literal run is longer than its column")
    out = []
    for _ in range(times):
        size = data[at]
        end = at + 1 + size
        if size < 0x80 and end <= len(data):
            out.append(data[at + 1 : end].decode())
            at = end
        else:
            value, at = read_str(data, at)
            out.append(value)
    return out, at
