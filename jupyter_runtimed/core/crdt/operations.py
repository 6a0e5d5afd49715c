"""Read the operations of a change from its columns, run by run, strictly: what no engine writes is malformed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jupyter_runtimed.core.crdt.change_writer import INCREMENT, LIST, MAP, SET, TEXT, OpId
from jupyter_runtimed.core.crdt.column_reader import (
    Cursor,
    DeltaCursor,
    read_booleans,
    read_only_flag,
    read_only_value,
    read_runs,
    read_sleb,
    read_str,
    read_uleb,
)
from jupyter_runtimed.core.crdt.values import INT, NULL, ValueCursor
from jupyter_runtimed.core.errors import Malformed

Columns = Mapping[int, tuple[int, int]]
"""Column -> where it begins and ends in the body."""

MAKES = (MAP, LIST, TEXT)


class Ids(NamedTuple):
    """Operation ids in a row: `first`, `first + step`, … by one actor."""

    actor: bytes
    first: int
    step: int

    def at(self, offset: int) -> OpId:
        return self.first + self.step * offset, self.actor


class OpRun(NamedTuple):
    """Operations in a row that differ in nothing but their ids.

    Attributes:
        first: counter of the first; the author is the change's.
        times: how many they are.
        obj: the object they are on; None is the root.
        key: the map key, or None on lists and texts.
        elements: on lists and texts the elements they are on, or inserted behind; None is the head.
        insert: whether they insert.
        action: what they do.
        preds: for each predecessor of an operation, the ids it has in the run.
    """

    first: int
    times: int
    obj: OpId | None
    key: str | None
    elements: Ids | None
    insert: bool
    action: int
    preds: tuple[Ids, ...]


class _Walk:
    """The columns of a change, walked together."""

    def __init__(self, body: bytes, actors: Sequence[bytes], start_op: int, n_ops: int, columns: Columns) -> None:
        absent = (0, 0)
        self._actors = actors
        self._counter = start_op
        self._left = n_ops
        self._obj_actor = Cursor(read_runs(body, *columns.get(0x01, absent)))
        self._obj_counter = Cursor(read_runs(body, *columns.get(0x02, absent)))
        self._key_actor = Cursor(read_runs(body, *columns.get(0x11, absent)))
        self._key_counter = DeltaCursor(read_runs(body, *columns.get(0x13, absent), read_sleb))
        self._key_str = Cursor(read_runs(body, *columns.get(0x15, absent), read_str))
        self._insert = Cursor(read_booleans(body, *columns.get(0x34, absent)))
        self._action = Cursor(read_runs(body, *columns.get(0x42, absent)))
        self._pred_number = Cursor(read_runs(body, *columns.get(0x70, absent)))
        self._pred_actor = Cursor(read_runs(body, *columns.get(0x71, absent)))
        self._pred_counter = DeltaCursor(read_runs(body, *columns.get(0x73, absent), read_sleb))
        self._values = ValueCursor(body, columns.get(0x56, absent), columns.get(0x57, absent))
        self._present = columns.keys()
        self._used: set[int] = set()

    def runs(self) -> Iterator[OpRun]:
        """The operations. Raises Malformed for what no engine writes."""
        stepped = (
            self._obj_actor,
            self._obj_counter,
            self._key_actor,
            self._key_str,
            self._insert,
            self._action,
            self._pred_number,
        )
        key_counter, pred_number, values = self._key_counter, self._pred_number, self._values
        while self._left:
            times = min(self._left, key_counter.fill(), *[column.fill() for column in stepped])
            obj = self._object()
            key = self._key_str.value
            elements = self._elements(key)
            insert, action = self._insert.value, self._action.value
            number = pred_number.value
            if insert is None or action is None or number is None:
                raise Malformed("an operation without action or flags")
            preds, times = self._preds(number, times)
            values.advance(times, _required_value(action))
            yield OpRun(self._counter, times, obj, key, elements, insert, action, preds)
            for column in stepped:
                column.left -= times
            key_counter.advance(times)
            self._counter += times
            self._left -= times
        self._finish(stepped)

    def _finish(self, stepped: tuple[Cursor, ...]) -> None:
        for spec, column in zip((0x01, 0x02, 0x11, 0x15, 0x34, 0x42, 0x70), stepped, strict=True):
            column.finish(present=spec in self._present)
        self._key_counter.finish(present=0x13 in self._present)
        self._pred_actor.finish(present=0x71 in self._present)
        self._pred_counter.finish(present=0x73 in self._present)
        self._values.finish()
        if len(self._used) != len(self._actors) - 1:
            raise Malformed("a change that names actors it has no use for")

    def _actor(self, index: int) -> bytes:
        if index >= len(self._actors):
            raise Malformed("an operation of an actor nobody has named")
        if index:
            self._used.add(index)
        return self._actors[index]

    def _object(self) -> OpId | None:
        actor, counter = self._obj_actor.value, self._obj_counter.value
        if actor is None and counter is None:
            return None
        if actor is None or not counter:
            raise Malformed("half an object id")
        return counter, self._actor(actor)

    def _elements(self, key: str | None) -> Ids | None:
        actor, first = self._key_actor.value, self._key_counter.first
        if key is not None:
            if actor is not None or first is not None:
                raise Malformed("an operation on a key and on an element")
            return None
        if first is None:
            raise Malformed("an operation on nothing")
        if actor is None:
            if first or (self._key_counter.value and self._key_counter.left > 1):
                raise Malformed("half an element id")
            return None
        if first < 1:
            raise Malformed("an element id below one")
        return Ids(self._actor(actor), first, self._key_counter.value)

    def _preds(self, number: int, times: int) -> tuple[tuple[Ids, ...], int]:
        """The predecessors of the next operations, and how many operations are alike in that too."""
        if number == 0:
            return (), times
        if number == 1:
            times = min(times, self._pred_actor.fill(), self._pred_counter.fill())
            return (self._pred(times),), times
        preds = []
        last: OpId = (0, b"")
        for _ in range(number):
            self._pred_actor.fill()
            self._pred_counter.fill()
            pred = self._pred(1)
            if pred.at(0) <= last:
                raise Malformed("predecessors that are not in order, or twice there")
            last = pred.at(0)
            preds.append(pred)
        return tuple(preds), 1

    def _pred(self, times: int) -> Ids:
        actor, first = self._pred_actor.value, self._pred_counter.first
        if actor is None or first is None or first < 1:
            raise Malformed("half a predecessor")
        step = self._pred_counter.value
        self._pred_actor.left -= times
        self._pred_counter.advance(times)
        return Ids(self._actor(actor), first, step)


def read_operations(
    body: bytes, actors: Sequence[bytes], start_op: int, n_ops: int, columns: Columns
) -> Iterator[OpRun]:
    """The operations of a change, in order.

    Args:
        body: the change, inflated.
        actors: the author, then the others it names.
        start_op: counter of the first operation.
        n_ops: how many there are.
        columns: where they stand.

    Raises:
        Malformed: for what no engine writes; while the operations are read.
    """
    if n_ops == 1:
        single = _read_single(body, actors, start_op, columns)
        if single is not None:
            return iter((single,))
    return _Walk(body, actors, start_op, n_ops, columns).runs()


_READERS: Mapping[int, Callable[[bytes, int], tuple[Any, int]]] = {
    **dict.fromkeys((0x01, 0x02, 0x11, 0x42, 0x70, 0x71), read_uleb),
    **dict.fromkeys((0x13, 0x73), read_sleb),
    0x15: read_str,
}


def _read_single(body: bytes, actors: Sequence[bytes], counter: int, columns: Columns) -> OpRun | None:
    """The only operation of a change, as most keystrokes are, read without walking.

    None when it is not as plain as that: the walk tells what it is, or what is wrong with it.
    """
    said = _only_values(body, columns)
    try:
        insert, action, number, key = said[0x34], said[0x42], said[0x70], said.get(0x15)
        obj = _only_id(said, actors, 0x01, 0x02)
        pred = _only_id(said, actors, 0x71, 0x73)
        is_head = 0x11 not in said and said.get(0x13) == 0
        element = None if is_head else _only_id(said, actors, 0x11, 0x13)
    except LookupError:
        return None
    named = {said[column] for column in (0x01, 0x11, 0x71) if column in said} - {0}
    is_on_element = is_head or element is not None
    if is_on_element == (key is not None) or number != (pred is not None) or len(named) != len(actors) - 1:
        return None
    absent = (0, 0)
    values = ValueCursor(body, columns.get(0x56, absent), columns.get(0x57, absent))
    values.advance(1, _required_value(action))
    values.finish()
    preds = (ids_of(pred),) if pred is not None else ()
    return OpRun(counter, 1, obj, key, ids_of(element) if element is not None else None, insert, action, preds)


def ids_of(only: OpId) -> Ids:
    """One id as a row of ids, as the columns say it."""
    counter, actor = only
    return Ids(actor, counter, counter)  # in a column of differences the first one is the step


def _only_values(body: bytes, columns: Columns) -> dict[int, Any]:
    """What the columns say that hold one value, written as the engine writes it; nothing at all when one does not."""
    said: dict[int, Any] = {}
    for column, (at, end) in columns.items():
        read = _READERS.get(column)
        if read is not None:
            value, behind = read_only_value(body, at, read)
        elif column == 0x34:
            value, behind = read_only_flag(body, at)
        else:
            continue
        if value is None or behind != end:
            return {}
        said[column] = value
    return said


def _only_id(said: Mapping[int, Any], actors: Sequence[bytes], actor_column: int, counter_column: int) -> OpId | None:
    """The id in two columns, None when both are absent. Raises LookupError for half of one, or one that cannot be."""
    if actor_column not in said and counter_column not in said:
        return None
    counter = said[counter_column]
    if counter < 1:
        raise LookupError("an id below one")
    return counter, actors[said[actor_column]]


def _required_value(action: int) -> int | None:
    """The only value metadata or type an action may have, see ValueCursor; None for any."""
    if action == SET:
        return None
    return INT if action == INCREMENT else NULL
