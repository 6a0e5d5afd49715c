"""The log's format: what the records add up to."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.journal import (
    HEADER,
    CorruptJournal,
    DocumentHeads,
    LogState,
    RecordKind,
    RoomMeta,
    encode_meta,
    encode_record,
    iter_encoded,
    read_journal,
)

HEAD = bytes(range(32))
META = RoomMeta(
    "6f1f…",
    path="a/b.ipynb",
    key="/home/ann/a/b.ipynb",
    file_sha256="ab" * 32,
    saved_heads=(HEAD,),
    residue={"lone": "\ud800", "big": 2**70},
    more={"later": [1]},
)


def test_the_bytes_of_a_record_are_these() -> None:
    assert encode_record(RecordKind.NOTEBOOK_CHANGE, b"abc").hex() == "03000000" + "3f277499" + "01" + b"abc".hex()


def test_a_file_gives_back_the_state_it_was_made_of() -> None:
    data = b"".join(iter_encoded(META, LogState([b"doc", b"change"], [b"run"], DocumentHeads((HEAD,), (HEAD,)))))
    journal = read_journal(data)
    assert RoomMeta.from_json(journal.meta) == META
    assert b"".join(journal.notebook) == b"docchange" and b"".join(journal.runtime) == b"run"
    assert journal.damage is None and journal.good_length == len(data)


def test_changes_follow_their_snapshot_and_a_new_snapshot_voids_them() -> None:
    data = b"".join(
        (
            HEADER,
            encode_record(RecordKind.NOTEBOOK_SNAPSHOT, b"old"),
            encode_record(RecordKind.NOTEBOOK_CHANGE, b"lost"),
            encode_record(RecordKind.NOTEBOOK_SNAPSHOT, b"new"),
            encode_record(RecordKind.RUNTIME_CHANGE, b"r1"),
            encode_record(RecordKind.NOTEBOOK_CHANGE, b"n1"),
            encode_record(RecordKind.RUNTIME_CHANGE, b"r2"),
        )
    )
    journal = read_journal(data)
    assert journal.notebook == [b"new", b"n1"] and journal.runtime == [b"r1", b"r2"]


def test_later_meta_records_overwrite_the_fields_they_name() -> None:
    data = HEADER + encode_meta(META.to_json()) + encode_meta({"path": "c.ipynb", "pending": None})
    meta = RoomMeta.from_json(read_journal(data).meta)
    assert meta.path == "c.ipynb" and meta.key == META.key and meta.more == {"later": [1]}


def test_a_change_after_the_last_save_makes_the_log_unsettled() -> None:
    settled = HEADER + encode_meta({**META.to_json(), "settled": True})
    assert RoomMeta.from_json(read_journal(settled).meta).settled
    for kind in (RecordKind.NOTEBOOK_CHANGE, RecordKind.RUNTIME_CHANGE):
        assert not RoomMeta.from_json(read_journal(settled + encode_record(kind, b"x")).meta).settled


def test_records_of_a_later_version_are_skipped() -> None:
    later = encode_record(200, b"?")  # type: ignore[arg-type]
    data = HEADER + later + encode_record(RecordKind.NOTEBOOK_CHANGE, b"n")
    journal = read_journal(data)
    assert journal.notebook == [b"n"] and journal.damage is None


@pytest.mark.parametrize("data", [b"", b"RTJRNL", b'{"cells": []}', bytes(100), b"\xff" + HEADER[1:] + b"more"])
def test_a_file_without_the_header_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptJournal):
        read_journal(data)


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"\xff"])
def test_a_meta_record_that_is_no_object_ends_the_reading(payload: bytes) -> None:
    good = HEADER + encode_meta({"room_id": "r"})
    journal = read_journal(good + encode_record(RecordKind.META, payload) + encode_meta({"path": "x"}))
    assert journal.damage == "corrupt" and journal.good_length == len(good) and journal.meta == {"room_id": "r"}


@pytest.mark.parametrize("meta", [{}, {"room_id": 7}, {"room_id": "r", "saved_heads": ["zz"]}])
def test_meta_that_names_no_room_or_no_heads_is_refused(meta: dict[str, object]) -> None:
    with pytest.raises(CorruptJournal):
        RoomMeta.from_json(meta)
