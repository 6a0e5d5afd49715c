"""What a notebook document says, read through a cache that follows the replica's log.

After a change only the cells it touched are read again. Broken things read as something harmless and stay: a cell
without source is an empty code cell, wrong types read as empty. The key in the cells map is a cell's id, whatever
stands inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, Engine, Insertion, OpId, Replica, op_id
from jupyter_runtimed.core.document.schema import CELLS, ROOT_FIELDS, Cell, cell_from_fields
from jupyter_runtimed.core.errors import NoSuchCell
from jupyter_runtimed.core.text_merge import common_prefix


class Caret(NamedTuple):
    """The element of a source that was inserted last: what is typed goes on behind it.

    Attributes:
        place: behind the element, in code points; None while nobody has looked.
        element: None is the front.
    """

    place: int | None
    element: OpId | None


_CELLS = ""
"""The owner of the cells map itself; no cell has this id."""


class NotebookView:
    """See the module.

    Args:
        replica: the document; hot or cold.
        cells: what the replica's cells are known to be (an import knows), so that a cold replica can be read.
        metadata: likewise, the notebook's metadata.
        root: likewise, nbformat, nbformat_minor and unknown root keys.
    """

    def __init__(
        self,
        replica: Replica,
        cells: Iterable[Cell] | None = None,
        metadata: Mapping[str, Any] | None = None,
        root: Mapping[str, Any] | None = None,
    ) -> None:
        self.replica = replica
        self._cells: dict[str, Cell] = {}
        self._order: list[str] | None = None
        self._owners: dict[OpId, str] = {}
        self._sources: dict[str, bytes] = {}
        self._source_owners: dict[OpId, str] = {}
        self._carets: dict[str, Caret] = {}
        self._metadata: dict[str, Any] | None = None
        self._root: dict[str, Any] | None = None
        self._stale: set[str] = set()
        self._stale_sources: set[str] = set()
        self._read_to = -1
        if cells is not None:
            self.seed(cells, metadata or {}, root or {})

    def seed(self, cells: Iterable[Cell], metadata: Mapping[str, Any], root: Mapping[str, Any]) -> None:
        """Say what the present document reads as, so that it need not be read from the engine."""
        self._cells = {cell.id: cell for cell in cells}
        self._order = sorted(self._cells, key=lambda key: (self._cells[key].position, key))
        self._metadata, self._root = dict(metadata), dict(root)
        self._forget_places()
        self._read_to = self.replica.log_end

    def seed_content(self, content: Mapping[str, Any]) -> None:
        """As `seed`, of the whole document as plain Python."""
        cells, metadata = content.get("cells"), content.get("metadata")
        fields = cells if isinstance(cells, Mapping) else {}
        self.seed(
            [cell_from_fields(key, value if isinstance(value, Mapping) else {}) for key, value in fields.items()],
            metadata if isinstance(metadata, Mapping) else {},
            {key: value for key, value in content.items() if key not in ("schema_version", "metadata", "cells")},
        )

    def renew(self, replica: Replica) -> None:
        """Go on with another replica that says the same."""
        cells, metadata, root = self.cells(), self.metadata(), self.root()
        self.replica = replica
        self.seed(cells, metadata, root)

    # Reading.

    def cells(self) -> list[Cell]:
        """All cells in order."""
        self._follow()
        return [self._cell(key) for key in self._ordered()]

    def cell_ids(self) -> list[str]:
        """Ids of all cells in order."""
        self._follow()
        return list(self._ordered())

    def shown_executions(self) -> set[str | None]:
        """The executions that cells show; a copied cell shows the same one as its original."""
        return {cell.execution_id for cell in self.cells()}

    def cell(self, cell_id: str) -> Cell:
        """One cell. Raises NoSuchCell."""
        self._follow()
        if not self._has(cell_id):
            raise NoSuchCell(f"there is no cell {cell_id[:100]!r} in this notebook", cell_id=cell_id[:100])
        return self._cell(cell_id)

    def has_cell(self, cell_id: str) -> bool:
        """Whether there is a cell of this id."""
        self._follow()
        return self._has(cell_id)

    def metadata(self) -> dict[str, Any]:
        """The notebook's metadata. Not to be changed."""
        self._follow()
        if self._metadata is None:
            value = self._engine.value(ROOT, "metadata")
            self._metadata = value if isinstance(value, dict) else {}
        return self._metadata

    def get_metadata(self, key: str) -> Any:
        """One value of the metadata; None when it is absent."""
        return self.metadata().get(key)

    def root(self) -> dict[str, Any]:
        """nbformat, nbformat_minor and unknown keys of the root."""
        self._follow()
        if self._root is None:
            engine = self._engine
            keys = [key for key in engine.keys(ROOT) if key not in ("schema_version", "metadata", "cells")]
            self._root = {key: engine.value(ROOT, key) for key in keys}
        return self._root

    def extra(self) -> dict[str, Any]:
        """Unknown keys of the root."""
        return {key: value for key, value in self.root().items() if key not in ROOT_FIELDS}

    # Whether it is sound.

    @property
    def is_intact(self) -> bool:
        """Whether the cells map is the one that the document began with. Wakes the engine."""
        cells = self._cells_map()
        return cells is not None and op_id(cells) == CELLS

    def is_deleted(self, cell_id: str) -> bool:
        """Whether a cell that was there was deleted, and is not missing for some other reason. Wakes the engine."""
        cells = self._cells_map()
        return cells is not None and op_id(cells) == CELLS and self._engine.get(cells, cell_id) is None

    # Following the log.

    @property
    def _engine(self) -> Engine:
        return self.replica.engine

    def _follow(self) -> None:
        replica = self.replica
        if self._read_to == replica.log_end:
            return
        if self._read_to < replica.log_start or not self._owners:
            self._forget_all()
        else:
            for entry in replica.log(self._read_to):
                if entry.insertion is None or not self._insert(entry.insertion):
                    for obj, keys in entry.touched.items():
                        self._forget(obj, keys)
        self._read_to = replica.log_end
        self._refresh()

    def _forget_all(self) -> None:
        self._cells.clear()
        self._forget_places()
        self._order = self._metadata = self._root = None

    def _forget_places(self) -> None:
        for known in (self._owners, self._sources, self._source_owners, self._carets):
            known.clear()
        self._stale.clear()
        self._stale_sources.clear()

    def _forget(self, obj: OpId | None, keys: Set[str]) -> None:
        """Forget what one object of the document said; `keys` are those that were written in a map."""
        if obj is None:
            self._forget_all()
            return
        typed_in = self._source_owners.get(obj)
        if typed_in is not None:
            self._stale_sources.add(typed_in)
            return
        owner = self._owners.get(obj)
        if owner == _CELLS:
            self._order = None
            for key in keys:
                self._cells.pop(key, None)
                self._sources.pop(key, None)
        elif owner is not None:
            self._stale.add(owner)
        else:
            # In the metadata or an unknown key of the root, or new: then what it was put into is forgotten as well.
            self._metadata = self._root = None

    def _refresh(self) -> None:
        """Read what was touched; the order is void when a cell has moved."""
        typed_in, self._stale_sources = self._stale_sources, set()
        for cell_id in typed_in - self._stale:
            cell, source = self._cells.get(cell_id), self._sources.get(cell_id)
            if cell is not None and source is not None:
                self._cells[cell_id] = cell.with_source(self._engine.text(source))
                self._find_caret(cell_id, source, cell.source)
        stale, self._stale = self._stale, set()
        for cell_id in stale:
            self._carets.pop(cell_id, None)
            old = self._cells.pop(cell_id, None)
            if self._order is not None and old is not None and self._cell(cell_id).position != old.position:
                self._order = None

    # Typing, which the engine is not asked about.

    def _insert(self, insertion: Insertion) -> bool:
        """Follow an insertion into a source whose place is known; whether there is nothing left to do."""
        cell_id = self._source_owners.get(insertion.obj, _CELLS)
        cell, source = self._cells.get(cell_id), self._sources.get(cell_id)
        if cell is None or source is None or op_id(source) != insertion.obj or cell_id in self._stale:
            return False
        caret = self._carets.get(cell_id, Caret(0, None))
        index = 0 if insertion.after is None else caret.place if caret.element == insertion.after else None
        if index is None or cell_id in self._stale_sources:
            self._stale_sources.add(cell_id)
            self._carets[cell_id] = Caret(None, insertion.element)
            return True
        text = cell.source
        self._cells[cell_id] = cell.with_source(text[:index] + insertion.string + text[index:])
        self._carets[cell_id] = Caret(index + len(insertion.string), insertion.element)
        return True

    def _find_caret(self, cell_id: str, source: bytes, before: str) -> None:
        """A source was read; if that was because of an insertion, see where it stands."""
        caret = self._carets.pop(cell_id, None)
        if caret is None or caret.place is not None:
            return
        now = self._cells[cell_id].source
        index = len(now) - common_prefix(before[::-1], now[::-1])
        if index and self._engine.element(source, index - 1) == (now[index - 1], caret.element):
            self._carets[cell_id] = Caret(index, caret.element)

    def _type(self, cell_id: str, source: bytes, index: int, text: str) -> bool:
        """Insert a character where the last one was inserted, or at the front; whether that is where it goes."""
        caret = Caret(0, None) if index == 0 else self._carets.get(cell_id)
        obj = op_id(source)
        if obj is None or caret is None or caret.place != index:
            return False
        return self.replica.insert(obj, caret.element, text)

    def _typed(self, cell_id: str, source: bytes, index: int, after: str) -> None:
        """One character was just inserted by the engine: the source need not be read to know what it is now.

        Unless the character is not where it was to go: somebody has put strings of several characters in as one
        element, and the engine does not insert into the middle of one.
        """
        engine = self._engine
        if self._sources.get(cell_id) == source and engine.length(source) == len(after):
            found = engine.element(source, index)
            if found is not None and found[0] == after[index]:
                self._cells[cell_id] = self._cells[cell_id].with_source(after)
                self._carets[cell_id] = Caret(index + 1, found[1])
                self._read_to = self.replica.log_end

    def _cells_map(self) -> bytes | None:
        found = self._engine.child(ROOT, "cells")
        return found if found is not None and self._engine.kind(found) == MAP else None

    def _has(self, cell_id: str) -> bool:
        if self._order is not None or (cell_id in self._sources and cell_id in self._cells):
            return cell_id in self._cells
        cells = self._cells_map()
        return cells is not None and self._engine.get(cells, cell_id) is not None

    def _ordered(self) -> list[str]:
        if self._order is None:
            cells = self._cells_map()
            keys = self._engine.keys(cells) if cells is not None else []
            if cells is not None:
                self._own(cells, _CELLS)
            for gone in self._cells.keys() - set(keys):
                del self._cells[gone]
                self._sources.pop(gone, None)
            self._order = sorted(keys, key=lambda key: (self._cell(key).position, key))
        return self._order

    def _cell(self, cell_id: str) -> Cell:
        cell = self._cells.get(cell_id)
        if cell is None:
            cell = self._cells[cell_id] = self._read_cell(cell_id)
        return cell

    def _read_cell(self, cell_id: str) -> Cell:
        cells = self._cells_map()
        engine = self._engine
        obj = engine.child(cells, cell_id) if cells is not None else None
        self._sources.pop(cell_id, None)
        if obj is None or engine.kind(obj) != MAP:
            return Cell(cell_id)
        source = engine.child(obj, "source")
        identity = op_id(source) if source is not None and engine.kind(source) == TEXT else None
        if source is not None and identity is not None:
            self._sources[cell_id] = source
            self._source_owners[identity] = cell_id
        fields = {key: engine.read(obj, key, lambda child: self._own(child, cell_id)) for key in engine.keys(obj)}
        self._own(obj, cell_id)
        return cell_from_fields(cell_id, fields)

    def _own(self, obj: bytes, cell_id: str) -> None:
        identity = op_id(obj)
        if identity is not None:
            self._owners[identity] = cell_id
