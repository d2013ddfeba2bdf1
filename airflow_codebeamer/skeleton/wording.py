"""The words of our messages: what was found, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["described", "suggestion"]


def suggestion(word: str, known: Iterable[object]) -> str:
    """Return `; did you mean 'x'?` if one of the known names is close, else ""."""
    folded = {str(name).casefold(): str(name) for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def described(value: Any) -> str:
    """Say what a value of a document is, in the words of its author."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:40]!r}"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"
