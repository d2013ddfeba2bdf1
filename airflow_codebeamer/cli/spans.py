"""The timing of locks as people type it: `ttl=60s,beat=15s`; pure."""

from __future__ import annotations

from datetime import timedelta

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import LockSettings
from airflow_codebeamer.spans import span

__all__ = ["lock_settings"]

_TIMES = tuple(
    sorted(
        name
        for name, field in LockSettings.model_fields.items()
        if field.annotation is timedelta
    )
)


def lock_settings(text: str, *, option: str = "--timing") -> LockSettings:
    """Return the timing of locks, `ttl=60s,beat=15s`; empty means the defaults.

    Raises:
        ConfigurationError: an unknown name, no span, or a timing that would
            not be safe.
    """
    times: dict[str, timedelta] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, found, value = part.partition("=")
        if not found or name.strip() not in _TIMES:
            raise ConfigurationError(
                option, f"write name=time for {', '.join(_TIMES)}, not {part!r}"
            )
        times[name.strip()] = span(value, option=f"{option} {name.strip()}")
    return LockSettings.model_validate(times)
