"""The same commands as `airflow codebeamer …`; only Airflow imports this."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

    from airflow_codebeamer.settings import LockSettings, ServerSettings

__all__ = ["get_commands"]

_DEFAULT_CONN_ID = "codebeamer_default"
_USAGE = 64


def get_commands() -> list[CLICommand]:
    """Return what Airflow adds to its own commands: one, which passes all on."""
    from airflow.cli.cli_config import ActionCommand, Arg

    conn_id = Arg(  # type: ignore[no-untyped-call]
        ("--conn-id",),
        default=_DEFAULT_CONN_ID,
        help="the connection of the server, before COMMAND "
        f"(default: {_DEFAULT_CONN_ID}, if it exists)",
    )
    rest = Arg(  # type: ignore[no-untyped-call]
        ("rest",),
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="what to do, like `lock list`; `codebeamer help` lists everything",
    )
    return [
        ActionCommand(
            name="codebeamer",
            help="Locks of Codebeamer trackers, and generators that fill them",
            func=_run,
            args=(conn_id, rest),
        )
    ]


def _run(args: argparse.Namespace) -> None:
    from airflow_codebeamer.cli.main import main
    from airflow_codebeamer.errors import ConfigurationError

    rest = list(args.rest)
    if rest in ([], ["help"]):
        sys.exit(main(["--help"]))
    try:
        with _results_apart():
            told = list(_told(args.conn_id, rest))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_USAGE)
    # In our own environment, because arguments are shown to everybody.
    for name, value in told:
        if not os.environ.get(f"CODEBEAMER_{name}"):
            os.environ[f"CODEBEAMER_{name}"] = value
    sys.exit(main(rest))


@contextmanager
def _results_apart() -> Iterator[None]:
    """Send to stderr what Airflow logs to stdout, which is for our result alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _told(conn_id: str, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what Airflow knows, in the words of our environment variables.

    Raises:
        ConfigurationError: a connection or the configuration is wrong.
    """
    from airflow.configuration import AIRFLOW_HOME
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_codebeamer.hooks import CodebeamerHook

    os.environ.setdefault("AIRFLOW_HOME", AIRFLOW_HOME)
    # As Airflow's own commands do it: its database has connections, too.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    hook = CodebeamerHook(conn_id)
    if not _is_given("store", rest, "LOCK_STORE"):
        store = hook.store_settings()
        yield "LOCK_STORE", store.url.get_secret_value()
        yield "ALLOW_NETWORK_SHARE", str(store.allow_network_share)
    yield "LOCK_TIMING", _timing(hook.lock_settings())
    if conn_id == _DEFAULT_CONN_ID:
        try:
            hook.get_connection(conn_id)
        except AirflowNotFoundException:
            return  # looking at locks needs no server
    # A password goes to the server of its connection and to no other.
    if not _is_given("url", rest) and not _is_given("user", rest):
        yield from _server(hook.settings.server)
        yield from _writers(hook.settings.writers)


def _server(server: ServerSettings) -> Iterator[tuple[str, str]]:
    yield "URL", server.url
    yield "USER", server.login
    if server.token is not None:
        yield "TOKEN", server.token.get_secret_value()
    elif server.password is not None:
        yield "PASSWORD", server.password.get_secret_value()
    yield "VERIFY", str(server.verify)
    yield "EXCLUSIVE_ROLE", server.exclusive_role
    yield "STRATEGY", server.strategy
    yield "REQUESTS_PER_SECOND", str(server.requests_per_second or 0)
    yield "REQUESTS_PER_MINUTE", str(server.requests_per_minute or 0)


def _writers(writers: Sequence[ServerSettings]) -> Iterator[tuple[str, str]]:
    if writers:
        yield "WRITERS", ",".join(f"{w.login}:{w.exclusive_role}" for w in writers)
    for number, writer in enumerate(writers, start=1):
        if writer.token is not None:
            yield f"WRITER_{number}_TOKEN", writer.token.get_secret_value()
        elif writer.password is not None:
            yield f"WRITER_{number}_PASSWORD", writer.password.get_secret_value()


def _timing(settings: LockSettings) -> str:
    return ",".join(
        f"{name}={value.total_seconds():f}s"
        for name, value in settings
        if isinstance(value, timedelta)
    )


def _is_given(name: str, rest: Sequence[str], variable: str = "") -> bool:
    option = f"--{name}"
    in_words = any(word == option or word.startswith(f"{option}=") for word in rest)
    return in_words or bool(os.environ.get(f"CODEBEAMER_{variable or name.upper()}"))
