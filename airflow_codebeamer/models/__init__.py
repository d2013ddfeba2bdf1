"""The shapes of Codebeamer's things: pure values, nothing here does anything."""

from __future__ import annotations

from airflow_codebeamer.models.association import Association, Relation, Relations
from airflow_codebeamer.models.attachment import Attachment
from airflow_codebeamer.models.field import FieldValue
from airflow_codebeamer.models.history import Change, Comment, Version
from airflow_codebeamer.models.item import (
    BulkFailure,
    BulkResult,
    Item,
    ItemLock,
    ItemPatch,
    NewItem,
    Page,
    Place,
)
from airflow_codebeamer.models.job import Job
from airflow_codebeamer.models.permission import RolePermissions, TrackerPermission
from airflow_codebeamer.models.reference import Answer, Reference
from airflow_codebeamer.models.tracker import Project, Tracker, TrackerField
from airflow_codebeamer.models.user import User

__all__ = [
    "Answer",
    "Association",
    "Attachment",
    "BulkFailure",
    "BulkResult",
    "Change",
    "Comment",
    "FieldValue",
    "Item",
    "ItemLock",
    "ItemPatch",
    "Job",
    "NewItem",
    "Page",
    "Place",
    "Project",
    "Reference",
    "Relation",
    "Relations",
    "RolePermissions",
    "Tracker",
    "TrackerField",
    "TrackerPermission",
    "User",
    "Version",
]
