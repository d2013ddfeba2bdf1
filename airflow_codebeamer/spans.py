"""Spans of time as people type them: `90s`, `30m`, `1h30m`; pure."""

from __future__ import annotations

import re
from datetime import timedelta

from airflow_codebeamer.errors import ConfigurationError

__all__ = ["span", "written"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def span(text: str, *, option: str) -> timedelta:
    """Return the span of `90s`, `30m`, `1h30m`, `2h`, `1d`, `20ms`, `0`.

    Raises:
        ConfigurationError: it is none; names the option.
    """
    stripped = text.strip().lower()
    if stripped == "0":
        return timedelta(0)
    parts = _SPAN.findall(stripped)
    if not parts or _SPAN.sub("", stripped).strip():
        raise ConfigurationError(
            option, f"write a time like 90s, 30m, 2h or 1d, not {text!r}"
        )
    return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in parts))


def written(seconds: float) -> str:
    """Return seconds as `span` would read them, in their two largest units."""
    rest = max(1, round(seconds)) if seconds else 0
    words: list[str] = []
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, int(_UNITS[unit]))
        if number:
            words.append(f"{number}{unit}")
    return "".join(words[:2]) or "0s"
