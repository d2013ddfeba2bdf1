"""Write the reference pages that the code knows better than anybody.

python docs/generate.py            # write them
python docs/generate.py --check    # exit 1 if one is not what the code says
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer
from airflow_page import airflow_page
from document_page import document_page
from emulator_page import emulator_page
from protocol_page import protocol_page
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from reading import cell, first_paragraph, notes
from traps_page import traps_page

from airflow_codebeamer import errors, settings
from airflow_codebeamer.cli.main import app
from airflow_codebeamer.cli.policies import POLICIES
from airflow_codebeamer.cli.session import Where
from airflow_codebeamer.database import schema
from airflow_codebeamer.locking.states import STEPS, LockState
from airflow_codebeamer.provider_info import get_provider_info
from airflow_codebeamer.skeleton import document_schema

PAGES = Path(__file__).parent / "reference"
NOTE = (
    "<!-- Written by docs/generate.py. Change the code, then run `make format`. -->\n"
)


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
    """Where each setting can be said, and what it is without being said."""
    yield "# Settings\n\nThe server and its account: an Airflow connection "
    yield "([Connect to a server](../howto/connect.md)) or options and environment "
    yield "variables of the [command line](cli.md). The timing of locks and the lock "
    yield "store: `[codebeamer]` in the Airflow configuration, or `--timing` and "
    yield "`--store`. In Python all of it is `airflow_codebeamer.settings`.\n\n"
    yield from airflow_options()
    yield from group_table(settings.ServerSettings, {})
    yield from group_table(settings.LockSettings, lock_places())
    yield from group_table(settings.StoreSettings, {})


def airflow_options() -> Iterator[str]:
    """The section `[codebeamer]`, as the provider declares it."""
    options = get_provider_info()["config"]["codebeamer"]["options"]
    yield "## `[codebeamer]` in the Airflow configuration\n\n"
    yield "As an environment variable `AIRFLOW__CODEBEAMER__…`, in capitals.\n\n"
    yield "| option | default | meaning |\n| --- | --- | --- |\n"
    for name, option in options.items():
        default = f"`{option['default']}`" if option["default"] else "-"
        yield f"| `{name}` | {default} | {cell(option['description'])} |\n"
    yield "\n"


def lock_places() -> dict[str, str]:
    """Return where else each setting of `LockSettings` can be said."""
    options = get_provider_info()["config"]["codebeamer"]["options"]
    places: dict[str, str] = {}
    for name, field in settings.LockSettings.model_fields.items():
        told = [f"`{o}`" for o in (name, f"{name}_seconds") if o in options]
        told += [f"`--timing {name}=…`"] if field.annotation is timedelta else []
        told += [f"`--policy {name}=…`"] if name in POLICIES else []
        places[name] = ", ".join(told) or "Python only"
    return places


def group_table(group: type[BaseModel], places: dict[str, str]) -> Iterator[str]:
    """One group of settings as a table."""
    yield f"## {group.__name__}\n\n{inspect.getdoc(group)}\n\n"
    said = notes(group)
    yield f"| setting | default | meaning |{' where |' if places else ''}\n"
    yield f"| --- | --- | --- |{' --- |' if places else ''}\n"
    for name, field in group.model_fields.items():
        where = f" {places[name]} |" if places else ""
        default = cell(shown(field.default))
        yield f"| `{name}` | {default} | {cell(said.get(name, ''))} |{where}\n"
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


def store_page() -> Iterator[str]:
    """The tables of the lock store."""
    text = (schema.__doc__ or "").split("\n\n", 1)[1]
    yield f"# Tables of the lock store\n\n{text.strip()}\n\n"
    yield "`airflow-codebeamer store migrate` makes them, and so does whatever uses "
    yield "the store first.\n\n"
    said = notes(schema)
    for name in schema.__all__:
        table = getattr(schema, name)
        if name == "metadata":
            continue
        yield f"## `{table.name}`\n\n{said.get(name, '')}\n\n"
        yield "| column | type | null |\n| --- | --- | --- |\n"
        for column in table.columns:
            key = ", key" if column.primary_key else ""
            kind = type(column.type).__name__
            null = "yes" if column.nullable else "no"
            yield f"| `{column.name}` | {kind}{key} | {null} |\n"
        yield "\n"


def commands(
    group: Any, path: tuple[str, ...] = ("airflow-codebeamer",)
) -> Iterator[tuple[str, Any]]:
    """Every command below a group, depth first, with its whole name."""
    for name, command in sorted(group.commands.items()):
        here = (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)
        else:
            yield " ".join(here), command


def usage(name: str, command: Any) -> str:
    """Return a command with its arguments, as its help would show them."""
    words = [name]
    for argument in command.params:
        if argument.param_type_name == "argument":
            word = str(argument.name).upper().removesuffix("S" * (argument.nargs < 0))
            word += "..." if argument.nargs < 0 else ""
            words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def options_of(command: Any, *, are_shared: bool) -> list[Any]:
    """Return the options that all commands have, or those of one command."""
    shared = set(Where.__dataclass_fields__)
    return [
        option
        for option in command.params
        if option.param_type_name == "option"
        and option.name != "help"
        and (option.name in shared) is are_shared
    ]


def option_table(options: list[Any]) -> Iterator[str]:
    """Options with the environment variable and the default of each."""
    yield "| option | environment | default | meaning |\n| --- | --- | --- | --- |\n"
    for option in options:
        names = ", ".join(f"`{name}`" for name in option.opts)
        variable = f"`{option.envvar}`" if option.envvar else ""
        default = "required" if option.required else shown(option.default)
        default = "" if option.is_flag or default == "-" else default
        yield f"| {names} | {variable} | {default} | {cell(option.help or '')} |\n"
    yield "\n"


def cli_page() -> Iterator[str]:
    """Every command and option."""
    found = list(commands(typer.main.get_command(app)))
    yield "# Command line\n\nThe same commands stand below `airflow codebeamer`, "
    yield "which takes what you leave out (server, account, lock store, timing) from "
    yield "Airflow's connections and configuration; `--conn-id NAME` before "
    yield "the command names another one than `codebeamer_default`. The other form "
    yield "reads neither. Every error is one sentence on stderr.\n\n"
    yield "| exit code | meaning |\n| --- | --- |\n"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code} | {meaning} |\n"
    yield "\n## Options of every command\n\n"
    yield from option_table(options_of(found[0][1], are_shared=True))
    yield "Without an option: `CODEBEAMER_PASSWORD`, `CODEBEAMER_TOKEN` for a bearer "
    yield "token, and `CODEBEAMER_ALLOW_NETWORK_SHARE`. `--timing` takes "
    yield "`name=time` for the times of [LockSettings](settings.md#locksettings). "
    yield "A time is written like `90s`, `30m`, `1h30m` or `1d`.\n\n"
    for name, command in found:
        yield f"## `{usage(name, command)}`\n\n{(command.help or '').strip()}\n\n"
        own = options_of(command, are_shared=False)
        if own:
            yield from option_table(own)


EXIT_CODES = {
    0: "done",
    1: "an error, said on stderr",
    2: "`plan`: there are changes",
    3: "somebody else holds the tracker",
    4: "released, and somebody had changed rights meanwhile",
    5: "`recover`: something needs a person",
    64: "wrong usage",
    130: "stopped by Ctrl-C",
    143: "stopped by SIGTERM",
}


def schema_page() -> Iterator[str]:
    """The JSON Schema of documents, to be pointed at by editors."""
    yield json.dumps(document_schema(), indent=1, ensure_ascii=False)


WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "errors.md": errors_page,
    "settings.md": settings_page,
    "states.md": states_page,
    "emulator.md": emulator_page,
    "document.md": document_page,
    "cli.md": cli_page,
    "airflow.md": airflow_page,
    "programs.md": protocol_page,
    "store.md": store_page,
    "document.schema.json": schema_page,
    "../explanation/traps.md": traps_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; return the exit code."""
    stale = []
    for name, write in WRITERS.items():
        page = PAGES / name
        note = f"{NOTE}\n" if page.suffix == ".md" else ""
        text = note + "".join(write()).rstrip("\n") + "\n"
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
