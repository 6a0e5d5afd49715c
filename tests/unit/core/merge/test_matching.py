"""Which cell is which, when ids help and when they do not."""

from __future__ import annotations

from jupyter_runtimed.core.document import Cell
from jupyter_runtimed.core.ipynb import valid_cell_id
from jupyter_runtimed.core.merge.matching import match_cells
from tests.support.versions import cell


def named(*texts: str, prefix: str = "n") -> list[Cell]:
    return [cell(f"{prefix}{index}", text) for index, text in enumerate(texts)]


def test_ids_decide_whatever_the_text() -> None:
    old, new = [cell("a", "1"), cell("b", "2")], [cell("b", "1"), cell("a", "2")]
    assert match_cells(old, new) == {"a": "a", "b": "b"}


def test_an_id_that_a_file_cannot_have_is_known_by_what_stands_for_it() -> None:
    odd = "not a valid id!"
    assert match_cells([cell(odd, "x")], [cell(valid_cell_id(odd), "y")]) == {valid_cell_id(odd): odd}


def test_cells_without_ids_are_matched_by_text_in_order() -> None:
    old = named("import os", "a = 1", "b = 2", "print(a)", prefix="o")
    new = named("import os", "b = 2", "brand new text", "print(a)")
    derived = {c.id for c in new}
    assert match_cells(old, new, derived) == {"n0": "o0", "n1": "o2", "n3": "o3"}


def test_a_cell_without_an_id_that_was_edited_is_the_similar_one_between_its_neighbours() -> None:
    old = named("import os", "a = compute(1)", "b = 2", prefix="o")
    new = named("import os", "a = compute(12)", "b = 2")
    assert match_cells(old, new, {c.id for c in new})["n1"] == "o1"
    other = named("import os", "%%time", "b = 2")
    assert "n1" not in match_cells(old, other, {c.id for c in other})


def test_cells_without_ids_that_were_moved_are_found() -> None:
    old = named("first cell", "second cell", "third cell", prefix="o")
    new = named("third cell", "first cell", "second cell")
    assert match_cells(old, new, {c.id for c in new}) == {"n0": "o2", "n1": "o0", "n2": "o1"}


def test_a_tool_that_gives_every_cell_a_new_id_is_seen_through() -> None:
    old = named("import numpy as np", "x = np.linspace(0, 1)", "plot(x)", prefix="o")
    new = named("import numpy as np", "x = np.linspace(0, 2)", "plot(x)")
    assert match_cells(old, new) == {"n0": "o0", "n1": "o1", "n2": "o2"}


def test_unrelated_short_cells_with_their_own_ids_are_not_taken_for_each_other() -> None:
    assert match_cells(named("one", "two", prefix="o"), named("new", "other")) == {}


def test_empty_cells_and_other_types_are_not_matched_by_text() -> None:
    assert match_cells(named("", prefix="o"), named("")) == {}
    assert match_cells([cell("a", "same text here", "markdown")], [cell("b", "same text here")]) == {}


def test_no_cell_is_matched_twice() -> None:
    old = named("same", "same", prefix="o")
    new = named("same", "same", "same")
    found = match_cells(old, new, {c.id for c in new})
    assert len(found) == 2 and len(set(found.values())) == 2
