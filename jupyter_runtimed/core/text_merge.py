"""Merge two versions of a text that have a common ancestor, character by character.

`merge_text(base, theirs, live)` says how to edit `live` so that it also has what `theirs` changed. Rules:

1. A character of the base stays if neither side removed it.
2. A character that either side added stays. What both added at one place is one addition, not two: a tool that read
   the live text and wrote it to the file has not typed it a second time.
3. The edits leave alone what they need not touch, so that carets and edits under way keep their places.

Differences of long texts are found in lines first and then in characters. Stray equal characters inside a passage
that `theirs` has rewritten do not count, so that it comes as a whole instead of being shuffled into the live text.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MAX_EDITS = 400
"""Two passages that differ in more characters than this are compared in lines only; the search is quadratic in it."""

_MAX_STEPS = 4_000_000
"""For texts so long that this many steps do not go over them MAX_EDITS times, the search ends sooner."""

_SAME_IF_CONTAINED = 4
"""Characters: an addition that stands inside the other side's, whole or in passages of this length, is the same one."""

Block = tuple[int, int, int]
"""(start in a, start in b, length) of an equal passage."""


@dataclass(frozen=True, slots=True)
class Splice:
    """At `index`, delete so many characters and insert a text. Indices are code points."""

    index: int
    delete: int
    insert: str


def apply_splices(text: str, splices: Sequence[Splice]) -> str:
    """The text after splices; all their indices are of the text before, in rising order."""
    for splice in reversed(splices):
        text = text[: splice.index] + splice.insert + text[splice.index + splice.delete :]
    return text


def merge_text(base: str, theirs: str, live: str) -> list[Splice]:
    """The splices that bring the difference between `base` and `theirs` into `live`, in rising order."""
    if theirs in (base, live):
        return []
    mine = _Side(live, equal_blocks(base, live))
    other = _Side(theirs, equal_blocks(base, theirs, skip_strays=True))
    splices: list[Splice] = []
    base_from = live_from = theirs_from = 0
    for base_to, live_to, theirs_to, length in (
        *_anchors(mine.blocks, other.blocks),
        (len(base), len(live), len(theirs), 0),
    ):
        old, now, new = base[base_from:base_to], live[live_from:live_to], theirs[theirs_from:theirs_to]
        if new not in (old, now):
            # No character of the base in here was kept by both sides, so what remains is what either side added.
            merged = new
            if now != old:
                merged = _join_additions(
                    mine.additions((base_from, base_to), (live_from, live_to)),
                    other.additions((base_from, base_to), (theirs_from, theirs_to)),
                )
            splices += _splices(now, merged, live_from)
        base_from, live_from, theirs_from = base_to + length, live_to + length, theirs_to + length
    return splices


def _anchors(ours: list[Block], others: list[Block]) -> list[tuple[int, int, int, int]]:
    """(base, live, theirs, length) of the passages that all three have."""
    found = []
    i = j = 0
    while i < len(ours) and j < len(others):
        base_a, live_at, length_a = ours[i]
        base_b, theirs_at, length_b = others[j]
        start, end = max(base_a, base_b), min(base_a + length_a, base_b + length_b)
        if start < end:
            found.append((start, live_at + start - base_a, theirs_at + start - base_b, end - start))
        if base_a + length_a < base_b + length_b:
            i += 1
        else:
            j += 1
    return found


Addition = tuple[int, str]
"""(place in the base, text)"""


@dataclass(frozen=True, slots=True)
class _Side:
    """A text and what it has in common with the base."""

    text: str
    blocks: list[Block]

    def additions(self, base_range: tuple[int, int], text_range: tuple[int, int]) -> list[Addition]:
        """What was added in a part of the text that stands for a part of the base."""
        found = []
        base_at, at = base_range[0], text_range[0]
        first = max(0, bisect.bisect_right(self.blocks, (base_at, at, 0)) - 1)
        for block_base, block_text, length in self.blocks[first:]:
            if block_base >= base_range[1]:
                break
            start = max(block_base, base_at)
            if start >= block_base + length:
                continue
            begin = block_text + start - block_base
            if begin > at:
                found.append((base_at, self.text[at:begin]))
            base_at = min(block_base + length, base_range[1])
            at = begin + base_at - start
        if text_range[1] > at:
            found.append((base_at, self.text[at : text_range[1]]))
        return found


def _join_additions(mine: list[Addition], theirs: list[Addition]) -> str:
    """All additions in the order of their places, ours first, those that are the same once (rule 2)."""
    rest: list[Addition] = []
    for place, text in theirs:
        for number, (gap, other) in enumerate(mine):
            united = _unite(other, text)
            if united is not None:
                mine[number] = (gap, united)
                break
        else:
            rest.append((place, text))
    return "".join(text for _, text in sorted(mine + rest, key=lambda item: item[0]))


def _unite(mine: str, theirs: str) -> str | None:
    """One text for two additions that are, or contain, the same; None when they have nothing to do with each other."""
    short, long = sorted((mine, theirs), key=len)
    if long.startswith(short) or long.endswith(short) or (len(short) >= _SAME_IF_CONTAINED and short in long):
        return long
    if _stands_in_passages(short, long):
        return long
    a, b = mine.splitlines(keepends=True), theirs.splitlines(keepends=True)
    if len(a) < 2 or len(b) < 2:
        return None
    blocks = [block for block in _line_blocks(a, b) if any(line.strip() for line in a[block[0] : block[0] + block[2]])]
    if not blocks:
        return None
    united: list[str] = []
    i = j = 0
    for at, other, length in (*blocks, (len(a), len(b), 0)):
        united += a[i:at] + b[j:other] + a[at : at + length]
        i, j = at + length, other + length
    return "".join(united)


def _stands_in_passages(short: str, long: str) -> bool:
    """Whether a text is another one into which something was put: all of it is there, most of it in long passages."""
    if len(long) - len(short) > MAX_EDITS:
        return False
    lengths = [length for _, _, length in equal_blocks(short, long)]
    in_long = sum(length for length in lengths if length >= _SAME_IF_CONTAINED)
    return sum(lengths) == len(short) and 4 * in_long >= 3 * len(short)


def _splices(old: str, new: str, offset: int) -> list[Splice]:
    """The splices that make `new` of `old`, which stands at `offset`."""
    blocks = equal_blocks(old, new)
    found = []
    i = j = 0
    for at, other, length in (*blocks, (len(old), len(new), 0)):
        if at > i or other > j:
            found.append(Splice(offset + i, at - i, new[j:other]))
        i, j = at + length, other + length
    return found


# Finding what is equal.


def equal_blocks(a: str, b: str, *, skip_strays: bool = False) -> list[Block]:
    """The passages that two texts have in common, in order.

    With `skip_strays`, those that are no longer than the differences on both sides of them are left out.
    """
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    blocks = [(0, 0, start)]
    inner = _inner_blocks(a[start : len(a) - end], b[start : len(b) - end], skip_strays)
    blocks += [(i + start, j + start, n) for i, j, n in inner]
    blocks.append((len(a) - end, len(b) - end, end))
    return _joined([block for block in blocks if block[2]])


def _inner_blocks(a: str, b: str, skip_strays: bool) -> list[Block]:
    if not a or not b:
        return []
    if len(a) + len(b) <= 2 * MAX_EDITS:
        blocks = _character_blocks(a, b)
        if blocks is not None:
            return _without_strays(blocks, len(a), len(b)) if skip_strays else blocks
    a_lines, b_lines = a.splitlines(keepends=True), b.splitlines(keepends=True)
    a_starts, b_starts = _starts(a_lines), _starts(b_lines)
    found: list[Block] = []
    i = j = 0
    for at, other, length in (*_line_blocks(a_lines, b_lines), (len(a_lines), len(b_lines), 0)):
        left, right = a[a_starts[i] : a_starts[at]], b[b_starts[j] : b_starts[other]]
        if left and right:
            blocks = _character_blocks(left, right) or []
            blocks = _without_strays(blocks, len(left), len(right)) if skip_strays else blocks
            found += [(a_starts[i] + p, b_starts[j] + q, n) for p, q, n in blocks]
        if length:
            found.append((a_starts[at], b_starts[other], a_starts[at + length] - a_starts[at]))
        i, j = at + length, other + length
    return found


def _line_blocks(a: Sequence[str], b: Sequence[str]) -> list[Block]:
    matcher = SequenceMatcher(None, a, b, autojunk=len(b) > 2000)
    return [(i, j, n) for i, j, n in matcher.get_matching_blocks() if n]


def _character_blocks(a: str, b: str) -> list[Block] | None:
    """Equal passages of a shortest edit script (Myers' algorithm), or None when it is longer than MAX_EDITS."""
    n, m = len(a), len(b)
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for d in range(min(n + m, MAX_EDITS, _MAX_STEPS // (n + m + 1)) + 1):
        trace.append(dict(furthest))
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < n and y < m and a[x] == b[y]:
                x += 1
                y += 1
            furthest[k] = x
            if x >= n and y >= m:
                return _backtrack(trace, n, m)
    return None


def _backtrack(trace: list[dict[int, int]], x: int, y: int) -> list[Block]:
    blocks: list[Block] = []
    for d in range(len(trace) - 1, -1, -1):
        furthest = trace[d]
        k = x - y
        down = k == -d or (k != d and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
        previous_k = k + 1 if down else k - 1
        previous_x = furthest[previous_k] if d else 0
        previous_y = previous_x - previous_k if d else 0
        begin_x = previous_x if down or not d else previous_x + 1
        begin_y = begin_x - k if d else 0
        if x > begin_x:
            blocks.append((begin_x, begin_y, x - begin_x))
        x, y = previous_x, previous_y
    return blocks[::-1]


def _without_strays(blocks: list[Block], n: int, m: int) -> list[Block]:
    """Leave out equal passages that are no longer than the changes on both sides of them."""
    kept: list[Block] = []
    for number, (i, j, length) in enumerate(blocks):
        before = kept[-1] if kept else (0, 0, 0)
        left = max(i - before[0] - before[2], j - before[1] - before[2])
        after = blocks[number + 1] if number + 1 < len(blocks) else (n, m, 0)
        right = max(after[0] - i - length, after[1] - j - length)
        if length > left or length > right:
            kept.append((i, j, length))
    return kept


def _joined(blocks: list[Block]) -> list[Block]:
    joined: list[Block] = []
    for i, j, n in blocks:
        if joined and joined[-1][0] + joined[-1][2] == i and joined[-1][1] + joined[-1][2] == j:
            i, j, n = joined[-1][0], joined[-1][1], joined.pop()[2] + n
        joined.append((i, j, n))
    return joined


def common_prefix(a: str, b: str) -> int:
    """Length of what two texts begin with; by halving, because comparing slices is fast."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _starts(lines: Sequence[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts
