"""A change of one operation is read without walking its columns; it must read as the walk reads it, broken or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt.change_reader import _Header, read_chunk
from jupyter_runtimed.core.crdt.change_writer import HEAD, MAP, TEXT, ChangeBuilder
from jupyter_runtimed.core.crdt.operations import OpRun, _read_single, _Walk
from jupyter_runtimed.core.errors import Malformed

ALICE, BOB = b"alice", b"bob"
TEXT_OBJECT, MAP_OBJECT, ELEMENT, VALUE = (1, ALICE), (2, ALICE), (300, ALICE), (40_000, ALICE)


def one_operation(kind: int, author: bytes, character: str) -> bytes:
    """The body of a change of one operation of some kind, on objects that Alice has made."""
    builder = ChangeBuilder(author, seq=3, start_op=70_000, deps=(b"\x07" * 32,))
    if kind == 0:
        builder.text(TEXT_OBJECT, character, HEAD)
    elif kind == 1:
        builder.text(TEXT_OBJECT, character, ELEMENT)
    elif kind == 2:
        builder.delete(TEXT_OBJECT, ELEMENT, [ELEMENT])
    elif kind == 3:
        builder.put(MAP_OBJECT, character, True)
    elif kind == 4:
        builder.put(MAP_OBJECT, character, 2.5, [VALUE])
    elif kind == 5:
        builder.put(None, character, None)
    else:
        builder.make(None, character, MAP if kind == 6 else TEXT)
    chunk, _ = builder.finish()
    return read_chunk(chunk).body


bodies = st.builds(
    one_operation, st.integers(0, 7), st.sampled_from([ALICE, BOB]), st.characters(exclude_categories=["Cs"])
)


def walked(body: bytes, header: _Header) -> list[OpRun] | None:
    try:
        return list(_Walk(body, header.actors, header.start_op, 1, header.columns).runs())
    except Malformed:
        return None


def read(body: bytes, header: _Header) -> list[OpRun] | None:
    """As read without walking; walks where that is not possible, as the reader does."""
    try:
        single = _read_single(body, header.actors, header.start_op, header.columns)
    except Malformed:
        return None
    return [single] if single is not None else walked(body, header)


@given(bodies)
def test_what_a_builder_writes_needs_no_walk(body: bytes) -> None:
    header = _Header(body)
    single = _read_single(body, header.actors, header.start_op, header.columns)
    assert single is not None
    assert [single] == walked(body, header)


@given(bodies, st.data())
def test_damaged_ones_read_as_the_walk_reads_them(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(33, len(damaged) - 1))
        damaged[place] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 2, 0x7E, 0x7F, 0x80])))
    try:
        header = _Header(bytes(damaged))
    except Malformed:
        return
    assert read(bytes(damaged), header) == walked(bytes(damaged), header)
