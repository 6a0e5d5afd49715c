"""Write an Automerge change without the engine.

`ChangeBuilder` collects operations and gives the change chunk and its hash. What it writes is canonical: saved and
loaded by the engine the hash stays, and the engine making the same operations in the same order writes the same
bytes. Cost: runs, not characters; only UTF-8 and SHA-256 see every byte.

Operation ids: an `int` is the counter of an operation by the change's own actor, `(counter, actor)` is anybody's,
`None` is the root object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, make_chunk
from jupyter_runtimed.core.crdt.columns import (
    BoolWriter,
    DeltaWriter,
    RunWriter,
    encode_scalar,
    encode_str,
    sleb,
    uleb,
)

if TYPE_CHECKING:
    from jupyter_runtimed.core.crdt.document_writer import DocumentWriter

OpId = tuple[int, bytes]
"""(counter, actor id bytes) of an operation; also the identity of the object or list element it made."""

ObjRef = int | OpId | None

MAP, SET, LIST, DELETE, TEXT, INCREMENT = 0, 1, 2, 3, 4, 5
"""Operation actions, as numbered by the format."""

MAX_COUNTER = (1 << 32) - 1
"""The engine keeps counters in 32 bits."""

HEAD = 0
"""The place before the first element of a list or text."""

_WIDTHS = re.compile("([\x00-\x7f]+)|([\x80-\u07ff]+)|([\u0800-\uffff]+)|([\U00010000-\U0010ffff]+)")


def text_metas(text: str, utf8_size: int) -> Iterable[tuple[int, int]]:
    """(value metadata, times) for the characters of a text: runs of equal UTF-8 width."""
    if utf8_size == len(text):
        return ((0x16, len(text)),)
    return (
        (match.lastindex << 4 | 6, match.end() - match.start()) for match in _WIDTHS.finditer(text) if match.lastindex
    )


class ChangeBuilder:
    """The operations of one change, in order.

    Args:
        actor: id bytes of the author.
        seq: 1 for the author's first change.
        start_op: counter of the first operation; one more than the largest in `deps`' history.
        deps: hashes of the changes it builds on.
        time: seconds since the epoch; 0 for everything that must be reproducible.
        recorder: a document writer that is to contain this change too.

    Attributes:
        next: counter that the next operation gets.
    """

    def __init__(
        self,
        actor: bytes,
        seq: int = 1,
        start_op: int = 1,
        deps: Iterable[bytes] = (),
        time: int = 0,
        recorder: DocumentWriter | None = None,
    ) -> None:
        self.actor = actor
        self.seq = seq
        self.start_op = start_op
        self.deps = sorted(deps)
        self.time = time
        self.next = start_op
        self._recorder = recorder
        self._others: set[bytes] = set()
        self._obj_actor, self._obj_counter = RunWriter(), RunWriter()
        self._key_actor, self._key_counter, self._key_str = RunWriter(), DeltaWriter(), RunWriter(encode_str)
        self._insert, self._action = BoolWriter(), RunWriter()
        self._value_meta = RunWriter()
        self._value_raw: list[bytes] = []
        self._pred_number, self._pred_actor, self._pred_counter = RunWriter(), RunWriter(), DeltaWriter()
        # What the last operations have in common is not yet in the columns: their object, and that they set new keys
        # of maps.
        self._obj: ObjRef = None
        self._obj_times = 0
        self._new_keys = 0

    # Maps.

    def put(self, obj: ObjRef, key: str | ObjRef, value: Any, pred: Sequence[ObjRef] = ()) -> int:
        """Set a scalar under a map key, or in the place of an element. Returns the operation's counter.

        Args:
            obj: the map, or the list.
            key: the key, or the element.
            value: None, bool, int, Uint, float, str or bytes.
            pred: the operations whose values it overwrites.
        """
        meta, raw = encode_scalar(value)
        counter = self._operation(obj, key, insert=False, action=SET, meta=meta, raw=raw, pred=pred)
        if self._recorder is not None:
            if not isinstance(key, str):
                raise TypeError("nothing is overwritten in a document that is recorded")
            self._recorder.put(self._id(obj), key, (counter, self.actor), SET, meta, raw)
        return counter

    def make(self, obj: ObjRef, key: str, kind: int, pred: Sequence[ObjRef] = ()) -> int:
        """Make a map, list or text under a key. Returns its id's counter."""
        counter = self._operation(obj, key, insert=False, action=kind, pred=pred)
        if self._recorder is not None:
            self._recorder.put(self._id(obj), key, (counter, self.actor), kind, 0, b"")
        return counter

    def delete(self, obj: ObjRef, key: str | ObjRef, pred: Sequence[ObjRef]) -> int:
        """Delete a key of a map, or an element of a list or text."""
        return self._operation(obj, key, insert=False, action=DELETE, pred=pred)

    # Lists and texts.

    def insert(self, obj: ObjRef, after: ObjRef, value: Any) -> int:
        """Insert a scalar behind an element (HEAD: at the front). Returns the new element's counter."""
        meta, raw = encode_scalar(value)
        counter = self._operation(obj, after, insert=True, action=SET, meta=meta, raw=raw)
        if self._recorder is not None:
            self._recorder.insert(self._id(obj), self._id(after), (counter, self.actor), SET, meta, raw)
        return counter

    def insert_make(self, obj: ObjRef, after: ObjRef, kind: int) -> int:
        """Insert a map, list or text behind an element."""
        counter = self._operation(obj, after, insert=True, action=kind)
        if self._recorder is not None:
            self._recorder.insert(self._id(obj), self._id(after), (counter, self.actor), kind, 0, b"")
        return counter

    def text(self, obj: ObjRef, text: str, after: ObjRef = HEAD) -> ObjRef:
        """Insert each code point as one element, in order. Returns the last element.

        Raises:
            UnicodeEncodeError: the text has lone surrogates; clean it before.
        """
        times = len(text)
        if not times:
            return after
        data = text.encode()
        first = self.next
        self._settle_keys()
        self._object(obj, times)
        self._key_str.add(None, times)
        self._element(after)
        if times > 1:
            self._key_actor.add(self.actor, times - 1)
            self._key_counter.sequence(first, times - 1)
        self._insert.add(True, times)
        self._action.add(SET, times)
        for meta, run in text_metas(text, len(data)):
            self._value_meta.add(meta, run)
        self._value_raw.append(data)
        self._pred_number.add(0, times)
        self.next += times
        if self._recorder is not None:
            self._recorder.text(self._id(obj), self._id(after), (first, self.actor), text, data)
        return self.next - 1

    # JSON.

    def put_json(self, obj: ObjRef, key: str, value: Any, pred: Sequence[ObjRef] = ()) -> int:
        """Set a JSON value natively: maps, lists and scalars; strings are scalars."""
        if isinstance(value, Mapping):
            made = self.make(obj, key, MAP, pred)
            for name, item in value.items():
                self.put_json(made, name, item)
            return made
        if isinstance(value, (list, tuple)):
            made = self.make(obj, key, LIST, pred)
            self.extend_json(made, HEAD, value)
            return made
        return self.put(obj, key, value, pred)

    def extend_json(self, obj: ObjRef, after: ObjRef, values: Iterable[Any]) -> ObjRef:
        """Insert JSON values behind an element, in order. Returns the last element."""
        for value in values:
            if isinstance(value, Mapping):
                after = self.insert_make(obj, after, MAP)
                for name, item in value.items():
                    self.put_json(after, name, item)
            elif isinstance(value, (list, tuple)):
                after = self.insert_make(obj, after, LIST)
                self.extend_json(after, HEAD, value)
            else:
                after = self.insert(obj, after, value)
        return after

    # Columns.

    def _id(self, ref: ObjRef) -> OpId | None:
        if ref is None or isinstance(ref, tuple):
            return ref
        return (ref, self.actor)

    def _object(self, obj: ObjRef, times: int = 1) -> None:
        if obj != self._obj:
            self._settle_object()
            self._obj = obj
        self._obj_times += times

    def _settle_object(self) -> None:
        if self._obj is None:
            self._obj_actor.add(None, self._obj_times)
            self._obj_counter.add(None, self._obj_times)
        elif self._obj_times:
            counter, actor = self._split(self._obj)
            self._obj_actor.add(actor, self._obj_times)
            self._obj_counter.add(counter, self._obj_times)
        self._obj_times = 0

    def _settle_keys(self) -> None:
        times = self._new_keys
        if times:
            self._key_actor.add(None, times)
            self._key_counter.nulls(times)
            self._insert.add(False, times)
            self._pred_number.add(0, times)
            self._new_keys = 0

    def _split(self, ref: int | OpId) -> OpId:
        if isinstance(ref, tuple):
            if ref[1] != self.actor:
                self._others.add(ref[1])
            return ref
        return ref, self.actor

    def _element(self, after: ObjRef) -> None:
        if after == HEAD or after is None:
            self._key_actor.add(None)
            self._key_counter.value(0)
            return
        counter, actor = self._split(after)
        self._key_actor.add(actor)
        self._key_counter.value(counter)

    def _operation(
        self,
        obj: ObjRef,
        key: str | ObjRef,
        *,
        insert: bool,
        action: int,
        meta: int = 0,
        raw: bytes = b"",
        pred: Sequence[ObjRef] = (),
    ) -> int:
        self._object(obj)
        self._action.add(action)
        self._value_meta.add(meta)
        if raw:
            self._value_raw.append(raw)
        if isinstance(key, str):
            self._key_str.add(key)
            if pred:
                self._settle_keys()
                self._key_actor.add(None)
                self._key_counter.nulls(1)
                self._finish_operation(insert=insert, pred=pred)
            else:
                self._new_keys += 1
        else:
            self._settle_keys()
            self._key_str.add(None)
            self._element(key)
            self._finish_operation(insert=insert, pred=pred)
        counter = self.next
        self.next += 1
        return counter

    def _finish_operation(self, *, insert: bool, pred: Sequence[ObjRef]) -> None:
        self._insert.add(insert)
        self._pred_number.add(len(pred))
        for counter, actor in sorted(self._split(ref) for ref in pred if ref is not None):
            self._pred_actor.add(actor)
            self._pred_counter.value(counter)

    def finish(self, *, compress: bool = False) -> tuple[bytes, bytes]:
        """(change chunk, 32-byte hash)."""
        self._settle_object()
        self._settle_keys()
        others = sorted(self._others)
        index = {actor: place + 1 for place, actor in enumerate(others)}
        index[self.actor] = 0

        def encode_actor(actor: bytes) -> bytes:
            return uleb(index[actor])

        for column in (self._obj_actor, self._key_actor, self._pred_actor):
            column.encode = encode_actor
        columns = [
            (0x01, self._obj_actor.finish()),
            (0x02, self._obj_counter.finish()),
            (0x11, self._key_actor.finish()),
            (0x13, self._key_counter.finish()),
            (0x15, self._key_str.finish()),
            (0x34, self._insert.finish()),
            (0x42, self._action.finish()),
            (0x56, self._value_meta.finish()),
            (0x57, b"".join(self._value_raw)),
            (0x70, self._pred_number.finish()),
            (0x71, self._pred_actor.finish()),
            (0x73, self._pred_counter.finish()),
        ]
        columns = [(spec, data) for spec, data in columns if data]
        parts = [uleb(len(self.deps)), *self.deps, uleb(len(self.actor)), self.actor]
        parts += [uleb(self.seq), uleb(self.start_op), sleb(self.time), b"\x00", uleb(len(others))]
        for actor in others:
            parts += (uleb(len(actor)), actor)
        parts.append(uleb(len(columns)))
        for spec, data in columns:
            parts += (uleb(spec), uleb(len(data)))
        parts += [data for _, data in columns]
        chunk, digest = make_chunk(CHANGE_CHUNK, b"".join(parts), compress=compress)
        if self._recorder is not None:
            self._recorder.commit(digest, self.actor, self.seq, self.next - 1, self.time)
        return chunk, digest
