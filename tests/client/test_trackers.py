from __future__ import annotations

import pytest

from airflow_codebeamer.emulator import (
    ALL_PERMISSIONS,
    DEMO_DERIVED_ID,
    DEMO_TEMPLATE_ID,
    DEMO_TRACKER_ID,
    Emulator,
    demo_world,
)
from airflow_codebeamer.errors import (
    ForbiddenError,
    NotFoundError,
    OutcomeUnknownError,
)
from airflow_codebeamer.ids import RoleId, TrackerId, UserId
from airflow_codebeamer.models import TrackerPermission

TRACKER = TrackerId(DEMO_TRACKER_ID)


def role_named(client, name):
    return next(
        role
        for role in client.trackers.list_permissions(TRACKER)
        if role.role.name == name
    )


def test_a_tracker_tells_who_inherits_from_it(client):
    assert client.trackers.get_tracker(TRACKER).key_name == "SYSREQ"
    template = client.trackers.get_tracker(TrackerId(DEMO_TEMPLATE_ID))
    derived = client.trackers.get_tracker(TrackerId(DEMO_DERIVED_ID))

    assert template.available_as_template
    assert derived.template is not None
    assert derived.template.id == template.id


def test_a_missing_tracker_is_not_found(client):
    with pytest.raises(NotFoundError):
        client.trackers.get_tracker(TrackerId(9))


def test_fields_and_their_types_are_listed(client):
    schema = {field.name: field for field in client.trackers.list_schema(TRACKER)}
    fields = {field.name: field.id for field in client.trackers.list_fields(TRACKER)}

    assert schema["External ID"].value_model == "TextFieldValue"
    assert [option.name for option in schema["ASIL"].options][-1] == "D"
    assert fields["ASIL"] == schema["ASIL"].id


def test_every_permission_is_known(client):
    known = client.trackers.list_known_permissions()

    assert len(known) == len(ALL_PERMISSIONS)
    assert "issue_edit" in {permission.name for permission in known}


def test_permissions_are_listed_by_role_and_user(client, emulator):
    everybody = client.trackers.list_permissions(TRACKER)
    tester = role_named(client, "Tester")
    by_role = client.trackers.list_permissions(TRACKER, role_id=tester.role_id)
    bob = client.users.find_user("bob")
    by_user = client.trackers.list_permissions(TRACKER, user_id=UserId(bob.id))

    assert len(everybody) > 2
    assert by_role == [tester]
    assert [role.role.name for role in by_user] == ["Tester"]


def test_permissions_of_a_role_are_replaced_and_come_back(client, emulator):
    before = emulator.permissions(DEMO_TRACKER_ID)
    tester = role_named(client, "Tester")
    reduced = [
        permission
        for permission in tester.permissions
        if permission.name == "issue_view_not_own"
    ]

    answer = client.trackers.set_role_permissions(TRACKER, tester.role_id, reduced)

    assert {role.role.name for role in answer} >= {"Tester", "Developer"}
    assert len(role_named(client, "Tester").permissions) == 1
    client.trackers.set_role_permissions(TRACKER, tester.role_id, tester.permissions)
    assert emulator.permissions(DEMO_TRACKER_ID) == before


def test_an_answer_with_one_role_is_understood_too(client_for):
    world = demo_world()
    world["assumptions"]["put_permissions_answers"] = "role"
    with Emulator(world=world) as emulator:
        client = client_for(emulator.url, login="generator", password="generator")
        tester = role_named(client, "Tester")

        answer = client.trackers.set_role_permissions(
            TRACKER, tester.role_id, tester.permissions
        )

        assert answer == [tester]
        client.close()


def test_setting_permissions_needs_the_right_to(client_for, emulator):
    bob = client_for(emulator.url, login="bob", password="bob")
    tester = role_named(bob, "Tester")

    with pytest.raises(ForbiddenError):
        bob.trackers.set_role_permissions(TRACKER, tester.role_id, [])


def test_permissions_whose_answer_was_lost_are_set_once(client, emulator):
    tester = role_named(client, "Tester")
    emulator.clear_calls()
    emulator.add_fault({"kind": "drop_answer", "operation": "updatePermission"})

    with pytest.raises(OutcomeUnknownError):
        client.trackers.set_role_permissions(TRACKER, tester.role_id, [])

    assert len(emulator.calls()) == 1


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (lambda t: t.list_known_permissions(), "GET", "/trackers/permissions", None),
        (lambda t: t.list_permissions(1), "GET", "/trackers/1/permissions", None),
        (
            lambda t: t.list_permissions(1, user_id=2, role_id=3),
            "GET",
            "/trackers/1/permissions?userId=2&roleId=3",
            None,
        ),
        (
            lambda t: t.set_role_permissions(
                1,
                3,
                [
                    TrackerPermission.model_validate(
                        {"id": 2, "name": "issue_view", "type": "X", "label": "View"}
                    )
                ],
            ),
            "PUT",
            "/trackers/1/roles/3/permissions",
            {"permissions": [{"id": 2, "name": "issue_view"}]},
        ),
        (
            lambda t: t.set_role_permissions(1, 3, []),
            "PUT",
            "/trackers/1/roles/3/permissions",
            {"permissions": []},
        ),
        (
            lambda t: t.list_children(1),
            "GET",
            "/trackers/1/children?page=1&pageSize=500",
            None,
        ),
    ],
)
def test_what_is_sent(serve, client_for, call, method, path, body):
    wire = serve([])

    assert call(client_for(wire.url).trackers) == []

    seen = wire.requests[0]
    assert (seen.method, seen.path) == (method, f"/cb/api/v3{path}")
    assert seen.body == body


def test_an_empty_answer_to_a_put_is_an_empty_list(serve, client_for):
    trackers = client_for(serve(b"").url).trackers

    assert trackers.set_role_permissions(TRACKER, RoleId(3), []) == []
