"""Three-way merge of JSON objects, key by key. Where both sides changed one value, the live one stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_runtimed.core import native


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""The value of a key that is not there."""


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same, ABSENT included; NaN is the same as NaN, 1 is not True."""
    if a is b:
        return True
    if a is ABSENT or b is ABSENT:
        return False
    return native.same(a, b)


def merge_values(base: Mapping[str, Any], theirs: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """What to write into `live`: key -> new value, or ABSENT to remove the key."""
    changes: dict[str, Any] = {}
    for key in dict.fromkeys((*base, *theirs)):
        old, new, now = base.get(key, ABSENT), theirs.get(key, ABSENT), live.get(key, ABSENT)
        if same(new, old) or same(new, now):
            continue
        if same(now, old) or now is ABSENT:
            changes[key] = new
        elif isinstance(new, Mapping) and isinstance(now, Mapping):
            inner = merge_values(old if isinstance(old, Mapping) else {}, new, now)
            if inner:
                changes[key] = changed(now, inner)
    return changes


def changed(value: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The object after changes of `merge_values`."""
    return {key: item for key, item in {**value, **changes}.items() if item is not ABSENT}
