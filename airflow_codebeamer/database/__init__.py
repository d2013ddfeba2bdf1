"""Where our tables are: one store, on SQLite or PostgreSQL."""

from __future__ import annotations

from airflow_codebeamer.database.connect import insert_missing
from airflow_codebeamer.database.database import Database
from airflow_codebeamer.database.failures import refused
from airflow_codebeamer.database.migrations import STEPS, Step
from airflow_codebeamer.database.place import Machine
from airflow_codebeamer.database.schema import (
    event_table,
    freeze_table,
    host_table,
    journal_table,
    lock_table,
    membership_table,
    metadata,
    queue_table,
    queue_tracker_table,
    role_journal_table,
    run_table,
    schema_table,
)

__all__ = [
    "STEPS",
    "Database",
    "Machine",
    "Step",
    "event_table",
    "freeze_table",
    "host_table",
    "insert_missing",
    "journal_table",
    "lock_table",
    "membership_table",
    "metadata",
    "queue_table",
    "queue_tracker_table",
    "refused",
    "role_journal_table",
    "run_table",
    "schema_table",
]
