from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

Ask = Callable[..., requests.Response]
ITEMS = f"/trackers/{DEMO_TRACKER_ID}/items"


def text(field: int, value: str | None) -> dict[str, Any]:
    return {"fieldId": field, "type": "TextFieldValue", "value": value}


def choice(field: int, *options: int) -> dict[str, Any]:
    values = [{"id": number, "type": "ChoiceOptionReference"} for number in options]
    return {"fieldId": field, "type": "ChoiceFieldValue", "values": values}


@pytest.fixture
def make(ask: Ask) -> Callable[..., int]:
    def create(name: str, body: dict[str, Any] | None = None, **query: Any) -> int:
        answer = ask(
            "generator", "POST", ITEMS, {"name": name, **(body or {})}, **query
        )
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    return create


def names(server: Emulator) -> list[tuple[str, str]]:
    return [
        (item["name"], item.get("parent", {}).get("name", ""))
        for item in server.items(DEMO_TRACKER_ID)
    ]


def test_a_created_item_is_whole(ask: Ask) -> None:
    body = {
        "name": "Speed",
        "description": "of the wheel",
        "categories": [{"id": 2, "type": "ChoiceOptionReference"}],
        "customFields": [text(10001, "key-1"), choice(1001, 3)],
    }
    made = ask("generator", "POST", ITEMS, body).json()
    assert ask("alice", "GET", f"/items/{made['id']}").json() == made
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", made["createdAt"])
    assert made["createdBy"]["name"] == made["modifiedBy"]["name"] == "generator"
    assert made["status"] == {"id": 1, "name": "New", "type": "ChoiceOptionReference"}
    assert made["version"] == 1
    assert made["ordinal"] == 0
    assert made["children"] == []
    assert made["typeName"] == "Requirement"
    assert "parent" not in made
    assert made["customFields"] == [
        {
            "fieldId": 1001,
            "name": "ASIL",
            "type": "ChoiceFieldValue",
            "values": [{"id": 3, "name": "B", "type": "ChoiceOptionReference"}],
        },
        {
            "fieldId": 10001,
            "name": "External ID",
            "type": "TextFieldValue",
            "value": "key-1",
        },
    ]


def test_places_of_new_items(make: Callable[..., int], server: Emulator) -> None:
    a = make("a")
    make("c")
    b = make("b", referenceItemId=a, position="AFTER")
    make("first", referenceItemId=a, position="BEFORE")
    make("b1", parentItemId=b)
    make("b3", referenceItemId=b, position="BELOW")
    make("b2", parentItemId=b, referenceItemId=b + 2, position="AFTER")
    assert names(server) == [
        ("first", ""),
        ("a", ""),
        ("b", ""),
        ("b1", "b"),
        ("b2", "b"),
        ("b3", "b"),
        ("c", ""),
    ]
    ordinals = [item["ordinal"] for item in server.items(DEMO_TRACKER_ID)]
    assert ordinals == [0, 1, 2, 0, 1, 2, 3]


def test_wrong_places_are_refused(ask: Ask, make: Callable[..., int]) -> None:
    a, b = make("a"), make("b")
    stranger = 10001
    for query, status in [
        ({"parentItemId": 99}, 404),
        ({"parentItemId": stranger}, 400),
        ({"referenceItemId": a}, 400),
        ({"position": "AFTER"}, 400),
        ({"referenceItemId": stranger, "position": "AFTER"}, 400),
        ({"parentItemId": b, "referenceItemId": a, "position": "AFTER"}, 400),
    ]:
        answer = ask("generator", "POST", ITEMS, {"name": "x"}, **query)
        assert answer.status_code == status, query


@pytest.mark.parametrize(
    "value",
    [
        text(99, "no such field"),
        text(80, "wrong kind of text"),
        text(10004, "no number"),
        choice(1001, 9),
        choice(1001, 1, 2),
        {**choice(1001), "values": [{"id": 2, "type": "UserReference"}]},
        text(3, None),
        text(3, "x" * 256),
        {"fieldId": 0, "type": "IntegerFieldValue", "value": 5},
        {**choice(5), "values": [{"id": 77, "type": "UserReference"}]},
        {**choice(17), "values": [{"id": 77, "type": "TrackerItemReference"}]},
    ],
)
def test_values_that_a_field_cannot_have(
    ask: Ask, make: Callable[..., int], server: Emulator, value: dict[str, Any]
) -> None:
    item = make("a")
    before = server.world()
    body = {"fieldValues": [text(10002, "rpm"), value]}
    answer = ask("generator", "PUT", f"/items/{item}/fields", body)
    assert answer.status_code == 400, answer.text
    assert server.world() == before


def test_decimals_are_decimals(ask: Ask, make: Callable[..., int]) -> None:
    item = make("a")
    path = f"/items/{item}/fields"
    value = {"fieldId": 10004, "type": "DecimalFieldValue", "value": 3}
    answer = ask("generator", "PUT", path, {"fieldValues": [value]})
    assert '"value":3.0' in answer.text
    huge = {"fieldValues": [{**value, "value": 10**400}]}
    assert ask("generator", "PUT", path, huge).status_code == 400


def test_built_in_fields_are_no_custom_fields(ask: Ask) -> None:
    body = {"name": "a", "customFields": [text(3, "b")]}
    assert ask("generator", "POST", ITEMS, body).status_code == 400


def test_members_options_and_items_get_their_names(
    ask: Ask, make: Callable[..., int]
) -> None:
    item, other = make("a"), make("other")
    member = {"id": 2, "type": "UserReference"}
    subject = {"id": other, "type": "TrackerItemReference"}
    body = {
        "fieldValues": [
            {"fieldId": 5, "type": "ChoiceFieldValue", "values": [member]},
            {"fieldId": 17, "type": "ChoiceFieldValue", "values": [subject]},
            choice(2, 2),
            {"fieldId": 84, "type": "TextFieldValue", "value": "W"},
        ]
    }
    shown = ask("generator", "PUT", f"/items/{item}/fields", body).json()
    assert shown["assignedTo"] == [{**member, "name": "alice"}]
    assert shown["subjects"] == [{**subject, "name": "other"}]
    assert shown["priority"]["name"] == "High"
    assert shown["descriptionFormat"] == "Wiki"


def test_fields_change_only_what_they_name(ask: Ask, make: Callable[..., int]) -> None:
    item = make("a", {"description": "d", "customFields": [text(10001, "k")]})
    before = ask("generator", "GET", f"/items/{item}").json()
    body = {"fieldValues": [text(3, "b")]}
    after = ask("alice", "PUT", f"/items/{item}/fields", body).json()
    changed = {"name", "version", "modifiedAt", "modifiedBy"}
    assert {key for key in before if before[key] != after[key]} <= changed
    assert (after["name"], after["version"]) == ("b", 2)
    cleared = {"fieldValues": [text(10001, None)]}
    after = ask("alice", "PUT", f"/items/{item}/fields", cleared).json()
    assert after["customFields"] == []


def test_fields_are_read_by_who_may_edit_and_who_may_not(
    ask: Ask, make: Callable[..., int]
) -> None:
    item = make("a")
    his = ask("alice", "GET", f"/items/{item}/fields").json()
    assert his["readOnlyFields"] == []
    assert {one["name"] for one in his["editableFields"]} == {"Summary", "Status"}
    theirs = ask("bob", "GET", f"/items/{item}/fields").json()
    assert theirs["readOnlyFields"] == his["editableFields"]


def test_a_whole_update_clears_what_is_missing(
    ask: Ask, make: Callable[..., int]
) -> None:
    parent = make("parent")
    body = {"description": "d", "storyPoints": 3, "customFields": [text(10001, "k")]}
    item = make("a", body, parentItemId=parent)
    path = f"/items/{item}"
    whole = ask("generator", "GET", path).json()
    # What was read can be sent back as it is.
    again = ask("generator", "PUT", path, whole).json()
    assert again["version"] == 2
    assert {**again, "version": 1, "modifiedAt": whole["modifiedAt"]} == whole
    answer = ask("generator", "PUT", path, {"name": "New name 2"})
    assert answer.status_code == 400
    assert answer.json() == {
        "message": "State transition from New to -- is not defined for"
        f" [SYSREQ-{item}] - a",
        "resourceUri": path,
    }
    kept = {"name": "b", "status": whole["status"]}
    after = ask("generator", "PUT", path, kept).json()
    assert "description" not in after
    assert "storyPoints" not in after
    assert after["customFields"] == []
    assert after["parent"]["id"] == parent
    assert ask("generator", "PUT", path, {**kept, "id": 5}).status_code == 400


def test_a_whole_update_moves(
    ask: Ask, make: Callable[..., int], server: Emulator
) -> None:
    a, b, c = make("a"), make("b"), make("c")
    status = {"id": 1, "type": "ChoiceOptionReference"}
    body = {"name": "c", "status": status}
    query = {"referenceItemId": a, "position": "BEFORE"}
    assert ask("generator", "PUT", f"/items/{c}", body, **query).status_code == 200
    assert [name for name, _ in names(server)] == ["c", "a", "b"]
    below = {**body, "parent": {"id": b, "type": "TrackerItemReference"}}
    assert ask("generator", "PUT", f"/items/{c}", below).json()["parent"]["id"] == b
    assert names(server) == [("a", ""), ("b", ""), ("c", "b")]
    circle = {"name": "b", "status": status, "parent": {"id": c}}
    circle["parent"]["type"] = "TrackerItemReference"
    assert ask("generator", "PUT", f"/items/{b}", circle).status_code == 400
    alien = {**body, "parent": {"id": 10001, "type": "TrackerItemReference"}}
    assert ask("generator", "PUT", f"/items/{c}", alien).status_code == 400


def test_status_changes_along_transitions_only(
    ask: Ask, make: Callable[..., int]
) -> None:
    item = make("a")

    def step(option: int) -> requests.Response:
        body = {"fieldValues": [choice(7, option)]}
        return ask("generator", "PUT", f"/items/{item}/fields", body)

    answer = step(3)
    assert answer.status_code == 400
    assert "from New to Approved is not defined" in answer.json()["message"]
    for option in (2, 3, 1, 4):
        assert step(option).json()["status"]["id"] == option
    answer = ask("alice", "GET", "/trackers/2001/transitions", fromStatusId=1)
    assert {one["toStatus"]["name"] for one in answer.json()} == {"In Review", "Closed"}
    everything = ask("alice", "GET", "/trackers/2001/transitions").json()
    assert next(one for one in everything if "fromStatus" not in one)["name"] == "New"


def test_items_can_be_bound_to_start_in_the_first_status(
    ask: Ask, server: Emulator
) -> None:
    body = {"name": "a", "status": {"id": 3, "type": "ChoiceOptionReference"}}
    assert ask("generator", "POST", ITEMS, body).json()["status"]["name"] == "Approved"
    server.assume(create_in_any_status=False)
    assert ask("generator", "POST", ITEMS, body).status_code == 400


def test_versions_and_history(
    ask: Ask, make: Callable[..., int], server: Emulator
) -> None:
    item = make("a", {"customFields": [text(10001, "k")]})
    server.advance(60)
    body = {"fieldValues": [text(3, "b"), text(10001, None), text(10002, "rpm")]}
    ask("alice", "PUT", f"/items/{item}/fields", body)
    versions = ask("generator", "GET", f"/items/{item}/history").json()["versions"]
    assert [one["itemRevision"]["version"] for one in versions] == [1, 2]
    first, second = versions
    assert first["modifiedAt"] < second["modifiedAt"]
    assert second["modifiedBy"]["name"] == "alice"
    changes = {one["name"]: one for one in second["changes"]}
    assert changes["Summary"]["field"]["id"] == 3
    assert changes["Summary"]["oldValue"]["value"] == "a"
    assert changes["Summary"]["newValue"]["value"] == "b"
    assert "newValue" not in changes["External ID"]
    assert "oldValue" not in changes["Unit"]
    old = ask("generator", "GET", f"/items/{item}", version=1).json()
    assert (old["name"], old["version"]) == ("a", 1)
    assert old["customFields"][0]["value"] == "k"
    assert ask("generator", "GET", f"/items/{item}", version=3).status_code == 404


@pytest.mark.parametrize("makes", [True, False])
def test_equal_values_may_make_a_version(
    ask: Ask, make: Callable[..., int], server: Emulator, makes: bool
) -> None:
    server.assume(same_value_makes_version=makes)
    item = make("a")
    body = {"fieldValues": [text(3, "a")]}
    after = ask("generator", "PUT", f"/items/{item}/fields", body).json()
    assert after["version"] == (2 if makes else 1)


@pytest.mark.parametrize("takes", [True, False])
def test_deleting_goes_to_the_trash(
    ask: Ask, make: Callable[..., int], server: Emulator, takes: bool
) -> None:
    server.assume(trash_takes_subtree=takes)
    top = make("top")
    item = make("a", parentItemId=top)
    make("b", parentItemId=top)
    child = make("child", parentItemId=item)
    make("grandchild", parentItemId=child)
    assert ask("generator", "DELETE", f"/items/{item}").json()["name"] == "a"
    rest = [("top", ""), ("b", "top")]
    if not takes:
        rest[1:1] = [("child", "top"), ("grandchild", "child")]
    assert names(server) == rest
    for method, path, body in (
        ("GET", f"/items/{item}", None),
        ("DELETE", f"/items/{item}", None),
        ("PUT", f"/items/{item}/fields", {"fieldValues": [text(3, "x")]}),
        ("GET", f"/items/{item}/history", None),
    ):
        assert ask("generator", method, path, body).status_code == 404
    found = ask("generator", "GET", "/items/query", queryString="tracker.id = 2001")
    assert found.json()["total"] == len(rest)
    assert ask("generator", "GET", ITEMS).json()["total"] == len(rest)
    trashed = [one["id"] for one in server.world()["items"] if one["trashed"]]
    assert trashed == ([item, child, child + 1] if takes else [item])
    # Numbers are never used again.
    assert make("later") == child + 2


def test_bulk_success(ask: Ask, make: Callable[..., int], server: Emulator) -> None:
    a, b = make("a"), make("b")
    body = [{"itemId": n, "fieldValues": [text(10002, "V")]} for n in (a, b)]
    answer = ask("generator", "PUT", "/items/fields", body)
    assert answer.json() == {"successfulOperationsCount": 2}
    units = [item["customFields"][0]["value"] for item in server.items(DEMO_TRACKER_ID)]
    assert units == ["V", "V"]


def test_bulk_failure_without_atomic(
    ask: Ask, make: Callable[..., int], server: Emulator
) -> None:
    body = [
        {"itemId": 2147483647, "fieldValues": [text(10002, "V")]},
        {"itemId": make("a"), "fieldValues": [text(10002, "V")]},
    ]
    answer = ask("generator", "PUT", "/items/fields", body)
    assert answer.status_code == 200
    assert answer.json() == {
        "successfulOperationsCount": 1,
        "failedOperations": [
            {"id": 2147483647, "exceptionMessage": "Tracker item is not found."}
        ],
    }
    assert server.items(DEMO_TRACKER_ID)[0]["version"] == 2


def test_bulk_failure_with_atomic(
    ask: Ask, make: Callable[..., int], server: Emulator
) -> None:
    a = make("a")
    body = [
        {"itemId": a, "fieldValues": [text(10002, "V")]},
        {"itemId": a, "fieldValues": [text(10002, "W")]},
        {"itemId": 2147483647, "fieldValues": [text(10002, "V")]},
    ]
    before = server.world()
    answer = ask("generator", "PUT", "/items/fields", body, atomic="true")
    assert answer.status_code == 400
    assert answer.json() == {
        "message": "At least one update failed",
        "resourceUri": "items/fields",
        "failedOperations": [
            {"id": 2147483647, "exceptionMessage": "Tracker item is not found."}
        ],
    }
    assert server.world() == before
    answer = ask("generator", "PUT", "/items/fields", body[:2], atomic="true")
    assert answer.json() == {"successfulOperationsCount": 2}
    assert server.items(DEMO_TRACKER_ID)[0]["version"] == 3


def test_bulk_reports_what_one_may_not_do(ask: Ask, make: Callable[..., int]) -> None:
    item = make("a")
    body = [{"itemId": item, "fieldValues": [text(10002, "V")]}]
    answer = ask("bob", "PUT", "/items/fields", body).json()
    assert answer["successfulOperationsCount"] == 0
    assert "permission to edit" in answer["failedOperations"][0]["exceptionMessage"]


def test_growing_answers_have_unknown_properties(
    ask: Ask, make: Callable[..., int], server: Emulator
) -> None:
    item = make("a")
    server.assume(growing_answers=True)
    shown = ask("generator", "GET", f"/items/{item}").json()
    assert shown["addedInLaterRelease"] is True
    assert shown["status"]["addedInLaterRelease"] is True


def test_the_list_of_a_tracker_has_pages(ask: Ask, make: Callable[..., int]) -> None:
    made = [make(f"i{number}") for number in range(5)]
    second = ask("generator", "GET", ITEMS, page=2, pageSize=2).json()
    assert (second["page"], second["pageSize"], second["total"]) == (2, 2, 5)
    assert [one["id"] for one in second["itemRefs"]] == [made[2], made[1]]
    assert ask("generator", "GET", ITEMS, page=9).json()["itemRefs"] == []
