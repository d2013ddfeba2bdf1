"""Calls: what the emulator was asked, by whom, and what came of it."""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

__all__ = ["Calls", "repeatable"]

_MOST = 200_000
_MOST_BYTES = 64 * 1024
_SECRET = re.compile(r"passw|secret|token|credential|authori", re.IGNORECASE)
_HIDDEN = "***"


class Calls:
    """The journal of requests, oldest first; it forgets the oldest at a limit."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._next = 1

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Write a call down and number it; the entry may be completed later."""
        entry["number"] = self._next
        body = entry.get("body", b"")
        if len(body) > _MOST_BYTES:
            entry["body"] = {"bytes": len(body)}
        self._next += 1
        self._calls.append(entry)
        return entry

    def to_json(self) -> list[dict[str, Any]]:
        """Return copies of all calls; what is named like a secret is not in them."""
        return [_shown(entry) for entry in self._calls]

    def clear(self) -> None:
        """Forget all calls; numbers go on."""
        self._calls.clear()


def repeatable(asked: Any, user: str, at: datetime, status: int) -> dict[str, Any]:
    """Return a request as JSON from which it can be done again; without password."""
    sent = {**asdict(asked), "authorization": ""}
    body = base64.b64encode(sent.pop("body")).decode()
    when = at.isoformat()
    return {"at": when, "user": user, "status": status, "body": body, "asked": sent}


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    shown = dict(entry)
    body = entry.get("body")
    shown["body"] = _read(body) if isinstance(body, bytes) else body
    if _SECRET.search(shown["query"]):
        pairs = parse_qsl(shown["query"], keep_blank_values=True)
        hidden = [(name, _HIDDEN if _SECRET.search(name) else it) for name, it in pairs]
        shown["query"] = urlencode(hidden, safe="*")
    return shown


def _read(body: bytes) -> Any:
    """Return a body as JSON without secrets, or how long it is; None for none."""
    if not body:
        return None
    try:
        return _stripped(json.loads(body))
    except (ValueError, RecursionError):
        return {"bytes": len(body)}


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _HIDDEN if _SECRET.search(name) else _stripped(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_stripped(inner) for inner in value]
    return value
