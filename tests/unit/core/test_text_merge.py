"""Merging two versions of a cell's text, example by example."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.text_merge import Splice, apply_splices, merge_text


def merged(base: str, theirs: str, live: str) -> str:
    return apply_splices(live, merge_text(base, theirs, live))


@pytest.mark.parametrize(
    ("base", "theirs", "live", "result"),
    [
        pytest.param("one", "one from outside", "one from the room", "one from the room from outside", id="same place"),
        pytest.param("x = 1\ny = 2\n", "x = 10\ny = 2\n", "x = 1\ny = 2\nz\n", "x = 10\ny = 2\nz\n", id="other lines"),
        pytest.param("alpha", "Xalpha", "alphaY", "XalphaY", id="one word"),
        pytest.param("abc", "aYc", "aXc", "aXYc", id="both replace one character"),
        pytest.param("ab", "b", "aXb", "Xb", id="typing beside a deletion"),
        pytest.param("abc", "", "aXbc", "X", id="typing inside a deletion"),
        pytest.param("abc", "abcd", "", "d", id="typing behind what we deleted"),
        pytest.param("", "hello", "hello", "hello", id="both typed the same"),
        pytest.param("", "hello world", "hello", "hello world", id="theirs goes on where ours is"),
        pytest.param("", "hello", "hello world", "hello world", id="ours goes on where theirs is"),
        pytest.param("", "1\nshared\n2\n", "shared\n3\n", "1\nshared\n3\n2\n", id="shared lines are not doubled"),
        pytest.param("", "hello brave world", "hello world", "hello brave world", id="theirs has more in the middle"),
        pytest.param("", "hello world", "hello brave world", "hello brave world", id="ours has more in the middle"),
        pytest.param("", "a1b2c3", "abc", "abca1b2c3", id="single characters say nothing"),
        pytest.param("", "sum = cost\n", "sum = price\n", "sum = price\nsum = cost\n", id="alike and not the same"),
        pytest.param("", "world", "hello", "helloworld", id="different texts in one place"),
        pytest.param("né", "né😀", "xné", "xné😀", id="code points"),
    ],
)
def test_merges(base: str, theirs: str, live: str, result: str) -> None:
    assert merged(base, theirs, live) == result


def test_a_rewritten_passage_is_not_shuffled_into_ours() -> None:
    base, theirs, live = "a quick fox\n", "some slow dog\n", "a quick fox!\n"
    assert merged(base, theirs, live) == "some slow dog!\n"


def test_only_what_differs_is_touched() -> None:
    base = "".join(f"line {number}\n" for number in range(1000))
    theirs = base.replace("line 500\n", "line five hundred\n")
    live = base.replace("line 7\n", "line seven\n")
    (splice,) = merge_text(base, theirs, live)
    assert splice == Splice(live.index("line 500") + 5, 3, "five hundred")


def test_a_text_rewritten_altogether_is_merged_in_good_time() -> None:
    base = "".join(f"value_{number} = {number * 7919 % 1000}\n" for number in range(5000))
    theirs = "".join(f"other_{number} = {number * 104729 % 1000}\n" for number in range(5000))
    assert merged(base, theirs, base + "mine\n").endswith("mine\n")
