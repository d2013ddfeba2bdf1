"""Program: a generator in any language, run as a process of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    ValidationError,
)

from airflow_codebeamer.errors import ConfigurationError

__all__ = ["Program", "program_of"]


def _words(value: Any) -> Any:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _level(value: Any) -> Any:
    words = {"restore": "rollback", "none": "keep"}
    return words.get(value, value) if isinstance(value, str) else value


class Program(BaseModel):
    """A command that describes items, or writes them itself under our lock.

    Give it to whatever takes a generator; as a mapping, or JSON, it is the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The command and its arguments, a list or one line. No shell reads it.
    command: Annotated[
        tuple[StrictStr, ...], BeforeValidator(_words), Field(min_length=1)
    ]
    #: `describe` writes one document, `stream` sends items while it runs,
    #: `delegate` writes to Codebeamer itself.
    kind: Literal["describe", "stream", "delegate"] = "stream"
    #: What people know it by; the command's name if not given.
    name: StrictStr = ""
    #: Where it runs; the worker's own folder if not given.
    cwd: StrictStr | None = None
    #: Further environment variables. No secrets: they are shown with the task.
    env: dict[StrictStr, StrictStr] = {}
    #: Where its messages come from: the file `CB_GEN_MESSAGES`, or its stdout.
    messages: Literal["file", "stdout"] = "file"
    #: The longest that it may run; None for as long as the lock is ours.
    timeout: timedelta | None = None
    #: How long it has between SIGTERM and SIGKILL.
    grace: timedelta = timedelta(seconds=30)
    #: The head of the document (`owner`, `identity`, `policy`, `defaults`).
    document: dict[StrictStr, Any] = {}
    #: `delegate`: through our relay, which asks for the lock before each write and
    #: keeps the pace, or to the server itself with the account's own password.
    access: Literal["relay", "direct"] = "relay"
    #: `delegate`: put back what can be put back when it fails (`restore` says the
    #: same); keep the tracker locked if not all of it can be; only list what it did;
    #: or leave it without a word (`none`).
    on_failure: Annotated[
        Literal["rollback", "restore_or_keep_locked", "report", "keep"],
        BeforeValidator(_level),
    ] = "rollback"

    @property
    def title(self) -> str:
        """The name that people know it by."""
        return self.name or " ".join([Path(self.command[0]).name, *self.command[1:2]])


def program_of(given: Mapping[str, Any]) -> Program:
    """Return the program that a mapping describes.

    Raises:
        ConfigurationError: says what is wrong with it.
    """
    try:
        return Program.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        known = ", ".join(Program.model_fields)
        raise ConfigurationError(
            "generator",
            f"{place} of the program: {first['msg'].lower()}; it takes {known}",
        ) from None
