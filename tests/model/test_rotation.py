"""The model of accounts in turn: its figures, and two rules searched again."""

from __future__ import annotations

import json

import pytest

from tests.model.rotation import MEASURED, PAGE, RULES, page, search
from tests.model.spin import Result, is_possible


def _kept() -> dict[str, Result]:
    return {one["name"]: Result(**one) for one in json.loads(MEASURED.read_text())}


def test_the_page_is_what_was_measured_and_as_expected() -> None:
    kept = _kept()
    assert PAGE.read_text() == page(kept.values())
    assert list(kept) == [rule.name for rule in RULES]
    for rule in RULES:
        assert bool(kept[rule.name].errors) is rule.is_broken, rule.what


@pytest.mark.parametrize("name", ["epochs", "ours"])
def test_a_rule_searched_again_where_spin_is_installed(name: str) -> None:
    rule = next(one for one in RULES if one.name == name)
    found = search(rule) if is_possible() else _kept()[name]
    assert found == _kept()[name]
