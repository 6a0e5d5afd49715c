"""Whatever a peer sends: protocol errors and nothing else, and the document stays sound."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import AheadReplica, Engine, encode_sync, vet_sync
from jupyter_runtimed.core.errors import ProtocolError
from jupyter_runtimed.core.limits import Limits
from tests.support.gate_fuzz import SERVER, Ground, damage, invented_change
from tests.support.js_peer import JsProcess, requires_js

GROUND = Ground()


def vet_quietly(message: bytes) -> None:
    try:
        vet_sync(message, Limits())
    except ProtocolError:
        pass


@given(st.binary(max_size=300))
def test_any_bytes_give_protocol_errors_and_nothing_else(data: bytes) -> None:
    vet_quietly(data)
    vet_quietly(b"\x42\x00\x00\x00\x01" + data)


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_damaged_messages_give_protocol_errors_and_nothing_else(seed: int) -> None:
    dice = random.Random(seed)
    vet_quietly(damage(dice, dice.choice(GROUND.messages)))
    vet_quietly(damage(dice, encode_sync(GROUND.chunks)))


def test_every_truncation_gives_a_protocol_error() -> None:
    message = encode_sync(GROUND.chunks[-2:], GROUND.heads, capabilities=[1, 2])
    assert len(vet_sync(message, Limits()).infos) == 2
    for size in range(len(message) - 3):  # without its last field a message is whole
        with pytest.raises(ProtocolError):
            vet_sync(message[:size], Limits())


def fuzz(seed: int, times: int) -> None:
    """Attack in a process of its own: an abort would end this one too."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.gate_fuzz", str(seed), str(times)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert "invented change: applied" in run.stdout
    assert "damaged change: applied" in run.stdout
    assert "invented keys: applied" in run.stdout


def test_the_engine_lives_through_damaged_and_invented_changes() -> None:
    fuzz(0, 400)


@pytest.mark.soak
def test_the_engine_lives_through_very_many_damaged_and_invented_changes() -> None:
    fuzz(random.randrange(10**9), 300_000)


def invent(js: JsProcess, seeds: range) -> int:
    """Hand JavaScript the invented changes that pass our gate; how many did."""
    passed = 0
    for seed in seeds:
        chunks = invented_change(random.Random(seed), GROUND)
        replica = AheadReplica(b"", actor=SERVER, heads=(), known=())
        replica.apply(GROUND.infos, origin=None)
        try:
            replica.apply(vet_sync(encode_sync(chunks[-1:]), Limits()).infos, origin="eve")
        except ProtocolError:
            continue
        passed += 1
        peer = js.peer(GROUND.data)
        peer.apply(chunks[-1:])
        assert peer.heads == replica.heads, f"seed {seed}"
        loaded = Engine.load(peer.save(), SERVER)
        assert loaded.heads == replica.heads, f"seed {seed}"
        assert repr(loaded.extract()) == repr(replica.engine.extract()), f"seed {seed}"
        peer.free()
    return passed


@requires_js
def test_javascript_takes_the_invented_changes_that_pass() -> None:
    with JsProcess() as js:
        assert invent(js, range(120)) > 10


@requires_js
@pytest.mark.soak
def test_javascript_takes_very_many_invented_changes_that_pass() -> None:
    with JsProcess() as js:
        start = random.randrange(10**9)
        assert invent(js, range(start, start + 100_000)) > 1000
