"""The same commands as `airflow codebeamer …`; only Airflow imports this."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

__all__ = ["get_commands"]


def get_commands() -> list[CLICommand]:
    """Return what Airflow adds to its own commands: one, which passes all on."""
    from airflow.cli.cli_config import ActionCommand, Arg

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
            args=(rest,),
        )
    ]


def _run(args: argparse.Namespace) -> None:
    from airflow.configuration import AIRFLOW_HOME, conf

    from airflow_codebeamer.cli.main import main

    # The store that the operators use, unless an Airflow connection names another.
    os.environ.setdefault("AIRFLOW_HOME", AIRFLOW_HOME)
    store = conf.get("codebeamer", "lock_store", fallback="")
    if store:
        os.environ.setdefault("CODEBEAMER_LOCK_STORE", store)
    rest = list(args.rest)
    sys.exit(main(["--help"] if rest in ([], ["help"]) else rest))
