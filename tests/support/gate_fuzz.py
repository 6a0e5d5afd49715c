"""Throw damaged and invented changes at a replica behind its gate, and see that nothing comes to harm.

Run as a program, because what gets past the gate may abort the process: `python -m tests.support.gate_fuzz SEED TIMES`.
It prints a summary and ends with 0, or with a traceback at the first harm.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from typing import Any

from jupyter_runtimed.core.crdt import (
    LIST,
    MAP,
    ROOT,
    TEXT,
    AheadReplica,
    ChangeBuilder,
    Engine,
    Replica,
    encode_sync,
    read_chunk,
    vet_sync,
)
from jupyter_runtimed.core.crdt.change_writer import DELETE, INCREMENT, SET
from jupyter_runtimed.core.crdt.chunks import CHANGE_CHUNK, make_chunk
from jupyter_runtimed.core.crdt.columns import encode_scalar
from jupyter_runtimed.core.crdt.insertion import next_insertion, write_insertion
from jupyter_runtimed.core.errors import ProtocolError
from jupyter_runtimed.core.limits import Limits

os.environ["RUST_BACKTRACE"] = "0"

ALICE, BOB, EVE, SERVER = (name.ljust(16, b"-") for name in (b"alice", b"bob", b"eve", b"server"))
SLOW_SECONDS = 2.0
"""Of processor time: a machine that is busy with other things is no harm."""


class Ground:
    """A document by two authors, with everything in it, and the sync messages of two engines that met."""

    def __init__(self) -> None:
        one, two = Engine.empty(ALICE), Engine.empty(BOB)
        with one.transaction() as writer:
            cells = writer.make(ROOT, "cells", MAP)
            for number in range(3):
                cell = writer.make(cells, f"c{number}", MAP)
                writer.put(cell, "id", f"c{number}")
                writer.splice_text(writer.make(cell, "source", TEXT), 0, 0, "hello wörld 🎉")
            writer.put(ROOT, "list", [1, "two", {"three": 3.0}, [None, True]])
        states = Replica.new_sync_state(), Replica.new_sync_state()
        self.messages: list[bytes] = []
        for number in range(6):
            turns = ((one, two, states[0], states[1]), (two, one, states[1], states[0]))
            for speaker, hearer, mine, theirs in turns:
                message = speaker.generate(mine)
                if message is not None:
                    self.messages.append(message)
                    hearer.receive(theirs, message)
            for engine in (one, two):
                cells_id = engine.child(ROOT, "cells")
                if cells_id is None:
                    continue
                source = engine.child(engine.child(cells_id, f"c{number % 3}") or b"", "source")
                with engine.transaction() as writer:
                    writer.splice_text(source or b"", number, 1, "éx")
                    writer.put(ROOT, f"k{number}", number)
                    writer.delete(ROOT, f"k{number - 2}")
        one.apply([chunk for _, chunk in two.changes_since(())])
        self.data = one.save()
        self.chunks = [chunk for _, chunk in one.changes_since(())]
        self.infos = [read_chunk(chunk) for chunk in self.chunks]
        self.heads = one.heads
        self.next = 1 + max(info.max_op for info in self.infos)
        self.ops = [
            (run.first + offset, info.actor)
            for info in self.infos
            for run in info.runs()
            for offset in range(run.times)
        ]
        self.objects: list[Any] = [None, *[obj for info in self.infos for obj in info.made]]
        self.kinds = {obj: made[0] for info in self.infos for obj, made in info.made.items()} | {None: MAP}
        self.inside = {
            obj: [
                (run.first + offset, info.actor)
                for info in self.infos
                for run in info.runs()
                if run.obj == obj
                for offset in range(run.times)
            ]
            for obj in self.objects
        }


def damage(dice: random.Random, data: bytes) -> bytes:
    """Bytes with a few of them changed, gone, doubled or made large."""
    damaged = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        if not damaged:
            break
        at = dice.randrange(len(damaged))
        match dice.randrange(7):
            case 0:
                damaged[at] ^= 1 << dice.randrange(8)
            case 1:
                damaged[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            case 2:
                del damaged[at : at + dice.randrange(1, 5)]
            case 3:
                damaged[at:at] = dice.randbytes(dice.randrange(1, 5))
            case 4:
                damaged[at:at] = damaged[at : dice.randrange(at, len(damaged))]
            case 5:
                del damaged[at:]
            case _:
                damaged[at : at + 1] = b"\xff\xff\xff\xff\x0f"
    return bytes(damaged)


def damaged_change(dice: random.Random, ground: Ground) -> list[bytes]:
    """A history whose last change is damaged behind its dependencies, and has the right checksum."""
    number = dice.randrange(len(ground.chunks))
    body = ground.infos[number].body
    spared = 1 + 32 * body[0]
    spared += (1 + body[spared]) * dice.randrange(2)
    return [*ground.chunks[:number], make_chunk(CHANGE_CHUNK, body[:spared] + damage(dice, body[spared:]))[0]]


def invented_change(dice: random.Random, ground: Ground) -> list[bytes]:
    """A change of well-formed operations whose references are mostly, but not all, right."""
    builder = ChangeBuilder(EVE, 1, ground.next, ground.heads)
    for _ in range(dice.randrange(1, 5)):
        obj = dice.choice(ground.objects) if dice.random() < 0.95 else dice.choice(ground.ops)
        kind = ground.kinds.get(obj, MAP)
        near = ground.inside.get(obj) or ground.ops
        pool = near if dice.random() < 0.9 else ground.ops
        on_key = (kind == MAP) == (dice.random() < 0.95)
        action = dice.choice((SET, SET, SET, DELETE, MAP, LIST, TEXT, INCREMENT))
        insert = not on_key and action not in (DELETE, INCREMENT) and dice.random() < 0.6
        key: Any = dice.choice(("id", "source", "k0", "k5", "new")) if on_key else dice.choice(pool)
        if insert and dice.random() < 0.2:
            key = 0
        preds = [] if insert or dice.random() < 0.2 else [key if not on_key else dice.choice(pool)]
        if not on_key and builder.next > ground.next and dice.random() < 0.2:
            key = builder.next - 1
        value = dice.choice((None, 1, "x", "wide", 2.5, b"bytes", True)) if action == SET else None
        meta, raw = encode_scalar(1 if action == INCREMENT else value)
        builder._operation(obj, key, insert=insert, action=action, meta=meta, raw=raw, pred=preds)
    return [*ground.chunks, builder.finish()[0]]


def invented_insertions(dice: random.Random, ground: Ground) -> tuple[list[bytes], list[bytes]]:
    """A history with one head, and keys that somebody hits behind it, most of which are possible."""
    joining = ChangeBuilder(EVE, 1, ground.next, ground.heads)
    joining.put(None, "joined", dice.randrange(100))
    chunk, head = joining.finish()
    keys: list[bytes] = []
    texts = [obj for obj, kind in ground.kinds.items() if kind == TEXT and obj is not None]
    others = [obj for obj in ground.objects if obj is not None]
    obj = dice.choice(texts)
    mine: list[Any] = []
    for number in range(dice.choice((1, 3, 10, 40))):
        slip = dice.randrange(40)
        if slip < 4:
            obj = dice.choice(texts if slip else others)
        near = mine[-1:] if mine and dice.random() < 0.7 else [*ground.inside[obj], *mine]
        after = None if slip == 5 or not near else dice.choice(ground.ops if slip == 6 else near)
        counter, seq = ground.next + 1 + number + (slip == 7) * dice.randrange(-5, 5), 2 + number + (slip == 8)
        key = next_insertion(EVE, seq, counter, head, obj, after, dice.choice("xé🎉\n"))
        assert key is not None
        chunk_of_key, head = make_chunk(CHANGE_CHUNK, write_insertion(key))
        keys.append(chunk_of_key)
        mine.append(key.element)
    return [*ground.chunks, chunk], keys


def attack(dice: random.Random, ground: Ground) -> str:
    """One message to a fresh replica; what became of it. Raises when anything came to harm."""
    kind = dice.choice(("damaged message", "damaged change", "invented change", "invented change", "invented keys"))
    replica = AheadReplica(b"", actor=SERVER, heads=(), known=())
    messages: list[bytes] = []
    if kind == "damaged message":
        message = damage(dice, dice.choice(ground.messages))
    elif kind == "invented keys":
        chunks, keys = invented_insertions(dice, ground)
        replica.apply([read_chunk(chunk) for chunk in chunks], origin=None)
        *messages, message = [encode_sync([key]) for key in keys]
    else:
        chunks = damaged_change(dice, ground) if kind == "damaged change" else invented_change(dice, ground)
        message = encode_sync(chunks[-1:], capabilities=[1, 2])
        if len(chunks) > 1:
            replica.apply([read_chunk(chunk) for chunk in chunks[:-1]], origin=None)
    outcome, started = kind, time.process_time()
    for each in (*messages, message):
        before = replica.heads
        try:
            entries = replica.apply(vet_sync(each, Limits()).infos, origin="eve")
        except ProtocolError as error:
            outcome = f"{kind}: {type(error).__name__}: {error}"
            assert replica.heads == before
            break
        outcome = f"{kind}: {'applied' if entries else 'nothing new'}"
    assert not replica.panics, f"the engine panicked: {outcome}"
    assert time.process_time() - started < SLOW_SECONDS, f"slow: {outcome}"
    check(replica)
    return outcome


def check(replica: Replica) -> None:
    """The document can be read, edited, saved and loaded."""
    with replica.transact() as writer:
        writer.put(ROOT, "by the server", 1)
    heads, value = replica.heads, repr(replica.engine.extract())
    loaded = Engine.load(replica.engine.save(), SERVER)
    assert loaded.heads == heads
    assert repr(loaded.extract()) == value
    assert len(replica.engine.changes_since(())) == replica.n_changes
    assert not replica.panics, "the engine did not take what was entered ahead of it"


def main(seed: int, times: int) -> None:
    """So many attacks, from a seed on."""
    ground = Ground()
    outcomes: Counter[str] = Counter()
    for number in range(seed, seed + times):
        try:
            outcomes[attack(random.Random(number), ground)] += 1
        except BaseException:
            print("harm at seed", number, flush=True)
            raise
    for outcome, count in outcomes.most_common():
        print(count, outcome)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
