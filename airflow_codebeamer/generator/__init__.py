"""Somebody's program that describes items, run under the lock of a tracker."""

from __future__ import annotations

from airflow_codebeamer.generator.loader import (
    ENTRY_POINT_GROUP,
    Generator,
    load_generator,
)
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratedItem, GeneratorContext
from airflow_codebeamer.generator.quarantine import Quarantine
from airflow_codebeamer.generator.runner import Runner, What
from airflow_codebeamer.generator.summary import RunSummary, UndoReport
from airflow_codebeamer.generator.timeleft import TimeLeft
from airflow_codebeamer.generator.turns import TurnRunner

__all__ = [
    "ENTRY_POINT_GROUP",
    "GeneratedItem",
    "Generator",
    "GeneratorContext",
    "Program",
    "Quarantine",
    "RunSummary",
    "Runner",
    "TimeLeft",
    "TurnRunner",
    "UndoReport",
    "What",
    "load_generator",
]
