"""What a program says while it runs: one JSON object a line; pure.

    {"cbgen": "1", "method": "item", "params": {"key": "pump", "name": "Pump"}}

The words of Dagster Pipes are read as well, see `pipes.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from airflow_codebeamer.errors import GeneratorProtocolError
from airflow_codebeamer.generator.pipes import PIPES_VERSION, is_pipes, translate

__all__ = [
    "ENVELOPE",
    "MESSAGES",
    "PROTOCOL",
    "Checkpoint",
    "Closed",
    "Document",
    "Item",
    "Log",
    "Message",
    "Opened",
    "Progress",
    "Result",
    "Warned",
    "read_message",
]

#: The version that a message names in `cbgen`.
PROTOCOL = "1"

#: What every line looks like.
ENVELOPE = '{"cbgen": "1", "method": "…", "params": {…}}'

_QUOTED = 80


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Opened(_Message):
    """The program is there, and says who it is; the first message, if it is sent."""

    #: What it calls itself.
    name: StrictStr = ""
    #: Its own version.
    version: StrictStr = ""
    #: What it takes itself for; another kind than it is run as is refused.
    kind: Literal["describe", "stream", "delegate"] | None = None
    #: What else it can do; nothing is defined yet.
    capabilities: tuple[StrictStr, ...] = ()


class Document(_Message):
    """The head of the document, before the first item (`stream`)."""

    #: Whose document it is; the program's name, if it is not said.
    owner: StrictStr | None = None
    #: As in a document.
    source: dict[str, Any] = {}
    #: As in a document: the field with the keys, and the prefix of the keys.
    identity: dict[str, Any] = {}
    #: As in a document.
    policy: dict[str, Any] = {}
    #: As in a document.
    defaults: dict[str, Any] = {}


class Log(_Message):
    """A line for the task log."""

    #: How much it matters.
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    #: The line.
    message: StrictStr


class Progress(_Message):
    """How far the program is."""

    #: How many are done.
    done: StrictInt = Field(ge=0)
    #: Of how many; 0 if nobody knows.
    total: StrictInt = Field(default=0, ge=0)
    #: What it is doing.
    phase: StrictStr = "describe"


class Item(_Message):
    """One item (`stream`): the properties of an item of a document, flat."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Checkpoint(_Message):
    """Whatever the program wants to be told when it is run again. Not a secret."""

    #: Any JSON, at most 64 KiB; the last one counts.
    state: Any = None


class Warned(_Message):
    """Something that belongs into the report of the run."""

    #: A word for programs.
    code: StrictStr = ""
    #: A sentence for people.
    message: StrictStr
    #: The item that it is about.
    key: StrictStr = ""


class Result(_Message):
    """The program is done. Without it, or a `closed`, the run failed."""

    #: `describe`: the file with the document, if it is not `CB_GEN_RESULT`.
    document: StrictStr | None = None
    #: Numbers to tell; nobody checks them.
    counts: dict[str, StrictInt] = {}


class Closed(_Message):
    """The last word: tells an end from a connection that broke."""

    #: What went wrong, None if nothing did.
    exception: StrictStr | None = None


Message: TypeAlias = (
    Opened | Document | Log | Progress | Item | Checkpoint | Warned | Result | Closed
)

#: Every method, and what its `params` hold.
MESSAGES: Mapping[str, type[Message]] = {
    "opened": Opened,
    "document": Document,
    "log": Log,
    "progress": Progress,
    "item": Item,
    "checkpoint": Checkpoint,
    "warning": Warned,
    "result": Result,
    "closed": Closed,
}


def read_message(line: bytes, number: int, name: str) -> Message | None:
    """Read one line of a program; None for one that says nothing.

    Raises:
        GeneratorProtocolError: it cannot be read; says the line and what was
            expected.
    """
    found = _object(line, number, name)
    if found is None:
        return None
    if is_pipes(found):
        found = translate(found)
        if found is None:
            return None
    if found.get("cbgen") != PROTOCOL:
        said = found.get("cbgen", found.get("__dagster_pipes_version"))
        problem = (
            "it does not say its protocol"
            if said is None
            else f"the protocol {said!r} is not known here"
        )
        raise GeneratorProtocolError(
            name,
            number,
            problem,
            expected=f'"cbgen": "{PROTOCOL}" (or Dagster Pipes {PIPES_VERSION})',
        )
    return _params(found, number, name)


def _object(line: bytes, number: int, name: str) -> dict[str, Any] | None:
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise GeneratorProtocolError(
            name,
            number,
            f"byte {line[error.start]:#04x} at {error.start} is no UTF-8",
            expected="text in UTF-8",
        ) from None
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        shown = text if len(text) <= _QUOTED else text[:_QUOTED] + "…"
        raise GeneratorProtocolError(
            name, number, f"{shown!r} is no JSON object", expected=ENVELOPE
        )
    return found


def _params(found: dict[str, Any], number: int, name: str) -> Message:
    method, params = found.get("method"), found.get("params")
    model = MESSAGES.get(method) if isinstance(method, str) else None
    if model is None:
        raise GeneratorProtocolError(
            name,
            number,
            f"there is no method {method!r}",
            expected=f"one of {', '.join(MESSAGES)}",
        )
    if not isinstance(params, dict | None):
        raise GeneratorProtocolError(
            name,
            number,
            f"the params of {method} are {type(params).__name__}",
            expected="an object",
        )
    try:
        return model.model_validate(params or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in ("params", *first["loc"]))
        known = ", ".join(model.model_fields)
        raise GeneratorProtocolError(
            name,
            number,
            f"{place} of {method}: {first['msg'].lower()}",
            expected=f"the params {known}",
        ) from None
