"""A change that inserts one string is read by one expression; it must read as the walk reads it, broken or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, _Header, read_change
from jupyter_runtimed.core.crdt.change_writer import HEAD, ChangeBuilder, OpId
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, make_chunk
from jupyter_runtimed.core.crdt.column_reader import read_bytes
from jupyter_runtimed.core.crdt.insertion import next_insertion, read_insertion, write_insertion
from jupyter_runtimed.core.crdt.log import BODY_AT
from jupyter_runtimed.core.crdt.operations import _Walk
from jupyter_runtimed.core.errors import Malformed

ACTORS = [bytes((number,)) * size for number in (1, 2, 3) for size in (16, 32)] + [b"other"]

actors = st.sampled_from(ACTORS)
counters = st.one_of(st.integers(1, 200), st.integers(1, (1 << 32) - 3))
ids = st.tuples(counters, actors)
characters = st.characters(exclude_categories=["Cs"])


def built(
    author: bytes, seq: int, counter: int, time: int, deps: list[bytes], obj: OpId, after: OpId | None, string: str
) -> bytes:
    """The body of such a change as the general writer writes it."""
    builder = ChangeBuilder(author, seq=seq, start_op=counter, deps=deps, time=time)
    builder.insert(obj, HEAD if after is None else after, string)
    return read_bytes(builder.finish()[0], BODY_AT)[0]


bodies = st.builds(
    built,
    actors,
    counters,
    counters,
    st.sampled_from([0, 0, 1, 1_790_000_000, -5]),
    st.lists(st.binary(min_size=32, max_size=32), min_size=0, max_size=2, unique=True),
    ids,
    st.none() | ids,
    st.text(characters, max_size=4),
)


def walked(body: bytes) -> tuple[object, ...] | None:
    """What the walk says of a change of one operation."""
    try:
        header = _Header(body)
        (run,) = _Walk(body, header.actors, header.start_op, 1, header.columns).runs()
    except (Malformed, ValueError):
        return None
    return header.actors, header.seq, header.start_op, header.deps, run


def said(info: ChangeInfo) -> tuple[object, ...]:
    (run,) = info.runs()
    return info.actors, info.seq, info.start_op, info.deps, run


@given(bodies)
def test_what_a_builder_writes_reads_as_walked(body: bytes) -> None:
    chunk, digest = make_chunk(CHANGE_CHUNK, body)
    assert said(read_change(body, chunk, digest, 10)) == walked(body)


@given(actors, counters, counters, st.binary(min_size=32, max_size=32), ids, st.none() | ids, characters)
def test_what_is_written_by_the_template_is_what_the_builder_writes(
    author: bytes, seq: int, counter: int, dep: bytes, obj: OpId, after: OpId | None, string: str
) -> None:
    insertion = next_insertion(author, seq, counter, dep, obj, after, string)
    if any(len(actor) not in (16, 32) for actor in (author, obj[1], *([after[1]] if after else []))):
        assert insertion is None
        return
    assert insertion is not None
    body = write_insertion(insertion)
    assert body == built(author, seq, counter, 0, [dep], obj, after, string)
    assert read_insertion(body) == insertion


@given(bodies, st.data())
def test_damaged_ones_read_as_the_walk_reads_them(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 2, 8, 9, 0x7E, 0x7F, 0x80])))
    found = read_insertion(bytes(damaged))
    if found is not None:
        chunk, digest = make_chunk(CHANGE_CHUNK, bytes(damaged))
        assert said(read_change(bytes(damaged), chunk, digest, 10)) == walked(bytes(damaged))
