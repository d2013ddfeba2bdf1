"""Exclusive access to Codebeamer trackers for generators run by Apache Airflow."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
