"""Generators for the tests: small, and failing in known ways."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any


def frames(count: int = 2, prefix: str = "t:") -> Iterator[dict[str, Any]]:
    """Yield folders with a requirement below each."""
    for number in range(count):
        folder = f"{prefix}{number}"
        yield {"key": folder, "name": f"Frame {number}", "type": "Folder"}
        yield {
            "key": f"{folder}.a",
            "name": f"Signal {number}",
            "parent": folder,
            "fields": {"Unit": "km/h"},
        }


def broken(context: Any, count: int = 2) -> Iterator[dict[str, Any]]:
    """Yield some items, then raise, but not while only planning."""
    yield from frames(count)
    if not context.dry_run:
        raise RuntimeError("the network database ends here")


def slow(seconds: float = 5.0) -> Iterator[dict[str, Any]]:
    """Yield one item after a while."""
    time.sleep(seconds)
    yield {"key": "slow", "name": "Slow"}
