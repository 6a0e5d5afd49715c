"""The Automerge engine: the one module that imports it, and the place where its types and its panics are corrected.

Facts about `automerge==1.0.0rc1` (Rust 0.5.7) that shape this module:

* `PanicException` derives from BaseException and may leave the document unusable: it becomes `EnginePanic`.
* `generate_sync_message` returns None when there is nothing to say, whatever the stub promises.
* A string inserted into a text is one element; characters are inserted one by one.
* `doc.get` on a scalar gives the operation's id beside the value: in a list that is the element's id.
* Reading a Counter panics, bytes come as lists of numbers, timestamps as naive datetimes: all three read as None.
* Applying a message whose heads are empty skips a walk over the whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar, cast

from automerge.core import ROOT as _ROOT
from automerge.core import Document, Message, ObjType, ScalarType, SyncState, random_actor_id

from jupyter_runtimed.core.crdt.change_writer import LIST, MAP, TEXT, OpId
from jupyter_runtimed.core.crdt.column_reader import read_bytes, read_uleb
from jupyter_runtimed.core.crdt.columns import Uint
from jupyter_runtimed.core.crdt.sync_message import encode_changes
from jupyter_runtimed.core.ids import Hash, Heads

T = TypeVar("T")

ROOT: bytes = _ROOT
"""Object id of the root map."""

EngineSyncState = SyncState

_KINDS = {MAP: ObjType.Map, LIST: ObjType.List, TEXT: ObjType.Text}


class EnginePanic(Exception):
    """The engine panicked. Its document must be thrown away and rebuilt from bytes."""


class EngineRefused(Exception):
    """The engine says no, in good order: the document is as before."""


def new_actor() -> bytes:
    """A fresh random actor id, 16 bytes."""
    return bytes(random_actor_id())


@lru_cache(1024)  # each key asks for the same text
def op_id(obj: bytes) -> OpId | None:
    """The (counter, actor) of an engine object or element id; None for the root."""
    if len(obj) == 1:
        return None
    actor, at = read_bytes(obj, 1)
    _, at = read_uleb(obj, at)
    counter, _ = read_uleb(obj, at)
    return counter, actor


def _guard(call: Callable[[], T]) -> T:
    """Call the engine. Raises EnginePanic and EngineRefused, see there."""
    try:
        return call()
    except Exception as error:  # the bindings raise bare ones
        if "poisoned" in str(error):
            raise EnginePanic(str(error)) from error
        raise EngineRefused(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise EnginePanic(str(error)) from error


class ChangeName(NamedTuple):
    """A change's hash, author, number among the author's changes, and largest counter."""

    hash: Hash
    actor: bytes
    seq: int
    max_op: int


class Engine:
    """One document in the engine.

    Object ids are opaque bytes; `op_id` gives their (counter, actor).

    Attributes:
        is_broken: it has panicked in a way that it does not recover from.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.is_broken = False

    def _run(self, call: Callable[[], T], *, writes: bool = False) -> T:
        try:
            return _guard(call)
        except EnginePanic as panic:
            self.is_broken |= writes or "poisoned" in str(panic)
            raise

    @classmethod
    def empty(cls, actor: bytes) -> Engine:
        """A document without anything in it."""
        return cls(Document(actor))

    @classmethod
    def load(cls, data: bytes, actor: bytes) -> Engine:
        """A document from chunks in a row. Raises EngineRefused when they are broken."""
        document = _guard(lambda: Document.load(data))
        document.set_actor(actor)
        return cls(document)

    def fork(self, heads: Heads, actor: bytes) -> Engine:
        """The document as it was at some heads, as a document of its own."""
        forked = self._run(lambda: self._document.fork(list(heads)))
        forked.set_actor(actor)
        return Engine(forked)

    # Bytes.

    @property
    def heads(self) -> Heads:
        """The hashes at the tip, sorted."""
        return tuple(sorted(bytes(head) for head in self._run(self._document.get_heads)))

    def save(self) -> bytes:
        """The whole document as one chunk (queued changes behind it)."""
        return bytes(self._run(self._document.save))

    def changes_since(self, heads: Heads) -> list[tuple[Hash, bytes]]:
        """(hash, chunk) of every change that is not in the history of `heads`, in order."""
        changes = self._run(lambda: self._document.get_changes(list(heads)))
        return [(bytes(change.hash), bytes(change.raw_bytes)) for change in changes]

    def hashes(self) -> list[Hash]:
        """The hashes of all changes of the history, in order."""
        return [bytes(change.hash) for change in self._run(lambda: self._document.get_changes([]))]

    def names(self) -> list[ChangeName]:
        """What all changes of the history are called, in order."""
        return [
            ChangeName(bytes(change.hash), bytes(change.actor_id), change.seq, change.max_op)
            for change in self._run(lambda: self._document.get_changes([]))
        ]

    def apply(self, chunks: Sequence[bytes]) -> None:
        """Apply change chunks, whatever is known of them, at a cost that does not grow with the history."""
        message = encode_changes(chunks)
        self._run(lambda: self._document.receive_sync_message(SyncState(), Message.decode(message)), writes=True)

    def take(self, chunks: Sequence[bytes], heads: Heads) -> None:
        """Apply change chunks that make these the heads. Raises EngineRefused when they do not."""
        self.apply(chunks)
        if self.heads != heads:
            raise EngineRefused("not all of the changes were taken")

    # The engine's own sync protocol, for peers that are not level.

    def receive(self, state: SyncState, message: bytes) -> None:
        self._run(lambda: self._document.receive_sync_message(state, Message.decode(message)), writes=True)

    def generate(self, state: SyncState) -> bytes | None:
        message = cast("Message | None", self._run(lambda: self._document.generate_sync_message(state)))
        return None if message is None else bytes(message.encode())

    # Reading.

    def kind(self, obj: bytes) -> int:
        """MAP, LIST or TEXT."""
        kind = self._run(lambda: self._document.object_type(obj))
        return TEXT if kind == ObjType.Text else LIST if kind == ObjType.List else MAP

    def get(self, obj: bytes, key: str | int) -> tuple[Any, bytes] | None:
        """(`ObjType` or (type, scalar), id) of a value, or None when there is none.

        A value that the engine cannot hand over (a Counter) comes as ((None, None), b"").
        """
        try:
            return cast("tuple[Any, bytes] | None", self._run(lambda: self._document.get(obj, key)))
        except EnginePanic as panic:
            if "poisoned" in str(panic):
                raise
            return (ScalarType.Null, None), b""

    def child(self, obj: bytes, key: str | int) -> bytes | None:
        """Id of the map, list or text under a key; None when it is absent or a scalar."""
        found = self.get(obj, key)
        return found[1] if found is not None and not isinstance(found[0], tuple) else None

    def keys(self, obj: bytes) -> list[str]:
        return list(self._run(lambda: self._document.keys(obj)))

    def length(self, obj: bytes) -> int:
        return int(self._run(lambda: self._document.length(obj)))

    def text(self, obj: bytes) -> str:
        return str(self._run(lambda: self._document.text(obj)))

    def element_ids(self, obj: bytes, start: int, stop: int) -> list[OpId]:
        """Ids of the elements of a list or text between two indices."""
        found = []
        for index in range(start, stop):
            item = self.element(obj, index)
            if item is None:
                raise EngineRefused("no such element")
            found.append(item[1])
        return found

    def element(self, obj: bytes, index: int) -> tuple[Any, OpId] | None:
        """The value and the id of an element of a list or text; None when there is none, or none to be had."""
        item = self.get(obj, index)
        identity = op_id(item[1]) if item is not None and item[1] else None
        return None if item is None or identity is None else (self._plain(item), identity)

    def value(self, obj: bytes, key: str | int) -> Any:
        """A value as plain Python: Text as str, maps and lists as dict and list, odd scalars as None."""
        found = self.get(obj, key)
        return None if found is None else self._plain(found)

    def read(self, obj: bytes, key: str | int, note: Callable[[bytes], None]) -> Any:
        """As `value`; `note` is told the id of each map, list and text in it."""
        child = self.child(obj, key)
        if child is None:
            return self.value(obj, key)
        note(child)
        kind = self.kind(child)
        if kind == TEXT:
            return self.text(child)
        if kind == LIST:
            return [self.read(child, index, note) for index in range(self.length(child))]
        return {name: self.read(child, name, note) for name in self.keys(child)}

    def extract(self, obj: bytes = ROOT) -> Any:
        """An object as plain Python."""
        kind = self.kind(obj)
        if kind == TEXT:
            return self.text(obj)
        if kind == LIST:
            return [self.value(obj, index) for index in range(self.length(obj))]
        return {key: self.value(obj, key) for key in self.keys(obj)}

    def _plain(self, found: tuple[Any, bytes]) -> Any:
        value, obj = found
        if not isinstance(value, tuple):
            return self.extract(obj)
        kind, scalar = value
        if kind in (ScalarType.Bytes, ScalarType.Timestamp, ScalarType.Counter, ScalarType.Unknown):
            return None
        return scalar

    # Writing.

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """Operations inside commit together at the end, or not at all when an exception leaves the block."""
        tx = self._run(self._document.transaction)
        self._run(tx.__enter__)
        try:
            yield Writer(tx)
        except BaseException as error:
            self.is_broken |= isinstance(error, EnginePanic)
            self._run(partial(tx.__exit__, type(error), error, error.__traceback__), writes=True)
            raise
        self._run(partial(tx.__exit__, None, None, None), writes=True)


class Writer:
    """The operations of one transaction. Strings in maps and lists are scalars; texts are made with `make`."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx

    def child(self, obj: bytes, key: str | int) -> bytes | None:
        """As `Engine.child`, seeing what this transaction did."""
        found = _guard(lambda: self._tx.get(obj, key))
        return bytes(found[1]) if found is not None and not isinstance(found[0], tuple) else None

    def length(self, obj: bytes) -> int:
        """As `Engine.length`, seeing what this transaction did."""
        return int(_guard(lambda: self._tx.length(obj)))

    def put(self, obj: bytes, key: str, value: Any) -> None:
        """Set a JSON value: a scalar, or a dict or list made natively."""
        if isinstance(value, dict):
            made = self.make(obj, key, MAP)
            for name, item in value.items():
                self.put(made, name, item)
        elif isinstance(value, (list, tuple)):
            self.extend(self.make(obj, key, LIST), value)
        else:
            kind, scalar = _scalar(value)
            _guard(lambda: self._tx.put(obj, key, kind, scalar))

    def make(self, obj: bytes, key: str, kind: int) -> bytes:
        """Make a map, list or text under a key; its id."""
        return bytes(_guard(lambda: self._tx.put_object(obj, key, _KINDS[kind])))

    def delete(self, obj: bytes, key: str | int) -> None:
        _guard(lambda: self._tx.delete(obj, key))

    def insert(self, obj: bytes, index: int, value: Any) -> None:
        """Insert a JSON value into a list."""
        if isinstance(value, dict):
            made = bytes(_guard(lambda: self._tx.insert_object(obj, index, ObjType.Map)))
            for name, item in value.items():
                self.put(made, name, item)
        elif isinstance(value, (list, tuple)):
            self.extend(bytes(_guard(lambda: self._tx.insert_object(obj, index, ObjType.List))), value)
        else:
            kind, scalar = _scalar(value)
            _guard(lambda: self._tx.insert(obj, index, kind, scalar))

    def extend(self, obj: bytes, values: Sequence[Any]) -> None:
        """Append JSON values to a list."""
        start = self.length(obj)
        for offset, value in enumerate(values):
            self.insert(obj, start + offset, value)

    def replace(self, obj: bytes, index: int, value: Any) -> None:
        """Overwrite a scalar element of a list."""
        kind, scalar = _scalar(value)
        _guard(lambda: self._tx.put(obj, index, kind, scalar))

    def splice_text(self, text: bytes, index: int, delete: int, insert: str) -> None:
        """Delete and insert characters, one operation each; indices in code points.

        `core.crdt.splice_text` is the way for more than a line.
        """

        def splice() -> None:
            for _ in range(delete):
                self._tx.delete(text, index)
            for offset, character in enumerate(insert):
                self._tx.insert(text, index + offset, ScalarType.Str, character)

        _guard(splice)


def _scalar(value: Any) -> tuple[ScalarType, Any]:
    if value is None:
        return ScalarType.Null, None
    if isinstance(value, bool):
        return ScalarType.Boolean, value
    if isinstance(value, str):
        return ScalarType.Str, value
    if isinstance(value, Uint) or (isinstance(value, int) and value >= 1 << 63):
        return ScalarType.Uint, int(value)
    if isinstance(value, int):
        return ScalarType.Int, value
    if isinstance(value, float):
        return ScalarType.F64, value
    raise TypeError(f"no Automerge scalar: {type(value).__name__}")
