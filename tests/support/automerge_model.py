"""A small model of an Automerge document that makes the same edits twice: by the engine and by our own writer.

Histories are linear (each change builds on all before it), by any number of actors; so a value has one predecessor and
lists need no conflict rules. What the model adds to the writer is only what an author knows anyway: which operation
stands where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import HEAD, LIST, MAP, ROOT, TEXT, ChangeBuilder, Engine, OpId, Uint, Writer
from jupyter_runtimed.core.crdt.change_writer import DELETE, SET
from jupyter_runtimed.core.crdt.columns import encode_scalar

KEYS = st.sampled_from(["a", "b", "cells", "é", "🎉", "a longer key with spaces"])

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-70, 300),
    st.integers(0, (1 << 64) - 1).map(Uint),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "x", "code", "é" * 70, "🎉"]),
)

JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)

TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["", "x", "plain ascii", "aé日🎉", "🎉🎉", "日本語\n" * 9, "e\u0301👩‍🔬"])
)

EDITS = st.tuples(
    st.sampled_from(["put", "put", "json", "text", "delete", "insert", "remove", "replace", "splice", "splice"]),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 6),
    KEYS,
    JSON,
    TEXTS,
)
"""(what, which object, where, how many, key, value, text); numbers are taken modulo what there is."""

HISTORIES = st.lists(st.tuples(st.integers(0, 2), st.lists(EDITS, max_size=6)), max_size=6)
"""(which actor, its edits) of each transaction."""

ACTORS = [bytes([number]) * size for number, size in ((2, 16), (1, 16), (3, 8))]


@dataclass
class Thing:
    """A map, list or text: its ids in both worlds, and the operations that stand in it."""

    kind: int
    op: OpId | None
    obj: bytes
    keys: dict[str, tuple[OpId, Any]] = field(default_factory=dict)
    elements: list[tuple[OpId, OpId, Any]] = field(default_factory=list)  # element, what stands there, its value


class Twins:
    """An engine document and the changes our writer makes of the same edits."""

    def __init__(self) -> None:
        self.engine = Engine.empty(ACTORS[0])
        self.changes: list[tuple[bytes, bytes]] = []
        self._last: dict[bytes, tuple[int, bytes]] = {}
        self._next = 1
        self._root = Thing(MAP, None, ROOT)
        self._things = [self._root]

    def transact(self, number: int, edits: list[Any]) -> tuple[list[tuple[bytes, bytes]], tuple[bytes, bytes] | None]:
        """Make the edits. Returns the engine's (hash, chunk) and our (chunk, hash); None when nothing was done."""
        actor = ACTORS[number]
        self.engine = Engine.load(self.engine.save(), actor)
        before = self.engine.heads
        seq, last = self._last.get(actor, (0, None))
        deps = {*before, last} if last else before  # the engine names an author's own last change as well
        self.builder = ChangeBuilder(actor, seq + 1, self._next, deps)
        with self.engine.transaction() as self.writer:
            for edit in edits:
                self._edit(*edit)
        by_engine = self.engine.changes_since(before)
        if self.builder.next == self._next:
            return by_engine, None
        self._next = self.builder.next
        ours = self.builder.finish()
        self._last[actor] = (self.builder.seq, ours[1])
        self.changes.append(ours)
        return by_engine, ours

    writer: Writer
    builder: ChangeBuilder

    def _op(self, counter: int) -> OpId:
        return counter, self.builder.actor

    def _edit(self, what: str, which: int, where: int, many: int, key: str, value: Any, text: str) -> None:
        kind = {"insert": LIST, "remove": LIST, "replace": LIST, "splice": TEXT}.get(what, MAP)
        things = [thing for thing in self._things if thing.kind == kind]
        if not things:
            what, things = ("json", [self._root]) if kind == LIST else ("text", [self._root])
            value = [1, None, "x"]
        thing = things[which % len(things)]
        match what:
            case "put" | "json" if not isinstance(value, dict | list):
                self._put(thing, key, value)
            case "put" | "json":
                self.writer.put(thing.obj, key, value)
                self._put_json(thing, key, value, self._preds(thing, key))
            case "text":
                obj = self.writer.make(thing.obj, key, TEXT)
                op = self._op(self.builder.make(thing.op, key, TEXT, self._preds(thing, key)))
                self._drop(thing.keys.get(key))
                made = Thing(TEXT, op, obj)
                self._things.append(made)
                thing.keys[key] = (op, made)
                self._splice(made, 0, 0, text)
            case "delete":
                self.writer.delete(thing.obj, key)
                if key in thing.keys:
                    self.builder.delete(thing.op, key, self._preds(thing, key))
                    self._drop(thing.keys.pop(key))
            case "splice":
                at = where % (len(thing.elements) + 1)
                self._splice(thing, at, min(many, len(thing.elements) - at), text)
            case "insert":
                self._insert(thing, where % (len(thing.elements) + 1), value)
            case "remove" if thing.elements:
                self._remove(thing, where % len(thing.elements))
            case "replace" if thing.elements and not isinstance(value, dict | list):
                self._replace(thing, where % len(thing.elements), value)

    def _preds(self, thing: Thing, key: str) -> list[OpId]:
        return [thing.keys[key][0]] if key in thing.keys else []

    def _drop(self, found: tuple[OpId, Any] | None) -> None:
        """What is overwritten or deleted is not edited any more."""
        if found is not None and isinstance(found[1], Thing) and found[1] in self._things:
            self._things.remove(found[1])
            for inner in [*found[1].keys.values(), *[element[1:] for element in found[1].elements]]:
                self._drop(inner)

    def _put(self, thing: Thing, key: str, value: Any) -> None:
        self.writer.put(thing.obj, key, value)
        if key in thing.keys and _is_same(thing.keys[key][1], value):
            return  # the engine makes no operation of that
        op = self._op(self.builder.put(thing.op, key, value, self._preds(thing, key)))
        self._drop(thing.keys.get(key))
        thing.keys[key] = (op, value)

    def _put_json(self, thing: Thing, key: str, value: Any, preds: list[OpId]) -> None:
        first = self.builder.next
        self.builder.put_json(thing.op, key, value, preds)
        self._drop(thing.keys.get(key))
        child = self.engine.child(thing.obj, key)
        thing.keys[key] = (self._op(first), self._adopt(self._op(first), child, value))

    def _adopt(self, op: OpId, obj: bytes | None, value: Any) -> Any:
        """The things in a JSON value that was just made; operations were made in reading order."""
        if not isinstance(value, dict | list):
            return value
        assert obj is not None
        thing = Thing(MAP if isinstance(value, dict) else LIST, op, obj)
        self._things.append(thing)
        counter = op[0] + 1
        for place, item in value.items() if isinstance(value, dict) else enumerate(value):
            made = self._op(counter)
            inner = self._adopt(made, self.engine.child(obj, place), item)
            if isinstance(place, str):
                thing.keys[place] = (made, inner)
            else:
                thing.elements.append((made, made, inner))
            counter += _size(item)
        return thing

    def _splice(self, thing: Thing, at: int, delete: int, text: str) -> None:
        self.writer.splice_text(thing.obj, at, delete, text)
        for element, stands, _ in thing.elements[at : at + delete]:
            self.builder.delete(thing.op, element, [stands])
        first = self.builder.next
        self.builder.text(thing.op, text, thing.elements[at - 1][0] if at else HEAD)
        ops = [self._op(first + offset) for offset in range(len(text))]
        thing.elements[at : at + delete] = [(op, op, character) for op, character in zip(ops, text, strict=True)]

    def _insert(self, thing: Thing, at: int, value: Any) -> None:
        self.writer.insert(thing.obj, at, value)
        first = self._op(self.builder.next)
        self.builder.extend_json(thing.op, thing.elements[at - 1][0] if at else HEAD, [value])
        child = self.engine.child(thing.obj, at)
        thing.elements.insert(at, (first, first, self._adopt(first, child, value)))

    def _remove(self, thing: Thing, at: int) -> None:
        self.writer.delete(thing.obj, at)
        element, stands, value = thing.elements.pop(at)
        self.builder.delete(thing.op, element, [stands])
        self._drop((element, value))

    def _replace(self, thing: Thing, at: int, value: Any) -> None:
        self.writer.replace(thing.obj, at, value)
        element, stands, before = thing.elements[at]
        if _is_same(before, value):
            return
        op = self._op(self.builder.put(thing.op, element, value, [stands]))
        self._drop((element, before))
        thing.elements[at] = (element, op, value)


def _is_same(one: Any, other: Any) -> bool:
    return not isinstance(one, Thing) and encode_scalar(one) == encode_scalar(other)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(item) for item in value)
    return 1


__all__ = ["ACTORS", "DELETE", "EDITS", "HISTORIES", "JSON", "KEYS", "SCALARS", "SET", "TEXTS", "Twins"]
