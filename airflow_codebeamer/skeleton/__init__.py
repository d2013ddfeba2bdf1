"""A document and a tracker made equal: describe, look, plan, apply, verify, undo."""

from __future__ import annotations

from airflow_codebeamer.skeleton.application import Application
from airflow_codebeamer.skeleton.apply import Applied, apply_plan
from airflow_codebeamer.skeleton.beside import files_before
from airflow_codebeamer.skeleton.difference import Difference, difference
from airflow_codebeamer.skeleton.document import (
    Document,
    DocumentItem,
    FieldUpdate,
    Identity,
    Policy,
    Skeleton,
    Target,
    load_document,
)
from airflow_codebeamer.skeleton.documents import load_documents
from airflow_codebeamer.skeleton.look import (
    read_again,
    read_snapshot,
    resolve_target,
)
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.planning import plan
from airflow_codebeamer.skeleton.planset import PlanSet
from airflow_codebeamer.skeleton.published import document_schema
from airflow_codebeamer.skeleton.putting_back import look_again, put_back
from airflow_codebeamer.skeleton.released import done_with
from airflow_codebeamer.skeleton.rollback import (
    RollbackReport,
    list_written,
    roll_back,
    summary_of,
)
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.starting import starting_document
from airflow_codebeamer.skeleton.survey import (
    FILES,
    Survey,
    read_survey,
    survey_entries,
    survey_of,
)
from airflow_codebeamer.skeleton.targets import Targets
from airflow_codebeamer.skeleton.update import field_update
from airflow_codebeamer.skeleton.verify import verify
from airflow_codebeamer.skeleton.writing import Progress

__all__ = [
    "FILES",
    "Application",
    "Applied",
    "Difference",
    "Document",
    "DocumentItem",
    "FieldUpdate",
    "Found",
    "Identity",
    "Plan",
    "PlanSet",
    "Policy",
    "Progress",
    "RollbackReport",
    "Skeleton",
    "Snapshot",
    "Survey",
    "Target",
    "Targets",
    "apply_plan",
    "difference",
    "document_schema",
    "done_with",
    "field_update",
    "files_before",
    "list_written",
    "load_document",
    "load_documents",
    "look_again",
    "plan",
    "put_back",
    "read_again",
    "read_snapshot",
    "read_survey",
    "resolve_target",
    "roll_back",
    "starting_document",
    "summary_of",
    "survey_entries",
    "survey_of",
    "verify",
]
