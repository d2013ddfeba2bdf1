"""Codebeamer's REST API v3, typed: one client, its operations by subject."""

from __future__ import annotations

from airflow_codebeamer.client.associations import Associations
from airflow_codebeamer.client.attachments import Attachments
from airflow_codebeamer.client.client import Client
from airflow_codebeamer.client.items import Items
from airflow_codebeamer.client.jobs import Jobs
from airflow_codebeamer.client.paging import LONGEST_PAGE
from airflow_codebeamer.client.projects import Projects
from airflow_codebeamer.client.trackers import Trackers
from airflow_codebeamer.client.transport import Before
from airflow_codebeamer.client.users import Users

__all__ = [
    "LONGEST_PAGE",
    "Associations",
    "Attachments",
    "Before",
    "Client",
    "Items",
    "Jobs",
    "Projects",
    "Trackers",
    "Users",
]
