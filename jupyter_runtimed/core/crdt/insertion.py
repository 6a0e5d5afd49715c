"""A change that inserts one string into a text and does nothing else, as nearly every key that somebody hits.

It is read by one expression and written by one template; the columns of a change that does more are walked
(`operations`). Both know a part of what there may be: a change with one dependency, actors of the usual sizes, a string
of up to seven bytes. What they know they read and write exactly as the walk and the engine do.

```
1 dependency · author · seq · first operation · time · no message · the other actors
columns      object: actor, counter · element behind which: actor, counter (of the head: 0) · insert · set · string
```
"""

from __future__ import annotations

import re
from typing import NamedTuple

from jupyter_runtimed.core.crdt.change_writer import MAX_COUNTER, OpId
from jupyter_runtimed.core.crdt.column_reader import read_sleb, read_uleb
from jupyter_runtimed.core.crdt.columns import sleb, uleb
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.ids import Hash

MAX_BYTES = 7
"""UTF-8 bytes of the string: so that its size and type are one byte."""

ACTOR_SIZES = (16, 32)
"""Bytes of an actor id: a random one, and an import's."""

_BYTE = [bytes((number,)) for number in range(256)]

_INSERTION = re.compile(
    (
        rb"\x01(?P<dep>.{32})(?P<author>ACTOR)(?P<seq>NUMBER)(?P<counter>NUMBER)(?P<time>SIGNED)\x00"
        rb"(?:\x00|\x01(?P<other>ACTOR)|\x02(?P<first>ACTOR)(?P<second>ACTOR))"
        rb"(?:\x08\x01\x02\x02(?P<front>.)|\x09\x01\x02\x02(?P<inside>.)\x11\x02)"
        rb"\x13(?P<key_size>.)\x34\x02\x42\x02\x56\x02\x57(?P<raw_size>[\x01-\x07])\x70\x02"
        rb"\x7f(?P<obj_actor>[\x00-\x02])\x7f(?P<obj>NUMBER)(?:\x7f(?P<key_actor>[\x00-\x02]))?\x7f(?P<key>SIGNED)"
        rb"\x00\x01\x7f\x01\x7f(?P<meta>.)(?P<raw>.{1,7})\x7f\x00"
    )
    .replace(b"ACTOR", rb"(?:\x10.{16}|\x20.{32})")
    .replace(b"NUMBER", rb"(?:[\x00-\x7f]|[\x80-\xff]{1,8}[\x01-\x7f])")
    .replace(b"SIGNED", rb"[\x80-\xff]{0,8}[\x00-\x7f]"),
    re.DOTALL,
)


class Insertion(NamedTuple):
    """What such a change says.

    Attributes:
        actors: the author, then the others it names.
        seq: its number among the author's changes.
        counter: of its operation.
        dep: the change it builds on.
        obj: the text.
        after: the element behind which; None is the front.
        string: what is inserted, as one element.
    """

    actors: tuple[bytes, ...]
    seq: int
    counter: int
    dep: Hash
    obj: OpId
    after: OpId | None
    string: str

    @property
    def element(self) -> OpId:
        """The element it makes."""
        return self.counter, self.actors[0]


def next_insertion(
    actor: bytes, seq: int, counter: int, dep: Hash, obj: OpId, after: OpId | None, string: str
) -> Insertion | None:
    """The insertion of a string by an author; None when it is not one of those that are known here.

    Raises:
        UnicodeEncodeError: the string has lone surrogates.
    """
    first, second = obj[1], after[1] if after is not None else actor
    actors: tuple[bytes, ...]
    if first in (actor, second):
        actors = (actor,) if second == actor else (actor, second)
    elif second == actor:
        actors = (actor, first)
    else:
        actors = (actor, min(first, second), max(first, second))
    if not 0 < len(string.encode()) <= MAX_BYTES:
        return None
    for each in actors:
        if len(each) not in ACTOR_SIZES:
            return None
    return Insertion(actors, seq, counter, dep, obj, after, string)


def read_insertion(body: bytes) -> Insertion | None:
    """Read the body of a change. None when it is more than this, or is not as the engine writes it."""
    match = _INSERTION.fullmatch(body)
    if match is None:
        return None
    (dep, author, seq, counter, time, other, first, second, front, inside, key_size, raw_size,
     obj_actor, obj, key_actor, key, meta, raw) = match.groups()  # fmt: skip
    actors = tuple([actor[1:] for actor in (author, other, first, second) if actor])
    obj_at, key_at = obj_actor[0], key_actor[0] if key_actor else 0
    if (
        (front or inside)[0] != len(obj) + 1
        or key_size[0] != len(key) + 1
        or raw_size[0] != len(raw)
        or meta[0] != len(raw) << 4 | 6
        or (front is None) == (key_actor is None)
        or max(obj_at, key_at) >= len(actors)
        or len({0, obj_at, key_at}) != len(actors)
        or (len(actors) > 1 and (author[1:] in actors[1:] or (second and actors[1] >= actors[2])))
    ):
        return None
    try:
        obj_id = read_uleb(obj, 0)[0], actors[obj_at]
        key_counter = read_sleb(key, 0)[0]
        found = Insertion(
            actors,
            read_uleb(seq, 0)[0],
            read_uleb(counter, 0)[0],
            dep,
            obj_id,
            None if front else (key_counter, actors[key_at]),
            raw.decode(),
        )
        read_sleb(time, 0)
    except (Malformed, UnicodeDecodeError):
        return None
    is_key = key_counter == 0 if front else key_counter > 0
    return found if is_key and found.seq and obj_id[0] and 0 < found.counter < MAX_COUNTER else None


def write_insertion(insertion: Insertion) -> bytes:
    """The body of such a change, as the engine writes it; the other way round than `read_insertion`."""
    (actor, *others), seq, counter, dep, obj, after, string = insertion
    raw = string.encode()
    index = {named: place for place, named in enumerate(insertion.actors)}
    obj_counter = uleb(obj[0])
    key_counter = sleb(after[0]) if after is not None else b"\x00"
    key_column = b"\x7f" + _BYTE[index[after[1]]] if after is not None else b""
    return b"".join(
        (
            b"\x01", dep, uleb(len(actor)), actor, uleb(seq), uleb(counter), b"\x00\x00", _BYTE[len(others)],
            *[uleb(len(other)) + other for other in others],
            b"\x09" if key_column else b"\x08", b"\x01\x02\x02", _BYTE[len(obj_counter) + 1],
            b"\x11\x02\x13" if key_column else b"\x13", _BYTE[len(key_counter) + 1],
            b"\x34\x02\x42\x02\x56\x02\x57", _BYTE[len(raw)], b"\x70\x02\x7f", _BYTE[index[obj[1]]],
            b"\x7f", obj_counter, key_column, b"\x7f", key_counter,
            b"\x00\x01\x7f\x01\x7f", _BYTE[len(raw) << 4 | 6], raw, b"\x7f\x00",
        )
    )  # fmt: skip
