"""Waiting for a tracker."""

from __future__ import annotations

from airflow_codebeamer.sensors.lock import TrackerLockSensor

__all__ = ["TrackerLockSensor"]
