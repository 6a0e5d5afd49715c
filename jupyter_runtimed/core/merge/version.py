"""One state of a notebook as a value: what a merge compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_runtimed.core.crdt import Engine, Replica, new_actor, read_chunk
from jupyter_runtimed.core.document import GENESIS_ACTOR, Cell, NotebookDocument
from jupyter_runtimed.core.ids import Hash, Heads
from jupyter_runtimed.core.ipynb import IMPORT_ACTOR_PREFIX

_NOT_COMPARED = ("nbformat", "nbformat_minor")


@dataclass(frozen=True, slots=True)
class Version:
    """Cells in order, the notebook's metadata, and unknown keys of the root. Not to be changed."""

    cells: tuple[Cell, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    root: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: NotebookDocument) -> Version:
        """What a document reads as now."""
        root = {key: value for key, value in document.root().items() if key not in _NOT_COMPARED}
        return cls(tuple(document.cells()), dict(document.metadata()), root)

    @classmethod
    def at(cls, replica: Replica, heads: Heads) -> Version:
        """What a document read as at some heads of its history. Costs as much as loading the document.

        Raises:
            EngineRefused, EnginePanic: the heads are not in the history, or the engine fails.
        """
        if heads == replica.heads:
            return cls.of(NotebookDocument(replica))
        actor = new_actor()
        past = Engine.load(replica.save(), actor).fork(heads, actor)
        return cls.of(NotebookDocument(Replica.load(past.save(), actor=new_actor())))

    def to_json(self) -> dict[str, Any]:
        """For the room's log."""
        return {"cells": [asdict(cell) for cell in self.cells], "metadata": self.metadata, "root": self.root}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Version:
        """From the room's log."""
        return cls(tuple(Cell(**cell) for cell in value["cells"]), value["metadata"], value["root"])


def heads_before_edits(replica: Replica, is_known: Callable[[Hash], bool] = lambda _: False) -> Heads:
    """The heads of the part of a history that is not anybody's unsent edits: genesis, import, and known changes."""
    heads: set[Hash] = set()
    common: set[Hash] = set()
    for chunk in replica.changes_since(()):
        info = read_chunk(chunk)
        begins = info.actor == GENESIS_ACTOR or info.actor.startswith(IMPORT_ACTOR_PREFIX)
        if (begins or is_known(info.hash)) and common.issuperset(info.deps):
            common.add(info.hash)
            heads.difference_update(info.deps)
            heads.add(info.hash)
    return tuple(sorted(heads))
