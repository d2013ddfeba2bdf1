"""Throttle: one budget of requests per user, on the emulator's clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["Throttle", "parse_limits"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_limits(text: str) -> tuple[tuple[int, float], ...]:
    """Read `3/s,120/m` into capacities and seconds; `off` is no limit.

    Raises:
        ValueError: The text is neither.
    """
    if text.strip().lower() in ("off", ""):
        return ()
    limits = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d*)\s*/\s*([smh])\s*", part)
        if match is None:
            raise ValueError(
                f'Write a throttle like "3/s,120/m" or "off", not {text!r}.'
            )
        limits.append((int(match[1]), _UNITS[match[2]]))
    return tuple(limits)


@dataclass
class _Budget:
    left: float
    at: float


class Throttle:
    """Budgets that refill evenly up to their capacity."""

    def __init__(self, limits: tuple[tuple[int, float], ...]) -> None:
        self._limits = limits
        self._budgets: dict[int, list[_Budget]] = {}

    def wait(self, user: int, now: float) -> int:
        """Take one request from a user's budgets; return 0, or seconds to wait.

        A request that has to wait takes nothing.
        """
        if not self._limits:
            return 0
        budgets = self._budgets.setdefault(
            user, [_Budget(float(capacity), now) for capacity, _ in self._limits]
        )
        longest = 0.0
        for budget, (capacity, seconds) in zip(budgets, self._limits, strict=True):
            gained = max(0.0, now - budget.at) * capacity / seconds
            budget.left = min(float(capacity), budget.left + gained)
            budget.at = now
            if budget.left < 1:
                longest = max(longest, (1 - budget.left) * seconds / capacity)
        if longest:
            return max(1, math.ceil(longest - 1e-9))
        for budget in budgets:
            budget.left -= 1
        return 0
