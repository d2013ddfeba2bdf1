from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder, demo_world

Ask = Callable[..., requests.Response]


@pytest.fixture
def server() -> Iterator[Emulator]:
    """The demo world, with a project that only bond sees, a group and addresses."""
    world = demo_world()
    world["projects"].append({"id": 200, "name": "Secret", "key": "SEC"})
    world["groups"].append({"id": 501, "name": "Testers", "members": [3]})
    for user in world["users"]:
        user["email"] = f"{user['name']}@example.com"
    world["users"][2]["status"] = "DISABLED"
    with Emulator(world=world) as running:
        yield running


def names(answer: requests.Response, of: str) -> list[str]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return [entry["name"] for entry in body[of]]


def test_projects_by_key(ask: Ask) -> None:
    found = ask("alice", "POST", "/projects/search", {"keyName": "BRK"}).json()
    assert (found["page"], found["pageSize"], found["total"]) == (1, 1, 1)
    assert found["projects"][0]["id"] == 101
    body = {"keyName": "SEC"}
    assert names(ask("alice", "POST", "/projects/search", body), "projects") == []
    assert names(ask("bond", "POST", "/projects/search", body), "projects") == [
        "Secret"
    ]
    assert ask("alice", "POST", "/projects/search", {}).status_code == 400


def test_trackers_of_a_project(ask: Ask) -> None:
    path = "/projects/101/trackers/search"
    assert len(names(ask("alice", "POST", path, {}), "trackers")) == 4
    body: dict[str, Any] = {"keyName": "NEED"}
    found = names(ask("alice", "POST", path, body), "trackers")
    assert found == ["Stakeholder Requirements"]
    body = {"types": [{"id": 102, "type": "TrackerTypeReference"}]}
    assert names(ask("alice", "POST", path, body), "trackers") == []
    path = "/projects/200/trackers/search"
    assert ask("alice", "POST", path, {}).status_code == 403
    nameless = ask("bond", "POST", "/projects/101/trackers/search", {"types": [{}]})
    assert (nameless.status_code, nameless.json()["trackers"]) == (200, [])


def test_users_by_what_is_known(ask: Ask) -> None:
    path = "/users/search"
    for body, found in (
        ({"name": "li"}, ["alice"]),
        ({"firstName": "Bob"}, ["bob"]),
        ({"userStatus": "DISABLED"}, ["bob"]),
        ({"projectId": 101}, ["bond", "alice", "bob", "generator"]),
        ({"email": "alice@"}, ["alice"]),
    ):
        assert names(ask("bond", "POST", path, body), "users") == found, body
    # Addresses need a right of their own.
    assert names(ask("alice", "POST", path, {"email": "bob@"}), "users") == []
    shown = ask("alice", "POST", path, {"name": "alice"}).json()["users"]
    assert shown[0]["email"] == "alice@example.com"
    assert ask("alice", "POST", path, {"projectId": 9}).status_code == 404
    page = ask("bond", "POST", path, {}, page=2, pageSize=3).json()
    assert (page["total"], len(page["users"])) == (4, 1)


def test_users_in_a_list(ask: Ask) -> None:
    assert names(ask("alice", "GET", "/users", queryString="BO"), "users") == [
        "bond",
        "bob",
    ]
    assert names(ask("alice", "GET", "/users", groupId=501), "users") == ["bob"]
    assert names(ask("alice", "GET", "/users", groupId=9), "users") == []


def test_users_by_address(ask: Ask) -> None:
    path = "/users/findByEmail"
    assert ask("alice", "GET", path, email="BOB@example.com").json()["name"] == "bob"
    assert ask("alice", "GET", path, email="x@example.com").status_code == 404
    assert ask("alice", "GET", path, email="").status_code == 404


def test_groups(ask: Ask) -> None:
    reference = {"id": 501, "name": "Testers", "type": "UserGroupReference"}
    assert ask("alice", "GET", "/users/groups").json() == [reference]
    assert ask("alice", "GET", "/users/groups/501").json()["name"] == "Testers"
    assert ask("alice", "GET", "/users/groups/9").status_code == 404


def test_types_of_trackers(ask: Ask) -> None:
    types = ask("alice", "GET", "/trackers/types").json()
    assert {one["name"] for one in types} == {"Requirement", "Task", "Test Case"}
    assert ask("alice", "GET", "/trackers/types", outline="DISABLED").json() == []
    one = ask("alice", "GET", "/trackers/types/102").json()
    assert (one["name"], one["varName"]) == ("Test Case", "TestCase")
    assert ask("alice", "GET", "/trackers/types/9").status_code == 404


def test_steps_that_one_may_take(asking: Callable[[Emulator], Ask]) -> None:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    eve, ann = builder.user("eve"), builder.user("ann")
    project = builder.project("One", "ONE")
    reader, writer = builder.role(project, "Reader"), builder.role(project, "Writer")
    builder.member(project, eve, reader)
    builder.member(project, ann, writer)
    rights = {reader: [0, 2], writer: [0, 1, 2]}
    builder.item(builder.tracker(project, "T", "T", permissions=rights), "i")
    with Emulator(world=builder.build()) as running:
        ask = asking(running)
        path = "/items/10001/transitions"
        steps = ask("bond", "GET", path).json()
        assert {one["toStatus"]["name"] for one in steps} == {"In Review", "Closed"}
        assert {one["fromStatus"]["name"] for one in steps} == {"New"}
        # Closing needs a right of its own.
        steps = ask("ann", "GET", path).json()
        assert [one["toStatus"]["name"] for one in steps] == ["In Review"]
        assert ask("eve", "GET", path).status_code == 403
