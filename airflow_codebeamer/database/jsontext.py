"""JSON in a text column, the same to the letter on every dialect.

A column that is declared JSON turns a bare `1.0` into 1 on SQLite, which takes
the type for a number, and PostgreSQL refuses what Python writes for NaN. Here
both keep the text, and both refuse what is no JSON.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

__all__ = ["JsonText"]


class JsonText(TypeDecorator[Any]):
    """What `json` reads back unchanged; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text to store; NaN and infinity are a ValueError."""
        return None if value is None else json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the value that was stored."""
        return None if value is None else json.loads(value)
