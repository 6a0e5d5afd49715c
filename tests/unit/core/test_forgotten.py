"""What is remembered of forgotten changes: that they were there."""

from __future__ import annotations

import hashlib

import pytest

from jupyter_runtimed.core.forgotten import ForgottenChanges
from jupyter_runtimed.core.ids import Hash

HASHES = [Hash(hashlib.sha256(b"%d" % number).digest()) for number in range(10)]


def test_forgotten_changes_are_known_also_after_a_restart() -> None:
    forgotten = ForgottenChanges()
    assert forgotten.text is None
    forgotten.add(HASHES[:3])
    forgotten.add(HASHES[2:5])
    for known in (forgotten, ForgottenChanges(forgotten.text)):
        assert [change in known for change in HASHES] == [True] * 5 + [False] * 5
    assert HASHES[0].hex() not in str(forgotten.text)


def test_what_is_remembered_is_bounded_to_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runtimed.core.forgotten.MAX_CHANGES", 3)
    forgotten = ForgottenChanges()
    forgotten.add(HASHES)
    assert [change in forgotten for change in HASHES] == [False] * 7 + [True] * 3


def test_nonsense_in_a_log_is_as_nothing() -> None:
    assert HASHES[0] not in ForgottenChanges("no base64!")
