"""Projects to play on: a tracker with roles, one with two writers in turn, a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.emulator import READ_ONLY, WorldBuilder
from airflow_codebeamer.ids import TrackerId

__all__ = ["Scene", "pair", "plain", "rotating"]

READ = (0, 2, 8, 10, 25)
WRITE = (0, 1, 2, 3, 4, 7, 8, 10, 11)
_ALL = tuple(range(28))

Rights = tuple[int, ...]


@dataclass
class Scene:
    """A world, and what is where in it.

    `exempt` is the role of the account that locks, which nobody ever writes, and
    `turning` are those of the accounts that write in turn, by name.
    """

    world: Any
    project: int
    trackers: tuple[TrackerId, ...]
    exempt: int
    writers: list[int]
    reader: int
    permissions: dict[int, Rights]
    turning: Mapping[str, int] = field(default_factory=dict)


def plain(writing: int) -> Scene:
    """Return one tracker with so many writing roles, one reader, the exclusive role."""
    return _scene(writing)


def pair(writing: int) -> Scene:
    """Return the same with a second tracker, on which one role more writes."""
    return _scene(writing, second=True)


def rotating(writing: int) -> Scene:
    """Return a tracker on which two accounts write in turn; a third one locks."""
    return _scene(writing, turning=("generator-a", "generator-b"))


def _scene(
    writing: int, *, second: bool = False, turning: tuple[str, ...] = ()
) -> Scene:
    build = WorldBuilder()
    account = build.user("generator")
    build.user("root", system_admin=True)
    project = build.project("Brake System", "BRK")
    exempt = build.role(project, "Generator", trackers_admin=True)
    build.member(project, account, exempt)
    alice = build.user("alice")
    permissions: dict[int, Rights] = {exempt: tuple(READ_ONLY) if turning else _ALL}
    writers = []
    for number in range(writing):
        role = build.role(project, f"Writer {number}")
        permissions[role] = (*WRITE, 22 + number)
        writers.append(role)
    build.member(project, alice, writers[-1])
    reader = build.role(project, "Reader")
    permissions[reader] = READ
    roles = {}
    for login in turning:
        roles[login] = build.role(project, login)
        build.member(project, build.user(login), roles[login])
        permissions[roles[login]] = tuple(READ_ONLY)
    trackers = [build.tracker(project, "T", "T", permissions=permissions)]
    if second:
        role = build.role(project, "Writer of U")
        own = {exempt: _ALL, role: (*WRITE, 22)}
        trackers.append(build.tracker(project, "U", "U", permissions=own))
        permissions[role] = own[role]
    return Scene(
        build.build(),
        project,
        tuple(TrackerId(number) for number in trackers),
        exempt,
        writers,
        reader,
        permissions,
        roles,
    )
