"""Generators that ship with us, each an example to copy."""

from __future__ import annotations

from airflow_codebeamer.generators import can, can_tests, dbc, reqif

__all__ = ["can", "can_tests", "dbc", "reqif"]
