from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_USER_IDS, Emulator, WorldBuilder

Ask = Callable[..., requests.Response]


@pytest.fixture
def small(asking: Callable[[Emulator], Ask]) -> Iterator[Ask]:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann = builder.user("ann", password="geheim: ü", token="ann-s-token")
    builder.user("shut", rest_access=False)
    builder.user("outsider")
    project = builder.project("One", "ONE")
    role = builder.role(project, "Worker")
    group = builder.group("Crew", ann)
    builder.member(project, 1, role)
    builder.group_member(project, group, role)
    builder.tracker(project, "Seen", "S", permissions={role: [0]})
    builder.tracker(project, "Hidden", "H", permissions={role: []})
    with Emulator(world=builder.build()) as server:
        yield asking(server)


@pytest.mark.parametrize("user", [None, "ann", "ann/wrong", "nobody", "ann/"])
def test_who_is_unknown_is_401(small: Ask, user: str | None) -> None:
    answer = small(user, "GET", "/projects")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.json()["resourceUri"] == "/projects"


def test_a_password_may_hold_anything(server: Emulator) -> None:
    world = server.world()
    world["users"][1]["password"] = "geheim: ü"
    server.load_world(world)
    answer = requests.get(
        f"{server.url}/api/v3/projects",
        auth=("alice", "geheim: ü".encode()),
        timeout=10,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer the-token", 200),
        ("Bearer another", 401),
        ("Bearer ", 401),
        ("Basic !!!", 401),
        ("Digest x", 401),
        ("Actor bond", 401),
    ],
)
def test_tokens_and_other_schemes(server: Emulator, header: str, status: int) -> None:
    world = server.world()
    world["users"][1]["token"] = "the-token"
    server.load_world(world)
    answer = requests.get(
        f"{server.url}/api/v3/projects", headers={"Authorization": header}, timeout=10
    )
    assert answer.status_code == status


def test_without_rest_access_everything_is_403(small: Ask) -> None:
    for path in ("/projects", "/roles", "/items/1/lock", "/users/1"):
        assert small("shut", "GET", path).status_code == 403


def test_users_are_found_by_id_and_name(ask: Ask) -> None:
    for name, number in DEMO_USER_IDS.items():
        found = ask("bob", "GET", "/users/findByName", name=name).json()
        assert (found["id"], found["name"]) == (number, name)
        assert ask("bob", "GET", f"/users/{number}").json() == found
        assert "email" not in found
    assert ask("bob", "GET", "/users/findByName", name="x").status_code == 404
    assert ask("bob", "GET", "/users/99").status_code == 404


def test_roles(ask: Ask) -> None:
    roles = ask("bob", "GET", "/roles").json()
    assert [role["name"] for role in roles] == [
        "Project Admin",
        "Developer",
        "Tester",
        "Stakeholder",
        "Generator",
    ]
    assert ask("bob", "GET", f"/roles/{roles[1]['id']}").json()["name"] == "Developer"
    assert ask("bob", "GET", "/roles/99").status_code == 404


def test_members_are_users_and_groups(small: Ask) -> None:
    found: dict[str, Any] = small("bond", "GET", "/projects/101/members").json()
    assert found["total"] == 2
    assert [(one["name"], one["type"]) for one in found["members"]] == [
        ("bond", "UserReference"),
        ("Crew", "UserGroupReference"),
    ]
    second = small("bond", "GET", "/projects/101/members", page=2, pageSize=1).json()
    assert [one["name"] for one in second["members"]] == ["Crew"]
    group = found["members"][1]["id"]
    inside = small("bond", "GET", f"/users/groups/{group}/members").json()
    assert [one["name"] for one in inside["users"]] == ["ann"]
    assert small("outsider", "GET", f"/users/groups/{group}/members").status_code == 403
    assert small("bond", "GET", "/users/groups/9/members").status_code == 404


def test_roles_of_a_member(ask: Ask) -> None:
    path = f"/projects/101/members/{DEMO_USER_IDS['alice']}/permissions"
    roles = ask("bob", "GET", path).json()["roles"]
    assert [role["name"] for role in roles] == ["Developer"]
    assert ask("bob", "GET", "/projects/101/members/99/permissions").status_code == 404


def test_projects_and_trackers_are_shown_to_their_members(small: Ask) -> None:
    assert [one["name"] for one in small("bond", "GET", "/projects").json()] == ["One"]
    assert small("outsider", "GET", "/projects").json() == []
    for path in ("/projects/101", "/projects/101/trackers", "/projects/101/members"):
        assert small("outsider", "GET", path).status_code == 403
        assert small("bond", "GET", path.replace("101", "9")).status_code == 404
    seen = small("bond", "GET", "/projects/101/trackers").json()
    assert [one["name"] for one in seen] == ["Seen", "Hidden"]
    assert small("bond", "GET", "/projects/101").json()["keyName"] == "ONE"


def test_a_tracker_without_rights_is_not_listed(ask: Ask) -> None:
    none = {"permissions": []}
    for tracker in (2001, 2003):
        path = f"/trackers/{tracker}/roles/13/permissions"
        assert ask("generator", "PUT", path, none).status_code == 200
    seen = [one["id"] for one in ask("bob", "GET", "/projects/101/trackers").json()]
    # 2004 inherits from 2003.
    assert seen == [2002]
    assert ask("bob", "GET", "/trackers/2001").status_code == 403
    # Who administers trackers sees them.
    path = "/trackers/2001/roles/15/permissions"
    assert ask("generator", "PUT", path, none).status_code == 200
    assert ask("generator", "GET", "/trackers/2001").status_code == 200
    assert ask("generator", "GET", "/trackers/2001/items").json()["total"] == 0
