"""Write the reference pages that the code knows better than anybody.

python docs/generate.py            # write them
python docs/generate.py --check    # exit 1 if one is not what the code says
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from airflow_codebeamer import errors, settings

PAGES = Path(__file__).parent / "reference"
NOTE = (
    "<!-- Written by docs/generate.py. Change the code, then run `make format`. -->\n"
)


def first_paragraph(thing: object) -> str:
    """Return the summary of a docstring as one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())


def cell(text: str) -> str:
    """Return text that cannot break a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def errors_page() -> Iterator[str]:
    """Every error, what it carries and whether a retry can help."""
    yield "# Errors\n\n"
    tree = (errors.__doc__ or "").split("\n\n")[1]
    yield "Whether doing the same again can help is `error.retry`.\n\n"
    yield "```text\n" + inspect.cleandoc(tree) + "\n```\n\n"
    yield "| error | meaning | retry |\n| --- | --- | --- |\n"
    for name in errors.__all__:
        found = getattr(errors, name)
        if isinstance(found, type) and issubclass(found, Exception):
            summary = cell(first_paragraph(found))
            yield f"| `{name}` | {summary} | {found.retry.value} |\n"


def shown(value: Any) -> str:
    """Return a default as people write it."""
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, frozenset):
        return ", ".join(f"`{entry}`" for entry in sorted(value))
    if value in (None, ""):
        return "-"
    return f"`{value}`"


def settings_page() -> Iterator[str]:
    """Every setting of the three groups."""
    yield "# Settings\n\n"
    groups: list[type[BaseModel]] = [
        settings.ServerSettings,
        settings.LockSettings,
        settings.StoreSettings,
    ]
    for group in groups:
        yield f"## {group.__name__}\n\n{inspect.getdoc(group)}\n\n"
        yield "| setting | default |\n| --- | --- |\n"
        for name, field in group.model_fields.items():
            yield f"| `{name}` | {cell(shown(field.default))} |\n"
        yield "\n"


WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "errors.md": errors_page,
    "settings.md": settings_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; return the exit code."""
    stale = []
    for name, write in WRITERS.items():
        page = PAGES / name
        text = NOTE + "\n" + "".join(write()).rstrip("\n") + "\n"
        if "--check" in arguments:
            if not page.exists() or page.read_text() != text:
                stale.append(name)
        else:
            page.write_text(text)
    if stale:
        sys.stderr.write(
            f"Not what the code says: {', '.join(stale)}; run `make format`.\n"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
