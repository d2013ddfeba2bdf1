"""The same powers without Airflow, as the command `airflow-codebeamer`."""

from __future__ import annotations

from airflow_codebeamer.cli.main import main

__all__ = ["main"]
