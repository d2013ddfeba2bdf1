"""Makes a typer command of a function, and gives it the options that all share."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.session import Session, Where
from airflow_codebeamer.errors import ConfigurationError

__all__ = ["OptionalTracker", "Tracker", "Trackers", "command", "mapping"]

Tracker = Annotated[int, typer.Argument(min=1, help="The tracker's number.")]
OptionalTracker = Annotated[
    int | None, typer.Argument(min=1, help="The tracker's number.")
]
Trackers = Annotated[
    list[int], typer.Argument(min=1, help="The numbers of the trackers.")
]


def mapping(text: str, *, option: str) -> dict[str, Any]:
    """Return what a JSON object in an option says; {} without any.

    Raises:
        ConfigurationError: it is none; names the option.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(option, 'write a JSON object, like {"items": [4711]}')
    return found


_SERVER, _RUN = "Server and store", "Output"

_SHARED: dict[str, Any] = {
    "url": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_URL",
            help="The server's base address, like https://alm.example.com/cb",
            rich_help_panel=_SERVER,
        ),
    ],
    "user": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_USER",
            help="The account that generators use.",
            rich_help_panel=_SERVER,
        ),
    ],
    "password_file": Annotated[
        str,
        typer.Option(
            help="A file with its password; else CODEBEAMER_PASSWORD or "
            "CODEBEAMER_TOKEN.",
            rich_help_panel=_SERVER,
        ),
    ],
    "verify": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_VERIFY",
            help="Check certificates: true, false, or the path of a CA bundle.",
            rich_help_panel=_SERVER,
        ),
    ],
    "store": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_LOCK_STORE",
            help="The lock store, a SQLAlchemy address "
            "[default: sqlite:///$AIRFLOW_HOME/codebeamer_locks.db]",
            show_default=False,
            rich_help_panel=_SERVER,
        ),
    ],
    "exclusive_role": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_EXCLUSIVE_ROLE",
            help="The role that keeps write access while a tracker is locked.",
            rich_help_panel=_SERVER,
        ),
    ],
    "writers": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_WRITERS",
            help="Two accounts that write in turn, LOGIN[:ROLE][=PASSWORD_FILE] with a "
            "comma in between; the user above then only sets permissions.",
            rich_help_panel=_SERVER,
        ),
    ],
    "strategy": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_STRATEGY",
            help="How others are kept from writing: role_permissions, item_locks, "
            "advisory.",
            rich_help_panel=_SERVER,
        ),
    ],
    "requests_per_second": Annotated[
        float,
        typer.Option(
            min=0,
            envvar="CODEBEAMER_REQUESTS_PER_SECOND",
            help="Our own pace; 0 for none.",
            rich_help_panel=_SERVER,
        ),
    ],
    "requests_per_minute": Annotated[
        float,
        typer.Option(
            min=0,
            envvar="CODEBEAMER_REQUESTS_PER_MINUTE",
            help="Our own pace; 0 for none.",
            rich_help_panel=_SERVER,
        ),
    ],
    "timing": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_LOCK_TIMING",
            help="The timing of locks, like ttl=60s,beat=15s",
            rich_help_panel=_SERVER,
        ),
    ],
    "policy": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_LOCK_POLICY",
            help="The policies of locks, like on_drift=fail,restore_policy=ask",
            rich_help_panel=_SERVER,
        ),
    ],
    "certificate": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_LOCK_CERTIFICATE",
            help="Changes of others under a lock: off, warn or fail.",
            rich_help_panel=_SERVER,
        ),
    ],
    "escrow": Annotated[
        str,
        typer.Option(
            envvar="CODEBEAMER_ESCROW",
            help="A file that gets the originals of each lock; - for stderr.",
            rich_help_panel=_SERVER,
        ),
    ],
    "notice_tracker": Annotated[
        int,
        typer.Option(
            min=0,
            envvar="CODEBEAMER_NOTICE_TRACKER",
            help="The tracker that gets an item for each lock: who, why, until when; "
            "0 for none.",
            rich_help_panel=_SERVER,
        ),
    ],
    "json": Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON document on stdout.", rich_help_panel=_RUN
        ),
    ],
    "debug": Annotated[
        bool,
        typer.Option(
            "--debug", help="Show tracebacks of errors.", rich_help_panel=_RUN
        ),
    ],
}


def command(
    app: typer.Typer, name: str
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Register a function as a command.

    Its first parameter is the `Session`; the others are its own arguments, as
    typer reads them. What it returns is the exit code.
    """

    def register(function: Callable[..., int]) -> Callable[..., int]:
        app.command(name)(_with_session(function))
        return function

    return register


def _with_session(function: Callable[..., int]) -> Callable[..., None]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_SHARED[field.name],
        )
        for field in fields(Where)
    ]
    names = {parameter.name for parameter in shared}

    def run(**given: Any) -> None:
        told = {name: value for name, value in given.items() if name in names}
        rest = {name: value for name, value in given.items() if name not in names}
        raise typer.Exit(function(Session(Where(**told)), **rest))

    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own
    ] + shared
    run.__doc__ = function.__doc__
    run.__name__ = function.__name__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    setattr(run, "__signature__", inspect.Signature(parameters))  # noqa: B010
    return run
