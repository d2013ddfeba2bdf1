"""All rows on CeleryExecutor, in the order of their numbers."""

from __future__ import annotations

from tests.airflow.celery import outages, workers
from tests.airflow.matrix.row import Row

__all__ = ["ROWS"]

ROWS: tuple[Row, ...] = (*workers.ROWS, *outages.ROWS)
