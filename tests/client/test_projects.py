from __future__ import annotations

import pytest

from airflow_codebeamer.emulator import (
    DEMO_PROJECT_ID,
    DEMO_TRACKER_ID,
    Emulator,
    WorldBuilder,
)
from airflow_codebeamer.errors import ConfigurationError, NotFoundError, ServerError
from airflow_codebeamer.ids import ProjectId, UserId

PROJECT = ProjectId(DEMO_PROJECT_ID)


def test_projects_are_listed_and_got(client):
    assert [project.id for project in client.projects.list_projects()] == [PROJECT]
    assert client.projects.get_project(PROJECT).key_name == "BRK"
    with pytest.raises(NotFoundError):
        client.projects.get_project(ProjectId(9))


@pytest.mark.parametrize("wanted", ["BRK", "Brake System", DEMO_PROJECT_ID])
def test_a_project_is_found_by_key_name_and_number(client, wanted):
    found = client.projects.find_project(wanted)

    assert found is not None
    assert found.id == PROJECT


@pytest.mark.parametrize("wanted", ["brk", "BR", "", 9])
def test_a_project_that_is_not_there_is_none(client, wanted):
    assert client.projects.find_project(wanted) is None


def test_a_search_is_used_where_the_server_has_it(serve, client_for):
    found = {
        "page": 1,
        "total": 2,
        "projects": [
            {"id": 4, "name": "Other", "keyName": "BRK2"},
            {"id": 5, "name": "Brake", "keyName": "BRK"},
        ],
    }
    wire = serve([{"id": 4, "name": "Other"}, {"id": 5, "name": "Brake"}], found)

    project = client_for(wire.url).projects.find_project("BRK")

    assert project is not None
    assert project.id == 5
    assert wire.requests[1].body == {"keyName": "BRK"}
    assert len(wire.requests) == 2


def test_a_server_that_fails_in_a_search_is_not_asked_otherwise(serve, client_for):
    wire = serve([{"id": 5, "name": "Brake"}], (500, {"message": "boom"}))

    with pytest.raises(ServerError, match="boom"):
        client_for(wire.url).projects.find_project("BRK")

    assert {path.rpartition("/")[2] for path in wire.paths} == {"projects", "search"}


@pytest.mark.parametrize("wanted", ["SYSREQ", "System Requirements", DEMO_TRACKER_ID])
def test_a_tracker_is_found_by_key_name_and_number(client, wanted):
    found = client.projects.find_tracker(PROJECT, wanted)

    assert found is not None
    assert found.id == DEMO_TRACKER_ID


@pytest.mark.parametrize("wanted", ["SYS", "", 9])
def test_a_tracker_that_is_not_there_is_none(client, wanted):
    assert client.projects.find_tracker(PROJECT, wanted) is None


def test_a_tracker_of_another_project_is_not_found(client_for):
    builder = WorldBuilder()
    user = builder.user("bot")
    projects = [builder.project("One", "ONE"), builder.project("Two", "TWO")]
    trackers = []
    for project in projects:
        role = builder.role(project, "All")
        builder.member(project, user, role)
        for name in ("Twin", "Twin"):
            permissions = {role: range(28)}
            trackers.append(
                builder.tracker(project, name, "T", permissions=permissions)
            )
    with Emulator(world=builder.build()) as emulator:
        client = client_for(emulator.url, login="bot", password="bot")
        listed = client.projects.list_trackers(ProjectId(projects[0]))

        assert [tracker.id for tracker in listed] == trackers[:2]
        assert client.projects.find_tracker(ProjectId(projects[0]), trackers[2]) is None
        with pytest.raises(ConfigurationError, match=f"{trackers[0]}, {trackers[1]}"):
            client.projects.find_tracker(ProjectId(projects[0]), "Twin")
        client.close()


def test_members_and_their_roles_are_listed(client):
    members = client.projects.list_members(PROJECT)
    me = next(member for member in members if member.name == "generator")

    assert {"alice", "bob", "generator"} <= {member.name for member in members}
    assert {member.type for member in members} == {"UserReference"}
    roles = client.projects.list_member_roles(PROJECT, UserId(me.id))
    assert [role.name for role in roles] == ["Generator"]


def test_somebody_who_is_no_member_has_no_roles(client):
    assert client.projects.list_member_roles(PROJECT, UserId(999)) == []


def test_many_members_come_in_pages(serve, client_for):
    def page(number):
        members = [
            {"id": number * 10 + rest, "name": "x", "type": "UserReference"}
            for rest in range(2)
        ]
        return {"page": number, "pageSize": 2, "total": 4, "members": members}

    wire = serve(page(1), page(2))

    found = client_for(wire.url).projects.list_members(PROJECT)

    assert [member.id for member in found] == [10, 11, 20, 21]
    assert wire.paths == [
        f"/cb/api/v3/projects/{PROJECT}/members?page={number}&pageSize=500"
        for number in (1, 2)
    ]
