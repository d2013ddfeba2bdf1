"""Whether a PostgreSQL server keeps what it has committed: its settings, judged.

Source: PostgreSQL's documentation of `fsync`, `full_page_writes`,
`synchronous_commit`, `synchronous_standby_names` and of `pg_stat_replication`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.engine import Connection

from airflow_codebeamer.errors import DatabaseUnsafeError

__all__ = ["durability_findings", "refuse_forgetful", "replica_finding"]

_ASKED = (
    "fsync",
    "full_page_writes",
    "server_version",
    "synchronous_commit",
    "synchronous_standby_names",
    "transaction_isolation",
)
#: What a replica is called that a commit waits for.
_SYNCHRONOUS = ("sync", "quorum")


def refuse_forgetful(connection: Connection, place: str) -> None:
    """Raise if the server may forget at a power loss what it has committed.

    Raises:
        DatabaseUnsafeError: it runs without fsync, or without whole pages.
    """
    settings = _settings(connection)
    off = [name for name in ("fsync", "full_page_writes") if settings[name] != "on"]
    if off:
        raise DatabaseUnsafeError(
            f"The lock store {place} can lose locks with the power: "
            f"{' and '.join(off)} is off there; switch it on (ALTER SYSTEM, then "
            "pg_reload_conf()), or use another server."
        )


def durability_findings(connection: Connection) -> list[str]:
    """Return what there is to say about the server, a line each."""
    settings = _settings(connection)
    states = connection.scalars(text("SELECT sync_state FROM pg_stat_replication"))
    replicas = replica_finding(settings["synchronous_standby_names"], states.all())
    return [
        f"server: PostgreSQL {settings['server_version']}, "
        f"{settings['transaction_isolation']}",
        f"synchronous_commit: {settings['synchronous_commit']}, "
        f"fsync: {settings['fsync']}, full_page_writes: {settings['full_page_writes']}",
        *([replicas] if replicas else []),
    ]


def replica_finding(names: str, states: Sequence[str | None]) -> str:
    """Return what a failover would forget; empty where there is no replica.

    `names` is the server's `synchronous_standby_names`, `states` the `sync_state` of
    each connected replica, None where this account may not see it. Pure.
    """
    waited_for = sum(state in _SYNCHRONOUS for state in states)
    if waited_for:
        return f"replicas: {len(states)}, commits wait for {waited_for} of them"
    if names and not states:
        return (
            f"warning: commits wait for a replica ({names}), and none is connected: "
            "locks will time out until one is"
        )
    if not states:
        return ""
    if names and None in states:
        return (
            f"replicas: {len(states)}, commits wait for {names}; this account may not "
            "see whether they are connected (pg_monitor may)"
        )
    return (
        f"warning: the replicas ({len(states)}) are asynchronous, a failover can "
        "forget the last locks: name one in synchronous_standby_names, or keep the "
        "escrow of each lock and its notice"
    )


def _settings(connection: Connection) -> Mapping[str, str]:
    shown = ", ".join(f"current_setting('{name}') AS {name}" for name in _ASKED)
    row = connection.execute(text(f"SELECT {shown}")).mappings().one()
    return {name: str(value) for name, value in row.items()}
