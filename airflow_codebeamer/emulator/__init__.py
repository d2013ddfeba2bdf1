"""A Codebeamer server that is honest about what it is, for tests and demos.

It shares no line with the rest of the package, so that a mistake in the client
cannot be made twice and look right.
"""

from __future__ import annotations

from airflow_codebeamer.emulator.access_table import (
    ITEMS,
    PERMISSION_SETS,
    AccessCell,
    access_cells,
    access_data,
)
from airflow_codebeamer.emulator.admin import CONTROL_ROUTES
from airflow_codebeamer.emulator.builder import WorldBuilder
from airflow_codebeamer.emulator.catalog import (
    ALL_PERMISSIONS,
    PERMISSIONS,
    PROJECT_ADMIN_MINIMUM,
    READ_ONLY,
)
from airflow_codebeamer.emulator.comparison import compare, read_description
from airflow_codebeamer.emulator.contract import load_contract
from airflow_codebeamer.emulator.coverage import coverage
from airflow_codebeamer.emulator.differences import differences
from airflow_codebeamer.emulator.facts import RELEASES, facts_of, vendor_facts
from airflow_codebeamer.emulator.faults import UnmetFaultError
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.releases import RELEASE, release_rules
from airflow_codebeamer.emulator.seeds import (
    DEMO_DERIVED_ID,
    DEMO_PROJECT_ID,
    DEMO_STAKEHOLDER_ID,
    DEMO_TEMPLATE_ID,
    DEMO_TRACKER_ID,
    DEMO_USER_IDS,
    demo_world,
    empty_world,
)
from airflow_codebeamer.emulator.server import Emulator, serve

__all__ = [
    "ALL_PERMISSIONS",
    "CONTROL_ROUTES",
    "DEMO_DERIVED_ID",
    "DEMO_PROJECT_ID",
    "DEMO_STAKEHOLDER_ID",
    "DEMO_TEMPLATE_ID",
    "DEMO_TRACKER_ID",
    "DEMO_USER_IDS",
    "ITEMS",
    "PERMISSIONS",
    "PERMISSION_SETS",
    "PROJECT_ADMIN_MINIMUM",
    "READ_ONLY",
    "RELEASE",
    "RELEASES",
    "AccessCell",
    "Emulator",
    "RefusedError",
    "UnmetFaultError",
    "WorldBuilder",
    "access_cells",
    "access_data",
    "compare",
    "coverage",
    "demo_world",
    "differences",
    "empty_world",
    "facts_of",
    "load_contract",
    "read_description",
    "release_rules",
    "serve",
    "vendor_facts",
]
