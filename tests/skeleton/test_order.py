from __future__ import annotations

import itertools
import random

import pytest

from airflow_codebeamer.skeleton.order import index_for, longest_run, rearrange, weave


def shuffled(seed: int) -> tuple[list[int], list[int]]:
    dice = random.Random(seed)  # noqa: S311 - no secret
    current = dice.sample(range(9), dice.randint(0, 7))
    return current, dice.sample(range(9), dice.randint(0, 8))


@pytest.mark.parametrize("seed", range(300))
def test_rearranging_keeps_strangers_in_place_and_orders_ours(seed):
    current, wanted = shuffled(seed)

    result = rearrange(current, wanted)

    assert sorted(result) == sorted(current)
    assert [x for x in result if x in wanted] == [x for x in wanted if x in current]
    assert [x for x in result if x not in wanted] == [
        x for x in current if x not in wanted
    ]
    assert rearrange(result, wanted) == result


@pytest.mark.parametrize("seed", range(100))
def test_the_longest_run_is_the_longest(seed):
    current, wanted = shuffled(seed)

    found = longest_run(current, wanted)

    rank = {one: index for index, one in enumerate(wanted)}
    ours = [rank[one] for one in current if one in rank]
    best = max(
        len(pick)
        for size in range(len(ours) + 1)
        for pick in itertools.combinations(ours, size)
        if list(pick) == sorted(pick)
    )
    kept = [rank[one] for one in current if one in found]
    assert kept == sorted(kept)
    assert len(found) == best


def test_newcomers_go_behind_their_predecessor():
    assert weave("AxB", "ANB", {"A", "B"}) == ["A", "N", "x", "B"]


def test_newcomers_before_all_others_go_in_front_of_the_first():
    assert weave("xAB", "NAB", {"A", "B"}) == ["x", "N", "A", "B"]


def test_newcomers_among_strangers_go_to_the_end():
    assert weave("xy", "MN", set()) == ["x", "y", "M", "N"]


def test_the_index_of_a_newcomer():
    assert index_for("N", list("AxB"), list("ANB"), {"A", "B"}) == 1
    assert index_for("N", list("xAB"), list("NAB"), {"A", "B"}) == 1
    assert index_for("N", list("xy"), list("N"), set()) == 2
