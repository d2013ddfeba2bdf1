"""Who holds a lock, seen from Airflow: the run, and the map index if there is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock, Owner
    from airflow_codebeamer.wiring import Codebeamer

__all__ = [
    "is_of_run",
    "is_owed",
    "list_owed",
    "owner_key",
    "owner_of",
    "run_link",
    "run_of",
]

_MAPPED = re.compile(r"\[\d+\]")


def owner_key(dag_id: str, run_id: str, map_index: int | None = None) -> str:
    """Return the name under which a run holds its locks.

    Every task of a run has the same name, so that unlock finds what lock took.
    """
    mapped = f"[{map_index}]" if map_index is not None and map_index >= 0 else ""
    return f"{dag_id}/{run_id}{mapped}"


def is_of_run(key: str, dag_id: str, run_id: str) -> bool:
    """Say whether a lock's owner is that run, or a mapped part of it."""
    run = owner_key(dag_id, run_id)
    return key == run or (
        key.startswith(run) and _MAPPED.fullmatch(key.removeprefix(run)) is not None
    )


def is_owed(key: str, dag_id: str, run_id: str, map_index: int | None = None) -> bool:
    """Say whether a lock is that task's to give back.

    A mapped task answers for its own index, any other task for the whole run.
    """
    if map_index is not None and map_index >= 0:
        return key == owner_key(dag_id, run_id, map_index)
    return is_of_run(key, dag_id, run_id)


def list_owed(
    codebeamer: Codebeamer, dag_id: str, run_id: str, map_index: int | None = None
) -> list[Lock]:
    """Return the locks on the connection's server that are that task's to give back.

    What was written last comes first, so that it is undone first.
    """
    from airflow_codebeamer.locking import LockState

    return codebeamer.runs.newest_first(
        lock
        for lock in codebeamer.status.list_locks(codebeamer.settings.server.base)
        if lock.state is not LockState.FREE
        and is_owed(lock.owner.key, dag_id, run_id, map_index)
    )


def owner_of(context: Context) -> Owner:
    """Return the owner that a task acts as."""
    from airflow_codebeamer.locking import Owner

    ti = context["ti"]
    return Owner.here(
        owner_key(ti.dag_id, ti.run_id, ti.map_index),
        run=ti.run_id,
        link=run_link(ti.dag_id, ti.run_id),
    )


def run_link(dag_id: str, run_id: str) -> str:
    """Return the address of a run in Airflow's pages."""
    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080/"
    return f"{base.rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def run_of(context: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return DAG id and run id of any callback's context, None if it names no run.

    A task's context has a task instance, a DAG's at least the DAG and the run
    id, a deadline's only a dictionary that describes the run.
    """
    run = context.get("dag_run")
    if isinstance(run, Mapping):
        found = (run.get("dag_id"), run.get("dag_run_id") or run.get("run_id"))
    else:
        source = context.get("ti") or run
        dag = context.get("dag")
        found = (
            getattr(source, "dag_id", None) or getattr(dag, "dag_id", None),
            getattr(source, "run_id", None) or context.get("run_id"),
        )
    dag_id, run_id = found
    return (str(dag_id), str(run_id)) if dag_id and run_id else None
