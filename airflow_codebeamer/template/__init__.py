"""The wiring that no failure escapes: a whole DAG, or around tasks of your own."""

from __future__ import annotations

from airflow_codebeamer.template.group import exclusive_tracker
from airflow_codebeamer.template.whole import generator_dag

__all__ = ["exclusive_tracker", "generator_dag"]
