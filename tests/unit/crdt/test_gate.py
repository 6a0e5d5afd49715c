"""The gate in front of the engine: what no engine would have written, or what does not fit the document, is refused.

Each refused change here was tried on the engine and on JavaScript without the gate: it makes one of them panic, lose
an edit, disagree with the other, or save a document that does not load.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import (
    HEAD,
    LIST,
    MAP,
    ROOT,
    TEXT,
    ChangeBuilder,
    Engine,
    Replica,
    encode_sync,
    read_chunk,
    splice_text,
    vet_sync,
)
from jupyter_runtimed.core.crdt.change_writer import DELETE, INCREMENT, SET
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, MAGIC, chunk_hash, make_chunk
from jupyter_runtimed.core.crdt.columns import uleb
from jupyter_runtimed.core.errors import Malformed, OtherLineage, OverLimit, ProtocolError
from jupyter_runtimed.core.limits import Limits
from tests.support.js_peer import JsProcess, requires_js

ALICE, BOB, CAROL = b"alice", b"bob", b"carol"
Change = tuple[bytes, bytes]


class Document:
    """Alice's document: two texts, a map with two keys, a list of two; and how Bob changes it."""

    def __init__(self) -> None:
        builder = ChangeBuilder(ALICE)
        self.text = (builder.make(None, "text", TEXT), ALICE)
        builder.text(self.text, "hello")
        self.other = (builder.make(None, "other", TEXT), ALICE)
        builder.text(self.other, "world")
        self.map = (builder.make(None, "map", MAP), ALICE)
        self.x = (builder.put(self.map, "x", 1), ALICE)
        self.y = (builder.put(self.map, "y", 2), ALICE)
        self.list = (builder.make(None, "list", LIST), ALICE)
        one = builder.insert(self.list, HEAD, 1)
        builder.insert(self.list, one, 2)
        self.chunk, self.head = builder.finish()
        self.next = builder.next

    def char(self, place: int) -> tuple[int, bytes]:
        return self.text[0] + place, ALICE

    def other_char(self, place: int) -> tuple[int, bytes]:
        return self.other[0] + place, ALICE

    def change(self, write: Callable[[ChangeBuilder], Any], **header: Any) -> Change:
        fields: dict[str, Any] = {"actor": BOB, "seq": 1, "start_op": self.next, "deps": (self.head,)} | header
        builder = ChangeBuilder(**fields)
        write(builder)
        return builder.finish()

    def replica(self) -> Replica:
        replica = Replica(b"", actor=CAROL, heads=(), known=())
        replica.append([(self.chunk, self.head)])
        return replica


D = Document()


def op(builder: ChangeBuilder, *args: Any, **fields: Any) -> int:
    """An operation that the builder has no method for."""
    return builder._operation(*args, **({"insert": False, "action": SET} | fields))


def name(builder: ChangeBuilder, actor: bytes) -> int:
    builder._others.add(actor)
    return builder.put(None, "z", 1)


WRONG_REFERENCES: dict[str, Callable[[ChangeBuilder], Any]] = {
    "a deletion of an element, with a predecessor in another text": lambda b: b.delete(
        D.text, D.char(1), [D.other_char(1)]
    ),
    "a deletion of an element, with another element as predecessor": lambda b: b.delete(D.text, D.char(1), [D.char(2)]),
    "a deletion of an element of another text": lambda b: b.delete(D.text, D.other_char(1), [D.other_char(1)]),
    "a deletion of nothing": lambda b: b.delete(D.map, "x", []),
    "a deletion of an element without predecessor": lambda b: b.delete(D.text, D.char(1), []),
    "an insertion behind an element of another text": lambda b: b.text(D.text, "Q", D.other_char(1)),
    "an insertion behind an element nobody made": lambda b: b.text(D.text, "Q", (999, ALICE)),
    "an insertion behind an element of nobody": lambda b: b.text(D.text, "Q", (2, CAROL)),
    "an insertion behind an element yet to come": lambda b: b.text(D.text, "Q", D.next + 5),
    "an insertion behind itself": lambda b: b.text(D.text, "Q", D.next),
    "an insertion behind a value of a map": lambda b: b.text(D.text, "Q", D.x),
    "a long insertion behind elements that end on the way": lambda b: [
        b.insert(D.text, (place, ALICE), "q") for place in range(D.text[0] + 3, D.text[0] + 9)
    ],
    "a value over another key's": lambda b: b.put(D.map, "x", 5, [D.y]),
    "a value over another object's": lambda b: b.put(D.map, "x", 5, [D.char(1)]),
    "a value over nobody's": lambda b: b.put(D.map, "x", 5, [(999, ALICE)]),
    "a value over itself": lambda b: b.put(D.map, "x", 5, [D.next]),
    "a value over one yet to come": lambda b: (b.put(D.map, "x", 5, [D.next + 1]), b.put(D.map, "x", 6, [D.x])),
    "a value over a deletion": lambda b: (b.delete(D.map, "x", [D.x]), b.put(D.map, "x", 5, [D.next])),
    "a map key in a text": lambda b: b.put(D.text, "k", 1),
    "an element in a map": lambda b: b.insert(D.map, HEAD, 1),
    "an object nobody made": lambda b: b.put((777, ALICE), "k", 1),
    "an object of nobody": lambda b: b.put((3, CAROL), "k", 1),
    "an object that is a scalar": lambda b: b.put(D.x, "k", 1),
    "an object that is made in itself": lambda b: b.put((D.next, BOB), "k", 1),
    "an object that is made later": lambda b: (b.put(D.next + 1, "k", 1), b.make(None, "late", MAP)),
}

WRONG_HEADERS: dict[str, Change] = {
    "a first change that is the fifth": D.change(lambda b: b.put(D.map, "z", 1), seq=5),
    "operations that count from the beginning again": D.change(lambda b: b.put(D.map, "z", 1), start_op=1),
    "operations that count on from the middle": D.change(lambda b: b.put(D.map, "z", 1), start_op=D.next - 1),
    "operations near the end of all counters": D.change(lambda b: b.put(D.map, "z", 1), start_op=2**32 - 2),
    "operations far beyond all others": D.change(lambda b: b.put(D.map, "z", 1), start_op=2**31),
}

UNWRITTEN: dict[str, Callable[[ChangeBuilder], Any]] = {
    "a table": lambda b: b.make(None, "table", 6),
    "a text mark": lambda b: op(b, D.text, D.char(1), insert=True, action=7, meta=2),
    "an unknown action": lambda b: op(b, D.map, "k", action=8),
    "an insertion that deletes": lambda b: op(b, D.text, D.char(1), insert=True, action=DELETE, pred=[D.char(1)]),
    "an insertion that overwrites": lambda b: op(
        b, D.text, D.char(1), insert=True, meta=0x16, raw=b"q", pred=[D.char(1)]
    ),
    "an insertion that counts": lambda b: op(b, D.text, D.char(1), insert=True, action=INCREMENT, meta=0x14, raw=b"\1"),
    "an insertion under a map key": lambda b: op(b, D.map, "x", insert=True, meta=0x16, raw=b"q", pred=[D.x]),
    "an operation on the place before the first element": lambda b: op(b, D.text, HEAD, meta=0x16, raw=b"q"),
    "an element of the root": lambda b: b.insert(None, HEAD, 1),
    "a map with a value": lambda b: op(b, D.map, "q", action=MAP, meta=0x16, raw=b"q"),
    "a deletion with a value": lambda b: op(b, D.map, "x", action=DELETE, meta=0x16, raw=b"q", pred=[D.x]),
    "an increment by an unsigned number": lambda b: op(b, D.map, "x", action=INCREMENT, meta=0x13, raw=b"\1"),
    "an increment by text": lambda b: op(b, D.map, "x", action=INCREMENT, meta=0x16, raw=b"q"),
    "a value of unknown type": lambda b: op(b, D.map, "q", meta=0x1A, raw=b"q"),
    "a string that is not UTF-8": lambda b: op(b, D.map, "q", meta=0x16, raw=b"\xff"),
    "characters that are not UTF-8 each": lambda b: [
        op(b, D.text, HEAD, insert=True, meta=0x26, raw=raw) for raw in (b"\xe6\x97", b"\xa5a")
    ],
    "a null of one byte": lambda b: op(b, D.map, "q", meta=0x10, raw=b"q"),
    "a float of four bytes": lambda b: op(b, D.map, "q", meta=0x45, raw=bytes(4)),
    "a number with padding": lambda b: op(b, D.map, "q", meta=0x24, raw=b"\x81\x00"),
    "a number shorter than its field": lambda b: op(b, D.map, "q", meta=0x24, raw=b"\x01\x01"),
    "a number of no bytes": lambda b: op(b, D.map, "q", meta=0x04),
    "an actor it has no use for": lambda b: name(b, ALICE),
    "values that are too few": lambda b: op(b, D.map, "q", meta=0x26, raw=b"q"),
    "values that are too many": lambda b: op(b, D.map, "q", meta=0x16, raw=b"qq"),
}

ODD: dict[str, Callable[[ChangeBuilder], Any]] = {
    "a character that is overwritten": lambda b: b.put(D.text, D.char(1), "Z", [D.char(1)]),
    "a number in a text": lambda b: b.insert(D.text, HEAD, 5),
    "a map in a text": lambda b: b.insert_make(D.text, HEAD, MAP),
    "a counter in a text": lambda b: op(b, D.text, HEAD, insert=True, meta=0x18, raw=b"\x01"),
    "several characters in one element": lambda b: b.insert(D.text, HEAD, "abc"),
    "no character in an element": lambda b: b.insert(D.text, HEAD, ""),
    "an increment of what is no counter": lambda b: op(
        b, D.map, "x", action=INCREMENT, meta=0x14, raw=b"\1", pred=[D.x]
    ),
    "an increment of nothing": lambda b: op(b, D.map, "x", action=INCREMENT, meta=0x14, raw=b"\1"),
    "an empty key": lambda b: b.put(D.map, "", 1),
    "no operation": lambda b: None,
    "the same key again and again": lambda b: [b.put(D.map, "x", n, [D.next + n - 1 if n else D.x]) for n in range(4)],
    "the same deletion twice": lambda b: [b.delete(D.map, "x", [D.x]) for _ in range(2)],
    "insertions at two places in turn": lambda b: [
        b.insert(D.text, D.next + n - 2 if n > 1 else D.char(n + 1), "q") for n in range(6)
    ],
    "insertions at one place": lambda b: [b.insert(D.text, D.char(2), "q") for _ in range(4)],
    "insertions backwards": lambda b: [b.insert(D.text, D.char(5 - n), "q") for n in range(4)],
    "a deletion of a stretch": lambda b: [b.delete(D.text, D.char(n), [D.char(n)]) for n in range(1, 6)],
    "a deletion backwards": lambda b: [b.delete(D.text, D.char(n), [D.char(n)]) for n in range(5, 0, -1)],
}


def vet(chunks: Sequence[bytes], limits: Limits | None = None) -> Any:
    return vet_sync(encode_sync(chunks), limits or Limits()).infos


@pytest.mark.parametrize("case", WRONG_REFERENCES)
def test_a_change_that_refers_to_what_is_not_so_is_refused(case: str) -> None:
    assert_refused([D.change(WRONG_REFERENCES[case])])


@pytest.mark.parametrize("case", WRONG_HEADERS)
def test_a_change_that_does_not_go_on_from_the_others_is_refused(case: str) -> None:
    assert_refused([WRONG_HEADERS[case]])


def test_two_changes_of_one_author_do_not_share_counters() -> None:
    first = D.change(lambda b: b.put(D.map, "z", 1))
    assert_refused([first, D.change(lambda b: b.put(D.map, "w", 2), seq=2, deps=(first[1],))])


def test_two_changes_of_one_author_do_not_share_a_number() -> None:
    first = D.change(lambda b: b.put(D.map, "z", 1))
    second = D.change(lambda b: b.put(D.map, "z", 2))
    assert_refused([first, second], OtherLineage)


def is_readable(chunk: bytes) -> bool:
    try:
        vet([chunk])
    except Malformed:
        return False
    return True


def assert_refused(changes: list[Change], error: type[ProtocolError] = Malformed) -> None:
    """The message is refused whole, and nothing of it stays: neither in the document nor in what is known of it."""
    replica = D.replica()
    infos = vet([chunk for chunk, _ in changes]) if all(is_readable(chunk) for chunk, _ in changes) else None
    if infos is not None:
        with pytest.raises(error):
            replica.apply(infos, origin="bob")
    assert replica.heads == (D.head,)
    assert replica.log_end == 1
    good = [D.change(lambda b: (b.put(D.map, "x", 9, [D.x]), b.text(D.text, "ok", D.char(5))))]
    assert [entry.hash for entry in replica.apply(vet([good[0][0]]), origin="bob")] == [good[0][1]]
    assert replica.engine.value(ROOT, "map") == {"x": 9, "y": 2}
    assert replica.engine.value(ROOT, "text") == "hellook"
    assert Engine.load(replica.engine.save(), CAROL).heads == replica.heads


@pytest.mark.parametrize("case", UNWRITTEN)
def test_what_no_engine_writes_is_malformed(case: str) -> None:
    with pytest.raises(Malformed):
        vet([D.change(UNWRITTEN[case])[0]])


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_but_sound_passes_and_does_no_harm(case: str) -> None:
    replica = D.replica()
    chunk, digest = D.change(ODD[case])
    assert [entry.hash for entry in replica.apply(vet([chunk]), origin="bob")] == [digest]
    replica.engine.extract()
    assert Engine.load(replica.save(), CAROL).heads == replica.heads
    splice_text(replica, replica.engine.child(ROOT, "text") or b"", 0, 1, "by us")
    splice_text(replica, replica.engine.child(ROOT, "text") or b"", 2, 3, "a longer one " * 10)
    assert replica.engine.text(replica.engine.child(ROOT, "text") or b"").startswith("bya longer one ")
    assert Engine.load(replica.save(), CAROL).heads == replica.heads


@requires_js
def test_javascript_takes_what_is_odd_but_sound() -> None:
    with JsProcess() as js:
        for case, write in ODD.items():
            peer = js.peer(D.chunk)
            chunk, digest = D.change(write)
            peer.apply([chunk])
            assert peer.heads == (digest,), case
            assert js.peer(peer.save()).heads == (digest,), case


def rewrite(change: Change, edit: Callable[[bytes], bytes]) -> bytes:
    """A change with another body and the right checksum for it."""
    return make_chunk(CHANGE_CHUNK, edit(read_chunk(change[0]).body))[0]


GOOD = D.change(lambda b: (b.put(D.map, "x", 9, [D.x]), b.text(D.text, "ok", D.char(5))))

TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "without its end": lambda body: body[:-1],
    "with twice its first dependency": lambda body: b"\x02" + body[1:33] * 2 + body[33:],
    "with absurdly many dependencies": lambda body: b"\xff\xff\x7f" + body[1:],
    "of an author without name": lambda body: body[:33] + b"\x00" + body[37:],
    "without sequence number": lambda body: body[:37] + b"\x00" + body[38:],
    "without operation counter": lambda body: body[:38] + b"\x00" + body[39:],
    "with a message that is not UTF-8": lambda body: body[:40] + b"\x01\xff" + body[41:],
    "of an author who is another too": lambda body: body.replace(b"\x01\x05alice", b"\x01\x03bob"),
    "with absurdly many columns": lambda body: body.replace(b"\x05alice\x0c", b"\x05alice\xff\x7f"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_change_with_a_good_checksum_is_malformed(case: str) -> None:
    body = read_chunk(GOOD[0]).body
    assert TAMPERED[case](body) != body
    with pytest.raises(Malformed):
        vet([rewrite(GOOD, TAMPERED[case])])


def test_a_bad_checksum_is_malformed() -> None:
    chunk = bytearray(GOOD[0])
    chunk[-1] ^= 1
    with pytest.raises(Malformed, match="checksum"):
        vet([bytes(chunk)])


def test_what_is_no_change_is_malformed() -> None:
    document = Engine.load(D.chunk, CAROL).save()
    for chunk in (document, b"", b"junk", D.chunk + b"junk", D.chunk[:20], D.chunk[:8] + b"\x03" + D.chunk[9:]):
        with pytest.raises(Malformed):
            vet([chunk])


def test_changes_may_stand_in_one_field_and_may_be_deflated() -> None:
    body = read_chunk(GOOD[0]).body
    deflated, digest = make_chunk(CHANGE_CHUNK, body, compress=True)
    infos = vet([D.chunk + deflated])
    assert [info.hash for info in infos] == [D.head, digest] == [D.head, GOOD[1]]
    assert infos[1].chunk == GOOD[0]


@pytest.mark.parametrize("wrong", [b"\x00", b"junk", zlib.compress(b"zlib, not deflate")])
def test_what_does_not_inflate_is_malformed(wrong: bytes) -> None:
    chunk = MAGIC + D.head[:4] + b"\x02" + uleb(len(wrong)) + wrong
    with pytest.raises(ProtocolError):
        vet([chunk])


# Bombs: small messages with which one peer could take the server's time or memory.


def null_insertions(times: int) -> Change:
    """A hundred bytes that say: insert a null, so many times."""

    def write(builder: ChangeBuilder) -> None:
        builder._object(D.list, times)
        builder._key_str.add(None, times)
        builder._element(HEAD)
        builder._key_actor.add(BOB, times - 1)
        builder._key_counter.sequence(builder.next, times - 1)
        builder._insert.add(True, times)
        builder._action.add(SET, times)
        builder._value_meta.add(0, times)
        builder._pred_number.add(0, times)

    return D.change(write)


def deflate_bomb() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflater.compress(bytes(200_000_000)) + deflater.flush()
    return MAGIC + chunk_hash(CHANGE_CHUNK, b"")[:4] + b"\x02" + uleb(len(packed)) + packed


def nested(depth: int) -> Change:
    def write(builder: ChangeBuilder) -> None:
        obj: Any = None
        for _ in range(depth):
            obj = builder.make(obj, "deeper", MAP)

    return D.change(write)


BOMBS: dict[str, Callable[[], list[bytes]]] = {
    "a million null insertions": lambda: [null_insertions(10**6)[0]],
    "a milliard null insertions": lambda: [null_insertions(10**9)[0]],
    "a hundred times twenty thousand null insertions": lambda: [null_insertions(20_000)[0]] * 100,
    "a deflate bomb": lambda: [deflate_bomb()],
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused_at_once(case: str) -> None:
    message = encode_sync(BOMBS[case]())
    started = time.perf_counter()
    with pytest.raises((OverLimit, Malformed)):
        vet_sync(message, Limits(max_inflated_bytes=4 << 20))
    assert time.perf_counter() - started < 0.5, "it takes a few milliseconds"


def test_a_small_message_may_still_delete_a_large_text() -> None:
    replica = Replica(b"", actor=CAROL, heads=(), known=())
    builder = ChangeBuilder(ALICE)
    text = (builder.make(None, "text", TEXT), ALICE)
    builder.text(text, "x" * 15_000)
    chunk, head = builder.finish()
    replica.append([(chunk, head)])
    deletion = ChangeBuilder(BOB, 1, builder.next, [head])
    for counter in range(2, 15_002):
        deletion.delete(text, (counter, ALICE), [(counter, ALICE)])
    chunk, _ = deletion.finish()
    assert len(chunk) < 200
    replica.apply(vet([chunk]), origin="bob")
    assert replica.engine.value(ROOT, "text") == ""


def test_objects_are_nested_only_so_deep() -> None:
    limit = Limits().max_depth
    replica = D.replica()
    replica.apply(vet([nested(limit)[0]]), origin="bob")
    with pytest.raises(Malformed, match="nested"):
        D.replica().apply(vet([nested(limit + 1)[0]]), origin="bob")
    deepest = (D.next + limit - 1, BOB)
    deeper = ChangeBuilder(BOB, 2, D.next + limit, replica.heads)
    deeper.make(deepest, "deeper", LIST)
    with pytest.raises(Malformed, match="nested"):
        replica.apply(vet([deeper.finish()[0]]), origin="bob")


def test_a_message_has_a_limit_of_operations_and_bytes() -> None:
    with pytest.raises(OverLimit):
        vet([D.chunk], Limits(max_message_ops=5))
    with pytest.raises(OverLimit):
        vet([D.chunk, GOOD[0]], Limits(max_inflated_bytes=len(D.chunk)))
