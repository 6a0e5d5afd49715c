"""Where a cell stands: fractions between 0 and 1, written with the digits 0-9a-z.

A position is never empty and never ends in 0, so between any two there is always another; cells sort by
(position, id). Nothing here is random: two peers that insert at one place at once may choose the same position, and
then the cells' ids decide, the same way everywhere.

Positions stay short where people work. At the ends of a notebook they count up or down by a fixed step, so a
thousand cells appended one by one have four digits each; between two cells they halve what is left, one digit more
for about five insertions at one place.
"""

from __future__ import annotations

import re

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE = len(_DIGITS)
_VALUE = {digit: value for value, digit in enumerate(_DIGITS)}
_POSITION = re.compile(r"[0-9a-z]*[1-9a-z]")

_WIDTH = 4
_SPAN = _BASE**_WIDTH
"""The ends of a notebook are counted in numbers of so many digits."""

_STEP = _BASE
"""From one counted position to the next; one digit is left between them."""

_FIRST = 10 * _BASE**3 + _BASE // 2
"""A file's first cell stands here ("a00i"): 12,000 cells fit before it at this width, 33,000 behind it."""

_FILE_BLOCK = 25_000
"""Cells of a file that are counted at one width; the next block goes behind a prefix."""


def is_position(value: object) -> bool:
    """Whether a value from a document can be a position."""
    return isinstance(value, str) and _POSITION.fullmatch(value) is not None


def nth(index: int) -> str:
    """The position of a file's n-th cell, from 0, however many there are."""
    blocks, rest = divmod(index, _FILE_BLOCK)
    return "z" * (_WIDTH * blocks) + _written(_FIRST + rest * _STEP, _WIDTH)


def between(before: str, after: str) -> str:
    """A position strictly between two; an empty string is the open end.

    Raises:
        ValueError: `before` is not smaller than `after`.
    """
    if not after:
        return _behind(before)
    if before >= after:
        raise ValueError(f"nothing lies between {before!r} and {after!r}")
    return _halfway(before, after) if before else _ahead_of(after)


def spread(count: int, before: str = "", after: str = "") -> list[str]:
    """So many positions between two, ascending; between two given ones evenly spread.

    Raises:
        ValueError: `before` is not smaller than `after`.
    """
    if not before and not after:
        return [nth(index) for index in range(count)]
    if before and after:
        return _evenly(count, before, after)
    made: list[str] = []
    for _ in range(count):
        if before:
            before = between(before, "")
            made.append(before)
        else:
            after = between("", after)
            made.append(after)
    return made if before else made[::-1]


def _behind(before: str) -> str:
    """Somewhat larger than a position, with room for many more behind."""
    if not before:
        return nth(0)
    head, rest = before[:_WIDTH], before[_WIDTH:]
    number = _read(head, _WIDTH) + _STEP
    if number < _SPAN:
        return _written(number, _WIDTH)
    return head.ljust(_WIDTH, "0") + (_behind(rest) if rest else _written(_STEP, _WIDTH))


def _ahead_of(after: str) -> str:
    """Somewhat smaller than a position, with room for many more before."""
    head, rest = after[:_WIDTH], after[_WIDTH:]
    number = _read(head, _WIDTH)
    if number > _STEP:
        return _written(number - _STEP, _WIDTH)
    lead = "0" * _WIDTH
    return lead + (_ahead_of(rest) if number == 0 else _written(_SPAN - _STEP, _WIDTH))


def _halfway(before: str, after: str) -> str:
    prefix = ""
    place = 0
    while True:
        low = _VALUE[before[place]] if place < len(before) else 0
        high = _VALUE[after[place]] if after and place < len(after) else _BASE
        if high - low > 1:
            return prefix + _DIGITS[(low + high) // 2]
        prefix += _DIGITS[low]
        if low < high:
            after = ""  # already smaller: from here on only `before` bounds
        place += 1


def _evenly(count: int, before: str, after: str) -> list[str]:
    if before >= after:
        raise ValueError(f"nothing lies between {before!r} and {after!r}")
    width = max(len(before), len(after))
    while (_read(after, width) - _read(before, width)) <= 2 * count:
        width += 1
    low, high = _read(before, width), _read(after, width)
    return [_written(low + (high - low) * (index + 1) // (count + 1), width) for index in range(count)]


def _read(digits: str, width: int) -> int:
    """The number that the first `width` digits write, zeros added at the end."""
    return int(digits.ljust(width, "0"), _BASE)


def _written(number: int, width: int) -> str:
    """A number in so many digits, the zeros at its end left out."""
    out = ""
    for _ in range(width):
        number, digit = divmod(number, _BASE)
        out = _DIGITS[digit] + out
    return out.rstrip("0")
