"""Every cell of the table of permission, operation and actor, over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder, access_cells
from airflow_codebeamer.emulator.access_table import (
    ITEMS,
    PERMISSION_SETS,
    AccessCell,
    access_data,
)

ACTORS = [actor["actor"] for actor in access_data()["actors"]]
#: What CI walks; with CODEBEAMER_WHOLE_TABLE all sets for all actors.
SHORT = [(), (0, 1, 6), (2, 4, 6), (0, 7), (0, 10, 13), PERMISSION_SETS[-2]]
WHOLE = bool(os.environ.get("CODEBEAMER_WHOLE_TABLE"))
NAME = {"fieldId": 3, "type": "TextFieldValue", "value": "renamed"}
CLOSED = {
    "fieldId": 7,
    "type": "ChoiceFieldValue",
    "values": [{"id": 4, "type": "ChoiceOptionReference"}],
}


class Scene:
    """A world for one actor and one set of permissions, and one request at a time."""

    def __init__(self, server: Emulator, actor: str) -> None:
        self.server = server
        self.actor = actor
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self.session.auth = ("ann", "ann")

    def grant(self, permissions: tuple[int, ...]) -> None:
        """Make the world in which a role, or the creator, was granted these."""
        builder = WorldBuilder()
        boss = builder.user("boss", system_admin=True)
        is_system = self.actor == "system administrator"
        has_api = self.actor != "member without REST access"
        ann = builder.user("ann", system_admin=is_system, rest_access=has_api)
        project = builder.project("One", "ONE")
        is_admin = self.actor == "project administrator"
        role = builder.role(
            project,
            "Worker",
            project_admin=is_admin,
            trackers_admin=self.actor == "tracker administrator",
        )
        second = builder.role(project, "Second")
        self._place(builder, project, ann, role, second)
        tracker = self._tracker(builder, project, role, second, permissions)
        self.items = {
            kind: builder.item(tracker, kind, created_by=ann if kind == "own" else boss)
            for kind in ITEMS
        }
        other = builder.item(tracker, "other", created_by=boss)
        self.ids = {"tracker": tracker, "project": project, "role": role}
        self.ids["other"] = other
        world = builder.build()
        for item in world["items"]:
            owner = {"type": "UserReference", "id": ann, "name": "ann"}
            if item["id"] == self.items["assigned"]:
                item["values"]["5"] = [owner]
            if item["id"] == self.items["of a role"]:
                his = {"type": "RoleReference", "id": role, "name": "Worker"}
                item["values"]["32"] = [his]
            item["values"] = dict(sorted(item["values"].items(), key=by_number))
        self.server.load_world(world)
        self._comment()
        self.world = self.server.world()

    def _place(
        self, builder: WorldBuilder, project: int, ann: int, role: int, second: int
    ) -> None:
        """Give the actor what makes him one."""
        if self.actor == "group member":
            builder.group_member(project, builder.group("Crew", ann), role)
        elif self.actor == "member of another project":
            elsewhere = builder.project("Two", "TWO")
            builder.member(elsewhere, ann, builder.role(elsewhere, "Worker"))
        elif self.actor not in ("stranger", "system administrator"):
            builder.member(project, ann, role)
        if self.actor == "member in two roles":
            builder.member(project, ann, second)

    def _tracker(
        self,
        builder: WorldBuilder,
        project: int,
        role: int,
        second: int,
        permissions: tuple[int, ...],
    ) -> int:
        granted: dict[int, Any] = {role: permissions}
        if self.actor == "creator":
            return builder.tracker(
                project, "T", "T", permissions={}, creator_permissions=permissions
            )
        if self.actor == "member in two roles":
            granted = {role: permissions[::2], second: permissions[1::2]}
        if self.actor == "member of a derived tracker":
            template = builder.tracker(project, "M", "M", permissions=granted)
            return builder.tracker(project, "T", "T", template=template)
        if self.actor == "member of a derived tracker that overrides":
            every = {role: PERMISSION_SETS[-1]}
            template = builder.tracker(project, "M", "M", permissions=every)
            return builder.tracker(
                project, "T", "T", template=template, permissions=granted
            )
        return builder.tracker(project, "T", "T", permissions=granted)

    def _comment(self) -> None:
        """Let somebody else comment on every item."""
        self.comments = {}
        for kind, item in self.items.items():
            url = f"{self.server.url}/api/v3/items/{item}/comments"
            form = {"comment": (None, "first")}
            login = ("boss", "boss")
            made = self.session.post(url, files=form, auth=login, timeout=20)
            assert made.status_code == 200, made.text
            self.comments[kind] = made.json()["id"]

    def send(self, method: str, path: str, **sent: Any) -> requests.Response:
        url = f"{self.server.url}/api/v3{path}"
        return self.session.request(method, url, timeout=20, **sent)

    def allows(self, cell: AccessCell) -> bool:
        """Try a cell; a refusal must be one of access, and leave no trace."""
        answer, done = ACTIONS[cell.action](self, cell.item)
        if not done:
            assert answer.status_code in (200, 400, 403), (cell, answer.text)
            if answer.request.method != "GET":
                assert self.server.world() == self.world, cell
        elif answer.request.method != "GET":
            self.server.load_world(self.world)
        return done


Tried = tuple[requests.Response, bool]


def by_number(pair: tuple[str, Any]) -> int:
    return int(pair[0])


def plain(method: str, path: str, body: Any = None) -> Callable[[Scene, str], Tried]:
    """An action that is allowed when it answers 200."""

    def act(scene: Scene, kind: str) -> Tried:
        ids = {**scene.ids, "item": scene.items.get(kind)}
        answer = scene.send(method, path.format(**ids), json=body)
        return answer, answer.status_code == 200

    return act


def query(scene: Scene, kind: str) -> Tried:
    body = {"queryString": f"id = {scene.items[kind]}"}
    answer = scene.send("POST", "/items/query", json=body)
    return answer, answer.status_code == 200 and answer.json()["total"] == 1


def bulk(scene: Scene, kind: str) -> Tried:
    body = [{"itemId": scene.items[kind], "fieldValues": [NAME]}]
    answer = scene.send("PUT", "/items/fields", json=body)
    done = answer.status_code == 200 and answer.json()["successfulOperationsCount"]
    return answer, bool(done)


def move(scene: Scene, kind: str) -> Tried:
    place = {"id": scene.items[kind], "type": "TrackerItemReference"}
    body = {"itemReference": place, "index": 4}
    path = f"/trackers/{scene.ids['tracker']}/children?mode=INSERT"
    answer = scene.send("PATCH", path, json=body)
    return answer, answer.status_code == 200


def comment(scene: Scene, kind: str) -> Tried:
    path = f"/items/{scene.items[kind]}/comments"
    answer = scene.send("POST", path, files={"comment": (None, "a")})
    return answer, answer.status_code == 200


def edit_comment(scene: Scene, kind: str) -> Tried:
    path = f"/items/{scene.items[kind]}/comments/{scene.comments[kind]}"
    answer = scene.send("PUT", path, files={"comment": (None, "b")})
    return answer, answer.status_code == 200


def attach(scene: Scene, kind: str) -> Tried:
    path = f"/items/{scene.items[kind]}/attachments"
    answer = scene.send("POST", path, files={"attachments": ("a.txt", b"a")})
    return answer, answer.status_code == 200


def associate(scene: Scene, kind: str) -> Tried:
    body = {
        "from": {"id": scene.items[kind], "type": "TrackerItemReference"},
        "url": "https://example.com",
        "type": {"id": 1, "type": "AssociationTypeReference"},
    }
    answer = scene.send("POST", "/associations", json=body)
    return answer, answer.status_code == 200


WHOLE_ITEM = {"name": "a", "status": {"id": 1, "type": "ChoiceOptionReference"}}
ACTIONS: dict[str, Callable[[Scene, str], Tried]] = {
    "read an item": plain("GET", "/items/{item}"),
    "read its fields": plain("GET", "/items/{item}/fields"),
    "find it by a query": query,
    "list its children": plain("GET", "/items/{item}/children"),
    "read its lock": plain("GET", "/items/{item}/lock"),
    "read its history": plain("GET", "/items/{item}/history"),
    "change fields": plain("PUT", "/items/{item}/fields", {"fieldValues": [NAME]}),
    "replace it": plain("PUT", "/items/{item}", WHOLE_ITEM),
    "change it in bulk": bulk,
    "close it": plain("PUT", "/items/{item}/fields", {"fieldValues": [CLOSED]}),
    "move it": move,
    "delete it": plain("DELETE", "/items/{item}"),
    "lock it": plain("PUT", "/items/{item}/lock", {"hard": True}),
    "list its comments": plain("GET", "/items/{item}/comments"),
    "comment on it": comment,
    "change a comment of another": edit_comment,
    "list its attachments": plain("GET", "/items/{item}/attachments"),
    "attach a file": attach,
    "associate it": associate,
    "add an item": plain("POST", "/trackers/{tracker}/items", {"name": "a"}),
    "read the tracker": plain("GET", "/trackers/{tracker}"),
    "list the permissions": plain("GET", "/trackers/{tracker}/permissions"),
    "set permissions": plain(
        "PUT", "/trackers/{tracker}/roles/{role}/permissions", {"permissions": []}
    ),
    "take permissions away": plain(
        "DELETE", "/trackers/{tracker}/roles/{role}/permissions"
    ),
    "read the project": plain("GET", "/projects/{project}"),
}


@pytest.fixture(scope="module")
def walked() -> Iterator[Emulator]:
    with Emulator() as server:
        yield server


@pytest.mark.parametrize("actor", ACTORS)
def test_every_cell_of_the_table(walked: Emulator, actor: str) -> None:
    scene = Scene(walked, actor)
    wrong = []
    sets = PERMISSION_SETS if WHOLE else SHORT
    if actor == "member" and not WHOLE:
        sets = [*SHORT, *PERMISSION_SETS[29:56]]
    for permissions in sets:
        scene.grant(permissions)
        for cell in access_cells([permissions]):
            if cell.actor == actor and scene.allows(cell) != cell.allowed:
                wrong.append(cell)
    walked.clear_calls()
    scene.session.close()
    assert wrong == []


def test_each_cell_has_a_source_and_a_level() -> None:
    cells = list(access_cells())
    assert len({(c.actor, c.action, c.item, c.permissions) for c in cells}) == len(
        cells
    )
    assert {cell.action for cell in cells} == ACTIONS.keys()
    for cell in cells:
        assert cell.source
        assert cell.level in ("assumed", "documented")
    allowed = sum(cell.allowed for cell in cells)
    assert 0 < allowed < len(cells)


def test_no_operation_shows_what_creators_are_granted(walked: Emulator) -> None:
    scene = Scene(walked, "creator")
    scene.grant(PERMISSION_SETS[-1])
    login = ("boss", "boss")
    path = f"/trackers/{scene.ids['tracker']}/permissions"
    assert scene.send("GET", path, auth=login).json() == []
    # Taking everything away by REST leaves the creator's rights where they are.
    for role in (11, 12):
        place = f"/trackers/{scene.ids['tracker']}/roles/{role}/permissions"
        done = scene.send("PUT", place, json={"permissions": []}, auth=login)
        assert done.status_code == 200
    item = scene.items["own"]
    assert scene.send("DELETE", f"/items/{item}").status_code == 200
    assert scene.send("GET", f"/items/{scene.items['foreign']}").status_code == 403
    scene.session.close()
