"""Read a whole Automerge document chunk without the engine: what the document says now, and its heads.

The engine takes about a microsecond for each operation of the history to load a document; reading the columns run by
run takes a tenth of that, because the characters of a text are one run. So a peer that only reads needs no engine.

A document chunk has one row for each operation that is still of use: sorted by object, then by key or place, then by
operation id, with the number of operations that have overwritten it (its successors). What can be seen is, for each
key and place, the last row without successors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from jupyter_runtimed.core.crdt.change_writer import LIST, MAP, SET, TEXT, OpId
from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.column_reader import read_runs, read_sleb, read_str, read_uleb
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
    except (IndexError, KeyError, ValueError, struct.error, StopIteration) as error:
        raise Malformed(f"a document chunk that cannot be read: {error!r}") from error


def _read_body(body: bytes, limit: int) -> tuple[dict[str, Any], Heads]:
    document = open_document(body, limit)
    return _Rows(document.operations, list(document.actors)).read(), document.heads


class _Column:
    """A run-length column: walked run by run, taken so many rows at a time."""

    __slots__ = ("left", "runs", "value")

    def __init__(self, runs: Iterator[tuple[Any, int]]) -> None:
        self.runs = runs
        self.value: Any = None
        self.left = 0

    def fill(self) -> int:
        if not self.left:
            self.value, self.left = next(self.runs, (None, 1 << 62))
        return self.left

    def take(self, times: int) -> list[Any]:
        """The values of the next rows, one each."""
        out: list[Any] = []
        while times:
            step = min(times, self.fill())
            out += [self.value] * step
            self.left -= step
            times -= step
        return out

    def take_runs(self, times: int) -> list[tuple[Any, int]]:
        """The values of the next rows, in runs."""
        out = []
        while times:
            step = min(times, self.fill())
            out.append((self.value, step))
            self.left -= step
            times -= step
        return out

    def all_are(self, value: Any, times: int) -> bool:
        """Whether the next rows all have one value, as one run."""
        return self.fill() >= times and self.value == value


class _Deltas(_Column):
    """A column of differences."""

    __slots__ = ("last",)

    def __init__(self, runs: Iterator[tuple[Any, int]]) -> None:
        super().__init__(runs)
        self.last = 0

    def take(self, times: int) -> list[Any]:
        out: list[Any] = []
        for step, run in self.take_runs(times):
            for _ in range(run):
                if step is not None:
                    self.last += step
                out.append(None if step is None else self.last)
        return out

    def skip(self, times: int) -> None:
        for step, run in self.take_runs(times):
            if step is not None:
                self.last += step * run


def _booleans(data: bytes) -> Iterator[tuple[bool, int]]:
    at, value = 0, False
    while at < len(data):
        times, at = read_uleb(data, at)
        if times:
            yield value, times
        value = not value


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
        def runs(spec: int, read: Any = read_uleb) -> Iterator[tuple[Any, int]]:
            data = columns.get(spec, b"")
            return read_runs(data, 0, len(data), read)

        self._actors = actors
        self._obj_actor, self._obj_counter = _Column(runs(0x01)), _Column(runs(0x02))
        self._keys = _Column(runs(0x15, read_str))
        self._id_actor, self._id_counter = _Column(runs(0x21)), _Deltas(runs(0x23, read_sleb))
        self._insert = _Column(_booleans(columns.get(0x34, b"")))
        self._action = _Column(runs(0x42))
        self._meta = _Column(runs(0x56))
        self._raw = columns.get(0x57, b"")
        self._at = 0
        self._successors = _Column(runs(0x80))
        self._containers: dict[OpId, dict[str, Any] | list[Any]] = {}
        self._texts: dict[OpId, _Text] = {}

    def read(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        while self._action.fill() < 1 << 61:
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
        """The next object, and how many rows it has."""
        counters, actors = self._obj_counter, self._obj_actor
        times = min(counters.fill(), actors.fill())
        if times >= 1 << 61:  # the columns have ended: only the root is left
            times = self._action.fill()
        obj = None if counters.value is None else (counters.value, self._actors[actors.value])
        counters.left -= times
        actors.left -= times
        return obj, times

    def _map(self, target: dict[str, Any], times: int) -> None:
        keys, ids, values = self._keys.take(times), self._ids(times), self._values(times)
        self._insert.take_runs(times)
        successors = self._successors.take(times)
        for key, made, (action, value), overwritten in zip(keys, ids, values, successors, strict=True):
            if not overwritten:
                self._place(target, key, made, action, value)

    def _elements(self, target: list[Any], times: int) -> None:
        """Fill a list with its visible elements. Objects among them are filled in by their own rows."""
        self._keys.take_runs(times)
        ids, values = self._ids(times), self._values(times)
        inserts, successors = self._insert.take(times), self._successors.take(times)
        places: list[tuple[OpId, int, Any] | None] = []
        for made, (action, value), inserted, overwritten in zip(ids, values, inserts, successors, strict=True):
            if inserted:
                places.append(None)
            if not overwritten:
                places[-1] = (made, action, value)
        for place in places:
            if place is not None:
                target.append(None)
                self._place(target, len(target) - 1, *place)

    def _place(self, target: Any, key: Any, made: OpId, action: int, value: Any) -> None:
        if action == SET:
            target[key] = value
        elif action == TEXT:
            target[key] = self._texts[made] = _Text(target, key)
        elif action in (MAP, LIST):
            target[key] = self._containers[made] = {} if action == MAP else []

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
        self._keys.take_runs(times)
        self._id_actor.take_runs(times)
        self._id_counter.skip(times)
        for column in (self._insert, self._action, self._successors):
            column.left -= times
        start = self._at
        for meta, run in self._meta.take_runs(times):
            if meta & 15 != STR:
                raise Malformed("a text with something else than strings in it")
            self._at += (meta >> 4) * run
        return self._raw[start : self._at].decode()

    def _skip(self, times: int) -> None:
        self._keys.take_runs(times)
        self._id_actor.take_runs(times)
        self._id_counter.skip(times)
        for column in (self._insert, self._action, self._successors):
            column.take_runs(times)
        for meta, run in self._meta.take_runs(times):
            self._at += ((meta or 0) >> 4) * run

    def _ids(self, times: int) -> list[OpId]:
        actors = self._actors
        return [
            (counter, actors[actor])
            for counter, actor in zip(self._id_counter.take(times), self._id_actor.take(times), strict=True)
        ]

    def _values(self, times: int) -> list[tuple[int, Any]]:
        """(action, scalar value) of the next rows."""
        out = []
        for action, meta in zip(self._action.take(times), self._meta.take(times), strict=True):
            size = (meta or 0) >> 4
            raw = self._raw[self._at : self._at + size]
            self._at += size
            out.append((action, _scalar((meta or 0) & 15, raw)))
        return out


def _scalar(kind: int, raw: bytes) -> Any:
    if kind == STR:
        return raw.decode()
    if kind in (FALSE, TRUE):
        return kind == TRUE
    if kind == UINT:
        return read_uleb(raw, 0)[0]
    if kind == INT:
        return read_sleb(raw, 0)[0]
    if kind == FLOAT:
        return struct.unpack("<d", raw)[0]
    return None
