"""World: everything that the emulated server knows, as plain values.

A world is read from and written to JSON and belongs to one emulator. Nothing
here decides anything: who may do what is `access`, what happens is `routes`.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_codebeamer.emulator.attached import Attachment, Comment
from airflow_codebeamer.emulator.differences import default_assumptions
from airflow_codebeamer.emulator.linked import Association
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.remembered import Baseline, Job

__all__ = [
    "Group",
    "HeldLock",
    "Item",
    "Project",
    "Role",
    "Tracker",
    "User",
    "World",
]

_START = "2026-01-01T00:00:00.000"


@dataclass
class User:
    """An account; `token` is what it may send as a bearer, empty for none."""

    id: int
    name: str
    password: str
    system_admin: bool = False
    rest_access: bool = True
    token: str = ""
    email: str = ""
    status: str = "ACTIVATED"


@dataclass
class Group:
    """A user group, which can be a member of projects."""

    id: int
    name: str
    members: list[int] = field(default_factory=list)


@dataclass
class Role:
    """A role of a project, with the project permissions that matter here."""

    id: int
    project: int
    name: str
    project_admin: bool = False
    trackers_admin: bool = False
    members_view: bool = True


@dataclass
class Project:
    """A project with the roles of its members, users and groups apart."""

    id: int
    name: str
    key: str
    members: dict[int, list[int]] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)


@dataclass
class Tracker:
    """A tracker; what is None of its permissions is its template's."""

    id: int
    project: int
    name: str
    key: str
    schema: list[dict[str, Any]]
    statuses: list[dict[str, Any]] = field(default_factory=list)
    transitions: list[list[int]] = field(default_factory=list)
    item_type: str = "Requirement"
    template: int | None = None
    available_as_template: bool = False
    permissions: dict[int, list[int]] | None = field(default_factory=dict)
    creator_permissions: list[int] | None = None
    children: list[int] = field(default_factory=list)
    version: int = 1
    created_at: str = _START
    created_by: int = 1
    field_access: list[dict[str, Any]] = field(default_factory=list)
    defaults: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the schema once."""
        self.by_id = {known["id"]: known for known in self.schema}
        self.by_property = {
            known["trackerItemField"]: known
            for known in self.schema
            if "trackerItemField" in known
        }


@dataclass
class Item:
    """An item. `values` maps field ids to values and is replaced, never changed."""

    id: int
    tracker: int
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    values: dict[int, Any] = field(default_factory=dict)
    version: int = 1
    created_at: str = _START
    created_by: int = 1
    modified_at: str = _START
    modified_by: int = 1
    trashed: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    attachments: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The summary."""
        return str(self.values.get(3) or "")


@dataclass
class HeldLock:
    """A lock on one item; `until` is in seconds of the emulator's clock."""

    item: int
    user: int
    hard: bool
    until: float | None


class World:
    """All things of one emulated server, found by id."""

    def __init__(self) -> None:
        self.assumptions: dict[str, Any] = default_assumptions()
        self.counters: dict[str, int] = {}
        self.users: dict[int, User] = {}
        self.groups: dict[int, Group] = {}
        self.projects: dict[int, Project] = {}
        self.roles: dict[int, Role] = {}
        self.trackers: dict[int, Tracker] = {}
        self.items: dict[int, Item] = {}
        self.locks: dict[int, HeldLock] = {}
        self.comments: dict[int, Comment] = {}
        self.attachments: dict[int, Attachment] = {}
        self.associations: dict[int, Association] = {}
        self.baselines: dict[int, Baseline] = {}
        self.jobs: dict[int, Job] = {}
        self.maintenance: dict[str, Any] = {"systemMode": "NORMAL"}
        self.by_name: dict[str, User] = {}
        self.found: dict[tuple[int, str], list[Item]] = {}
        """What queries found since the last change, by user and query."""

    def next_id(self, kind: str, start: int) -> int:
        """Return the next number of a kind of thing; numbers are never reused."""
        number = self.counters.get(kind, start)
        self.counters[kind] = number + 1
        return number

    def siblings(self, tracker: Tracker, parent: int | None) -> list[int]:
        """Return the list, in order, that holds a parent's or tracker's children."""
        return tracker.children if parent is None else self.items[parent].children

    def live_item(self, item_id: int) -> Item:
        """Return an item that is not in the trash.

        Raises:
            RefusedError: There is none (404).
        """
        item = self.items.get(item_id)
        if item is None or item.trashed:
            raise RefusedError(404, "Tracker item is not found.")
        return item

    def tracker(self, tracker_id: int) -> Tracker:
        """Return a tracker.

        Raises:
            RefusedError: There is none (404).
        """
        tracker = self.trackers.get(tracker_id)
        if tracker is None:
            raise RefusedError(404, "Tracker is not found.")
        return tracker

    def dump(self) -> dict[str, Any]:
        """Return the world as JSON, independent of what happens later."""
        data: dict[str, Any] = {
            "assumptions": self.assumptions,
            "counters": self.counters,
            "maintenance": self.maintenance,
        }
        for name in _KINDS:
            data[name] = [_plain(thing) for thing in getattr(self, name).values()]
        copy: dict[str, Any] = json.loads(json.dumps(data))
        return copy

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> World:
        """Build a world from its JSON, which stays the caller's.

        Raises:
            RefusedError: The JSON is not a world (400).
        """
        return cls.parse(json.dumps(data))

    @classmethod
    def parse(cls, text: str) -> World:
        """Build a world from its JSON as text.

        Raises:
            RefusedError: The JSON is not a world (400).
        """
        # A large world is a million objects, none of them garbage.
        collects = gc.isenabled()
        gc.disable()
        try:
            data = json.loads(text)
            if not isinstance(data, dict):
                raise RefusedError(400, "A world is a JSON object.")
            return cls._of(data)
        except json.JSONDecodeError as error:
            raise RefusedError(400, f"A world is JSON: {error}") from error
        finally:
            if collects:
                gc.enable()

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> World:
        world = cls()
        unknown = set(data) - set(_KINDS) - _NOT_KINDS
        if unknown:
            raise RefusedError(400, f"A world has no {', '.join(sorted(unknown))}.")
        strange = set(data.get("assumptions", {})) - set(world.assumptions)
        if strange:
            raise RefusedError(
                400, f"There is no assumption {', '.join(sorted(strange))}."
            )
        world.assumptions |= data.get("assumptions", {})
        world.counters = dict(data.get("counters", {}))
        world.maintenance |= data.get("maintenance", {})
        try:
            for name, kind in _KINDS.items():
                known = getattr(world, name)
                for entry in data.get(name, ()):
                    thing = kind(**_revived(entry))
                    known[thing.item if kind is HeldLock else thing.id] = thing
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise RefusedError(400, f"This is not a world: {error}") from error
        world.by_name = {user.name: user for user in world.users.values()}
        _check_references(world)
        for name, kind in _COUNTED.items():
            highest = max(getattr(world, name), default=0)
            if highest >= world.counters.get(kind, 1):
                world.counters[kind] = highest + 1
        return world


_NOT_KINDS = {"assumptions", "counters", "maintenance"}
_KINDS: dict[str, Any] = {
    "users": User,
    "groups": Group,
    "projects": Project,
    "roles": Role,
    "trackers": Tracker,
    "items": Item,
    "locks": HeldLock,
    "comments": Comment,
    "attachments": Attachment,
    "associations": Association,
    "baselines": Baseline,
    "jobs": Job,
}
_COUNTED = {
    "users": "user",
    "groups": "group",
    "projects": "project",
    "roles": "role",
    "trackers": "tracker",
    "items": "item",
    "comments": "comment",
    "attachments": "attachment",
    "associations": "association",
    "baselines": "baseline",
    "jobs": "job",
}
_BY_NUMBER = ("members", "groups", "permissions", "values", "defaults", "roots")


def _plain(thing: Any) -> dict[str, Any]:
    return {known.name: getattr(thing, known.name) for known in fields(thing)}


def _check_references(world: World) -> None:
    """Refuse a world in which something refers to what is not there."""
    wanted: list[tuple[str, int | None]] = []
    for project in world.projects.values():
        wanted += [("users", number) for number in project.members]
        wanted += [("groups", number) for number in project.groups]
        for roles in (*project.members.values(), *project.groups.values()):
            wanted += [("roles", number) for number in roles]
    wanted += [("projects", role.project) for role in world.roles.values()]
    for tracker in world.trackers.values():
        wanted += [("projects", tracker.project), ("trackers", tracker.template)]
        wanted += [("items", number) for number in tracker.children]
    for item in world.items.values():
        wanted += [("trackers", item.tracker), ("items", item.parent)]
        wanted += [("items", number) for number in item.children]
        wanted += [("comments", number) for number in item.comments]
        wanted += [("attachments", number) for number in item.attachments]
    wanted += [("items", number) for number in world.locks]
    for name in ("comments", "attachments", "associations", "baselines", "jobs"):
        for thing in getattr(world, name).values():
            wanted += thing.references()
    for kind, number in wanted:
        if number is not None and number not in getattr(world, kind):
            raise RefusedError(400, f"This world has no {number} among its {kind}.")


def _revived(entry: dict[str, Any]) -> dict[str, Any]:
    """Turn the keys of the maps by number back into numbers, as JSON has none."""
    for name in _BY_NUMBER:
        if isinstance(entry.get(name), dict):
            entry[name] = {int(key): value for key, value in entry[name].items()}
    for version in entry.get("history", ()):
        # Items keep the values of each version; other things keep what changed.
        if "values" in version:
            version["values"] = {
                int(key): value for key, value in version["values"].items()
            }
    return entry
