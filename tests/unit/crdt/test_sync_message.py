"""Sync messages, as literal bytes and against the engine's and JavaScript's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import ROOT, Engine, Replica, SyncMessage, encode_news, encode_sync, parse_sync
from jupyter_runtimed.core.crdt.sync_message import V1, V2, encode_changes
from jupyter_runtimed.core.errors import Malformed, ProtocolError
from tests.support.js_peer import JsProcess, requires_js

ONE, TWO = b"\x01" * 32, b"\x02" * 32


def test_an_empty_message() -> None:
    assert encode_sync() == bytes.fromhex("4200000000")
    assert parse_sync(bytes.fromhex("4200000000")) == SyncMessage(V1, (), (), (), (), b"")


def test_every_field_has_its_place() -> None:
    message = encode_sync([b"change"], [TWO, ONE], need=[TWO], have=[([ONE], b"")], capabilities=[1, 2])
    assert message == b"\x42\x02" + ONE + TWO + b"\x01" + TWO + b"\x01\x01" + ONE + b"\x00" + b"\x01\x06change" + (
        b"\x02\x01\x02"
    )
    parsed = parse_sync(message)
    assert parsed == SyncMessage(V1, (ONE, TWO), (TWO,), (((ONE,), b""),), (b"change",), b"\x01\x02")
    assert parsed.takes_document_chunks


def test_a_v2_message_has_all_chunks_in_one_field() -> None:
    message = encode_sync([b"one", b"two"], [ONE], v2=True)
    assert message == b"\x43\x01" + ONE + b"\x00\x00\x01\x06onetwo"
    assert parse_sync(message).version == V2


HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=3)


@given(HASHES, HASHES, HASHES, st.lists(st.binary(min_size=1), max_size=3), st.none() | st.just([1, 2]), st.booleans())
def test_what_was_written_is_read(
    heads: list[bytes], need: list[bytes], have: list[bytes], chunks: list[bytes], caps: list[int] | None, v2: bool
) -> None:
    parsed = parse_sync(encode_sync(chunks, heads, need, [(have, b"")], caps, v2=v2))
    assert parsed.heads == tuple(sorted(heads))
    assert parsed.need == tuple(sorted(need))
    assert parsed.have == ((tuple(sorted(have)), b""),)
    assert b"".join(parsed.changes) == b"".join(chunks)
    assert parsed.capabilities == bytes(caps or [])


@given(HASHES, HASHES, st.lists(st.binary(min_size=1, max_size=300), max_size=3))
def test_the_short_ways_write_the_same(heads: list[bytes], had: list[bytes], chunks: list[bytes]) -> None:
    assert encode_news(chunks, heads, had) == encode_sync(chunks, heads, have=[(had, b"")])
    assert encode_changes(chunks) == encode_sync(chunks)


def test_a_key_is_read_the_short_way_only_when_nothing_follows() -> None:
    message = encode_news([b"change"], [ONE], [TWO])
    key = SyncMessage(V1, (ONE,), (), (((TWO,), b""),), (b"change",), b"")
    assert parse_sync(message) == key
    assert parse_sync(b"\x43" + message[1:]) == key._replace(version=V2)
    assert parse_sync(message + b"\x02\x01\x02") == key._replace(capabilities=b"\x01\x02")
    with pytest.raises(Malformed):
        parse_sync(message[:-1])


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"\x42" + data))
def test_bytes_that_are_no_message_raise_protocol_errors_and_nothing_else(data: bytes) -> None:
    try:
        parse_sync(data)
    except ProtocolError:
        pass


def test_every_truncation_of_a_message_is_malformed() -> None:
    message = encode_sync([b"change"], [ONE], [TWO], [([ONE], b"\x01\x0a\x07\x00\x00")])
    parse_sync(message)
    for size in range(len(message)):
        with pytest.raises(Malformed):
            parse_sync(message[:size])


@pytest.mark.parametrize(
    "bloom",
    [
        b"\xe8\x07\x0a\xff\xff\xff\xff\x0f" + bytes(1250),  # 2^32 probes: 16 GB in the engine, which aborts
        b"\x01\xff\x7f\x07" + bytes(2048),  # 16383 bits an entry
        b"\xff\xff\xff\xff\x0f\x00\x07",  # 2^32 entries of no bits
        b"\x0a\x0a\x07" + bytes(12),  # a byte short
        b"\x0a\x0a\x07" + bytes(14),  # a byte long
        b"\x0a",
    ],
)
def test_absurd_bloom_filters_are_malformed(bloom: bytes) -> None:
    with pytest.raises(Malformed):
        parse_sync(encode_sync((), have=[([], bloom)]))


@pytest.mark.parametrize("count", [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff\xff\x7f"])
@pytest.mark.parametrize("before", [b"\x42", b"\x42\x00", b"\x42\x00\x00", b"\x42\x00\x00\x00", b"\x42\x00\x00\x01"])
def test_absurd_counts_are_malformed(before: bytes, count: bytes) -> None:
    with pytest.raises(Malformed):
        parse_sync(before + count)


def engine(number: int) -> Engine:
    made = Engine.empty(bytes([number]) * 16)
    for edit in range(5):
        with made.transaction() as writer:
            writer.put(ROOT, f"key {number} {edit}", edit)
    return made


def test_the_engines_messages_are_read_whole() -> None:
    one, two = engine(1), engine(2)
    states = Replica.new_sync_state(), Replica.new_sync_state()
    quiet = 0
    while quiet < 2:
        message = one.generate(states[0])
        quiet = 0 if message else quiet + 1
        if message:
            parsed = parse_sync(message)
            assert parsed.heads == one.heads
            again = encode_sync(
                parsed.changes,
                parsed.heads,
                parsed.need,
                parsed.have,
                parsed.capabilities or None,
                v2=parsed.version == V2,
            )
            assert again == message
            two.receive(states[1], message)
        one, two, states = two, one, states[::-1]
    assert one.heads == two.heads and len(one.hashes()) == 10


@requires_js
def test_javascripts_messages_are_read_and_ours_are_understood() -> None:
    with JsProcess() as js:
        peer = js.peer()
        peer.change("doc.a = 1")
        hello = peer.generate()
        assert hello is not None
        parsed = parse_sync(hello)
        assert parsed.heads == peer.heads and parsed.takes_document_chunks and parsed.changes == ()

        ours = engine(3)
        peer.receive(encode_sync((), ours.heads, capabilities=[1, 2]))
        answer = peer.generate()
        assert answer is not None and parse_sync(answer).need == ours.heads

        peer.receive(encode_sync([ours.save()], ours.heads, have=[(ours.heads, b"")], capabilities=[1, 2], v2=True))
        assert set(ours.heads) < set(peer.heads)
        answer = peer.generate()
        assert answer is not None and parse_sync(answer).need == ()
