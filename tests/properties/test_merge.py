"""Whatever was done in the room and to the file, a merge loses no typed character and doubles no cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.document import Cell, NotebookDocument
from jupyter_runtimed.core.merge import Version, merge_version
from tests.support.versions import cell, document_of, version

OURS = [chr(code) for code in range(0x391, 0x3FF) if chr(code).isalpha()]
THEIRS = [chr(code) for code in range(0x410, 0x44F)]


class Typist:
    """Gives out characters that nobody else types."""

    def __init__(self, letters: list[str]) -> None:
        self.letters = list(letters)
        self.typed: set[str] = set()

    def run(self, length: int) -> str:
        run, self.letters = self.letters[:length], self.letters[length:]
        self.typed.update(run)
        return "".join(run)


@st.composite
def edited_versions(draw: st.DrawFn, base: Version, typist: Typist, prefix: str) -> Version:
    cells = list(base.cells)
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["type", "delete", "insert", "move", "cell_type"]))
        at = draw(st.integers(0, max(0, len(cells) - 1)))
        if kind == "insert" or not cells:
            cells.insert(at, cell(f"{prefix}{number}", typist.run(2)))
        elif kind == "type":
            source = cells[at].source
            where = draw(st.integers(0, len(source)))
            cells[at] = replace(cells[at], source=source[:where] + typist.run(2) + source[where:])
        elif kind == "delete":
            gone = cells.pop(at)
            typist.typed -= set(gone.source)
        elif kind == "move":
            moved = cells.pop(at)
            cells.insert(draw(st.integers(0, len(cells))), moved)
        else:
            cells[at] = replace(cells[at], cell_type="markdown")
    return replace(base, cells=tuple(cells))


def apply(document: NotebookDocument, wanted: Version) -> None:
    """Edit a document, as people would, until it reads as a version."""
    keep = {c.id for c in wanted.cells}
    for gone in set(document.cell_ids()) - keep:
        document.delete_cell(gone)
    for index, item in enumerate(wanted.cells):
        if not document.has_cell(item.id):
            document.insert_cell(item.cell_type, item.source, id=item.id, index=index)
        elif document.cell_ids()[index] != item.id:
            document.move_cell(item.id, index=index)
        document.set_source(item.id, item.source)
        if document.cell(item.id).cell_type != item.cell_type:
            document.set_cell_type(item.id, item.cell_type)
    assert [(c.id, c.source) for c in document.cells()] == [(c.id, c.source) for c in wanted.cells]


def content(item: Cell) -> tuple[str, str]:
    return item.source, item.cell_type


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(0, 5))
def test_a_merge_keeps_what_both_sides_did(data: st.DataObject, size: int) -> None:
    base = version(*(cell(f"b{index}", f"line {index}\n" * (1 + index % 2)) for index in range(size)))
    us, them = Typist(OURS), Typist(THEIRS)
    ours = data.draw(edited_versions(base, us, "o"))
    theirs = data.draw(edited_versions(base, them, "t"))
    document = document_of(base)
    apply(document, ours)
    merged = merge_version(document, base, theirs)

    result = document.cells()
    text = Counter("".join(item.source for item in result))
    # A cell that both sides gave up, or that one removed before the other typed, is the only way to lose a character.
    assert all(text[letter] == 1 for letter in us.typed | them.typed)
    assert len({item.id for item in result}) == len(result)
    assert len({item.position for item in result}) == len(result)

    old = {item.id: item for item in base.cells}
    here = {item.id: item for item in ours.cells}
    there = {item.id: item for item in theirs.cells}
    for cell_id in old.keys() | here.keys() | there.keys():
        is_there = document.has_cell(cell_id)
        if cell_id in here and cell_id in there:
            assert is_there
        elif cell_id not in old:
            assert is_there, "somebody has just added it"
        elif cell_id in here:
            assert is_there == (content(here[cell_id]) != content(old[cell_id]))
        elif cell_id in there:
            assert is_there == (content(there[cell_id]) != content(old[cell_id]))
        else:
            assert not is_there

    heads = document.replica.heads
    again = merge_version(document, merged.base, theirs)
    assert document.replica.heads == heads, "the same file twice does nothing"
    assert again.base.cells == merged.base.cells


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(0, 5))
def test_merging_into_an_unedited_room_gives_the_file(data: st.DataObject, size: int) -> None:
    base = version(*(cell(f"b{index}", f"line {index}\n") for index in range(size)))
    theirs = data.draw(edited_versions(base, Typist(THEIRS), "t"))
    document = document_of(base)
    merge_version(document, base, theirs)
    assert [(c.id, *content(c)) for c in document.cells()] == [(c.id, *content(c)) for c in theirs.cells]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 4))
def test_a_room_follows_a_file_that_changes_again_and_again(data: st.DataObject, size: int) -> None:
    base = version(*(cell(f"b{index}", f"line {index}\n") for index in range(size)))
    document = document_of(base)
    file = base
    them = Typist(THEIRS)
    for step in range(4):
        file = data.draw(edited_versions(file, them, f"t{step}-"))
        base = merge_version(document, base, file).base
    assert [(c.id, *content(c)) for c in document.cells()] == [(c.id, *content(c)) for c in file.cells]
