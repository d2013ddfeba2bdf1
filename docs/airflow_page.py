"""The page on Airflow: classes with their parameters, and the DAGs that ship."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_codebeamer"

#: In the order in which a reader meets them.
CLASSES = (
    "template:generator_dag",
    "template:exclusive_tracker",
    "operators.reserve:ReserveTrackerOperator",
    "operators.lock:LockTrackerOperator",
    "operators.generator:RunGeneratorOperator",
    "operators.set_fields:SetFieldsOperator",
    "operators.unlock:UnlockTrackerOperator",
    "operators.verify:VerifyUnlockedOperator",
    "operators.recover:RecoverLocksOperator",
    "sensors.lock:TrackerLockSensor",
    "triggers.lock:TrackerLockTrigger",
    "notifications:ReleaseLocksNotifier",
    "notifications:release_locks",
    "hooks.codebeamer:CodebeamerHook",
)

INTRODUCTION = """# Airflow classes

The owner of a lock is `dag_id/run_id`, with the map index for a mapped task. A
second try gets the lock that the run already holds. Everything releases by
tracker, owner and epoch: doing it twice, late or from two places at once is
harmless. An error for which a retry cannot help ends the task at once
(`AirflowFailException`). A lock task may take several trackers in
one lock: all of them or none.

T: the parameter is a template. What else a class takes is Airflow's.

"""

_PARAMETER = re.compile(r"^:param (\w+):\s*(.*?)(?=^:|^\S|\Z)", re.M | re.S)
_RETURN = re.compile(r"^:return:\s*(.*?)(?=^:|^\S|\Z)", re.M | re.S)
_RAISES = re.compile(r"^Raises:\n(.*?)(?=^\S|\Z)", re.M | re.S)


@dataclass(frozen=True)
class Described:
    """A docstring in its parts."""

    body: str
    parameters: dict[str, str]
    returns: str
    raises: str

    @classmethod
    def of(cls, thing: object) -> Described:
        """Take the docstring of a class or function apart."""
        text = inspect.getdoc(thing) or ""
        returns, raises = _RETURN.search(text), _RAISES.search(text)
        body = re.split(r"^(?::param|:return|Raises:)", text, maxsplit=1, flags=re.M)[0]
        return cls(
            body.strip(),
            {name: " ".join(words.split()) for name, words in _PARAMETER.findall(text)},
            " ".join(returns[1].split()) if returns else "",
            " ".join(raises[1].split()) if raises else "",
        )


def airflow_page() -> Iterator[str]:
    """What people write in DAG files, and the DAGs in `dags/`."""
    # Airflow makes its home when it is imported; this one nobody misses.
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        yield INTRODUCTION
        for entry in CLASSES:
            yield from described(entry)
    yield from shipped_dags()


def described(entry: str) -> Iterator[str]:
    """One class or function: contract, parameters, templates, what it returns."""
    module, _, name = entry.partition(":")
    thing = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    words = Described.of(thing)
    yield f"## {name}\n\n```text\nfrom {PACKAGE}.{module} import {name}\n```\n\n"
    yield f"{words.body}\n\n"
    templates = set(getattr(thing, "template_fields", ()))
    rows = list(parameters(thing))
    if rows:
        yield "| parameter | T | default | meaning |\n| --- | --- | --- | --- |\n"
    for parameter, meaning in rows:
        mark = "T" if parameter.name in templates else ""
        yield f"| `{parameter.name}` | {mark} | {default_of(parameter)} | {meaning} |\n"
    yield "\n" if rows else ""
    if words.returns:
        yield f"Returns {words.returns}\n\n"
    if words.raises:
        error, _, why = words.raises.partition(":")
        yield f"Raises `{error}`: {why.strip()}\n\n"


def parameters(thing: Any) -> Iterator[tuple[inspect.Parameter, str]]:
    """Every parameter of ours that the docstrings describe, with its meaning."""
    if inspect.isclass(thing):
        family = [one for one in thing.__mro__ if one.__module__.startswith(PACKAGE)]
    else:
        family = [thing]
    seen: set[str] = set()
    for one in family:
        meanings = Described.of(one).parameters
        source = vars(one).get("__init__") if inspect.isclass(one) else one
        if source is None:
            continue
        for parameter in inspect.signature(source).parameters.values():
            if parameter.name in meanings and parameter.name not in seen:
                seen.add(parameter.name)
                yield parameter, meanings[parameter.name].replace("|", "\\|")


def default_of(parameter: inspect.Parameter) -> str:
    """Return a default as people write it."""
    value = parameter.default
    if value is inspect.Parameter.empty:
        return "" if parameter.kind is parameter.VAR_KEYWORD else "required"
    if isinstance(value, timedelta):
        return str(value).removeprefix("0:") if value.days else _minutes(value)
    return "-" if value in (None, "") else f"`{value}`"


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def shipped_dags() -> Iterator[str]:
    """The files of `dags/`: what they say of themselves, and what they read."""
    yield "## The DAGs in `dags/`\n\nTwo files of the repository, not part of the "
    yield "installed package: copy them into your DAG folder. They read Airflow "
    yield "Variables only as environment variables, `AIRFLOW_VAR_…`.\n\n"
    for file in sorted((ROOT / "dags").glob("*.py")):
        text = file.read_text()
        yield f"### `{dag_id(text)}`\n\n{ast.get_docstring(ast.parse(text))}\n\n"
        names = ", ".join(f"`{name}`" for name in variables(text))
        yield f"Reads {names}.\n\n"


def dag_id(text: str) -> str:
    """Return the id that a DAG file gives its DAG."""
    found = re.search(r'dag_id="(\w+)"|generator_dag\(\s*"(\w+)"', text)
    assert found is not None  # noqa: S101
    return found[1] or found[2]


def variables(text: str) -> list[str]:
    """Return the environment variables that a DAG file reads."""
    prefix = re.search(r"AIRFLOW_VAR_CODEBEAMER_[A-Z_]*_(?=[\"{])", text)
    assert prefix is not None  # noqa: S101
    names = re.findall(r"variable\(\"(\w+)\"\)|\{PREFIX\}(\w+)", text)
    return sorted({prefix[0] + (one or other) for one, other in names})
