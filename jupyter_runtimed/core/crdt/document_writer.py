"""Write a whole Automerge document chunk, what the engine's `save` makes, without the engine.

Only for documents of a chain of changes in which nothing is overwritten or deleted and lists grow at their end:
exactly what opening a file makes. Fed by `ChangeBuilder(recorder=…)`.
"""

from __future__ import annotations

import zlib
from typing import Any

from jupyter_runtimed.core.crdt.change_writer import SET, OpId, text_metas
from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, make_chunk
from jupyter_runtimed.core.crdt.columns import BoolWriter, DeltaWriter, RunWriter, encode_str, uleb

_DEFLATE_ABOVE = 256
"""Bytes: a column that is longer is deflated."""

_DEFLATE_LEVEL = 3
"""Level 6 takes three times as long for 5 % less (measured on sources of notebooks)."""

_MapRow = tuple[OpId, int, int, bytes]  # id, action, value metadata, raw
_Text = tuple[OpId, OpId, str, bytes]  # after, first id, text, its UTF-8
_Element = tuple[OpId, OpId, int, int, bytes]  # after, id, action, value metadata, raw

_HEAD: OpId = (0, b"")


class DocumentWriter:
    """Records changes as they are built, and writes them as one document chunk."""

    def __init__(self) -> None:
        self._maps: dict[OpId | None, dict[str, _MapRow]] = {None: {}}
        self._lists: dict[OpId, list[Any]] = {}
        self._changes: list[tuple[bytes, bytes, int, int, int]] = []

    # Called by ChangeBuilder.

    def put(self, obj: OpId | None, key: str, made: OpId, action: int, meta: int, raw: bytes) -> None:
        self._maps[obj][key] = (made, action, meta, raw)
        self._make(made, action)

    def insert(self, obj: OpId | None, after: OpId | None, made: OpId, action: int, meta: int, raw: bytes) -> None:
        assert obj is not None
        self._lists[obj].append((after if after and after[0] else _HEAD, made, action, meta, raw))
        self._make(made, action)

    def text(self, obj: OpId | None, after: OpId | None, first: OpId, text: str, data: bytes) -> None:
        assert obj is not None
        self._lists[obj].append((after if after and after[0] else _HEAD, first, text, data))

    def _make(self, made: OpId, action: int) -> None:
        if action == 0:
            self._maps[made] = {}
        elif action != SET:
            self._lists[made] = []

    def commit(self, digest: bytes, actor: bytes, seq: int, max_op: int, time: int) -> None:
        self._changes.append((digest, actor, seq, max_op, time))

    # The chunk.

    def finish(self) -> bytes:
        """The document chunk. May be called again after further changes."""
        actors = sorted({change[1] for change in self._changes})
        index = {actor: place for place, actor in enumerate(actors)}
        change_specs, change_data = _columns(self._change_columns(index))
        op_specs, op_data = _columns(self._operation_columns(index))
        parts = [uleb(len(actors))]
        for actor in actors:
            parts += (uleb(len(actor)), actor)
        parts += [b"\x01", self._changes[-1][0], change_specs, op_specs, change_data, op_data]
        parts.append(uleb(len(self._changes) - 1))
        return make_chunk(DOCUMENT_CHUNK, b"".join(parts))[0]

    def _change_columns(self, index: dict[bytes, int]) -> list[tuple[int, bytes]]:
        actor, seq, max_op, time = RunWriter(), DeltaWriter(), DeltaWriter(), DeltaWriter()
        dep_number, dep_index, extra = RunWriter(), DeltaWriter(), RunWriter()
        for place, (_, author, number, last, when) in enumerate(self._changes):
            actor.add(index[author])
            seq.value(number)
            max_op.value(last)
            time.value(when)
            dep_number.add(1 if place else 0)
            if place:
                dep_index.value(place - 1)
            extra.add(7)
        return [
            (0x01, actor.finish()),
            (0x03, seq.finish()),
            (0x13, max_op.finish()),
            (0x23, time.finish()),
            (0x40, dep_number.finish()),
            (0x43, dep_index.finish()),
            (0x56, extra.finish()),
        ]

    def _operation_columns(self, index: dict[bytes, int]) -> list[tuple[int, bytes]]:
        rows = _OperationRows(index)
        for obj in sorted(self._maps.keys() | self._lists.keys(), key=lambda obj: (-1, b"") if obj is None else obj):
            if obj in self._maps:
                rows.add_map(obj, self._maps[obj])
            elif obj is not None:
                rows.add_list(obj, self._lists[obj])
        return rows.finish()


class _OperationRows:
    """The operation columns of a document chunk."""

    def __init__(self, index: dict[bytes, int]) -> None:
        self.index = index
        self.obj_actor, self.obj_counter = RunWriter(), RunWriter()
        self.key_actor, self.key_counter, self.key_str = RunWriter(), DeltaWriter(), RunWriter(encode_str)
        self.id_actor, self.id_counter = RunWriter(), DeltaWriter()
        self.id_last, self.id_times = b"", 0  # a run of one actor that is not yet in its column
        self.insert, self.action, self.meta = BoolWriter(), RunWriter(), RunWriter()
        self.raw: list[bytes] = []
        self.successors = RunWriter()

    def _object(self, obj: OpId | None, times: int) -> None:
        self.obj_actor.add(None if obj is None else self.index[obj[1]], times)
        self.obj_counter.add(None if obj is None else obj[0], times)
        self.successors.add(0, times)

    def add_map(self, obj: OpId | None, rows: dict[str, _MapRow]) -> None:
        times = len(rows)
        if not times:
            return
        self._object(obj, times)
        self.key_actor.add(None, times)
        self.key_counter.nulls(times)
        self.insert.add(False, times)
        for key in sorted(rows):
            made, action, meta, raw = rows[key]
            self.key_str.add(key)
            self._made(made)
            self.action.add(action)
            self.meta.add(meta)
            if raw:
                self.raw.append(raw)

    def _made(self, made: OpId) -> None:
        counter, actor = made
        if actor != self.id_last:
            self._settle_ids()
            self.id_last = actor
        self.id_times += 1
        self.id_counter.value(counter)

    def _settle_ids(self) -> None:
        if self.id_times:
            self.id_actor.add(self.index[self.id_last], self.id_times)
            self.id_times = 0

    def _after(self, after: OpId) -> None:
        if after[0] == 0:
            self.key_actor.add(None)
            self.key_counter.value(0)
        else:
            self.key_actor.add(self.index[after[1]])
            self.key_counter.value(after[0])

    def add_list(self, obj: OpId, rows: list[Any]) -> None:
        for row in rows:
            if len(row) == 4:
                self._text(obj, row)
            else:
                self._element(obj, row)

    def _element(self, obj: OpId, row: _Element) -> None:
        after, made, action, meta, raw = row
        self._object(obj, 1)
        self.key_str.add(None)
        self._after(after)
        self.insert.add(True)
        self._made(made)
        self.action.add(action)
        self.meta.add(meta)
        if raw:
            self.raw.append(raw)

    def _text(self, obj: OpId, row: _Text) -> None:
        after, (first, actor), text, data = row
        times = len(text)
        self._object(obj, times)
        self.key_str.add(None, times)
        self._after(after)
        if times > 1:
            self.key_actor.add(self.index[actor], times - 1)
            self.key_counter.sequence(first, times - 1)
        self.insert.add(True, times)
        self._settle_ids()
        self.id_actor.add(self.index[actor], times)
        self.id_counter.sequence(first, times)
        self.action.add(SET, times)
        for meta, run in text_metas(text, len(data)):
            self.meta.add(meta, run)
        self.raw.append(data)

    def finish(self) -> list[tuple[int, bytes]]:
        self._settle_ids()
        return [
            (0x01, self.obj_actor.finish()),
            (0x02, self.obj_counter.finish()),
            (0x11, self.key_actor.finish()),
            (0x13, self.key_counter.finish()),
            (0x15, self.key_str.finish()),
            (0x21, self.id_actor.finish()),
            (0x23, self.id_counter.finish()),
            (0x34, self.insert.finish()),
            (0x42, self.action.finish()),
            (0x56, self.meta.finish()),
            (0x57, b"".join(self.raw)),
            (0x80, self.successors.finish()),
        ]


def _columns(columns: list[tuple[int, bytes]]) -> tuple[bytes, bytes]:
    """(column table, column data), long columns deflated."""
    specs: list[bytes] = []
    content: list[bytes] = []
    for spec, data in columns:
        if not data:
            continue
        if len(data) > _DEFLATE_ABOVE:
            deflater = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -15)
            data = deflater.compress(data) + deflater.flush()
            spec |= 8
        specs.append(uleb(spec) + uleb(len(data)))
        content.append(data)
    return uleb(len(specs)) + b"".join(specs), b"".join(content)
