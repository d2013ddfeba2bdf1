"""The only reader of Airflow connections."""

from __future__ import annotations

from airflow_codebeamer.hooks.codebeamer import CodebeamerHook

__all__ = ["CodebeamerHook"]
