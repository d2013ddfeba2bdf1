"""The page on programs: what they are told, what they say, how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from reading import cell, first_paragraph, notes

from airflow_codebeamer.generator.launchers.program import EXITS, SKIP, STOPPED
from airflow_codebeamer.generator.messages import ENVELOPE, MESSAGES, PROTOCOL
from airflow_codebeamer.generator.pipes import PIPES_VERSION
from airflow_codebeamer.generator.program import Program

#: What each variable holds, in the order in which a program needs them.
VARIABLES: dict[str, str] = {
    "CB_GEN_PROTOCOL": f"`{PROTOCOL}`",
    "CB_GEN_CONTEXT": "path of a JSON file: `protocol`, `kind`, `run`, `tracker_id`, "
    "`dry_run`, `params` (the arguments), `checkpoint` (what an earlier try left)",
    "CB_GEN_MESSAGES": "where messages go: a path to append lines to, or `stdout`",
    "CB_GEN_RESULT": "path for the document (`describe`)",
    "CB_GEN_LEASE": "under a lock only: path of a JSON file that is replaced once a "
    "second: `state` (`held`, `lost`, `released`), `deadline`, `reason`",
    "CB_GEN_DEADLINE": "if it has a `timeout`: the time (RFC 3339) of its end",
    "CB_GEN_DRY_RUN": "`true` if nothing will be written, else `false`",
    "CB_TRACKER_ID": "the tracker",
    "CB_URL": "`delegate` only: the base address of the REST API",
    "CB_USERNAME": "`delegate` only: the account",
    "CB_PASSWORD_FILE": "`delegate` only: a file with its password, mode 0600",
    "CB_TOKEN_FILE": "`delegate` with direct access and a token: a file with it",
    "CB_RATE": "`delegate` only: JSON, requests `per_second` and `per_minute`",
    "DAGSTER_PIPES_CONTEXT": "the same for programs that speak Dagster Pipes "
    f"{PIPES_VERSION}; the context above is in its `extras`",
    "DAGSTER_PIPES_MESSAGES": "the same messages, for such programs",
}


def protocol_page() -> Iterator[str]:
    """The protocol of programs, part by part."""
    yield "# Programs\n\nA program is a generator in any language, run as a process of "
    yield "its own. [How to write one](../howto/write-a-generator.md#any-language).\n\n"
    yield f"## `Program`\n\n{first_paragraph(Program)} Give it as "
    yield "`airflow_codebeamer.generator.Program`, as a mapping, or as JSON.\n\n"
    yield from table(Program)
    yield "## What it is told\n\nVariables, besides those of the worker; of these "
    yield "`AIRFLOW__…`, `AIRFLOW_CONN_…` and `CODEBEAMER_…` are left out, since they "
    yield "may hold secrets.\n\n| variable | content |\n| --- | --- |\n"
    for name, content in VARIABLES.items():
        yield f"| `{name}` | {cell(content)} |\n"
    yield "\n## What it says\n\nOne JSON object a line, in UTF-8:\n\n"
    yield f"```json\n{ENVELOPE}\n```\n\n"
    yield "A line that cannot be read ends the run; the error names the line "
    yield "and what was expected. Other output goes to the task log, at most 2,000 "
    yield "lines of each stream.\n\n"
    for method, model in MESSAGES.items():
        yield f"### `{method}`\n\n{first_paragraph(model)}\n\n"
        if model.model_fields:
            yield from table(model)
    yield "In Dagster Pipes `log` is our `log`, `closed` also stands for `result`, and "
    yield "a custom message with `method` and `params` is read like ours; whatever "
    yield "else it reports goes to the log.\n\n"
    yield "## How it ends\n\n| exit code | meaning | retry |\n| --- | --- | --- |\n"
    yield "| 0 | done, if `result` was sent; else it failed | |\n"
    for code, (meaning, may_retry) in EXITS.items():
        yield f"| {code} | {meaning} | {'yes' if may_retry else 'never'} |\n"
    yield f"| {SKIP} | nothing to do: the task is skipped | |\n"
    yield f"| {', '.join(map(str, STOPPED))} | stopped on request | yes |\n"
    yield "| any other | it crashed; 128 and more: the signal that ended it | yes |\n"
    yield "\nTo end it, its process group gets SIGTERM, and SIGKILL after `grace`; "
    yield "then whatever else it started is killed, also what left the group. "
    yield "That happens when the task is told to stop, when the lock is lost, at "
    yield "`timeout`, after a line that cannot be read, and when the worker dies or "
    yield "freezes.\n\n"
    yield "## JSON Schema\n\nOf one line:\n\n```json\n"
    yield json.dumps(schema(), indent=1) + "\n```\n"


def table(model: type[BaseModel]) -> Iterator[str]:
    """The properties of a model."""
    yield "| property | default | meaning |\n| --- | --- | --- |\n"
    said = notes(model)
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else stated(field.default)
        yield f"| `{name}` | {default} | {cell(said.get(name, ''))} |\n"
    yield "\n"


def stated(value: Any) -> str:
    """Return a default as people write it."""
    if value in (None, "", (), {}):
        return "-"
    if hasattr(value, "total_seconds"):
        return f"{value.total_seconds():g} s"
    return f"`{value}`"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "oneOf": [
            {
                "type": "object",
                "required": ["cbgen", "method"],
                "additionalProperties": False,
                "properties": {
                    "cbgen": {"const": PROTOCOL},
                    "method": {"const": method},
                    "params": {
                        name: part
                        for name, part in model.model_json_schema().items()
                        if name not in ("title", "description")
                    },
                },
            }
            for method, model in MESSAGES.items()
        ],
    }
