"""`lock why`: who took which right of a role, for which run, and when it was back."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_codebeamer.cli.lock import app, find_lock
from airflow_codebeamer.cli.options import Tracker, command
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId

__all__ = ["app"]


@command(app, "why")
def why(
    session: Session,
    tracker: Tracker,
    role: Annotated[str, typer.Argument(help="The role, by name or id.")],
    permission: Annotated[
        str, typer.Option(help="Only this permission, by name or id.")
    ] = "",
) -> int:
    """Say who took which right of a role, when, for which run, and when it came back.

    Reads the lock store only: what people did in Codebeamer is in here as far as a lock
    came upon it.
    """
    number = TrackerId(tracker)
    with session.open_store() as store:
        lock = find_lock(store.status, session.server, number)
        if lock is None:
            raise ConfigurationError("TRACKER", f"tracker {tracker} was never locked")
        found = store.status.list_takings(lock.server, number, role, permission)
    nothing = f"No lock has taken {permission or 'anything'} from role {role}."
    session.out.result(
        {
            "tracker_id": tracker,
            "role": role,
            "permission": permission,
            "takings": [one.to_json() for one in found],
        },
        [line for one in found for line in one.lines()] or [nothing],
    )
    return 0
