"""The index of files and their rooms: one owner a file, one file a room."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.ids import RoomId
from jupyter_runtimed.rooms.path_index import PathIndex

A, B = RoomId("room-a"), RoomId("room-b")


def test_a_claimed_file_has_an_owner_and_the_owner_a_file() -> None:
    index = PathIndex()
    assert index.claim("x", A) is None
    assert index.owner("x") == A and index.key(A) == "x" and len(index) == 1


def test_a_second_owner_is_refused_and_nothing_changes() -> None:
    index = PathIndex()
    index.claim("x", A)
    index.claim("y", B)
    with pytest.raises(ValueError, match="room-a"):
        index.claim("x", B)
    assert index.owner("x") == A and index.key(B) == "y"


def test_claiming_another_file_gives_the_first_one_up_and_says_which_it_was() -> None:
    index = PathIndex()
    index.claim("x", A)
    assert index.claim("y", A) == "x"
    assert index.owner("x") is None and index.owner("y") == A and index.key(A) == "y"


def test_claiming_the_same_file_again_does_nothing() -> None:
    index = PathIndex()
    index.claim("x", A)
    assert index.claim("x", A) == "x"
    assert index.owner("x") == A


def test_a_claim_can_be_taken_back() -> None:
    index = PathIndex()
    index.claim("x", A)
    before = index.claim("y", A)
    assert before is not None
    index.claim(before, A)
    assert index.owner("x") == A and index.owner("y") is None


def test_releasing_is_by_room_and_may_be_repeated() -> None:
    index = PathIndex()
    index.claim("x", A)
    index.release(B)
    assert index.owner("x") == A
    index.release(A)
    index.release(A)
    assert index.owner("x") is None and index.key(A) is None and len(index) == 0
