"""Positions: always room between two, always short."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.position import between, is_position, nth, spread

POSITIONS = st.from_regex(r"[0-9a-z]{0,7}[1-9a-z]", fullmatch=True)
ENDS = POSITIONS | st.just("")


@given(ENDS, ENDS)
def test_there_is_a_position_between_any_two(one: str, other: str) -> None:
    before, after = (one, other) if not other or one < other else (other, one)
    if before == after != "":
        with pytest.raises(ValueError):
            between(before, after)
        return
    middle = between(before, after)
    assert is_position(middle)
    assert before < middle
    assert not after or middle < after


@given(ENDS, ENDS, st.integers(0, 60))
def test_a_spread_is_ascending_and_stays_between(one: str, other: str, count: int) -> None:
    before, after = (one, other) if not other or one < other else (other, one)
    if before == after != "":
        return
    made = spread(count, before, after)
    assert len(made) == count and all(is_position(position) for position in made)
    row = [before, *made, *([after] if after else [])]
    assert all(left < right for left, right in pairwise(row))


@given(st.lists(st.integers(0, 1 << 30), max_size=120))
@settings(max_examples=60)
def test_insertions_anywhere_keep_their_places(places: list[int]) -> None:
    row = [nth(index) for index in range(3)]
    for place in places:
        at = place % (len(row) + 1)
        row.insert(at, between(row[at - 1] if at else "", row[at] if at < len(row) else ""))
    assert row == sorted(set(row)) and all(is_position(position) for position in row)


def test_a_files_cells_ascend_however_many_there_are() -> None:
    row = [nth(index) for index in range(60_000)]
    assert row == sorted(set(row)) and row[0] == "a00i" and row[1] == "a01i"
    assert all(is_position(position) for position in row) and len(nth(24_999)) == 4


@pytest.mark.parametrize("at_end", [True, False], ids=["appended", "put before all others"])
def test_cells_added_at_an_end_have_short_positions(at_end: bool) -> None:
    first = last = nth(0)
    for _ in range(5000):
        if at_end:
            last = between(last, "")
        else:
            first = between("", first)
    assert first <= last and max(len(first), len(last)) <= 4


@pytest.mark.parametrize("start", ["zzzz", "zzzi", "zzzzzzzz", "1", "0001", "00000001", "000i"])
def test_the_ends_of_a_width_are_not_the_end(start: str) -> None:
    position = start
    for _ in range(200):
        following = between(position, "")
        assert position < following and is_position(following)
        position = following
    assert len(position) <= len(start) + 4
    position = start
    for _ in range(200):
        preceding = between("", position)
        assert preceding < position and is_position(preceding)
        position = preceding
    assert len(position) <= len(start) + 8


def test_insertions_at_one_place_grow_a_digit_for_five() -> None:
    low, high = nth(4), nth(5)
    for _ in range(100):
        low = between(low, high)
    assert low < high and len(low) <= 25


@pytest.mark.parametrize("value", ["", "0", "a0", "A", "a b", "é", "a\n", None, 5, ["a"]])
def test_what_is_no_position_is_told(value: object) -> None:
    assert not is_position(value)
