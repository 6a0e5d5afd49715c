"""Which JSON values a document holds, and what is done about the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.core.crdt import Engine, new_actor
from jupyter_runtimed.core.errors import TooLarge
from jupyter_runtimed.core.native import MAX_NESTING, clean_text, dump, fits, is_key, nesting, pair_surrogates, same
from jupyter_runtimed.core.residue import Residue

HELD: list[Any] = [None, True, 0, -(2**63), 2**63 - 1, 1.5, float("inf"), "", "é😀\x00", [], {}, {"a": [{"b": [1]}]}]
NOT_HELD: list[Any] = [2**63, -(2**63) - 1, "\ud800", {"": 1}, {"\udfff": 1}, {"a": [2**70]}, [[[[[[1]]]]]]]


@pytest.mark.parametrize("value", HELD)
def test_an_engine_holds_what_fits(value: Any) -> None:
    assert fits(value, 5)
    engine = Engine.empty(new_actor())
    with engine.transaction() as writer:
        writer.put(b"\x00", "key", value)
    assert same(engine.extract(), {"key": value})


@pytest.mark.parametrize("value", NOT_HELD)
def test_what_does_not_fit_is_told(value: Any) -> None:
    assert not fits(value, 5)


def test_keys_have_characters() -> None:
    assert is_key("a") and is_key("\x00") and not is_key("") and not is_key("\ud800")


def test_equal_means_equal_types_too() -> None:
    values: list[Any] = [
        0,
        0.0,
        -0.0,
        False,
        "0",
        None,
        [],
        {},
        [0],
        [0.0],
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"b": 1},
    ]
    values += [float("nan"), [float("nan")], ""]
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            assert same(one, other) == (i == j)


def test_nesting_counts_levels_of_any_value() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = {"a": deep} if isinstance(deep, list) else [deep]
    assert nesting(deep) == 100_000
    assert [nesting(value) for value in (1, [], {"a": 1}, [[1], {"a": [{}]}])] == [0, 1, 1, 4]
    while isinstance(deep, (list, dict)):  # taken apart by hand: freeing it is recursive too
        deep = deep.popitem()[1] if isinstance(deep, dict) else deep.pop()


def test_json_is_written_short_and_only_so_deep() -> None:
    assert dump({"é": [1, "\u2028"]}) == '{"é":[1,"\u2028"]}'.encode()
    assert dump(["\ud800é"]) == b'["\\ud800\\u00e9"]'
    assert json.loads(dump([[1]] * 1000)) == [[1]] * 1000
    deep: Any = 1
    for _ in range(MAX_NESTING):
        deep = [deep]
    assert json.loads(dump(deep)) == deep
    with pytest.raises(TooLarge):
        dump([deep])


def test_halves_of_a_character_that_meet_are_the_character() -> None:
    assert pair_surrogates("\ud83d\ude00\ud800") == "😀\ud800"
    assert clean_text("\ud83d\ude00\ud800é") == "😀\ufffdé"
    assert clean_text("é") == "é"


# Residue.


def test_a_residue_gives_back_what_stands_unchanged() -> None:
    value = {"a": {"big": 2**70, "list": [1, "\ud800"], "": 1, "kept": 2}, "\ud800": 3, "deep": {"x": {"y": {"z": 1}}}}
    residue = Residue()
    cleaned = residue.clean(value, ("root", "metadata"), 3)
    assert fits(cleaned, 3)
    assert cleaned == {"a": {"big": float(2**70), "list": [1, "\ufffd"], "kept": 2}, "deep": {"x": {"y": None}}}
    residue = Residue.from_json(json.loads(json.dumps(residue.to_json())))
    restored = residue.restore(("root",), {"metadata": cleaned, "other": 1})
    assert same(restored, {"metadata": value, "other": 1})
    assert residue.owners() == {("root",)}


def test_a_residue_leaves_what_was_written_since() -> None:
    residue = Residue()
    cleaned = residue.clean({"a": 2**70, "b": ["\ud800"], "c": {"d": 2**70}}, ("cell", "x", "metadata"), 9)
    changed = {**cleaned, "a": 1, "b": ["\ufffd", "more"], "c": "no map any more"}
    assert residue.restore(("cell", "x"), {"metadata": changed}) == {"metadata": changed}
    assert residue.restore(("cell", "y"), {"metadata": cleaned}) == {"metadata": cleaned}
    assert residue.restore(("cell", "x"), {}) == {}


def test_a_key_that_was_kept_out_gives_way_to_one_that_is_there() -> None:
    residue = Residue()
    residue.keep_out(("cell", "x", "outputs"), [1])
    assert residue.restore(("cell", "x"), {}) == {"outputs": [1]}
    assert residue.restore(("cell", "x"), {"outputs": []}) == {"outputs": []}


def test_the_target_of_a_restoration_is_not_changed() -> None:
    residue = Residue()
    target = {"metadata": residue.clean({"a": {"b": 2**70}}, ("root", "metadata"), 9)}
    before = json.dumps(target)
    assert residue.restore(("root",), target)["metadata"]["a"]["b"] == 2**70
    assert json.dumps(target) == before


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(MAX_NESTING + 1):
        deep = [deep]
    with pytest.raises(TooLarge, match=r"metadata\.x"):
        Residue().clean({"x": deep}, ("cell", "a", "metadata"), 60)
