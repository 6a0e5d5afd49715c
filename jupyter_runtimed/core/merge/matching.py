"""Which cell of one version is which cell of another.

1. By id. A file has the ids that nbformat allows, so a cell's id in the file (`valid_cell_id`) counts as well.
2. By equal type and text, in order, where ids do not help: an old file has none, and some tools write new ones.
3. By similar text between two cells that were matched: cells that had no id in the file, and all if no id is known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from jupyter_runtimed.core.document import Cell
from jupyter_runtimed.core.ipynb import valid_cell_id

_SIMILAR = 0.5
"""Two texts are versions of one cell without an id if this part of their characters is in common."""

_VERY_SIMILAR, _LONG_CHARS = 0.75, 12
"""The same where the ids say that it is another cell: only for texts long enough to be no coincidence."""

_COMPARED_CHARS = 2000
"""Only the beginning of long texts is compared; the comparison is quadratic."""


def match_cells(old: Sequence[Cell], new: Sequence[Cell], derived: Collection[str] = ()) -> dict[str, str]:
    """Ids of new cells -> ids of the old cells they are.

    Args:
        old: the cells of the earlier version, in order.
        new: the cells of the later version, in order.
        derived: ids in `new` that the file did not have.
    """
    found = _by_id(old, new)
    knows_ids = any(cell_id not in derived for cell_id in found)
    _by_content(old, new, found)
    if not knows_ids or derived:
        _by_similarity(old, new, derived, knows_ids, found)
    return found


def _by_id(old: Sequence[Cell], new: Sequence[Cell]) -> dict[str, str]:
    names = {valid_cell_id(cell.id): cell.id for cell in old}
    names.update((cell.id, cell.id) for cell in old)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for cell in new:
        match = names.get(cell.id)
        if match is not None and match not in taken:
            found[cell.id] = match
            taken.add(match)
    return found


def _rest(old: Sequence[Cell], new: Sequence[Cell], found: dict[str, str]) -> tuple[list[Cell], list[Cell]]:
    taken = set(found.values())
    return [cell for cell in old if cell.id not in taken], [cell for cell in new if cell.id not in found]


def _by_content(old: Sequence[Cell], new: Sequence[Cell], found: dict[str, str]) -> None:
    left, right = _rest(old, new, found)
    if not left or not right:
        return
    a, b = [(c.cell_type, c.source) for c in left], [(c.cell_type, c.source) for c in right]
    for i, j, length in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        for offset in range(length):
            if right[j + offset].source.strip():
                found[right[j + offset].id] = left[i + offset].id
    # Cells that were moved as well.
    left, right = _rest(old, new, found)
    places: dict[tuple[str, str], list[str]] = {}
    for cell in reversed(left):
        places.setdefault((cell.cell_type, cell.source), []).append(cell.id)
    for cell in right:
        same = places.get((cell.cell_type, cell.source))
        if same and cell.source.strip():
            found[cell.id] = same.pop()


def _by_similarity(
    old: Sequence[Cell], new: Sequence[Cell], derived: Collection[str], knows_ids: bool, found: dict[str, str]
) -> None:
    """Match what is left between two neighbours that are matched, in order."""
    place = {cell.id: index for index, cell in enumerate(old)}
    taken = set(found.values())
    at = 0
    for index, cell in enumerate(new):
        if cell.id in found:
            at = place[found[cell.id]] + 1
            continue
        if knows_ids and cell.id not in derived:
            continue
        wanted = _SIMILAR if cell.id in derived else _VERY_SIMILAR
        following = (place[found[later.id]] for later in new[index + 1 :] if later.id in found)
        end = next(following, len(old))
        for candidate in old[at : max(at, end)]:
            if candidate.id not in taken and _is_similar(candidate, cell, wanted):
                found[cell.id] = candidate.id
                taken.add(candidate.id)
                at = place[candidate.id] + 1
                break


def _is_similar(a: Cell, b: Cell, wanted: float) -> bool:
    if a.cell_type != b.cell_type:
        return False
    if wanted == _VERY_SIMILAR and min(len(a.source), len(b.source)) < _LONG_CHARS:
        return False
    matcher = SequenceMatcher(None, a.source[:_COMPARED_CHARS], b.source[:_COMPARED_CHARS], autojunk=False)
    return all(ratio() >= wanted for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio))
