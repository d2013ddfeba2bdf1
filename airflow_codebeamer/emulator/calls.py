"""Calls: what the emulator was asked, by whom, and what came of it."""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import asdict
from datetime import datetime
from typing import Any

__all__ = ["Calls", "repeatable"]

_MOST = 200_000


class Calls:
    """The journal of requests, oldest first; it forgets the oldest at a limit."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._next = 1

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Write a call down and number it; the entry may be completed later."""
        entry["number"] = self._next
        self._next += 1
        self._calls.append(entry)
        return entry

    def to_json(self) -> list[dict[str, Any]]:
        """Return copies of all calls."""
        return [dict(entry) for entry in self._calls]

    def clear(self) -> None:
        """Forget all calls; numbers go on."""
        self._calls.clear()


def repeatable(asked: Any, user: str, at: datetime, status: int) -> dict[str, Any]:
    """Return a request as JSON from which it can be done again; without password."""
    sent = {**asdict(asked), "authorization": ""}
    body = base64.b64encode(sent.pop("body")).decode()
    when = at.isoformat()
    return {"at": when, "user": user, "status": status, "body": body, "asked": sent}
