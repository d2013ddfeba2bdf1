"""The ways to run a generator: a Python function, or a program of any language."""

from __future__ import annotations

from airflow_codebeamer.generator.launchers.describe import describe
from airflow_codebeamer.generator.launchers.lease import Lease
from airflow_codebeamer.generator.launchers.program import run_program
from airflow_codebeamer.generator.launchers.relay import open_relay
from airflow_codebeamer.generator.launchers.surroundings import Access, Surroundings

__all__ = ["Access", "Lease", "Surroundings", "describe", "open_relay", "run_program"]
