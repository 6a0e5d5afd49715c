"""The versions of a notebook, as the server lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyter_runtimed.core.ids import Heads, heads_from_hex


@dataclass(frozen=True, slots=True)
class NotebookVersion:
    """One stretch of editing.

    Attributes:
        version: its name, for the calls that take one.
        began, ended: when; `began` is None of the state in which the notebook was first opened.
        people: display names of those who edited; changes of the file have one of their own.
        heads: of the notebook document at its end.
        added, changed, removed: ids of the cells it touched.
        metadata: whether it changed the notebook's metadata.
    """

    version: str
    began: datetime | None
    ended: datetime | None
    people: tuple[str, ...]
    heads: Heads
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    metadata: bool

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> NotebookVersion:
        """Read one element of the server's list."""
        cells = body["cells"]
        return cls(
            body["version"],
            _time(body["began"]),
            _time(body["ended"]),
            tuple(person["name"] for person in body["people"]),
            heads_from_hex(body["heads"]),
            tuple(cells["added"]),
            tuple(cells["changed"]),
            tuple(cells["removed"]),
            body["metadata"],
        )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
