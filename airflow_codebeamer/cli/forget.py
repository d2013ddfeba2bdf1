"""`lock forget` and `lock remember`: a tracker that is gone, and one that is not."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_codebeamer.cli.decisions import By, Reason
from airflow_codebeamer.cli.lock import DRIFT, release_line
from airflow_codebeamer.cli.options import Tracker, command
from airflow_codebeamer.cli.session import Session, signed
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import name_of_resource

__all__ = ["register"]

Resource = Annotated[
    str, typer.Option(help="The tracker's address, SERVER/tracker/TRACKER.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the group of those on locks."""
    command(app, "forget")(forget)
    command(app, "remember")(remember)


def forget(
    session: Session,
    tracker: Tracker,
    resource: Resource,
    resource_again: Resource,
    expect_epoch: Annotated[
        int, typer.Option(min=1, help="The epoch that `lock show` said.")
    ],
    reason: Reason,
    by: By = "",
) -> int:
    """Free the record of a tracker that was deleted; nothing else frees unrestored.

    Asks the server first, which must answer 404. The journal of what its roles had is
    kept: if the tracker is there after all, `lock remember` restores it, and nothing
    locks it before.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        name = name_of_resource(codebeamer.settings.server.base, number)
        for option, typed in (
            ("--resource", resource),
            ("--resource-again", resource_again),
        ):
            if typed != name:
                raise ConfigurationError(
                    option, f"type the address of the tracker, {name}, not {typed!r}"
                )
        lock = codebeamer.engine.forget(
            number, expect_epoch=Epoch(expect_epoch), by=signed(by), reason=reason
        )
    session.out.result(
        {"tracker_id": tracker, "forgotten": True, "epoch": lock.epoch},
        [
            f"Tracker {tracker} is forgotten. What its roles had is kept; if it is "
            f"there after all: `airflow-codebeamer lock remember {tracker} --reason "
            "TEXT`."
        ],
    )
    return 0


def remember(session: Session, tracker: Tracker, reason: Reason, by: By = "") -> int:
    """Give a tracker that was forgotten, and is there after all, its rights back.

    Exit code 4: others had changed permissions meanwhile.
    """
    with session.connect() as codebeamer:
        report = codebeamer.engine.remember(
            TrackerId(tracker), by=signed(by), reason=reason
        )
    session.out.result(report.to_json(), [release_line(report)])
    return DRIFT if report.drift else 0
