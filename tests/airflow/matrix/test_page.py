"""The page of the docs says what was measured, and every row was."""

from __future__ import annotations

import json

from tests.airflow.matrix.page import MEASURED, PAGE, page_of
from tests.airflow.matrix.table import ROWS


def test_the_page_is_what_was_measured() -> None:
    kept = json.loads(MEASURED.read_text("utf-8"))
    assert PAGE.read_text("utf-8") == page_of(kept, ROWS)


def test_every_row_was_measured_and_left_nothing_behind() -> None:
    kept = json.loads(MEASURED.read_text("utf-8"))
    assert list(kept) == [row.number for row in ROWS]
    left = {
        number: one["findings"]
        for number, one in kept.items()
        if one["findings"] or one["permissions"] != "as before"
    }
    assert left == {}
