"""Policies of locks as people type them: `on_drift=fail,restore_policy=ask`; pure."""

from __future__ import annotations

from typing import get_args

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import LockSettings

__all__ = ["POLICIES", "lock_policies"]

#: Settings that take one of a few words, and the words. The certificate has an option
#: of its own.
POLICIES = {
    name: words
    for name, field in sorted(LockSettings.model_fields.items())
    if name != "certificate"
    and (words := get_args(field.annotation))
    and all(isinstance(word, str) for word in words)
}


def lock_policies(text: str, *, option: str = "--policy") -> dict[str, str]:
    """Return the policies that a text names; empty means the defaults.

    Raises:
        ConfigurationError: an unknown policy, or a word that it does not take.
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, word = (piece.strip() for piece in part.partition("="))
        if name not in POLICIES:
            raise ConfigurationError(
                option, f"write name=word for {', '.join(POLICIES)}, not {part!r}"
            )
        if word not in POLICIES[name]:
            words = ", ".join(POLICIES[name])
            raise ConfigurationError(
                f"{option} {name}", f"say one of {words}, not {word!r}"
            )
        found[name] = word
    return found
