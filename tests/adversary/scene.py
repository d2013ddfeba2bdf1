"""The world of the adversary run: three trackers, fifty people, and a generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder

#: What each ordinary role may do, as numbers of the vendor's list of permissions.
ROLES = {
    "Developer": (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 21, 22),
    "Author": (0, 2, 3, 4, 8, 10, 11, 12, 14, 21, 22),
    "Reviewer": (0, 2, 8, 10, 11, 12, 21),
    "Tester": (0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 21, 22),
}
#: People of whom two administer: the last but one the project, the last the system.
USERS, FEWEST = 50, 6
SYSTEM, PROJECT = "sysadmin", "projectadmin"
GENERATOR, CLERK = "generator", "clerk"


@dataclass
class Scene:
    """A world, and what a client program is told of it."""

    world: dict[str, Any]
    trackers: list[int]
    project_role: int
    users: list[dict[str, Any]] = field(default_factory=list)
    items: dict[str, list[int]] = field(default_factory=dict)
    #: Items that the client program may delete.
    spares: dict[str, list[int]] = field(default_factory=dict)


def build(users: int = USERS, items: int = 60) -> Scene:
    """Make a project with three trackers of items, and so many people.

    Raises:
        ValueError: fewer people than there are roles.
    """
    if users < FEWEST:
        raise ValueError(f"at least {FEWEST} users, so that every role has one")
    builder = WorldBuilder()
    generator = builder.user(GENERATOR)
    # Who reads for the record; nobody's rights depend on it.
    builder.user(CLERK, system_admin=True)
    project = builder.project("Brake System", "BRK")
    own = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, generator, own)
    roles = {name: builder.role(project, name) for name in ROLES}
    admins = builder.role(project, "Project Admin", project_admin=True)
    permissions: dict[int, tuple[int, ...]] = {
        own: ALL_PERMISSIONS,
        admins: ALL_PERMISSIONS,
    }
    permissions |= {roles[name]: rights for name, rights in ROLES.items()}
    people: list[dict[str, Any]] = []
    numbers: list[int] = []
    for at, name in zip(range(users - 2), cycle(ROLES), strict=False):
        login = f"{name.lower()}{at + 1}"
        numbers.append(builder.user(login))
        builder.member(project, numbers[-1], roles[name])
        people.append({"name": login, "may": name})
    builder.member(project, builder.user(PROJECT), admins)
    builder.user(SYSTEM, system_admin=True)
    people.append({"name": PROJECT, "may": "Project Admin"})
    people.append({"name": SYSTEM, "may": "system"})
    scene = Scene({}, [], admins, people)
    for key in ("REQ", "ARC", "TST"):
        tracker = builder.tracker(project, key, key, permissions=permissions)
        scene.trackers.append(tracker)
        made: list[int] = []
        for at in range(items):
            above = made[at // 10 * 10] if at % 10 else None
            author = numbers[at % len(numbers)]
            made.append(
                builder.item(tracker, f"{key} {at}", parent=above, created_by=author)
            )
        scene.items[str(tracker)] = made
        scene.spares[str(tracker)] = [
            builder.item(tracker, f"Spare {at}") for at in range(items)
        ]
    scene.world = builder.build()
    return scene
