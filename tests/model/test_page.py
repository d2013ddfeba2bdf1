"""The page about the model says what was searched, and all was as expected."""

from __future__ import annotations

import json

from tests.model.spin import ALL, MEASURED, PAGE, Result, is_as_expected, page


def _kept() -> list[Result]:
    return [Result(**one) for one in json.loads(MEASURED.read_text())]


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text() == page(_kept())


def test_every_configuration_was_searched_and_was_as_expected() -> None:
    kept = {result.name: result for result in _kept()}
    assert list(kept) == [one.name for one in ALL]
    wrong = [one.name for one in ALL if not is_as_expected(one, kept[one.name])]
    assert wrong == []
