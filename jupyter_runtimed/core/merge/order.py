"""Where cells go when a version with another order is merged in."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence

from jupyter_runtimed.core.position import is_position, spread


def longest_rising(numbers: Sequence[int]) -> set[int]:
    """Indices of a longest rising subsequence: what stays where it is when the rest is moved."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, number in enumerate(numbers):
        place = bisect.bisect_left(tails, number)
        before.append(ends[place - 1] if place else -1)
        tails[place : place + 1] = [number]
        ends[place : place + 1] = [index]
    found = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        found.add(index)
        index = before[index]
    return found


def new_positions(order: Sequence[str], positions: Mapping[str, str], to_place: Collection[str]) -> dict[str, str]:
    """Positions that give this order.

    Args:
        order: the ids in the wanted order.
        positions: what they have now; new ones have none.
        to_place: those that need a new position. Others get one only if theirs is broken or out of order.
    """
    found: dict[str, str] = {}
    waiting: list[str] = []
    last = ""
    for key in order:
        position = positions.get(key, "")
        if key in to_place or not is_position(position) or position <= last:
            waiting.append(key)
            continue
        found.update(zip(waiting, spread(len(waiting), last, position), strict=True))
        waiting = []
        last = position
    found.update(zip(waiting, spread(len(waiting), last), strict=True))
    return found
