"""The page of the docs says what was measured, and every row was."""

from __future__ import annotations

import pytest

from tests.airflow.matrix.page import CELERY, LOCAL, PAGE, Table, page

TABLES = pytest.mark.parametrize("table", [LOCAL, CELERY], ids=["local", "celery"])


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_row_was_measured() -> None:
    assert list(LOCAL.kept()) == [row.number for row in LOCAL.rows]


@TABLES
def test_what_was_measured_left_nothing_behind(table: Table) -> None:
    kept = table.kept()
    # The page says of the others that they are not measured yet.
    assert list(kept) == [row.number for row in table.rows if row.number in kept]
    left = {
        number: one["findings"]
        for number, one in kept.items()
        if one["findings"] or one["permissions"] != "as before"
    }
    assert left == {}


@TABLES
def test_every_row_has_a_number_of_its_own(table: Table) -> None:
    numbers = [row.number for row in table.rows]
    assert len(numbers) == len(set(numbers))
