"""All rows, in the order of their numbers."""

from __future__ import annotations

import re

from tests.airflow.matrix import (
    by_hand,
    components,
    deferred,
    halfway,
    outages,
    processes,
)
from tests.airflow.matrix.row import Row

__all__ = ["ROWS"]


def _place(row: Row) -> tuple[int, str]:
    number = re.match(r"\d+", row.number)
    return (int(number.group()) if number else 0, row.number)


ROWS: tuple[Row, ...] = tuple(
    sorted(
        (
            *processes.ROWS,
            *by_hand.ROWS,
            *halfway.ROWS,
            *components.ROWS,
            *deferred.ROWS,
            *outages.ROWS,
        ),
        key=_place,
    )
)
