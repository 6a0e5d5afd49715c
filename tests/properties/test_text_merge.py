"""Merging texts loses nothing that anybody typed, and doubles nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.text_merge import apply_splices, equal_blocks, merge_text

BASE = "abcdefghijklmnopqrstuvwxyz\n 😀é"
OURS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
THEIRS = "0123456789αβγδεζηθικλμνξοπ"

texts = st.text("ab\n é😀", max_size=40)


def merged(base: str, theirs: str, live: str) -> str:
    return apply_splices(live, merge_text(base, theirs, live))


@st.composite
def edited(draw: st.DrawFn, base: str, fresh: str) -> tuple[str, set[str], set[str]]:
    """A text made of `base` by deleting characters and typing ones that occur nowhere else."""
    gone = draw(st.sets(st.sampled_from(base))) if base else set()
    text = "".join(c for c in base if c not in gone)
    typed = set()
    unused = list(fresh)
    for _ in range(draw(st.integers(0, 4))):
        n = draw(st.integers(1, 4))
        run, unused = unused[:n], unused[n:]
        at = draw(st.integers(0, len(text)))
        text = text[:at] + "".join(run) + text[at:]
        typed.update(run)
    return text, typed, gone


@settings(max_examples=200)
@given(st.data(), st.integers(0, len(BASE)))
def test_every_typed_character_is_there_once_and_every_deleted_one_is_gone(data: st.DataObject, length: int) -> None:
    base = BASE[:length]
    live, ours, gone_here = data.draw(edited(base, OURS))
    theirs, others, gone_there = data.draw(edited(base, THEIRS))
    result = merged(base, theirs, live)
    assert len(result) == len(set(result)), "something is doubled"
    assert ours | others <= set(result)
    # A passage that theirs has rewritten comes as a whole, so it may bring back what we deleted inside it.
    assert set(base) - gone_here - gone_there <= set(result)
    assert not gone_there & set(result)
    # What each typed in one go stays in its order.
    assert [c for c in result if c in ours] == [c for c in live if c in ours]
    assert [c for c in result if c in others] == [c for c in theirs if c in others]


@settings(max_examples=200)
@given(texts, texts, texts)
def test_merging_again_changes_nothing(base: str, theirs: str, live: str) -> None:
    once = merged(base, theirs, live)
    assert merged(theirs, theirs, once) == once


@given(texts, texts)
def test_one_sided_changes_are_taken_as_they_are(base: str, other: str) -> None:
    assert merged(base, other, base) == other
    assert merged(base, base, other) == other
    assert merged(base, other, other) == other


@given(texts, texts)
def test_equal_blocks_are_equal_and_in_order(a: str, b: str) -> None:
    for skip in (False, True):
        i = j = 0
        for at, other, length in equal_blocks(a, b, skip_strays=skip):
            assert at >= i and other >= j and length > 0
            assert a[at : at + length] == b[other : other + length]
            i, j = at + length, other + length
        assert i <= len(a) and j <= len(b)


@given(texts, texts, texts)
def test_splices_are_in_order_and_inside_the_text(base: str, theirs: str, live: str) -> None:
    end = 0
    for splice in merge_text(base, theirs, live):
        assert splice.index >= end and (splice.delete or splice.insert)
        end = splice.index + splice.delete
    assert end <= len(live)
