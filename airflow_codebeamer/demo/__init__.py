"""The demonstration: a real Airflow, an emulated Codebeamer, a real CAN database."""

from __future__ import annotations

from airflow_codebeamer.demo.home import LocalAirflow
from airflow_codebeamer.demo.postgres import EmbeddedPostgres
from airflow_codebeamer.demo.rest import AirflowRest, DagRun
from airflow_codebeamer.demo.run import run_demo
from airflow_codebeamer.demo.serve import serve_until_stopped
from airflow_codebeamer.demo.stage import Stage

__all__ = [
    "AirflowRest",
    "DagRun",
    "EmbeddedPostgres",
    "LocalAirflow",
    "Stage",
    "run_demo",
    "serve_until_stopped",
]
