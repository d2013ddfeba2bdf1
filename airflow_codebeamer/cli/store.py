"""`store migrate` and `store check`."""

from __future__ import annotations

import typer

from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session

__all__ = ["app"]

app = typer.Typer(help="The lock store's tables.")


@command(app, "migrate")
def migrate(session: Session) -> int:
    """Create the tables, or bring older ones to this version."""
    with session.open_store() as store:
        applied = store.database.migrate()
        address = store.database.address
    lines = [f"applied: {step}" for step in applied] or ["nothing to do"]
    session.out.result({"store": address, "applied": applied}, lines)
    return 0


@command(app, "check")
def check(session: Session) -> int:
    """Look at the store and change nothing."""
    with session.open_store() as store:
        findings = store.database.check()
        address = store.database.address
    session.out.result({"store": address, "findings": findings}, findings)
    return 0
