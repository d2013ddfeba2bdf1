"""What Airflow discovers as a plugin."""

from __future__ import annotations

from airflow_codebeamer.plugins.plugin import CodebeamerPlugin

__all__ = ["CodebeamerPlugin"]
