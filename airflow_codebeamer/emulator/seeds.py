"""Seeds: the worlds that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_codebeamer.emulator.builder import WorldBuilder
from airflow_codebeamer.emulator.catalog import (
    ALL_PERMISSIONS,
    PROJECT_ADMIN_MINIMUM,
    READ_ONLY,
)
from airflow_codebeamer.emulator.refusal import RefusedError

__all__ = [
    "DEMO_DERIVED_ID",
    "DEMO_PROJECT_ID",
    "DEMO_STAKEHOLDER_ID",
    "DEMO_TEMPLATE_ID",
    "DEMO_TRACKER_ID",
    "DEMO_USER_IDS",
    "demo_world",
    "empty_world",
    "named_world",
]

DEMO_PROJECT_ID = 101
DEMO_TRACKER_ID = 2001
DEMO_STAKEHOLDER_ID = 2002
DEMO_TEMPLATE_ID = 2003
DEMO_DERIVED_ID = 2004
DEMO_USER_IDS: Mapping[str, int] = {"bond": 1, "alice": 2, "bob": 3, "generator": 4}

_DEVELOPER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 19, 21, 22, 25)
_TESTER = (0, 2, 3, 4, 8, 10, 11, 12, 14, 15, 17, 21, 25)
_NEEDS = (
    ("Stopping distance", ("From 100 km/h the car stops within 36 m.",)),
    ("Parking", ("The car stays on a slope of 30 percent.", "One hand is enough.")),
    ("Warnings", ("The driver is told when the brake fluid is low.",)),
)


def empty_world() -> dict[str, Any]:
    """Return a world with a system administrator `bond` and nothing else."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    return builder.build()


def demo_world() -> dict[str, Any]:
    """Return the world of the demo: a brake system, four people, four trackers.

    The tracker "System Requirements" is empty; the role Generator may do
    everything to its items and administers the trackers of the project.
    """
    builder = WorldBuilder()
    users = {
        name: builder.user(name, system_admin=name == "bond") for name in DEMO_USER_IDS
    }
    project = builder.project("Brake System", "BRK")
    admin = builder.role(project, "Project Admin", project_admin=True)
    developer = builder.role(project, "Developer")
    tester = builder.role(project, "Tester")
    stakeholder = builder.role(project, "Stakeholder")
    generator = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, users["bond"], admin)
    builder.member(project, users["alice"], developer)
    builder.member(project, users["bob"], tester)
    builder.member(project, users["generator"], generator)
    permissions = {
        admin: sorted({*PROJECT_ADMIN_MINIMUM, *_DEVELOPER}),
        developer: _DEVELOPER,
        tester: _TESTER,
        stakeholder: sorted(READ_ONLY),
        generator: ALL_PERMISSIONS,
    }
    builder.tracker(project, "System Requirements", "SYSREQ", permissions=permissions)
    needs = builder.tracker(
        project, "Stakeholder Requirements", "NEED", permissions=permissions
    )
    for name, texts in _NEEDS:
        folder = builder.item(needs, name, fields={"Type": "Folder"})
        for text in texts:
            builder.item(needs, text, parent=folder, fields={"Type": "Requirement"})
    template = builder.tracker(
        project,
        "Requirement Template",
        "TPL",
        permissions=permissions,
        available_as_template=True,
    )
    builder.tracker(project, "Software Requirements", "SWREQ", template=template)
    return builder.build()


def named_world(name: str) -> dict[str, Any]:
    """Return a world by its name.

    Raises:
        RefusedError: There is none of that name (404).
    """
    worlds = {"demo": demo_world, "empty": empty_world}
    if name not in worlds:
        raise RefusedError(404, f"There is no world {name}; there are demo and empty.")
    return worlds[name]()
