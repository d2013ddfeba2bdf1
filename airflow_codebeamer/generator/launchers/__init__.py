"""The ways to run a generator; so far there is one: a Python function."""

from __future__ import annotations

from airflow_codebeamer.generator.launchers.callable import describe

__all__ = ["describe"]
