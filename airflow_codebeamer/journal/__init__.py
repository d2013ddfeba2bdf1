"""What we were about to do, written down before we did it."""

from __future__ import annotations

from airflow_codebeamer.journal.entry import JSON, Entry
from airflow_codebeamer.journal.journal import Journal
from airflow_codebeamer.journal.runs import Level, Run, Runs, RunState

__all__ = ["JSON", "Entry", "Journal", "Level", "Run", "RunState", "Runs"]
