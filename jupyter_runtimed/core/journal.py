"""The format of a room's log file: a header, then records that are only ever appended.

```
file    header record*
header  "RTJRNL" 01 0a
record  length u32 | crc32 u32 | kind u8 | payload[length]      little endian; the CRC covers length, kind and payload
```

Reading replays the records in order: a snapshot record replaces what is known of its document, a change record
adds to it, a meta record overwrites the fields it names, a version record (who edited when: `core.versions`) takes the
place of the one of its number, a parts record has the changes of the snapshot before it. The invariant: whatever is
cut off or damaged at the end of a file, reading gives a prefix of the records that were written, never anything else.

This module knows bytes only. Which changes a chunk holds is `core.crdt`'s business, files are `adapters.room_log`'s.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, BinaryIO, Literal, NamedTuple

from jupyter_runtimed.core.errors import BadRequest, RuntimedError
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex

HEADER = b"RTJRNL\x01\n"
_PREFIX = struct.Struct("<IIB")
_LENGTH_AND_KIND = struct.Struct("<IB")

DocumentName = Literal["notebook", "runtime"]


class RecordKind(IntEnum):
    """The kind byte of a record. 0 stays unused, so that a run of zero bytes is never a record."""

    NOTEBOOK_CHANGE = 1
    RUNTIME_CHANGE = 2
    NOTEBOOK_SNAPSHOT = 3
    RUNTIME_SNAPSHOT = 4
    META = 5
    VERSION = 6
    NOTEBOOK_PARTS = 7


CHANGE_KINDS: Mapping[DocumentName, RecordKind] = {
    "notebook": RecordKind.NOTEBOOK_CHANGE,
    "runtime": RecordKind.RUNTIME_CHANGE,
}
SNAPSHOT_KINDS: Mapping[DocumentName, RecordKind] = {
    "notebook": RecordKind.NOTEBOOK_SNAPSHOT,
    "runtime": RecordKind.RUNTIME_SNAPSHOT,
}


class CorruptJournal(RuntimedError):
    """A file that is no journal at all, or one without the records a room needs. It is set aside, never deleted."""


class RecordDamage(Exception):
    """Reading stopped at something that is not a record."""

    def __init__(self, reason: Literal["torn", "corrupt"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RoomMeta:
    """What a room's log says besides the two documents.

    Attributes:
        room_id: the room's name for life.
        path: the API path of the file; None while the room is untitled.
        key: the identity of the file, the same for every spelling of its path (`Identity.key`).
        root: what the paths are relative to; logs of several servers may lie in one folder.
        directory: where an untitled room would be saved.
        import_sha256: the file whose import began the notebook document; None for an untitled room.
        file_sha256: the file as the room last read or wrote it.
        saved_heads: the notebook document's heads in that file.
        saved_at: when it was last written (ISO 8601), None when never.
        settled: the file holds all that the log holds. Any change that is logged makes it false.
        deleted_at: when the file was deleted (ISO 8601), None while it is there.
        pending: SHA-256 of a save that was begun and not yet confirmed.
        residue: what the notebook document cannot hold of the file (`core.residue`), as JSON.
        base: the last common version when no heads name it (`core.merge.Version`), as JSON.
        kernel_name: which kernel the room starts.
        forgotten: names of changes of histories that were forgotten (`core.forgotten`), base64.
        more: further fields, kept as they are.
    """

    room_id: str
    path: str | None = None
    key: str | None = None
    root: str = ""
    directory: str = ""
    import_sha256: str | None = None
    file_sha256: str | None = None
    saved_heads: Heads = ()
    saved_at: str | None = None
    settled: bool = False
    deleted_at: str | None = None
    pending: str | None = None
    residue: Any = None
    base: Any = None
    kernel_name: str | None = None
    forgotten: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields as one JSON object; `more` is spread among them."""
        result = {**self.more, **{name: getattr(self, name) for name in _META_FIELDS}}
        result["saved_heads"] = heads_to_hex(self.saved_heads)
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RoomMeta:
        """Read the object that `to_json` made; fields of a later version land in `more`.

        Raises:
            CorruptJournal: there is no room id.
        """
        known = {name: value[name] for name in _META_FIELDS if name in value}
        if not isinstance(known.get("room_id"), str):
            raise CorruptJournal("the log does not say which room it belongs to")
        try:
            known["saved_heads"] = heads_from_hex(known.get("saved_heads", []))
        except BadRequest as error:
            raise CorruptJournal("the log names heads that are none") from error
        return cls(**known, more={name: item for name, item in value.items() if name not in _META_FIELDS})


_META_FIELDS = tuple(f.name for f in fields(RoomMeta) if f.name != "more")


class DocumentHeads(NamedTuple):
    """How far both documents of a room are, at one moment."""

    notebook: Heads
    runtime: Heads


@dataclass(frozen=True, slots=True)
class LogState:
    """Both documents of a room, at one moment.

    Attributes:
        notebook: Automerge chunks that make the notebook document, document chunk first.
        runtime: the same of the runtime document.
        heads: of both.
        versions: those of the notebook document, as JSON.
        parts: the changes of the notebook's document chunk, packed (`core.crdt.parts`), or b"".
    """

    notebook: Sequence[bytes]
    runtime: Sequence[bytes]
    heads: DocumentHeads
    versions: Sequence[Mapping[str, Any]] = ()
    parts: bytes = b""


@dataclass(frozen=True, slots=True)
class LoggedRoom:
    """What a log gives back after a restart.

    Attributes:
        notebook: Automerge chunks of the notebook document in the order they were logged.
        runtime: the same of the runtime document.
        pending: the bytes of a save that was begun and not confirmed.
        was_cut: the end of the log was damaged and is missing.
        versions: of the notebook document, as JSON.
        parts: the changes of the notebook's document chunk, packed, or b"".
    """

    meta: RoomMeta
    notebook: Sequence[bytes]
    runtime: Sequence[bytes]
    pending: bytes | None = None
    was_cut: bool = False
    versions: Sequence[Mapping[str, Any]] = ()
    parts: bytes = b""


@dataclass(slots=True)
class Journal:
    """What the records of a file add up to.

    Attributes:
        meta: the fields of all meta records, later over earlier.
        notebook: Automerge chunks of the notebook document: its latest snapshot, then the changes since.
        runtime: the same of the runtime document.
        versions: the latest record of each version, by number.
        parts: the changes of the latest snapshot of the notebook document, packed, or b"".
        good_length: bytes of the file that were read; everything behind it is not a record.
        damage: None, or why reading stopped before the end of the file.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    notebook: list[bytes] = field(default_factory=list)
    runtime: list[bytes] = field(default_factory=list)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    parts: bytes = b""
    good_length: int = 0
    damage: Literal["torn", "corrupt"] | None = None


def encode_record(kind: RecordKind, payload: bytes) -> bytes:
    """One record, ready to be appended."""
    crc = zlib.crc32(payload, zlib.crc32(_LENGTH_AND_KIND.pack(len(payload), kind)))
    return _PREFIX.pack(len(payload), crc, kind) + payload


def encode_meta(values: Mapping[str, Any]) -> bytes:
    """A meta record that overwrites these fields."""
    # Lone surrogates (of a residue) have no UTF-8 form, so everything beyond ASCII is escaped.
    return encode_record(RecordKind.META, json.dumps(values, separators=(",", ":")).encode("ascii"))


def encode_version(value: Mapping[str, Any]) -> bytes:
    """A version record; it has a `number`."""
    return encode_record(RecordKind.VERSION, json.dumps(value, separators=(",", ":")).encode("ascii"))


def iter_encoded(meta: RoomMeta, state: LogState) -> Iterator[bytes]:
    """A whole file, in pieces: the header, the meta fields, both documents, the versions."""
    yield HEADER
    yield encode_meta(meta.to_json())
    yield encode_record(RecordKind.NOTEBOOK_SNAPSHOT, b"".join(state.notebook))
    if state.parts:
        yield encode_record(RecordKind.NOTEBOOK_PARTS, state.parts)
    yield encode_record(RecordKind.RUNTIME_SNAPSHOT, b"".join(state.runtime))
    yield from map(encode_version, state.versions)


def iter_records(data: bytes | memoryview) -> Iterator[tuple[int, memoryview, int]]:
    """Walk over the records of a file.

    Yields:
        the kind (perhaps one that a later version of the format wrote), the payload, the offset behind the record.

    Raises:
        CorruptJournal: the file does not begin with the header.
        RecordDamage: what follows the last record is not a record.
    """
    view = memoryview(data)
    if view[: len(HEADER)] != HEADER:
        raise CorruptJournal("this is not a room log: it does not begin with the header of one")
    offset = len(HEADER)
    while offset < len(view):
        if offset + _PREFIX.size > len(view):
            raise RecordDamage("torn")
        length, crc, kind = _PREFIX.unpack_from(view, offset)
        start = offset + _PREFIX.size
        if start + length > len(view):
            # Either a record that was being written, or a flipped bit in its length: nothing tells them apart.
            raise RecordDamage("torn")
        payload = view[start : start + length]
        if zlib.crc32(payload, zlib.crc32(_LENGTH_AND_KIND.pack(length, kind))) != crc:
            raise RecordDamage("corrupt")
        offset = start + length
        yield kind, payload, offset


def read_journal(data: bytes | memoryview) -> Journal:
    """Replay a file.

    Raises:
        CorruptJournal: the file does not begin with the header.
    """
    journal = Journal(good_length=len(HEADER))
    try:
        for kind, payload, end in iter_records(data):
            _replay(journal, kind, payload)
            journal.good_length = end
    except RecordDamage as damage:
        journal.damage = damage.reason
    return journal


def _replay(journal: Journal, kind: int, payload: memoryview) -> None:
    if kind == RecordKind.META:
        journal.meta.update(_read_object(payload))
    elif kind == RecordKind.VERSION:
        version = _read_object(payload)
        if isinstance(version.get("number"), int):
            journal.versions[version["number"]] = version
    elif kind == RecordKind.NOTEBOOK_CHANGE:
        journal.notebook.append(bytes(payload))
        journal.meta["settled"] = False
    elif kind == RecordKind.RUNTIME_CHANGE:
        journal.runtime.append(bytes(payload))
        journal.meta["settled"] = False
    elif kind == RecordKind.NOTEBOOK_SNAPSHOT:
        journal.notebook = [bytes(payload)] if payload else []
        journal.versions.clear()  # of another history
        journal.parts = b""
    elif kind == RecordKind.NOTEBOOK_PARTS:
        journal.parts = bytes(payload)
    elif kind == RecordKind.RUNTIME_SNAPSHOT:
        journal.runtime = [bytes(payload)] if payload else []
    # Kinds of a later version are skipped: their checksum held, so what follows can be trusted.


def _read_object(payload: memoryview) -> dict[str, Any]:
    try:
        value = json.loads(bytes(payload))
    except ValueError as error:  # the checksum held: we wrote nonsense, or somebody forged it
        raise RecordDamage("corrupt") from error
    if not isinstance(value, dict):
        raise RecordDamage("corrupt")
    return value


def read_meta(file: BinaryIO) -> dict[str, Any]:
    """The meta fields of a log alone, without reading the documents.

    Payloads of other records are skipped unchecked, so damage in them goes unseen here.

    Raises:
        CorruptJournal: the file does not begin with the header.
    """
    if file.read(len(HEADER)) != HEADER:
        raise CorruptJournal("this is not a room log: it does not begin with the header of one")
    journal = Journal()
    while len(prefix := file.read(_PREFIX.size)) == _PREFIX.size:
        length, crc, kind = _PREFIX.unpack(prefix)
        if kind != RecordKind.META:
            file.seek(length, 1)
            if kind in CHANGE_KINDS.values():
                journal.meta["settled"] = False
            continue
        payload = file.read(length)
        if len(payload) < length or zlib.crc32(payload, zlib.crc32(_LENGTH_AND_KIND.pack(length, kind))) != crc:
            break
        try:
            _replay(journal, kind, memoryview(payload))
        except RecordDamage:
            break
    return journal.meta
