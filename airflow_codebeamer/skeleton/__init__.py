"""A document and a tracker made equal: describe, look, plan, apply, verify, undo."""

from __future__ import annotations

from airflow_codebeamer.skeleton.apply import Applied, Progress, apply_plan
from airflow_codebeamer.skeleton.document import (
    DocumentItem,
    Identity,
    Policy,
    Skeleton,
    Target,
    load_document,
)
from airflow_codebeamer.skeleton.look import (
    read_again,
    read_snapshot,
    resolve_target,
)
from airflow_codebeamer.skeleton.plan import Plan, plan
from airflow_codebeamer.skeleton.rollback import RollbackReport, roll_back
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.verify import verify

__all__ = [
    "Applied",
    "DocumentItem",
    "Found",
    "Identity",
    "Plan",
    "Policy",
    "Progress",
    "RollbackReport",
    "Skeleton",
    "Snapshot",
    "Target",
    "apply_plan",
    "load_document",
    "plan",
    "read_again",
    "read_snapshot",
    "resolve_target",
    "roll_back",
    "verify",
]
