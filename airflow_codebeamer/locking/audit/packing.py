"""Rows of numbers as one short text, for events that keep a whole look; pure."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

__all__ = ["packed", "unpacked"]


def packed(rows: list[Any]) -> str:
    """Return rows as text."""
    text = json.dumps(rows, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str | None) -> list[Any]:
    """Return the rows that `packed` wrote, none if nothing was written."""
    if text is None:
        return []
    rows: list[Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return rows
