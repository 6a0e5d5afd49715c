"""What we write is, byte for byte, what the engine writes; and what the engine or JavaScript writes, we read."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from jupyter_runtimed.core.crdt import Engine, Replica, encode_sync, read_chunk, vet_sync
from jupyter_runtimed.core.limits import Limits
from tests.support.automerge_model import HISTORIES, Twins


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_the_writer_makes_the_engines_bytes_of_the_same_edits(history: list[Any]) -> None:
    twins = Twins()
    for actor, edits in history:
        by_engine, ours = twins.transact(actor, edits)
        assert by_engine == ([] if ours is None else [(ours[1], ours[0])])


@given(HISTORIES)
@settings(max_examples=30, deadline=None)
def test_what_the_engine_wrote_passes_the_gate_and_gives_the_same_document(history: list[Any]) -> None:
    twins = Twins()
    replica = Replica(b"", actor=b"server", heads=(), known=())
    for actor, edits in history:
        by_engine, _ = twins.transact(actor, edits)
        chunks = [chunk for _, chunk in by_engine]
        entries = replica.apply(vet_sync(encode_sync(chunks), Limits()).infos, origin="peer")
        assert [entry.chunk for entry in entries] == chunks
    assert replica.heads == twins.engine.heads
    assert repr(replica.engine.extract()) == repr(twins.engine.extract())
    saved = Engine.load(replica.save(), b"somebody")
    assert saved.heads == replica.heads


@given(HISTORIES)
@settings(max_examples=30, deadline=None)
def test_reading_a_change_gives_what_was_written(history: list[Any]) -> None:
    twins = Twins()
    for actor, edits in history:
        before = twins.engine.heads
        _, ours = twins.transact(actor, edits)
        if ours is None:
            continue
        info = read_chunk(ours[0])
        builder = twins.builder
        assert (info.hash, info.actor, info.seq) == (ours[1], builder.actor, builder.seq)
        assert (info.start_op, info.max_op) == (builder.start_op, builder.next - 1)
        assert set(before) <= set(info.deps)
        assert sum(run.times for run in info.runs()) == info.n_ops
