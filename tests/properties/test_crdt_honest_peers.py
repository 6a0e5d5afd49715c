"""The gate lets through whatever honest engines write, in whatever order it comes, and the document is theirs."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, AheadReplica, Engine, encode_sync, splice_text, vet_sync
from jupyter_runtimed.core.crdt.engine import op_id
from jupyter_runtimed.core.limits import Limits
from tests.support.js_peer import JsPeer, JsProcess, requires_js

os.environ["RUST_BACKTRACE"] = "0"  # reading a counter is a caught panic in the engine; it need not draw a picture

JS_EDITS = """
const dice = n => { args.seed = (args.seed * 1103515245 + 12345) & 0x7fffffff; return (args.seed >> 8) % n }
const pick = list => list[dice(list.length)]
const VALUES = [
  null, true, 1, -1, 2 ** 40, 1.5, NaN, "", "plain", "aé🎉日", new A.ImmutableString("str"), new Date(1e12),
  new Uint8Array([0, 255]), new A.Counter(3), [], {}, [1, [2, null, "x"]], { deep: { er: [{}] }, n: null },
  9007199254740993n,
]
for (let times = 1 + dice(4); times; times--) {
  const ids = Object.keys(doc.cells)
  const cell = ids.length ? doc.cells[pick(ids)] : null
  switch (dice(12)) {
    case 0: doc.cells["j" + dice(1000)] = { source: pick(["", "new 🎉"]), meta: pick(VALUES) }; break
    case 1: if (ids.length > 1) delete doc.cells[pick(ids)]; break
    case 2: doc["k" + dice(4)] = pick(VALUES); break
    case 3: delete doc["k" + dice(4)]; break
    case 4: doc.list.splice(dice(doc.list.length + 1), dice(3), pick(VALUES), pick(VALUES)); break
    case 5: if (doc.list.length) doc.list[dice(doc.list.length)] = pick(VALUES); break
    case 6: if (doc.k1 instanceof A.Counter) doc.k1.increment(dice(9) - 4); break
    case 7: if (cell && typeof cell.source === "string") A.updateText(doc, ["cells", ids[0], "source"], "all other"); break
    case 8: doc.list.unshift(1, 2, 3); break
    default:
      if (cell && typeof cell.source === "string" && doc.cells[ids[0]] && typeof doc.cells[ids[0]].source === "string") {
        const path = ["cells", ids[0], "source"], length = doc.cells[ids[0]].source.length
        const at = dice(length + 1)
        A.splice(doc, path, at, dice(Math.min(4, length - at + 1)), pick(["a", "é", "🎉", "日本", "x = 1\\n", "long ".repeat(60)]))
        // Alternately at two places: elements behind one another with gaps.
        if (dice(3) === 0) for (let n = 0; n < 4; n++) { A.splice(doc, path, 0, 0, "<"); A.splice(doc, path, 1 + n, 0, ">") }
      }
  }
}
"""

FIRST = 'doc.cells = { first: { source: "hello wörld 🎉" } }; doc.list = [1, 2, 3]; doc.k1 = new A.Counter(1)'


@pytest.fixture(scope="module")
def js() -> Iterator[JsProcess]:
    with JsProcess() as process:
        yield process


def edit_by_engine(engine: Engine, dice: random.Random) -> None:
    """Edits that the JavaScript interface does not offer as well."""
    cells = engine.child(ROOT, "cells")
    assert cells is not None
    keys = engine.keys(cells)
    source = engine.child(engine.child(cells, dice.choice(keys)) or b"", "source") if keys else None
    with engine.transaction() as writer:
        for _ in range(1 + dice.randrange(4)):
            match dice.randrange(5):
                case 0:
                    writer.put(ROOT, f"k{dice.randrange(4)}", dice.choice([1, "x", None, {"a": [1]}]))
                case 1:
                    cell = writer.make(cells, f"p{dice.randrange(100)}", MAP)
                    writer.splice_text(writer.make(cell, "source", TEXT), 0, 0, "by engine 🎉")
                case 2 if source and engine.kind(source) == TEXT and writer.length(source):
                    writer.replace(source, dice.randrange(writer.length(source)), dice.choice(["Z", "🎉", 5]))
                case _ if source and engine.kind(source) == TEXT:
                    length = writer.length(source)
                    at = dice.randrange(length + 1)
                    writer.splice_text(source, at, min(dice.randrange(4), length - at), dice.choice(["a", "é🎉", ""]))


def changes_of(peer: JsPeer | Engine) -> list[bytes]:
    return peer.changes() if isinstance(peer, JsPeer) else [chunk for _, chunk in peer.changes_since(())]


@requires_js
@given(st.integers(0, 2**31))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_honest_changes_pass_in_any_order(js: JsProcess, seed: int) -> None:
    dice = random.Random(seed)
    first = js.peer(actor=b"first")
    first.change(FIRST)
    start = first.save()
    peers: list[JsPeer | Engine] = [js.peer(start, actor=b"js 1"), js.peer(start, actor=b"js 2")]
    peers.append(Engine.load(start, b"python"))
    for _ in range(10):
        peer = dice.choice(peers)
        if isinstance(peer, Engine):
            edit_by_engine(peer, dice)
        elif dice.randrange(6) == 0:
            peer.replace("return A.emptyChange(doc, { time: 0 })")
        elif dice.randrange(6) == 0:
            code = f"return A.changeAt(doc, args.heads, doc => {{ {JS_EDITS} }}).newDoc"
            peer.replace(code, seed=dice.randrange(2**30), heads=[first.heads[0].hex()])
        else:
            peer.change(JS_EDITS, seed=dice.randrange(2**30))
        if dice.randrange(3) == 0:
            other = dice.choice(peers)
            other.apply(changes_of(peer))

    replica = AheadReplica(b"", actor=b"server", heads=(), known=())
    vetted = {info.hash: info for peer in peers for info in vet_sync(encode_sync(changes_of(peer)), Limits()).infos}
    waiting = list(vetted.values())
    dice.shuffle(waiting)
    while waiting:
        size = 1 + dice.randrange(5)
        replica.apply(waiting[:size], origin="peer")
        del waiting[:size]
    assert replica.contains(vetted) and not replica.missing("peer")

    judge = js.peer(replica.save())
    assert judge.heads == replica.heads
    for peer in peers:
        peer.apply([info.chunk for info in vetted.values()])
    assert isinstance(peers[0], JsPeer) and isinstance(peers[1], JsPeer) and isinstance(peers[2], Engine)
    assert peers[0].heads == peers[1].heads == peers[2].heads == replica.heads
    # Saved and loaded: JavaScript's live view of a text goes wrong when an element is no longer a character.
    one, two = (js.peer(peer.save()) for peer in peers[:2])
    assert repr(one.value) == repr(two.value) == repr(judge.value)
    assert repr(peers[2].extract()) == repr(replica.engine.extract())

    # An edit of our own, on whatever is there now, is one everybody takes.
    cells = replica.engine.child(ROOT, "cells")
    sources = [
        replica.engine.child(replica.engine.child(cells or b"", key) or b"", "source")
        for key in replica.engine.keys(cells or b"")
    ]
    for text in sources:
        if text and replica.engine.kind(text) == TEXT:
            length = replica.engine.length(text)
            splice_text(replica, text, length // 2, length - length // 2, "a big splice 🎉 " * 10)
            assert op_id(text) in {obj for entry in replica.log(0)[-1:] for obj in entry.touched}
    judge.apply([entry.chunk for entry in replica.log(0)])
    assert judge.heads == replica.heads
    for peer in (first, judge, one, two, peers[0], peers[1]):
        peer.free()
