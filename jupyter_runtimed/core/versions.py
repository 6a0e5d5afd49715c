"""The versions of a notebook: stretches of editing with a pause behind them, as a room's log keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_runtimed.core.content import FetchBlob, decode_bundle
from jupyter_runtimed.core.document import Cell
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex
from jupyter_runtimed.core.merge import Version


@dataclass(frozen=True, slots=True)
class Person:
    """Who edited, as the server's identity provider named them."""

    username: str
    name: str = ""

    def to_json(self) -> dict[str, str]:
        """`{"username", "name"}`."""
        return {"username": self.username, "name": self.name or self.username}


ON_DISK = Person("", "changed on disk")
"""In whose name changes of the file are noted."""


def is_run(touched: Mapping[Any, Set[str]]) -> bool:
    """Whether a change says no more than whose outputs cells show.

    Args:
        touched: the objects it writes to, and the keys (`core.crdt.LogEntry.touched`).
    """
    return all(keys == {"execution_id"} for keys in touched.values())


@dataclass(frozen=True, slots=True)
class Touched:
    """What a version changed: ids of cells, and whether the notebook's metadata did."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    metadata: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.metadata)

    @classmethod
    def between(cls, old: Version, new: Version) -> Touched:
        """The difference of two states. Running cells is no edit."""
        before = {cell.id: cell for cell in old.cells}
        after = {cell.id: cell for cell in new.cells}
        return cls(
            tuple(key for key in after if key not in before),
            tuple(key for key, cell in after.items() if key in before and not _is_same(before[key], cell)),
            tuple(key for key in before if key not in after),
            old.metadata != new.metadata,
        )


def _is_same(one: Cell, other: Cell) -> bool:
    return one is other or replace(one, execution_id=None) == replace(other, execution_id=None)


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version.

    Attributes:
        number: counts up; 0 is the state in which the notebook was first opened.
        began, ended: ISO 8601; `began` is None of number 0.
        people: who edited, in the order in which they began.
        before: the heads that it began with.
        heads: the heads it ended with; None while it goes on.
        touched: None when nobody was there to look.
        is_void: nothing came of it.
    """

    number: int
    began: str | None = None
    ended: str | None = None
    people: tuple[Person, ...] = ()
    before: Heads = ()
    heads: Heads | None = None
    touched: Touched | None = None
    is_void: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the log."""
        touched = self.touched
        return {
            **self.more,
            "number": self.number,
            "began": self.began,
            "ended": self.ended,
            "people": [[person.username, person.name] for person in self.people],
            "before": heads_to_hex(self.before),
            "heads": heads_to_hex(self.heads) if self.heads is not None else None,
            "touched": [touched.added, touched.changed, touched.removed, touched.metadata]
            if touched is not None
            else None,
            "is_void": self.is_void,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> VersionRecord:
        """From the log. Raises ValueError, KeyError, TypeError, BadRequest: it is no version."""
        touched, heads = value["touched"], value["heads"]
        return cls(
            int(value["number"]),
            value["began"],
            value["ended"],
            tuple(Person(str(username), str(name)) for username, name in value["people"]),
            heads_from_hex(value["before"]),
            heads_from_hex(heads) if heads is not None else None,
            Touched(tuple(touched[0]), tuple(touched[1]), tuple(touched[2]), bool(touched[3])) if touched else None,
            bool(value["is_void"]),
            {key: item for key, item in value.items() if key not in cls.__slots__},
        )

    def describe(self) -> dict[str, Any]:
        """For people (docs/protocol.md)."""
        touched = self.touched or Touched()
        return {
            "version": str(self.number),
            "began": self.began,
            "ended": self.ended,
            "people": [person.to_json() for person in self.people],
            "heads": heads_to_hex(self.heads or ()),
            "cells": {
                "added": list(touched.added),
                "changed": list(touched.changed),
                "removed": list(touched.removed),
            },
            "metadata": touched.metadata,
        }


def notebook_of(version: Version, fetch: FetchBlob) -> dict[str, Any]:
    """The nbformat notebook of a version; outputs are not kept in the history.

    Args:
        version: the state.
        fetch: blobs of attachments; what is gone is left out.
    """
    return {
        **version.root,
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": dict(version.metadata),
        "cells": [_nbformat_cell(cell, fetch) for cell in version.cells],
    }


def _nbformat_cell(cell: Cell, fetch: FetchBlob) -> dict[str, Any]:
    value = {
        **cell.extra,
        "id": cell.id,
        "cell_type": cell.cell_type,
        "metadata": cell.metadata,
        "source": cell.source,
    }
    if cell.attachments is not None:
        bundles: Iterable[tuple[str, Any]] = cell.attachments.items()
        value["attachments"] = {
            name: decode_bundle(bundle, fetch) for name, bundle in bundles if isinstance(bundle, Mapping)
        }
    if cell.cell_type == "code":
        value.update(outputs=[], execution_count=None)
    return value
