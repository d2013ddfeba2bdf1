"""The order of siblings: who may stay, and where the others go.

Foreign siblings, which a document does not name, stay where they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

__all__ = ["index_for", "longest_run", "rearrange", "weave"]

T = TypeVar("T", bound=Hashable)


def longest_run(current: Sequence[T], wanted: Sequence[T]) -> set[T]:
    """Return the most of `wanted` that stands in its order in `current` already."""
    rank = {one: index for index, one in enumerate(wanted)}
    tails: list[int] = []
    ends: list[T] = []
    before: dict[T, T | None] = {}
    for one in current:
        if one not in rank:
            continue
        index = bisect_left(tails, rank[one])
        before[one] = ends[index - 1] if index else None
        tails[index : index + 1] = [rank[one]]
        ends[index : index + 1] = [one]
    found: set[T] = set()
    last: T | None = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def weave(current: Sequence[T], wanted: Sequence[T], settled: Collection[T]) -> list[T]:
    """Return `current` with all of `wanted` in its order, the settled ones unmoved.

    Each that is not settled goes behind its predecessor in `wanted`; those
    before the first settled one go in front of it, or to the end if none is.
    """
    first: list[T] = []
    behind: dict[T, list[T]] = {}
    group = first
    for one in wanted:
        if one in settled:
            group = behind.setdefault(one, [])
        else:
            group.append(one)
    loose = set(wanted) - set(settled)
    result: list[T] = []
    for one in current:
        if one in loose:
            continue
        if first and one in behind:
            result += first
            first = []
        result.append(one)
        result += behind.get(one, [])
    return result + first


def rearrange(current: Sequence[T], wanted: Sequence[T]) -> list[T]:
    """Return `current` with those of `wanted` in its order, moving the fewest."""
    present = set(current)
    here = [one for one in wanted if one in present]
    return weave(current, here, longest_run(current, here))


def index_for(
    one: T, current: Sequence[T], wanted: Sequence[T], settled: Collection[T]
) -> int:
    """Return the index at which a newcomer belongs among its siblings."""
    before = wanted[: wanted.index(one)]
    known = [*(other for other in before if other in settled), one]
    after = [other for other in wanted[len(before) + 1 :] if other in settled]
    return weave(current, [*known, *after], settled).index(one)
