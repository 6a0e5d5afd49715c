"""Bring the difference between two versions of a notebook into the live document, as edits of it.

The base is the last common version; `theirs` is what somebody made of it elsewhere: the file after a `git pull`, a
replica that was offline. Only what they changed is applied, so what people do in the room meanwhile stays. Rules:

1. Texts merge by character (`core.text_merge`), objects key by key, cells by id (`matching`).
2. A cell that they removed goes, unless somebody has changed it here: then it stays.
3. A cell that was removed here comes back if they have changed it.
4. They removed only what the base had: an empty or unknown base removes nothing.
5. A cell is moved by giving it another position, never by removing and inserting it. Only cells that changed their
   place among each other are moved.
6. Merging the same version again does nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_runtimed.core.crdt import MAP, ROOT, ChangeBuilder, Writer
from jupyter_runtimed.core.document import Cell, NotebookDocument, write_cell
from jupyter_runtimed.core.merge.matching import match_cells
from jupyter_runtimed.core.merge.order import longest_rising, new_positions
from jupyter_runtimed.core.merge.values import ABSENT, changed, merge_values, same
from jupyter_runtimed.core.merge.version import Version
from jupyter_runtimed.core.references import is_reference
from jupyter_runtimed.core.text_merge import Splice, merge_text

_RESERVED = frozenset({"id", "cell_type", "position", "source", "metadata", "attachments", "execution_id"})
_ROOT_RESERVED = frozenset({"schema_version", "nbformat", "nbformat_minor", "metadata", "cells"})


@dataclass(slots=True)
class Merged:
    """What a merge did.

    Attributes:
        cells: ids of their cells -> ids here. Cells that were removed here and stay so are missing.
        inserted: cells that they have added.
        restored: cells that were removed here and came back with their changes.
        deleted: cells that they have removed.
        kept: cells that they have removed and that stay because they were changed here.
        base: their version in terms of our ids: the last common version from now on.
    """

    cells: dict[str, str] = field(default_factory=dict)
    inserted: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    base: Version = field(default_factory=Version)


def merge_version(
    document: NotebookDocument,
    base: Version,
    theirs: Version,
    *,
    derived: Collection[str] = (),
    likely: Version | None = None,
    is_other_lineage: bool = False,
) -> Merged:
    """Merge `theirs` into the document.

    Args:
        document: the live one; edited in at most a few changes.
        base: the last common version; an empty one if none is known.
        theirs: the version to bring in.
        derived: ids in `theirs` that the file did not have.
        likely: a version between `base` and `theirs` that the document may have been made of. Where all of a source
            of it stands in the document, it is the common one: what the document has inside it was put there since.
        is_other_lineage: the base is of another import, so its ids may not be the document's.
    """
    plan = _Plan(document, base, theirs, derived, is_other_lineage, likely or base)
    plan.make()
    plan.apply()
    return plan.merged


@dataclass(slots=True)
class _Edits:
    """What changes in one cell that is there."""

    splices: list[Splice] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class _Plan:
    def __init__(
        self,
        document: NotebookDocument,
        base: Version,
        theirs: Version,
        derived: Collection[str],
        is_other_lineage: bool,
        likely: Version,
    ) -> None:
        self.merged = Merged()
        self._document = document
        self._base = base
        self._theirs = theirs
        self._live = {cell.id: cell for cell in document.cells()}
        self._old = {cell.id: cell for cell in base.cells}
        self._likely = {cell.id: cell.source for cell in likely.cells}
        self._to_base = match_cells(base.cells, theirs.cells, derived)
        live = list(self._live.values())
        if is_other_lineage:
            self._base_to_live = match_cells(live, base.cells)
        else:
            self._base_to_live = {cell_id: cell_id for cell_id in self._old if cell_id in self._live}
        based = set(self._base_to_live.values())
        self._added_by_both = match_cells(
            [cell for cell in live if cell.id not in based],
            [cell for cell in theirs.cells if cell.id not in self._to_base],
            derived,
        )
        self._new: dict[str, Cell] = {}
        self._edits: dict[str, _Edits] = {}
        self._positions: dict[str, str] = {}
        self._metadata: dict[str, Any] = {}
        self._root: dict[str, Any] = {}

    # Deciding.

    def make(self) -> None:
        theirs_mapped = [self._cell(cell) for cell in self._theirs.cells]
        self._removals()
        self._order()
        live_metadata, live_root = self._document.metadata(), self._document.root()
        self._metadata = merge_values(self._base.metadata, self._theirs.metadata, live_metadata)
        changes = merge_values(self._base.root, self._theirs.root, live_root)
        self._root = {key: value for key, value in changes.items() if key not in _ROOT_RESERVED}
        self.merged.base = replace(self._theirs, cells=tuple(theirs_mapped))

    def _cell(self, cell: Cell) -> Cell:
        """Plan one of their cells; returns it as it belongs into the new base."""
        old = self._old.get(self._to_base.get(cell.id, ""))
        live_id = self._base_to_live.get(old.id) if old is not None else self._added_by_both.get(cell.id)
        if live_id is not None:
            live = self._live[live_id]
            # What both have added has no common version: whatever stands in either was added.
            ancestor = old if old is not None else Cell(live_id, cell_type=cell.cell_type)
            likely = self._likely.get(cell.id, ancestor.source)
            if not merge_text(ancestor.source, likely, live.source):
                ancestor = replace(ancestor, source=likely)
            edits = _edits(ancestor, cell, live)
            if edits is not None:
                self._edits[live_id] = edits
            self.merged.cells[cell.id] = live_id
        elif old is None or not _is_unchanged(cell, old):
            live_id = self._free_id(old.id if old is not None else cell.id)
            self._new[live_id] = replace(cell, id=live_id, execution_id=None)
            self.merged.cells[cell.id] = live_id
            (self.merged.inserted if old is None else self.merged.restored).append(live_id)
        pointer = old.execution_id if old is not None else None
        return replace(cell, id=live_id or (old.id if old is not None else cell.id), execution_id=pointer)

    def _free_id(self, cell_id: str) -> str:
        while cell_id in self._live or cell_id in self._new:
            cell_id = hashlib.sha256(cell_id.encode()).hexdigest()[:12]
        return cell_id

    def _removals(self) -> None:
        still_there = set(self._to_base.values())
        for old in self._base.cells:
            live_id = self._base_to_live.get(old.id)
            if old.id in still_there or live_id is None:
                continue
            unchanged = _is_unchanged(self._live[live_id], old)
            (self.merged.deleted if unchanged else self.merged.kept).append(live_id)

    def _order(self) -> None:
        ranks = {cell.id: rank for rank, cell in enumerate(self._base.cells)}
        known = [cell.id for cell in self._theirs.cells if cell.id in self._to_base and cell.id in self.merged.cells]
        rising = longest_rising([ranks[self._to_base[cell_id]] for cell_id in known])
        moved = {self.merged.cells[key] for index, key in enumerate(known) if index not in rising}
        to_place = moved | set(self._new)
        gone = set(self.merged.deleted)
        behind: dict[str, list[str]] = {}
        anchor = ""
        for cell in self._theirs.cells:
            live_id = self.merged.cells.get(cell.id)
            if live_id is None:
                continue
            if live_id in to_place:
                behind.setdefault(anchor, []).append(live_id)
            else:
                anchor = live_id
        order = list(behind.get("", []))
        for cell_id in self._live:
            if cell_id not in to_place:
                order += [] if cell_id in gone else [cell_id]
                order += behind.get(cell_id, [])
        if to_place:
            positions = {cell.id: cell.position for cell in self._live.values()}
            self._positions = new_positions(order, positions, to_place)

    # Applying.

    def apply(self) -> None:
        document = self._document
        if self._new:
            cells = [replace(cell, position=self._positions[cell.id]) for cell in self._new.values()]
            document.replica.append_own(lambda builder: _write_cells(builder, cells))
        moves = {key: position for key, position in self._positions.items() if key not in self._new}
        fields = {key: edits for key, edits in self._edits.items() if edits.fields or edits.metadata}
        if moves or fields or self.merged.deleted or self._metadata or self._root:
            with document.replica.transact() as writer:
                self._write(writer, moves, fields)
        for key, edits in self._edits.items():
            for splice in reversed(edits.splices):
                document.splice(key, splice.index, splice.delete, splice.insert)

    def _write(self, writer: Writer, moves: Mapping[str, str], fields: Mapping[str, _Edits]) -> None:
        cells = writer.child(ROOT, "cells") or writer.make(ROOT, "cells", MAP)
        for key in self.merged.deleted:
            writer.delete(cells, key)
        for key, position in moves.items():
            writer.put(writer.child(cells, key) or writer.make(cells, key, MAP), "position", position)
        for key, edits in fields.items():
            cell = writer.child(cells, key) or writer.make(cells, key, MAP)
            _write_values(writer, cell, edits.fields)
            if edits.metadata:
                target = writer.child(cell, "metadata") or writer.make(cell, "metadata", MAP)
                _write_values(writer, target, edits.metadata)
        if self._metadata:
            metadata = writer.child(ROOT, "metadata") or writer.make(ROOT, "metadata", MAP)
            _write_values(writer, metadata, self._metadata)
        _write_values(writer, ROOT, self._root)


def _is_unchanged(cell: Cell, old: Cell) -> bool:
    """Whether nobody has edited the cell. Where it stands and what it printed is not its content."""
    return (
        cell.source == old.source
        and cell.cell_type == old.cell_type
        and same(cell.metadata, old.metadata)
        and same(_aligned(cell.attachments, old.attachments), old.attachments)
        and same(cell.extra, old.extra)
    )


def _edits(old: Cell, theirs: Cell, live: Cell) -> _Edits | None:
    edits = _Edits(merge_text(old.source, theirs.source, live.source))
    extra = merge_values(old.extra, theirs.extra, live.extra)
    edits.fields = {key: value for key, value in extra.items() if key not in _RESERVED}
    edits.metadata = merge_values(old.metadata, theirs.metadata, live.metadata)
    if theirs.cell_type not in (old.cell_type, live.cell_type) and live.cell_type == old.cell_type:
        edits.fields["cell_type"] = theirs.cell_type
    attachments = merge_values(
        old.attachments or {}, _aligned(theirs.attachments, old.attachments) or {}, live.attachments or {}
    )
    if attachments:
        edits.fields["attachments"] = changed(live.attachments or {}, attachments) or ABSENT
    return edits if edits.splices or edits.fields or edits.metadata else None


def _aligned(theirs: dict[str, Any] | None, old: dict[str, Any] | None) -> dict[str, Any] | None:
    """Their attachments, with our reference where theirs is to the same blob: a client may have written less of it."""
    if theirs is None or old is None:
        return theirs
    return {name: _aligned_bundle(bundle, old.get(name)) for name, bundle in theirs.items()}


def _aligned_bundle(bundle: Any, old: Any) -> Any:
    if not isinstance(bundle, Mapping) or not isinstance(old, Mapping):
        return bundle
    return {mime: old[mime] if _is_same_blob(data, old.get(mime)) else data for mime, data in bundle.items()}


def _is_same_blob(one: Any, other: Any) -> bool:
    return is_reference(one) and is_reference(other) and bool(one["blob"] == other["blob"])


def _write_values(writer: Writer, target: bytes, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is ABSENT:
            writer.delete(target, key)
        else:
            writer.put(target, key, value)


def _write_cells(builder: ChangeBuilder, cells: Sequence[Cell]) -> None:
    for cell in cells:
        extra = {key: value for key, value in cell.extra.items() if key not in _RESERVED}
        write_cell(builder, replace(cell, execution_id=None, extra=extra))
