"""Presence: identity is the server's, the place is the client's, and the last word counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.presence import Presence

ALICE, BOB = PeerId("alice"), PeerId("bob")
USER = {"username": "alice", "name": "Alice", "color": None, "avatar_url": "x.png"}


@pytest.fixture
def presence() -> Presence:
    presence = Presence(Limits())
    presence.join(ALICE, {**USER, "secret": "token"})
    return presence


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_who_joins_is_known_by_what_the_server_says_and_no_more(presence: Presence) -> None:
    assert presence.everybody() == {"peers": {ALICE: {"user": USER}}}


def test_a_client_cannot_name_itself(presence: Presence) -> None:
    presence.receive(ALICE, frame(focus="a", user={"username": "the queen"}, peer_id="forged"))
    assert presence.one(ALICE) == {"peer_id": ALICE, "user": USER, "focus": "a"}


def test_a_frame_says_where_the_peer_is_now(presence: Presence) -> None:
    cursor = {"cell_id": "a", "anchor": 1, "head": 3}
    assert presence.receive(ALICE, frame(cursor=cursor, focus="a"))
    assert presence.one(ALICE) == {"peer_id": ALICE, "user": USER, "cursor": cursor, "focus": "a"}
    assert presence.receive(ALICE, frame(focus="b"))
    assert presence.one(ALICE) == {"peer_id": ALICE, "user": USER, "focus": "b"}
    assert presence.receive(ALICE, frame(focus=None))
    assert presence.one(ALICE) == {"peer_id": ALICE, "user": USER}


def test_cursors_may_be_automerges_own(presence: Presence) -> None:
    cursor = {"cell_id": "a", "anchor": "2@ff", "head": "9@ff"}
    presence.receive(ALICE, frame(cursor=cursor))
    assert presence.one(ALICE)["cursor"] == cursor


def test_saying_the_same_again_is_no_news(presence: Presence) -> None:
    assert presence.receive(ALICE, frame(focus="a"))
    assert not presence.receive(ALICE, frame(focus="a"))


def test_who_leaves_is_said_to_have_left(presence: Presence) -> None:
    presence.join(BOB, {})
    presence.leave(ALICE)
    assert presence.one(ALICE) == {"peer_id": ALICE, "left": True}
    assert set(presence.everybody()["peers"]) == {BOB}


@pytest.mark.parametrize(
    "payload",
    [b"", b"[", b"[]", b"3", b'{"cursor": "x"}', b'{"cursor": {"cell_id": "a"}}', b'{"focus": 3}',
     b'{"cursor": {"cell_id": "a", "anchor": 1.5, "head": 2}}', b'{"x": ' + b"[" * 70 + b"]" * 70 + b"}"],
)  # fmt: skip
def test_a_broken_frame_is_malformed_and_changes_nothing(presence: Presence, payload: bytes) -> None:
    presence.receive(ALICE, frame(focus="a"))
    with pytest.raises(Malformed):
        presence.receive(ALICE, payload)
    assert presence.one(ALICE)["focus"] == "a"


def test_a_frame_has_a_size_limit(presence: Presence) -> None:
    with pytest.raises(OverLimit):
        presence.receive(ALICE, frame(focus="x" * 5000))
