"""Waiting without a worker."""

from __future__ import annotations

from airflow_codebeamer.triggers.events import LockEvent, lock_event
from airflow_codebeamer.triggers.lock import TrackerLockTrigger

__all__ = ["LockEvent", "TrackerLockTrigger", "lock_event"]
