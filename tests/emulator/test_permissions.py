from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import requests

from airflow_codebeamer.emulator import (
    DEMO_DERIVED_ID,
    DEMO_TEMPLATE_ID,
    DEMO_TRACKER_ID,
    PROJECT_ADMIN_MINIMUM,
    Emulator,
)

Ask = Callable[..., requests.Response]
ADMIN, DEVELOPER, GENERATOR = 11, 12, 15
LIST = f"/trackers/{DEMO_TRACKER_ID}/permissions"


def of(role: int) -> str:
    return f"/trackers/{DEMO_TRACKER_ID}/roles/{role}/permissions"


def ids(answer: requests.Response) -> dict[int, list[int]]:
    assert answer.status_code == 200, answer.text
    return {
        entry["role"]["id"]: [one["id"] for one in entry["trackerPermissions"]]
        for entry in answer.json()
    }


def wanted(*numbers: int) -> dict[str, Any]:
    return {"permissions": [{"id": number} for number in numbers]}


def test_all_28_permissions_are_known(ask: Ask) -> None:
    known = ask("alice", "GET", "/trackers/permissions").json()
    assert [one["id"] for one in known] == list(range(28))
    assert known[1]["name"] == "issue_edit_not_own"
    one = ask("alice", "GET", "/trackers/permissions/6").json()
    assert (one["name"], one["label"]) == ("issue_close", "Item - Close")
    assert ask("alice", "GET", "/trackers/permissions/28").status_code == 404


def test_put_replaces_and_answers_all_roles(ask: Ask) -> None:
    before = ids(ask("generator", "GET", LIST))
    after = ids(ask("generator", "PUT", of(DEVELOPER), wanted(8, 0, 2, 0)))
    assert after == {**before, DEVELOPER: [0, 2, 8]}
    assert ids(ask("alice", "GET", LIST)) == after


def test_put_can_answer_one_role(ask: Ask, server: Emulator) -> None:
    server.assume(put_permissions_answers="role")
    assert ids(ask("generator", "PUT", of(DEVELOPER), wanted(0))) == {DEVELOPER: [0]}


def test_a_role_without_permissions_is_listed_only_on_demand(
    ask: Ask, server: Emulator
) -> None:
    assert DEVELOPER not in ids(ask("generator", "PUT", of(DEVELOPER), wanted()))
    server.assume(list_empty_roles=True)
    assert ids(ask("generator", "GET", LIST))[DEVELOPER] == []


def test_the_project_admin_keeps_his_minimum(ask: Ask) -> None:
    after = ids(ask("generator", "PUT", of(ADMIN), wanted(1)))
    assert after[ADMIN] == sorted({1, *PROJECT_ADMIN_MINIMUM})
    assert ids(ask("generator", "PUT", of(ADMIN), wanted()))[ADMIN] == sorted(
        PROJECT_ADMIN_MINIMUM
    )
    assert ask("generator", "DELETE", of(ADMIN)).status_code == 200
    assert ids(ask("generator", "GET", LIST))[ADMIN] == sorted(PROJECT_ADMIN_MINIMUM)


def test_delete_takes_all_and_answers_nothing(ask: Ask) -> None:
    answer = ask("generator", "DELETE", of(DEVELOPER))
    assert (answer.status_code, answer.content) == (200, b"")
    assert DEVELOPER not in ids(ask("generator", "GET", LIST))


def test_filters_by_role_and_user(ask: Ask) -> None:
    everything = ids(ask("alice", "GET", LIST))
    assert list(everything) == sorted(everything)
    by_role = ids(ask("alice", "GET", LIST, roleId=DEVELOPER))
    assert by_role == {DEVELOPER: everything[DEVELOPER]}
    generator = ask("alice", "GET", "/users/findByName", name="generator").json()["id"]
    by_user = ids(ask("alice", "GET", LIST, userId=generator))
    assert by_user == {GENERATOR: everything[GENERATOR]}
    assert ids(ask("alice", "GET", LIST, userId=generator, roleId=DEVELOPER)) == {}


def test_setting_needs_the_right_to_administer_trackers(
    ask: Ask, server: Emulator
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    assert ask("alice", "PUT", of(DEVELOPER), wanted(0)).status_code == 403
    assert ask("alice", "DELETE", of(DEVELOPER)).status_code == 403
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert ask("bond", "PUT", of(DEVELOPER), wanted(0)).status_code == 200
    assert server.permissions(DEMO_TRACKER_ID) != before


def test_the_unknown_is_not_found_and_changes_nothing(
    ask: Ask, server: Emulator
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    assert ask("generator", "PUT", of(DEVELOPER), wanted(0, 28)).status_code == 404
    assert ask("generator", "PUT", of(99), wanted(0)).status_code == 404
    assert ask("generator", "PUT", of(DEVELOPER), {}).status_code == 400
    assert ask("generator", "GET", "/trackers/9/permissions").status_code == 404
    assert server.permissions(DEMO_TRACKER_ID) == before


def test_who_does_not_see_the_tracker_gets_the_documented_400(
    ask: Ask, server: Emulator
) -> None:
    ask("generator", "PUT", of(DEVELOPER), wanted())
    answer = ask("alice", "GET", LIST)
    assert answer.status_code == 400
    assert "No access permission" in answer.json()["message"]


def test_the_canonical_text_does_not_depend_on_order(
    ask: Ask, server: Emulator
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    had = ids(ask("generator", "GET", LIST))[DEVELOPER]
    ask("generator", "PUT", of(DEVELOPER), wanted(0))
    ask("generator", "PUT", of(DEVELOPER), wanted(*reversed(had)))
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert {entry["role"] for entry in json.loads(before)} >= {"Developer", "Generator"}


def test_a_derived_tracker_inherits_until_it_has_its_own(
    ask: Ask, server: Emulator
) -> None:
    def put(tracker: int, *numbers: int) -> None:
        path = f"/trackers/{tracker}/roles/{DEVELOPER}/permissions"
        assert ask("generator", "PUT", path, wanted(*numbers)).status_code == 200

    def see(tracker: int) -> list[int]:
        return ids(ask("bond", "GET", f"/trackers/{tracker}/permissions"))[DEVELOPER]

    derived = ask("alice", "GET", f"/trackers/{DEMO_DERIVED_ID}").json()
    assert derived["templateTracker"]["id"] == DEMO_TEMPLATE_ID
    assert ask("alice", "GET", f"/trackers/{DEMO_TEMPLATE_ID}").json()[
        "availableAsTemplate"
    ]
    put(DEMO_TEMPLATE_ID, 0, 1)
    assert see(DEMO_DERIVED_ID) == [0, 1]
    put(DEMO_DERIVED_ID, 0)
    assert see(DEMO_TEMPLATE_ID) == [0, 1]
    put(DEMO_TEMPLATE_ID, 0, 3)
    assert see(DEMO_DERIVED_ID) == [0]
