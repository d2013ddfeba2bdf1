"""Store time: what the database's own clock says while a statement runs.

PostgreSQL's `now()` is the start of the transaction, and an UPDATE that waited
for a row would judge a lease by a time long past; `clock_timestamp()` is
evaluated anew. SQLite has `unixepoch('subsec')` only from 3.42 on.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from airflow_codebeamer.clock import Clock

__all__ = ["StoreTime", "time_of"]


class StoreTime(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, inside the statement."""

    inherit_cache = True
    name = "store_time"
    type = Double()


@compiles(StoreTime, "sqlite")
def _sqlite(element: StoreTime, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(StoreTime, "postgresql")
def _postgresql(element: StoreTime, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch from clock_timestamp()) AS double precision)"


_STORE_TIME = StoreTime()


def time_of(clock: Clock | None) -> ColumnElement[float]:
    """Return the expression of store time; with a clock, that clock's time.

    The clock is asked each time a statement with the expression is executed,
    not when the statement is built.
    """
    if clock is None:
        return _STORE_TIME
    return bindparam(
        "store_time",
        callable_=lambda: clock.now().timestamp(),
        type_=Double(),
    )
