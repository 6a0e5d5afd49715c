"""Read a whole Automerge document chunk without the engine: what the document says now, and its heads.

The engine takes about a microsecond for each operation of the history to load a document; reading the columns run by
run takes a tenth of that, because the characters of a text are one run. So a peer that only reads needs no engine.

A document chunk has one row for each operation that is still of use: sorted by object, then by key or place, then by
operation id, with the number of operations that have overwritten it (its successors). What can be seen is, for each
key and place, the last row without successors.
"""

from __future__ import annotations

import struct
from typing import Any

from jupyter_runtimed.core.crdt.change_writer import LIST, MAP, SET, TEXT, OpId
from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.column_blocks import (
    FOREVER,
    BlockColumn,
    bool_column,
    delta_column,
    str_column,
    uleb_column,
)
from jupyter_runtimed.core.crdt.column_reader import read_sleb, read_uleb
from jupyter_runtimed.core.crdt.document_chunk import open_document
from jupyter_runtimed.core.crdt.values import FALSE, FLOAT, INT, STR, TRUE, UINT
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.ids import Heads


def read_document(chunk: bytes, max_inflated_bytes: int) -> tuple[dict[str, Any], Heads]:
    """(the root map as plain Python, the heads) of a document chunk.

    Text comes as str, maps and lists as dict and list; counters, bytes and timestamps as None, as everywhere.

    Raises:
        Malformed: not one document chunk, or broken.
        OverLimit: the columns inflate to more than the limit.
    """
    chunks = list(split_chunks(chunk, max_inflated_bytes))
    if len(chunks) != 1 or chunks[0][0] != DOCUMENT_CHUNK:
        raise Malformed("not a document chunk")
    body = chunks[0][1]
    try:
        return _read_body(body, max_inflated_bytes)
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise Malformed(f"a document chunk that cannot be read: {error!r}") from error


def _read_body(body: bytes, limit: int) -> tuple[dict[str, Any], Heads]:
    document = open_document(body, limit)
    return _Rows(document.operations, list(document.actors)).read(), document.heads


class _Text:
    """A text that stands in its place until it is read. A later value of a conflict may have taken the place."""

    __slots__ = ("key", "target", "text")

    def __init__(self, target: Any, key: Any) -> None:
        self.target = target
        self.key = key
        self.text = ""

    def settle(self) -> None:
        if self.target[self.key] is self:
            self.target[self.key] = self.text


class _Rows:
    """The operation rows of a document chunk."""

    def __init__(self, columns: dict[int, bytes], actors: list[bytes]) -> None:
        def column(spec: int) -> BlockColumn:
            return uleb_column(columns.get(spec, b""))

        self._actors = actors
        self._obj_actor, self._obj_counter = column(0x01), column(0x02)
        self._keys = str_column(columns.get(0x15, b""))
        self._id_actor, self._id_counter = column(0x21), delta_column(columns.get(0x23, b""))
        self._insert = bool_column(columns.get(0x34, b""))
        self._action, self._meta = column(0x42), column(0x56)
        self._raw = columns.get(0x57, b"")
        self._at = 0
        self._successors = column(0x80)
        self._containers: dict[OpId, dict[str, Any] | list[Any]] = {}
        self._texts: dict[OpId, _Text] = {}

    def read(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        while not self._action.has_ended:
            obj, times = self._object()
            if obj is None:
                self._map(root, times)
                continue
            container = self._containers.get(obj)
            if isinstance(container, dict):
                self._map(container, times)
            elif container is not None:
                self._elements(container, times)
            elif obj in self._texts:
                self._texts[obj].text = self._text(times)
            else:  # of an object that was overwritten or deleted
                self._skip(times)
        for text in self._texts.values():
            text.settle()
        return root

    def _object(self) -> tuple[OpId | None, int]:
        """The next object, and how many rows it has at least."""
        (counter, times), (actor, rows) = self._obj_counter.run(), self._obj_actor.run()
        times = min(times, rows)
        if times >= FOREVER >> 1:  # the columns have ended: only the root is left
            times = self._action.fill()
        self._obj_counter.skip(times)
        self._obj_actor.skip(times)
        return None if counter is None else (counter, self._actors[actor]), times

    def _map(self, target: dict[str, Any], times: int) -> None:
        self._insert.skip(times)
        for key, successors, row in zip(
            self._keys.take(times), self._successors.take(times), self._values(times), strict=True
        ):
            if not successors:
                self._place(target, key, row)

    def _elements(self, target: list[Any], times: int) -> None:
        """Fill a list with its visible elements. Objects among them are filled in by their own rows."""
        self._keys.skip(times)
        inserts, successors = self._insert.take(times), self._successors.take(times)
        places: list[_Row | None] = []
        for row, inserted, overwritten in zip(self._values(times), inserts, successors, strict=True):
            if inserted:
                places.append(None)
            if not overwritten:
                places[-1] = row
        for place in places:
            if place is not None:
                target.append(None)
                self._place(target, len(target) - 1, place)

    def _place(self, target: Any, key: Any, row: _Row) -> None:
        action, value, counter, actor = row
        if action == SET:
            target[key] = value
        elif action == TEXT:
            target[key] = self._texts[counter, self._actors[actor]] = _Text(target, key)
        elif action == MAP:
            target[key] = self._containers[counter, self._actors[actor]] = {}
        elif action == LIST:
            target[key] = self._containers[counter, self._actors[actor]] = []

    def _text(self, times: int) -> str:
        is_plain = (
            self._insert.all_are(value=True, times=times)
            and self._action.all_are(SET, times)
            and self._successors.all_are(0, times)
        )
        if not is_plain:
            items: list[Any] = []
            self._elements(items, times)
            return "".join(item for item in items if isinstance(item, str))
        start = self._at
        for column in (self._keys, self._id_actor, self._id_counter, self._insert, self._action, self._successors):
            column.skip(times)
        for meta, run in self._meta.take_runs(times):
            if meta & 15 != STR:
                raise Malformed("a text with something else than strings in it")
            self._at += (meta >> 4) * run
        return self._raw[start : self._at].decode()

    def _skip(self, times: int) -> None:
        for column in (self._keys, self._id_actor, self._id_counter, self._insert, self._action, self._successors):
            column.skip(times)
        for meta, run in self._meta.take_runs(times):
            self._at += ((meta or 0) >> 4) * run

    def _values(self, times: int) -> list[_Row]:
        """What the next rows say."""
        raw, at = self._raw, self._at
        out: list[_Row] = []
        counters, actors = self._id_counter.take(times), self._id_actor.take(times)
        for action, meta, counter, actor in zip(
            self._action.take(times), self._meta.take(times), counters, actors, strict=True
        ):
            if not meta:
                out.append((action, None, counter, actor))
                continue
            end = at + (meta >> 4)
            value = raw[at:end].decode() if meta & 15 == STR else _scalar(meta & 15, raw[at:end])
            out.append((action, value, counter, actor))
            at = end
        self._at = at
        return out


_Row = tuple[int, Any, int, int]
"""(action, scalar value, counter and actor's index of the operation)"""


def _scalar(kind: int, raw: bytes) -> Any:
    if kind in (FALSE, TRUE):
        return kind == TRUE
    if kind == UINT:
        return read_uleb(raw, 0)[0]
    if kind == INT:
        return read_sleb(raw, 0)[0]
    if kind == FLOAT:
        return struct.unpack("<d", raw)[0]
    return None
