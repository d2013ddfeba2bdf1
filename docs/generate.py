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

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from airflow_codebeamer import errors, settings
from airflow_codebeamer.cli.main import app
from airflow_codebeamer.emulator import coverage, differences
from airflow_codebeamer.locking.states import STEPS, LockState
from airflow_codebeamer.skeleton import Skeleton

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


def states_page() -> Iterator[str]:
    """The states of a lock and the steps between them."""
    yield "# States of a lock\n\n| state | owned | rights may be reduced |\n"
    yield "| --- | --- | --- |\n"
    for state in LockState:
        owned = "yes" if state.is_owned else "no"
        reduced = "yes" if state.is_restricted else "no"
        yield f"| `{state.value}` | {owned} | {reduced} |\n"
    yield "\n| step | from | to | raises the epoch |\n| --- | --- | --- | --- |\n"
    for step in STEPS:
        raises = "yes" if step.raises_epoch else "no"
        yield (
            f"| {step.name} | `{step.source.value}` | `{step.target.value}` "
            f"| {raises} |\n"
        )


def emulator_page() -> Iterator[str]:
    """What the emulator claims, what it assumes, what it does not know."""
    known = [entry for entry in coverage() if entry["level"] != "absent"]
    absent = len(coverage()) - len(known)
    yield "# What the emulator covers\n\n"
    yield f"{len(known)} operations; the other {absent} of the vendor's 22.10 "
    yield "description answer 501 and say their name. No operation is *verified*: "
    yield "nobody has run the same test against a licensed server yet.\n\n"
    yield "| operation | path | level |\n| --- | --- | --- |\n"
    for entry in known:
        yield (
            f"| `{entry['operation']}` | {entry['method']} "
            f"`{entry['path']}` | {entry['level']} |\n"
        )
    yield "\n## Differences and assumptions\n\n"
    yield "| question | what we chose | what it changes | source |\n"
    yield "| --- | --- | --- | --- |\n"
    for entry in differences():
        cells = (entry[key] for key in ("question", "chosen", "changes", "source"))
        yield "| " + " | ".join(cell(str(text)) for text in cells) + " |\n"


def stated(default: Any) -> str:
    """Return the default of a document's property."""
    if default in (None, "", [], {}):
        return "-"
    return "see below" if isinstance(default, dict) else f"`{default}`"


def model_table(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """One part of the document as a table."""
    yield f"## {name}\n\n"
    # Docstrings may draw lists; the table below says the same.
    yield schema.get("description", "").split("\n\n")[0].replace("\n", " ") + "\n\n"
    yield "| property | default |\n| --- | --- |\n"
    for key, described in schema.get("properties", {}).items():
        is_required = key in schema.get("required", [])
        default = described.get("default")
        yield f"| `{key}` | {'required' if is_required else stated(default)} |\n"
    yield "\n"


def document_page() -> Iterator[str]:
    """The skeleton document, part by part."""
    schema = Skeleton.model_json_schema(by_alias=True)
    yield "# Document\n\nYAML or JSON; a property that is not listed is refused.\n\n"
    yield from model_table("Skeleton", schema)
    for name, part in schema["$defs"].items():
        if part.get("type") == "object":
            yield from model_table(name, part)


def commands(
    group: Any, path: tuple[str, ...] = ("airflow-codebeamer",)
) -> Iterator[str]:
    """Every command below a group, depth first."""
    for name, command in sorted(group.commands.items()):
        here = (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)
            continue
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        words = " ".join(str(p.name).upper() for p in arguments)
        yield f"## `{' '.join(here)} {words}".rstrip() + "`\n\n"
        yield f"{(command.help or '').strip()}\n\n"
        yield "| option | meaning |\n| --- | --- |\n"
        for option in options:
            if option.name != "help":
                names = ", ".join(f"`{opt}`" for opt in option.opts)
                yield f"| {names} | {cell(option.help or '')} |\n"
        yield "\n"


def cli_page() -> Iterator[str]:
    """Every command and option."""
    yield "# Command line\n\nThe same commands stand below `airflow codebeamer`. "
    yield "Every error is one sentence on stderr.\n\n"
    yield "| exit code | meaning |\n| --- | --- |\n"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code} | {meaning} |\n"
    yield "\n"
    yield from commands(typer.main.get_command(app))


EXIT_CODES = {
    0: "done",
    1: "an error, said on stderr",
    2: "`plan`: there are changes",
    3: "somebody else holds the tracker",
    4: "released, and somebody had changed rights meanwhile",
    5: "`recover`: something needs a person",
    64: "wrong usage",
}

WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "errors.md": errors_page,
    "settings.md": settings_page,
    "states.md": states_page,
    "emulator.md": emulator_page,
    "document.md": document_page,
    "cli.md": cli_page,
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
