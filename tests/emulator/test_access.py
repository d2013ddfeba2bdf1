from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import ALL_PERMISSIONS, Emulator, WorldBuilder

Ask = Callable[..., requests.Response]
TRACKER, FOREIGN, OWN, ASSIGNED, CHILD = 2001, 10001, 10002, 10003, 10004
NAME_VALUE = {"fieldId": 3, "type": "TextFieldValue", "value": "renamed"}
CLOSED = {
    "fieldId": 7,
    "type": "ChoiceFieldValue",
    "values": [{"id": 4, "type": "ChoiceOptionReference"}],
}
WHOLE = {"name": "renamed", "status": {"id": 1, "type": "ChoiceOptionReference"}}


def world_with(permissions: tuple[int, ...], **switches: Any) -> dict[str, Any]:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann = builder.user("ann")
    project = builder.project("One", "ONE")
    role = builder.role(project, "Worker")
    builder.member(project, ann, role)
    tracker = builder.tracker(project, "T", "T", permissions={role: permissions})
    foreign = builder.item(tracker, "foreign")
    builder.item(tracker, "own", created_by=ann)
    builder.item(tracker, "assigned")
    builder.item(tracker, "child", parent=foreign)
    builder.assume(**switches)
    world = builder.build()
    assigned = next(item for item in world["items"] if item["id"] == ASSIGNED)
    assigned["values"]["5"] = [{"id": ann, "name": "ann", "type": "UserReference"}]
    assigned["values"] = dict(
        sorted(assigned["values"].items(), key=lambda p: int(p[0]))
    )
    return world


@pytest.fixture
def start(
    asking: Callable[[Emulator], Ask],
) -> Iterator[Callable[..., tuple[Ask, Emulator]]]:
    running: list[Emulator] = []

    def begin(*permissions: int, **switches: Any) -> tuple[Ask, Emulator]:
        server = Emulator(world=world_with(permissions, **switches)).__enter__()
        running.append(server)
        return asking(server), server

    yield begin
    for server in running:
        server.__exit__(None, None, None)


def bulk_status(ask: Ask, item: int, *values: dict[str, Any]) -> int:
    """The status that one entry of a bulk update amounts to."""
    body = [{"itemId": item, "fieldValues": list(values)}]
    answer = ask("ann", "PUT", "/items/fields", body)
    assert answer.status_code == 200
    return 200 if answer.json()["successfulOperationsCount"] == 1 else 403


def changes(ask: Ask) -> dict[str, Callable[[], int]]:
    """Every kind of change that ann may try, with its status."""
    insert = {
        "itemReference": {"id": CHILD, "type": "TrackerItemReference"},
        "index": 0,
    }

    def do(method: str, path: str, body: Any = None, **query: Any) -> int:
        return ask("ann", method, path, body, **query).status_code

    return {
        "read": lambda: do("GET", f"/items/{FOREIGN}"),
        "read own": lambda: do("GET", f"/items/{OWN}"),
        "read assigned": lambda: do("GET", f"/items/{ASSIGNED}"),
        "history": lambda: do("GET", f"/items/{FOREIGN}/history"),
        "add": lambda: do("POST", f"/trackers/{TRACKER}/items", {"name": "new"}),
        "edit": lambda: do(
            "PUT", f"/items/{FOREIGN}/fields", {"fieldValues": [NAME_VALUE]}
        ),
        "edit own": lambda: do(
            "PUT", f"/items/{OWN}/fields", {"fieldValues": [NAME_VALUE]}
        ),
        "edit assigned": lambda: do("PUT", f"/items/{ASSIGNED}", WHOLE),
        "replace": lambda: do("PUT", f"/items/{FOREIGN}", WHOLE),
        "bulk": lambda: bulk_status(ask, FOREIGN, NAME_VALUE),
        "move": lambda: do(
            "PATCH", f"/trackers/{TRACKER}/children", insert, mode="INSERT"
        ),
        "lock": lambda: do("PUT", f"/items/{FOREIGN}/lock", {"hard": True}),
        "close": lambda: do(
            "PUT", f"/items/{FOREIGN}/fields", {"fieldValues": [CLOSED]}
        ),
        "close in bulk": lambda: bulk_status(ask, OWN, CLOSED),
        "delete": lambda: do("DELETE", f"/items/{OWN}"),
        "set permissions": lambda: do(
            "PUT", f"/trackers/{TRACKER}/roles/11/permissions", {"permissions": []}
        ),
    }


READS = {"read", "read own", "read assigned"}
OWNED = {"read own", "read assigned"}
EDITS = {"edit", "edit own", "edit assigned", "replace", "bulk", "move", "lock"}
TABLE: list[tuple[tuple[int, ...], set[str]]] = [
    ((), set()),
    ((0,), READS),
    ((2,), OWNED),
    ((1,), set()),
    ((3,), {"add"}),
    ((0, 3), READS | {"add"}),
    ((0, 1), READS | EDITS),
    ((0, 4), READS | {"edit own", "edit assigned"}),
    ((2, 4), OWNED | {"edit own", "edit assigned"}),
    ((2, 1), OWNED | {"edit own", "edit assigned"}),
    ((0, 6), READS),
    ((0, 1, 6), READS | EDITS | {"close", "close in bulk"}),
    ((0, 7), READS | {"delete"}),
    ((2, 7), OWNED | {"delete"}),
    ((0, 8), READS | {"history"}),
    ((0, 5), READS),
    ((0, 2, 8, 9, 10, 15, 17, 19, 21, 25), READS | {"history"}),
    (tuple(ALL_PERMISSIONS), set()),
]


@pytest.mark.parametrize(
    ("permissions", "allowed"), TABLE, ids=["+".join(map(str, p)) for p, _ in TABLE]
)
def test_each_cell_of_the_table(
    start: Callable[..., tuple[Ask, Emulator]],
    permissions: tuple[int, ...],
    allowed: set[str],
) -> None:
    ask, server = start(*permissions)
    tries = changes(ask)
    if len(permissions) == len(ALL_PERMISSIONS):
        allowed = set(tries) - {"set permissions"}
    found = {}
    first = server.world()
    for name, attempt in tries.items():
        server.load_world(first)
        found[name] = attempt()
        if found[name] != 200:
            assert server.world()["items"] == first["items"], name
    assert found == {name: 200 if name in allowed else 403 for name in tries}


def test_a_query_shows_only_what_may_be_seen(
    start: Callable[..., tuple[Ask, Emulator]],
) -> None:
    body = {"queryString": f"tracker.id = {TRACKER}"}
    for permissions, seen in (((0,), 4), ((2,), 2), ((), 0)):
        ask, _ = start(*permissions)
        answer = ask("ann", "POST", "/items/query", body).json()
        assert (answer["total"], len(answer["items"])) == (seen, seen)


def test_the_union_of_roles_and_groups_counts(asking: Callable[..., Ask]) -> None:
    builder = WorldBuilder()
    ann = builder.user("ann")
    project = builder.project("One", "ONE")
    viewer, editor = builder.role(project, "Viewer"), builder.role(project, "Editor")
    builder.member(project, ann, viewer)
    builder.group_member(project, builder.group("Crew", ann), editor)
    tracker = builder.tracker(project, "T", "T", permissions={viewer: [0], editor: [1]})
    item = builder.item(tracker, "thing", created_by=99)
    with Emulator(world=builder.build()) as server:
        ask = asking(server)
        body = {"fieldValues": [NAME_VALUE]}
        assert ask("ann", "PUT", f"/items/{item}/fields", body).status_code == 200
        roles = ask("ann", "GET", f"/projects/{project}/members/{ann}/permissions")
        assert [role["name"] for role in roles.json()["roles"]] == ["Viewer", "Editor"]


def test_a_system_administrator_is_not_bound(ask: Ask, server: Emulator) -> None:
    world = server.world()
    world["trackers"][0]["permissions"] = {}
    server.load_world(world)
    assert (
        ask("alice", "POST", "/trackers/2001/items", {"name": "a"}).status_code == 403
    )
    assert ask("bond", "POST", "/trackers/2001/items", {"name": "a"}).status_code == 200


def test_the_invisible_can_be_403_or_404(
    start: Callable[..., tuple[Ask, Emulator]],
) -> None:
    paths = (f"/items/{FOREIGN}", f"/trackers/{TRACKER}", "/projects/101")
    ask, server = start()
    # A member sees his project even when no tracker of it is his to see.
    assert [ask("ann", "GET", path).status_code for path in paths] == [403, 403, 200]
    server.assume(invisible_status=404)
    assert [ask("ann", "GET", path).status_code for path in paths] == [404, 404, 200]
    assert ask("ann", "GET", "/items/77").status_code == 404


def test_bulk_can_need_mass_edit(start: Callable[..., tuple[Ask, Emulator]]) -> None:
    ask, _ = start(0, 1, bulk_needs_mass_edit=True)
    assert bulk_status(ask, FOREIGN, NAME_VALUE) == 403
    ask, _ = start(0, 1, 5, bulk_needs_mass_edit=True)
    assert bulk_status(ask, FOREIGN, NAME_VALUE) == 200


def test_reading_goes_on_when_all_else_is_taken(ask: Ask) -> None:
    made = ask("generator", "POST", "/trackers/2001/items", {"name": "a"}).json()["id"]
    only_look = {"permissions": [{"id": 0}, {"id": 2}, {"id": 8}]}
    path = "/trackers/2001/roles/12/permissions"
    assert ask("generator", "PUT", path, only_look).status_code == 200
    assert ask("alice", "GET", f"/items/{made}").status_code == 200
    assert ask("alice", "GET", f"/items/{made}/history").status_code == 200
    body = {"fieldValues": [NAME_VALUE]}
    assert ask("alice", "PUT", f"/items/{made}/fields", body).status_code == 403
    assert (
        ask("alice", "POST", "/trackers/2001/items", {"name": "b"}).status_code == 403
    )


def test_adding_below_needs_to_see_what_is_above(
    start: Callable[..., tuple[Ask, Emulator]],
) -> None:
    path, body = f"/trackers/{TRACKER}/items", {"name": "new"}
    ask, _ = start(2, 3)
    assert ask("ann", "POST", path, body, parentItemId=OWN).status_code == 200
    assert ask("ann", "POST", path, body, parentItemId=FOREIGN).status_code == 403
