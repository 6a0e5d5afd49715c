"""What a file says and a notebook document cannot: kept beside it, and given back by a save.

A value that a document cannot hold (`core.native`), is nested too deeply, or stands under a key that is one of ours,
is replaced in the document by a substitute, and noted here with its place. A save puts the original back where the
document still holds the substitute; where somebody changed it, their value stands.

A place begins with its owner: ("root",), ("cell", cell id) or ("execution", execution id). Keys follow; lists are one
value, because what stands at an index moves. A residue is JSON, for the room's log.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.errors import TooLarge
from jupyter_runtimed.core.native import INT_MAX, INT_MIN, MAX_NESTING, clean_text, fits, is_key, nesting, same

Place = tuple[str, ...]

ABSENT = "\ue000absent"
"""Stands for a key that the document does not have."""


@dataclass(slots=True)
class Residue:
    """See the module. Entries are (place, substitute, original)."""

    entries: list[tuple[Place, Any, Any]] = field(default_factory=list)

    def to_json(self) -> list[list[Any]]:
        """For the log. Originals are written out: they may be nested deeper than the log's other fields."""
        return [[list(place), substitute, json.dumps(original)] for place, substitute, original in self.entries]

    @classmethod
    def from_json(cls, value: Sequence[Sequence[Any]]) -> Residue:
        """From the log."""
        return cls([(tuple(place), substitute, json.loads(original)) for place, substitute, original in value])

    def clean(self, value: Any, place: Place, max_depth: int) -> Any:
        """A value that a document can hold in so many levels; what was replaced is noted.

        Raises:
            TooLarge: it is nested too deeply to be kept at all.
        """
        if isinstance(value, dict) and max_depth > 0:
            cleaned = {}
            for key, item in value.items():
                if is_key(key):
                    cleaned[key] = self.clean(item, (*place, key), max_depth - 1)
                else:
                    self.keep_out((*place, key), item)
            return cleaned
        return value if fits(value, max_depth) else self.note(place, _substitute(value, max_depth), value)

    def keep_out(self, place: Place, original: Any) -> None:
        """Note a value whose key stays out of the document altogether. Raises TooLarge."""
        self.note(place, ABSENT, original)

    def note(self, place: Place, substitute: Any, original: Any) -> Any:
        """Note what stands for an original in the document; returns the substitute. Raises TooLarge."""
        if nesting(original) > MAX_NESTING:
            raise TooLarge(f"{'.'.join(place[2:])[:80]} is nested more than {MAX_NESTING} levels deep")
        self.entries.append((place, substitute, original))
        return substitute

    def restore(self, owner: Place, target: dict[str, Any]) -> dict[str, Any]:
        """What an owner has with its originals put back.

        Args:
            owner: whose entries.
            target: what the document says of it, in terms of nbformat. Not changed.
        """
        size = len(owner)
        for place, substitute, original in self.entries:
            if place[:size] == owner:
                target = _put_back(target, place[size:], substitute, original)
        return target

    def owners(self) -> set[Place]:
        """Who has entries."""
        return {place[:1] if place[0] == "root" else place[:2] for place, _, _ in self.entries}


def _substitute(value: Any, max_depth: int) -> Any:
    """Something like the value that a document can hold."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if INT_MIN <= value <= INT_MAX else _nearest_float(value)
    if isinstance(value, (dict, list)) and max_depth <= 0:
        return None
    if isinstance(value, dict):
        return {key: _substitute(item, max_depth - 1) for key, item in value.items() if is_key(key)}
    if isinstance(value, list):
        return [_substitute(item, max_depth - 1) for item in value]
    return value


def _nearest_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _put_back(target: dict[str, Any], path: Place, substitute: Any, original: Any) -> dict[str, Any]:
    """The target with one original put back at a path, copied where it changes."""
    key, *rest = path
    if rest:
        inner = target.get(key)
        changed = _put_back(inner, tuple(rest), substitute, original) if isinstance(inner, dict) else inner
        return target if changed is inner else {**target, key: changed}
    if key in target:
        stands = substitute is not ABSENT and same(target[key], substitute)
    else:
        stands = substitute == ABSENT
    return {**target, key: original} if stands else target
