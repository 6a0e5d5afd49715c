"""Whole documents from clients: honest ones load, bombs and junk do not reach the engine."""

from __future__ import annotations

import hashlib
import random
import zlib

import pytest

from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.crdt.chunks import MAGIC
from jupyter_runtimed.core.crdt.columns import uleb
from jupyter_runtimed.core.crdt.foreign import load_foreign
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import Malformed, OverLimit, ProtocolError
from jupyter_runtimed.core.limits import Limits

LIMITS = Limits()


def honest() -> NotebookDocument:
    document = NotebookDocument(new_notebook_replica(new_actor()))
    for number in range(30):
        document.insert_cell("code", f"x = {number} é😀\n" * 50, id=f"c{number}", metadata={"n": [number, {"a": None}]})
    for number in range(0, 30, 2):
        document.splice(f"c{number}", 3, 200, "gone")
        document.move_cell(f"c{number}", index=0)
    document.delete_cell("c4")
    return document


def chunk(body: bytes) -> bytes:
    digest = hashlib.sha256(b"\0" + uleb(len(body)) + body).digest()
    return MAGIC + digest[:4] + b"\0" + uleb(len(body)) + body


def document_chunk(columns: list[tuple[int, bytes]]) -> bytes:
    table = uleb(len(columns)) + b"".join(uleb(spec) + uleb(len(data)) for spec, data in columns)
    head = uleb(1) + uleb(16) + bytes(16) + uleb(1) + bytes(32) + uleb(0)
    return chunk(head + table + b"".join(data for _, data in columns) + uleb(0))


def test_an_honest_document_loads_however_it_was_saved() -> None:
    document = honest()
    replica = document.replica
    for data in (replica.save(), b"".join(replica.changes_since(()))):
        loaded = load_foreign(data, LIMITS)
        assert loaded.heads == replica.heads
        assert NotebookDocument(loaded).cells() == document.cells()


@pytest.mark.parametrize("data", [b"\x85", b"junk", MAGIC, chunk(b""), chunk(b"\xff" * 40), b"\x85oJ\x83" + bytes(40)])
def test_junk_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        load_foreign(data, LIMITS)


def test_a_billion_rows_in_a_few_bytes_are_refused() -> None:
    run = b"\x80\x94\xeb\xdc\x03" + b"\x01"  # signed LEB128 of 10^9, then the value
    with pytest.raises(OverLimit):
        load_foreign(document_chunk([(0x42, run)]), LIMITS)


def test_a_deflate_bomb_is_refused() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(bytes(100 << 20)) + deflater.flush()
    with pytest.raises(OverLimit):
        load_foreign(document_chunk([(0x57 | 8, bomb)]), LIMITS)


def test_mutated_documents_load_or_are_refused_in_good_order() -> None:
    """Re-hashed, so that the checksum does not protect us."""
    dice = random.Random(7)
    whole = honest().replica.save()
    begin = 9
    while whole[begin] & 0x80:
        begin += 1
    body = whole[begin + 1 :]
    loaded = 0
    for _ in range(80):
        mutated = bytearray(body)
        for _ in range(dice.randint(0, 2)):
            mutated[dice.randrange(len(mutated))] = dice.randrange(256)
        try:
            load_foreign(chunk(bytes(mutated)), LIMITS)
            loaded += 1
        except ProtocolError:
            pass
    assert loaded > 10
