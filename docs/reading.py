"""What the generated pages read out of the code: docstrings and comments."""

from __future__ import annotations

import inspect
import re
from typing import Any


def first_paragraph(thing: object) -> str:
    """Return the summary of a docstring as one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())


def cell(text: str) -> str:
    """Return text that cannot break a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def notes(thing: Any) -> dict[str, str]:
    """Return what `#:` comments say of the names below them."""
    found: dict[str, str] = {}
    pattern = r"((?:^ *#: .*\n)+) *(\w+)(?=[:( =])"
    for comment, name in re.findall(pattern, inspect.getsource(thing), re.M):
        found[name] = " ".join(comment.replace("#:", " ").split())
    return found
