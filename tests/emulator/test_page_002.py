"""What the vendor's page about changes of the interface says, one line a test.

Throttling, project members and item locks have rooms of their own; see
`test_throttle`, `test_users` and `test_locks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import requests

from airflow_codebeamer.emulator import (
    DEMO_STAKEHOLDER_ID,
    DEMO_TRACKER_ID,
    Emulator,
    WorldBuilder,
)

Ask = Callable[..., requests.Response]


def test_unknown_properties_are_refused_with_the_documented_message(
    ask: Ask, need: int
) -> None:
    body = {
        "id": need,
        "name": "Optimize routing algorithm1",
        "foo": "bar",
        "descriptionFormat": "Wiki",
    }
    for method, path in (
        ("PUT", f"/items/{need}"),
        ("POST", f"/trackers/{DEMO_TRACKER_ID}/items"),
    ):
        answer = ask("generator", method, path, body)
        assert answer.status_code == 400
        documented = 'JSON parse error: Unrecognized field "foo"'
        assert answer.json()["message"].startswith(documented)


def test_the_parent_cannot_be_an_item_of_another_tracker(
    ask: Ask, server: Emulator, need: int
) -> None:
    made = ask("generator", "POST", f"/trackers/{DEMO_TRACKER_ID}/items", {"name": "a"})
    number = made.json()["id"]
    foreign = {"id": need, "type": "TrackerItemReference"}
    before = server.world()
    whole = {**made.json(), "parent": foreign}
    child = {"itemReference": {**foreign, "id": number}, "index": 0}
    for answer in (
        ask("generator", "PUT", f"/items/{number}", whole),
        ask("generator", "POST", f"/items/{need}/children", {"id": number}),
        ask("generator", "PATCH", f"/items/{need}/children", child, mode="INSERT"),
        ask(
            "generator",
            "POST",
            f"/trackers/{DEMO_TRACKER_ID}/items",
            {"name": "b"},
            parentItemId=need,
        ),
    ):
        assert answer.status_code == 400
        assert "another tracker" in answer.json()["message"]
    value = {"fieldId": 76, "type": "ChoiceFieldValue", "values": [foreign]}
    path = f"/items/{number}/fields"
    answer = ask("generator", "PUT", path, {"fieldValues": [value]})
    assert answer.status_code == 400
    assert server.world() == before


def test_hashes_of_attachments_are_sha_512(form: Ask, need: int) -> None:
    sent = ("attachments", ("crossReferences.csv", b"a;b", "text/csv"))
    (made,) = form("alice", "POST", f"/items/{need}/attachments", {}, sent).json()
    assert made["sha512"] == hashlib.sha512(b"a;b").hexdigest()
    assert "md5" not in made
    assert set(made) == {
        "id",
        "name",
        "description",
        "descriptionFormat",
        "createdAt",
        "createdBy",
        "modifiedAt",
        "modifiedBy",
        "version",
        "size",
        "sha512",
    }


def test_deleting_moves_to_the_trash(ask: Ask, server: Emulator, need: int) -> None:
    assert ask("generator", "DELETE", f"/items/{need}").ok
    kept = {entry["id"]: entry["trashed"] for entry in server.world()["items"]}
    assert kept[need] is True


def test_fields_come_grouped_by_what_one_may_write(ask: Ask, need: int) -> None:
    mine = ask("alice", "GET", f"/items/{need}/fields").json()
    his = ask("bob", "GET", f"/items/{need}/fields").json()
    assert mine["editableFields"] == his["readOnlyFields"] != []
    assert mine["readOnlyFields"] == his["editableFields"] == []


def test_members_of_a_project_are_references(ask: Ask) -> None:
    shown = ask("alice", "GET", "/projects/101/members").json()
    assert {entry["type"] for entry in shown["members"]} == {"UserReference"}
    one = ask("alice", "GET", "/projects/101/members/2/permissions").json()
    assert [role["name"] for role in one["roles"]] == ["Developer"]


def test_the_top_of_a_tracker_is_a_list(ask: Ask) -> None:
    path = f"/trackers/{DEMO_STAKEHOLDER_ID}/children"
    shown = ask("alice", "GET", path).json()
    assert shown["total"] == 3
    order = {"children": shown["itemRefs"][::-1]}
    assert ask("alice", "PUT", path, order).json()["itemRefs"] == order["children"]


def test_members_need_the_right_to_view_them(
    asking: Callable[[Emulator], Ask],
) -> None:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann, gus = builder.user("ann"), builder.user("gus")
    project = builder.project("One", "ONE")
    builder.member(project, ann, builder.role(project, "Engineer"))
    builder.member(project, gus, builder.role(project, "Guest", members_view=False))
    with Emulator(world=builder.build()) as server:
        ask = asking(server)
        path = "/projects/101/members"
        assert ask("gus", "GET", path).status_code == 403
        assert ask("ann", "GET", path).json()["total"] == 2
        assert ask("bond", "GET", path).json()["total"] == 2


def test_members_of_a_group_need_an_administrator_of_accounts(
    asking: Callable[[Emulator], Ask],
) -> None:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann = builder.user("ann")
    builder.group("Testers", ann)
    with Emulator(world=builder.build()) as server:
        ask = asking(server)
        assert ask("ann", "GET", "/users/groups/501/members").status_code == 403
        shown = ask("bond", "GET", "/users/groups/501/members").json()
        assert [entry["name"] for entry in shown["users"]] == ["ann"]
        # Users themselves need no such right since 20.11.
        assert ask("ann", "GET", "/users").status_code == 200
        assert ask("ann", "GET", "/users/1").json()["name"] == "bond"
