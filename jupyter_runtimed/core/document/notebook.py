"""The notebook document: what it says, and edits of it, each one change.

Server and client use the same class; what they may edit is theirs to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, ChangeBuilder, EngineRefused, Writer, op_id, splice_text
from jupyter_runtimed.core.document.schema import CELL_TYPES, Cell
from jupyter_runtimed.core.document.view import NotebookView
from jupyter_runtimed.core.errors import BadRequest, NoSuchCell
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.native import fits, is_key, same
from jupyter_runtimed.core.position import is_position, spread
from jupyter_runtimed.core.text_merge import Splice, merge_text

_MANY_CHARACTERS = 2000
"""So many characters are edited one by one within some milliseconds."""

_MAX_DEPTH = Limits().max_depth - 4


class NotebookDocument(NotebookView):
    """See the module; the arguments are those of `NotebookView`."""

    # Editing cells.

    def insert_cell(
        self,
        cell_type: str,
        source: str = "",
        *,
        id: str,  # noqa: A002  (nbformat's word)
        index: int | None = None,
        after: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        attachments: Mapping[str, Any] | None = None,
    ) -> Cell:
        """Insert a cell at an index, behind a cell, or at the end.

        Raises:
            BadRequest: an unknown type, an id that is taken or none, or something a document cannot hold.
            NoSuchCell: `after` is not there.
        """
        _check_type(cell_type)
        _check_value(source, "source")
        if not is_key(id):
            raise BadRequest("a cell id is a string that is not empty and has no lone surrogates")
        if self.has_cell(id):
            raise BadRequest(f"there is a cell {id[:100]!r} already")
        fields = {"metadata": dict(metadata or {})}
        fields["metadata"].pop("trusted", None)
        if attachments is not None:
            fields["attachments"] = dict(attachments)
        _check_value(fields, "metadata or attachments")
        position, fixes = self._place(self.cell_ids(), index, after)
        if fixes:
            self._change(lambda writer, cells: self._put_positions(writer, cells, fixes))
        cells = self._cells_map()
        identity = op_id(cells) if cells is not None else None
        if identity is None:
            raise BadRequest("the notebook document has no cells map")

        def write(builder: ChangeBuilder) -> None:
            cell = builder.make(identity, id, MAP)
            builder.put(cell, "id", id)
            builder.put(cell, "cell_type", cell_type)
            builder.put(cell, "position", position)
            builder.text(builder.make(cell, "source", TEXT), source)
            for key, value in fields.items():
                builder.put_json(cell, key, value)
            builder.put(cell, "execution_id", None)

        self.replica.append_own(write)
        return self.cell(id)

    def delete_cell(self, cell_id: str) -> None:
        """Remove a cell. Raises NoSuchCell."""
        self.cell(cell_id)
        self._change(lambda writer, cells: writer.delete(cells, cell_id))

    def move_cell(self, cell_id: str, *, index: int | None = None, after: str | None = None) -> None:
        """Give a cell another place: an index among the others, behind a cell, or the end.

        Raises:
            NoSuchCell.
        """
        self.cell(cell_id)
        others = [key for key in self.cell_ids() if key != cell_id]
        position, fixes = self._place(others, index, after)
        self._change(lambda writer, cells: self._put_positions(writer, cells, {**fixes, cell_id: position}))

    def _place(self, order: list[str], index: int | None, after: str | None) -> tuple[str, dict[str, str]]:
        """The position of a cell that comes to stand somewhere, and new ones of neighbours that leave it no room.

        Room is missing where two peers chose one position, or something wrote what is no position.
        """
        if after is not None:
            if after not in order:
                raise NoSuchCell(f"there is no cell {after[:100]!r} in this notebook", cell_id=after[:100])
            index = order.index(after) + 1
        index = len(order) if index is None else max(0, min(index, len(order)))
        positions = [self._cell(key).position for key in order]
        first, last = index, index
        while first and not is_position(positions[first - 1]):
            first -= 1
        low = positions[first - 1] if first else ""
        while last < len(order) and not (is_position(positions[last]) and positions[last] > low):
            last += 1
        high = positions[last] if last < len(order) else ""
        made = spread(last - first + 1, low, high)
        position = made.pop(index - first)
        return position, dict(zip(order[first:last], made, strict=True))

    def _put_positions(self, writer: Writer, cells: bytes, positions: Mapping[str, str]) -> None:
        for key, position in positions.items():
            writer.put(self._cell_map(writer, cells, key), "position", position)

    def set_cell_type(self, cell_id: str, cell_type: str) -> None:
        """Change the type; everything else stays."""
        _check_type(cell_type)
        self._put(cell_id, "cell_type", cell_type)

    def set_cell_metadata(self, cell_id: str, key: str, value: Any) -> None:
        """Set one value of a cell's metadata; of an object, only what differs is written.

        Raises:
            NoSuchCell.
            BadRequest: a value that a document cannot hold, or `trusted`, which is each reader's own.
        """
        if key == "trusted":
            raise BadRequest("`trusted` is not shared; it is each reader's own")
        _check_value({key: value}, key)
        self._edit_cell(cell_id, lambda writer, cell: self._set_in(writer, cell, key, value))

    def _set_in(self, writer: Writer, owner: bytes, key: str, value: Any) -> None:
        """Set one value in the map `metadata` of a cell or of the root."""
        metadata = self._child_map(writer, owner, "metadata") or writer.make(owner, "metadata", MAP)
        self._assign(writer, metadata, key, value)

    def _cell_map(self, writer: Writer, cells: bytes, cell_id: str) -> bytes:
        """The map of a cell; made where something else stands."""
        return self._child_map(writer, cells, cell_id) or writer.make(cells, cell_id, MAP)

    def _child_map(self, writer: Writer, obj: bytes, key: str) -> bytes | None:
        child = writer.child(obj, key)
        return child if child is not None and self._engine.kind(child) == MAP else None

    def _assign(self, writer: Writer, obj: bytes, key: str, value: Any) -> None:
        """Write a value; inside an object that is there, only what differs, so that others' edits in it stay."""
        child = self._child_map(writer, obj, key) if isinstance(value, dict) else None
        if child is None:
            if self._engine.get(obj, key) is None or not same(self._engine.value(obj, key), value):
                writer.put(obj, key, value)
            return
        for name in self._engine.keys(child):
            if name not in value:
                writer.delete(child, name)
        for name, item in value.items():
            self._assign(writer, child, name, item)

    def delete_cell_metadata(self, cell_id: str, key: str) -> None:
        """Remove one value of a cell's metadata; no error when it is absent."""
        if key in self.cell(cell_id).metadata:
            self._edit_cell(cell_id, lambda writer, cell: self._delete_in(writer, cell, key))

    def _delete_in(self, writer: Writer, owner: bytes, key: str, name: str = "metadata") -> None:
        child = self._child_map(writer, owner, name)
        if child is not None:
            writer.delete(child, key)

    def set_attachments(self, cell_id: str, attachments: Mapping[str, Any] | None) -> None:
        """Replace all attachments of a cell. Raises NoSuchCell, or BadRequest for what a document cannot hold."""
        if attachments is not None:
            _check_value(attachments, "attachments")
            self._put(cell_id, "attachments", dict(attachments))
        elif self.cell(cell_id).attachments is not None:
            self._edit_cell(cell_id, lambda writer, cell: writer.delete(cell, "attachments"))

    def set_attachment(self, cell_id: str, name: str, bundle: Mapping[str, Any]) -> None:
        """Add one attachment, or replace it; the others stay. Raises as `set_attachments`."""
        _check_value({name: bundle}, "attachments")

        def write(writer: Writer, cell: bytes) -> None:
            attachments = self._child_map(writer, cell, "attachments") or writer.make(cell, "attachments", MAP)
            self._assign(writer, attachments, name, dict(bundle))

        self._edit_cell(cell_id, write)

    def delete_attachment(self, cell_id: str, name: str) -> None:
        """Remove one attachment; no error when it is absent. Raises NoSuchCell."""
        if name in (self.cell(cell_id).attachments or {}):
            self._edit_cell(cell_id, lambda writer, cell: self._delete_in(writer, cell, name, "attachments"))

    def set_execution_id(self, cell_id: str, execution_id: str | None) -> None:
        """Say whose outputs a cell shows. The server's business."""
        self.set_execution_ids({cell_id: execution_id})

    def set_execution_ids(self, executions: Mapping[str, str | None]) -> None:
        """As `set_execution_id`, for many cells in one change; cells that are gone are left out."""
        wanted = {
            key: value
            for key, value in executions.items()
            if self.has_cell(key) and self.cell(key).execution_id != value
        }

        def write(writer: Writer, cells: bytes) -> None:
            for key, value in wanted.items():
                writer.put(self._cell_map(writer, cells, key), "execution_id", value)

        if wanted:
            self._change(write)

    # Editing sources.

    def splice(self, cell_id: str, index: int, delete: int = 0, text: str = "") -> None:
        """Delete and insert characters of a source. Indices are code points.

        Raises:
            NoSuchCell.
            BadRequest: the place is outside the source, or the text has lone surrogates.
        """
        whole = self.cell(cell_id).source
        length = len(whole)
        if not 0 <= index <= length or not 0 <= delete <= length - index:
            raise BadRequest(f"characters {index} to {index + delete} are outside a source of {length}")
        _check_value(text, "text")
        if not delete and not text:
            return
        source = self._source(cell_id)
        if source is None:
            self._replace_source(cell_id, whole[:index] + text + whole[index + delete :])
        elif len(text) != 1 or delete:
            splice_text(self.replica, source, index, delete, text)
        elif not self._type(cell_id, source, index, text):
            splice_text(self.replica, source, index, 0, text)
            self._typed(cell_id, source, index, whole[:index] + text + whole[index:])

    def append(self, cell_id: str, text: str) -> None:
        """Add text at the end of a source."""
        self.splice(cell_id, len(self.cell(cell_id).source), 0, text)

    def set_source(self, cell_id: str, source: str) -> None:
        """Make the source this text, writing only what differs, so that carets and edits in the rest stay.

        Raises:
            NoSuchCell.
            BadRequest: the text has lone surrogates.
        """
        _check_value(source, "source")
        old = self.cell(cell_id).source
        splices = merge_text(old, source, old)
        text = self._source(cell_id)
        size = sum(splice.delete + len(splice.insert) for splice in splices)
        if text is not None and len(splices) > 1 and size <= _MANY_CHARACTERS and self._splice_all(text, splices):
            return
        for splice in reversed(splices):
            self.splice(cell_id, splice.index, splice.delete, splice.insert)

    def _splice_all(self, text: bytes, splices: list[Splice]) -> bool:
        """Several edits of a text as one change; False when the engine cannot, and then nothing has changed."""
        try:
            with self.replica.transact() as writer:
                for splice in reversed(splices):
                    writer.splice_text(text, splice.index, splice.delete, splice.insert)
        except EngineRefused:
            return False
        return True

    def _source(self, cell_id: str) -> bytes | None:
        """The Text of a cell's source, or None when there is none."""
        self._follow()
        known = self._sources.get(cell_id)
        if known is not None:
            return known
        cells = self._cells_map()
        cell = self._engine.child(cells, cell_id) if cells is not None else None
        source = self._engine.child(cell, "source") if cell is not None else None
        return source if source is not None and self._engine.kind(source) == TEXT else None

    def _replace_source(self, cell_id: str, text: str) -> None:
        """Make the Text that a broken cell lacks."""

        def write(writer: Writer, cells: bytes) -> None:
            cell = self._cell_map(writer, cells, cell_id)
            writer.splice_text(writer.make(cell, "source", TEXT), 0, 0, text)

        self._change(write)

    # Editing the notebook's metadata.

    def set_metadata(self, key: str, value: Any) -> None:
        """Set one value of the notebook's metadata; of an object, only what differs is written.

        Raises:
            BadRequest: a value that a document cannot hold.
        """
        _check_value({key: value}, key)
        self._change(lambda writer, _: self._set_in(writer, ROOT, key, value))

    def delete_metadata(self, key: str) -> None:
        """Remove one value of the notebook's metadata; no error when it is absent."""
        if key in self.metadata():
            self._change(lambda writer, _: self._delete_in(writer, ROOT, key))

    def _put(self, cell_id: str, key: str, value: Any) -> None:
        self._edit_cell(cell_id, lambda writer, cell: writer.put(cell, key, value))

    def _edit_cell(self, cell_id: str, write: Callable[[Writer, bytes], None]) -> None:
        self.cell(cell_id)

        def edit(writer: Writer, cells: bytes) -> None:
            write(writer, self._cell_map(writer, cells, cell_id))

        self._change(edit)

    def _change(self, write: Callable[[Writer, bytes], None]) -> None:
        with self.replica.transact() as writer:
            write(writer, writer.child(ROOT, "cells") or writer.make(ROOT, "cells", MAP))


def _check_type(cell_type: str) -> None:
    if cell_type not in CELL_TYPES:
        raise BadRequest(f"a cell is code, markdown or raw, not {cell_type[:40]!r}")


def _check_value(value: Any, name: str) -> None:
    if not fits(value, _MAX_DEPTH):
        raise BadRequest(
            f"{name[:80]}: a document holds no lone surrogates, no empty keys, no integers over 64 bits, "
            f"and no more than {_MAX_DEPTH} levels"
        )
