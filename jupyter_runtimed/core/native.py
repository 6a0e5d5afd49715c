"""Which JSON values a document holds as they are, and what to do about the others.

Automerge holds null, booleans, 64-bit integers, floats (NaN and infinities too), Unicode strings, maps and lists. A
file may also have lone surrogates, longer integers, keys that are empty, and any nesting.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jupyter_runtimed.core.errors import TooLarge

MAX_NESTING = 256
"""Levels of a JSON value that we keep at all, be it as a blob. Python's JSON writer fails somewhere above 300."""

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1

_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(text: str) -> bool:
    """Whether a string has a UTF-8 form: no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_key(key: str) -> bool:
    """Whether a string can be the key of a map."""
    return bool(key) and is_text(key)


def fits(value: Any, max_depth: int) -> bool:
    """Whether a document holds a JSON value as it is, in so many levels of maps and lists."""
    if value is None or isinstance(value, (bool, float)):
        return True
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, int):
        return INT_MIN <= value <= INT_MAX
    if max_depth <= 0:
        return False
    if isinstance(value, dict):
        return all(is_key(key) and fits(item, max_depth - 1) for key, item in value.items())
    return all(fits(item, max_depth - 1) for item in value)


def is_count(value: Any) -> bool:
    """Whether a value is an execution count: nbformat's, and what a document holds as one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT_MAX


def clean_text(text: str) -> str:
    """The text with U+FFFD for each lone surrogate; the two halves of a character that met become the character."""
    if is_text(text):
        return text
    return _SURROGATE.sub("\ufffd", pair_surrogates(text))


def pair_surrogates(text: str) -> str:
    """The text with the character for two halves that stand side by side, as lines that were joined can leave them."""
    if is_text(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, types included: 1, 1.0 and true differ, NaN is itself."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        return isinstance(one, float) and isinstance(other, float) and repr(one) == repr(other)
    return bool(one == other)


def nesting(value: Any) -> int:
    """Levels of maps and lists in a value. Not recursive, so any value can be asked about."""
    levels = 0
    level = [value]
    while True:
        inner: list[Any] = []
        found = False
        for item in level:
            if isinstance(item, dict):
                found = True
                inner.extend(item.values())
            elif isinstance(item, list):
                found = True
                inner.extend(item)
        if not found:
            return levels
        levels += 1
        level = inner


def dump(value: Any) -> bytes:
    """JSON in its shortest form; UTF-8, with escapes where there is none.

    Raises:
        TooLarge: it is nested too deeply.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise TooLarge(f"a JSON value is nested more than {MAX_NESTING} levels deep") from None
    if text.count("[") + text.count("{") > MAX_NESTING and nesting(value) > MAX_NESTING:
        raise TooLarge(f"a JSON value is nested more than {MAX_NESTING} levels deep")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
