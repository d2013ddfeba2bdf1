"""Routes: one small function per claimed operation, found by operation id."""

from __future__ import annotations

from airflow_codebeamer.emulator.call import Route
from airflow_codebeamer.emulator.routes.associations import ASSOCIATIONS
from airflow_codebeamer.emulator.routes.attachments import ATTACHMENTS
from airflow_codebeamer.emulator.routes.baselines import BASELINES
from airflow_codebeamer.emulator.routes.children import CHILDREN
from airflow_codebeamer.emulator.routes.comments import COMMENTS
from airflow_codebeamer.emulator.routes.fields import FIELDS
from airflow_codebeamer.emulator.routes.items import ITEMS
from airflow_codebeamer.emulator.routes.jobs import JOBS
from airflow_codebeamer.emulator.routes.locks import LOCKS
from airflow_codebeamer.emulator.routes.maintenance import MAINTENANCE
from airflow_codebeamer.emulator.routes.outline import OUTLINE
from airflow_codebeamer.emulator.routes.permissions import PERMISSION_ROUTES
from airflow_codebeamer.emulator.routes.projects import PROJECTS
from airflow_codebeamer.emulator.routes.queries import QUERIES
from airflow_codebeamer.emulator.routes.relations import RELATIONS
from airflow_codebeamer.emulator.routes.searches import SEARCHES
from airflow_codebeamer.emulator.routes.trackers import TRACKERS
from airflow_codebeamer.emulator.routes.users import USERS

__all__ = ["ROUTES"]

ROUTES: dict[str, Route] = {
    **ASSOCIATIONS,
    **ATTACHMENTS,
    **BASELINES,
    **CHILDREN,
    **COMMENTS,
    **FIELDS,
    **ITEMS,
    **JOBS,
    **LOCKS,
    **MAINTENANCE,
    **OUTLINE,
    **PERMISSION_ROUTES,
    **PROJECTS,
    **QUERIES,
    **RELATIONS,
    **SEARCHES,
    **TRACKERS,
    **USERS,
}
"""Every handler; the application refuses to start unless each claimed operation
has one and each one is claimed."""
