"""Versions as they stand in a log, and what they touched."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_runtimed.core.document import Cell
from jupyter_runtimed.core.errors import BadRequest, NotFound
from jupyter_runtimed.core.ids import heads_from_hex
from jupyter_runtimed.core.journal import DocumentHeads, LogState, RoomMeta, encode_version, iter_encoded, read_journal
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.versions import Person, Touched, VersionRecord, notebook_of

HEADS = heads_from_hex(["ab" * 32])

RECORD = VersionRecord(
    3,
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:05:00.000Z",
    (Person("alice", "Alice"), Person("bob")),
    HEADS,
    HEADS,
    Touched(("new",), ("a", "b"), (), True),
)


@pytest.mark.parametrize(
    "record", [RECORD, VersionRecord(0, touched=Touched(), heads=()), VersionRecord(1), VersionRecord(2, is_void=True)]
)
def test_a_record_comes_back_as_it_was(record: VersionRecord) -> None:
    data = b"".join(iter_encoded(RoomMeta("room"), LogState([b"doc"], [], DocumentHeads((), ()), [record.to_json()])))
    (value,) = read_journal(data).versions.values()
    assert VersionRecord.from_json(value) == record


def test_the_last_record_of_a_version_counts_and_a_renewed_document_has_none() -> None:
    state = LogState([b"doc"], [], DocumentHeads((), ()), [VersionRecord(1).to_json()])
    data = b"".join(iter_encoded(RoomMeta("room"), state)) + encode_version(
        VersionRecord(1, people=(Person("x"),)).to_json()
    )
    assert read_journal(data).versions[1]["people"] == [["x", ""]]
    renewed = data + b"".join(iter_encoded(RoomMeta("room"), LogState([b"new"], [], DocumentHeads((), ()))))[8:]
    assert read_journal(renewed).versions == {}


def test_fields_of_a_later_version_of_the_format_are_kept() -> None:
    assert VersionRecord.from_json({**RECORD.to_json(), "mood": "good"}).to_json()["mood"] == "good"


@pytest.mark.parametrize("damage", [{"number": "x"}, {"heads": ["x"]}, {"people": [1]}, {"before": None}])
def test_what_is_no_version_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, BadRequest)):
        VersionRecord.from_json({**RECORD.to_json(), **damage})


def test_what_a_version_touched() -> None:
    old = Version((Cell("a", source="1"), Cell("b"), Cell("c", execution_id="x")), {"k": 1})
    new = Version((Cell("a", source="2"), Cell("c", execution_id="y"), Cell("d")), {"k": 1})
    assert Touched.between(old, new) == Touched(("d",), ("a",), ("b",), False)
    assert not Touched.between(old, old) and Touched.between(old, Version(old.cells, {})).metadata


def test_a_version_reads_as_a_notebook_without_what_is_gone() -> None:
    def fetch(name: str) -> bytes:
        if name != "ab" * 32:
            raise NotFound("gone")
        return b"\x89PNG"

    def reference(name: str) -> dict[str, Any]:
        return {"blob": name * 32, "size": 4}

    attachments = {"p": {"image/png": reference("ab")}, "q": {"image/png": reference("cd")}, "broken": 7}
    cells = (Cell("m", "markdown", "![]", {"t": 1}, attachments, extra={"more": 1}), Cell("c", source="x"))
    assert notebook_of(Version(cells, {"k": 1}, {"extra": 2}), fetch) == {
        "extra": 2,
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"k": 1},
        "cells": [
            {"id": "m", "cell_type": "markdown", "metadata": {"t": 1}, "source": "![]", "more": 1,
             "attachments": {"p": {"image/png": "iVBORw=="}, "q": {}}},
            {"id": "c", "cell_type": "code", "metadata": {}, "source": "x", "outputs": [], "execution_count": None},
        ],
    }  # fmt: skip
