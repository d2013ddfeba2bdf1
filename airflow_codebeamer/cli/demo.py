"""`demo` and `up`: real Airflow, emulated server, real CAN database."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.errors import ConfigurationError

__all__ = ["register"]

_ROOM = "airflow_codebeamer.demo"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(app, "demo")(demo)
    command(app, "up")(up)


def demo(
    session: Session,
    dbc: Annotated[str, typer.Option(help="A DBC file; vw_mqb.dbc without it.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Keep its folder.")] = False,
) -> int:
    """Show the main job on real Airflow. Exit code 1: something went wrong."""
    return int(_room().run_demo(dbc=dbc or None, keep=keep, as_json=session.where.json))


def up(
    session: Session,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Airflow's port.")] = 8080,
    emulator_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The emulator's port.")
    ] = 8085,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Databases on PostgreSQL, not SQLite.")
    ] = False,
) -> int:
    """Run Airflow with its pages and the emulator until Ctrl-C."""
    if session.where.json:
        raise ConfigurationError(
            "--json", "`up` runs until it is stopped, without a result"
        )
    return int(
        _room().serve_until_stopped(
            port=port, emulator_port=emulator_port, postgres=postgres
        )
    )


def _room() -> Any:
    # The demonstration stands above the command line and is an optional part.
    try:
        return importlib.import_module(_ROOM)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "demo",
            f"{error.name} is missing: pip install 'airflow-provider-codebeamer[demo]'",
        ) from error
