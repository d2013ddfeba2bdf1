"""Call: one request on its way through the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.emulator.clock import WorldClock, stamp
from airflow_codebeamer.emulator.world import User, World

__all__ = ["EMPTY", "Call", "Content", "Route"]

EMPTY = object()
"""What a route returns when it answers 200 without a body."""


@dataclass(frozen=True)
class Content:
    """What a route returns when it answers bytes: a file, or many in an archive."""

    body: bytes
    media: str
    name: str


@dataclass
class Call:
    """What a route gets: who asks for what, and the world to do it in."""

    world: World
    clock: WorldClock
    user: User
    path: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    knows_locked: bool = True
    """Whether the release has a status of its own, 423, for locked items."""

    @property
    def now(self) -> str:
        """The emulator's time as the server writes it."""
        return stamp(self.clock.now())

    @property
    def seconds(self) -> float:
        """The emulator's time in seconds since 1970."""
        return self.clock.now().timestamp()


Route = Callable[[Call], Any]
"""A route changes or reads the world and returns JSON, `Content` or `EMPTY`."""
