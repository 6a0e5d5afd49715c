"""Whatever happens to the end of a log file, reading it gives a prefix of what was written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.journal import HEADER, RecordKind, encode_record, iter_records, read_journal
from jupyter_runtimed.core.journal import RecordDamage as Damage

OF_BYTES = [kind for kind in RecordKind if kind not in (RecordKind.META, RecordKind.VERSION)]

records = st.lists(
    st.tuples(st.sampled_from(OF_BYTES), st.binary(max_size=40))
    | st.builds(lambda number: (RecordKind.VERSION, b'{"number":%d}' % number), st.integers(0, 9)),
    max_size=8,
)


def read_all(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    try:
        for kind, payload, _ in iter_records(data):
            found.append((kind, bytes(payload)))
    except Damage:
        pass
    return found


@given(records)
def test_what_was_written_is_read(written: list[tuple[RecordKind, bytes]]) -> None:
    data = HEADER + b"".join(encode_record(*record) for record in written)
    assert read_all(data) == written
    assert read_journal(data).good_length == len(data)


@settings(max_examples=200)
@given(records, st.data())
def test_a_truncated_file_reads_as_a_prefix(written: list[tuple[RecordKind, bytes]], data: st.DataObject) -> None:
    encoded = [encode_record(*record) for record in written]
    whole = HEADER + b"".join(encoded)
    length = data.draw(st.integers(len(HEADER), len(whole)))
    found = read_all(whole[:length])
    assert found == written[: len(found)]
    # Not one record fewer than there are whole ones.
    kept = sum(len(e) for e in encoded[: len(found)]) + len(HEADER)
    assert kept <= length and (len(found) == len(written) or kept + len(encoded[len(found)]) > length)
    journal = read_journal(whole[:length])
    assert journal.good_length == kept and (journal.damage is None) == (kept == length)


@settings(max_examples=200)
@given(records.filter(bool), st.data())
def test_a_flipped_byte_reads_as_the_prefix_before_it(
    written: list[tuple[RecordKind, bytes]], data: st.DataObject
) -> None:
    encoded = [encode_record(*record) for record in written]
    whole = bytearray(HEADER + b"".join(encoded))
    at = data.draw(st.integers(len(HEADER), len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    before = 0
    end = len(HEADER)
    while end + len(encoded[before]) <= at:
        end += len(encoded[before])
        before += 1
    assert read_all(bytes(whole)) == written[:before]
    journal = read_journal(bytes(whole))
    assert journal.good_length == end and journal.damage is not None


@given(records, st.binary(min_size=1, max_size=60))
def test_a_tail_of_anything_never_adds_a_record(written: list[tuple[RecordKind, bytes]], tail: bytes) -> None:
    whole = HEADER + b"".join(encode_record(*record) for record in written)
    for junk in (tail, bytes(len(tail))):
        found = read_all(whole + junk)
        assert found == written
