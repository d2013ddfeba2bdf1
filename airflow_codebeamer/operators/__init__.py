"""Tasks for DAGs: lock, generate, unlock, and what keeps them honest."""

from __future__ import annotations

from airflow_codebeamer.operators.codebeamer import (
    CodebeamerOperator,
    HolderLink,
    TrackerLink,
)
from airflow_codebeamer.operators.generator import RunGeneratorOperator
from airflow_codebeamer.operators.keeper import LeaseKeeper
from airflow_codebeamer.operators.lock import LockTrackerOperator
from airflow_codebeamer.operators.recover import RecoverLocksOperator
from airflow_codebeamer.operators.reserve import ReserveTrackerOperator
from airflow_codebeamer.operators.set_fields import SetFieldsOperator
from airflow_codebeamer.operators.teardown import UNLOCK_RETRIES
from airflow_codebeamer.operators.unlock import UnlockTrackerOperator
from airflow_codebeamer.operators.verify import VerifyUnlockedOperator

__all__ = [
    "UNLOCK_RETRIES",
    "CodebeamerOperator",
    "HolderLink",
    "LeaseKeeper",
    "LockTrackerOperator",
    "RecoverLocksOperator",
    "ReserveTrackerOperator",
    "RunGeneratorOperator",
    "SetFieldsOperator",
    "TrackerLink",
    "UnlockTrackerOperator",
    "VerifyUnlockedOperator",
]
