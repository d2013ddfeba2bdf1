"""Every example of the vendor's page about tracker items, sent as it stands.

What an answer of the page holds must be in ours; where ours holds more (a newer
release has more lists of an item), the rest must be empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator
from tests.emulator.page_004 import (
    BOND,
    BOOL,
    CASES,
    CHOICE,
    CREATE,
    CREATED,
    HIGH,
    HTML,
    IN_PROGRESS,
    NEW,
    STORY,
    STORY_NAME,
    TABLE,
    TASKS,
    TEAM,
    item,
    option,
    step,
    world,
)

Ask = Callable[..., requests.Response]


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator(world=world()) as running:
        yield running


@pytest.fixture
def tell(ask: Ask) -> Callable[..., Any]:
    """Ask as bond and return the JSON of a 200."""

    def tell_bond(method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = ask("bond", method, path, body, **query)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    return tell_bond


@pytest.fixture
def task(server: Emulator) -> int:
    """The item that the page changes."""
    server.load_world(world(task=True))
    return 1336


def holds(answer: dict[str, Any], example: dict[str, Any]) -> None:
    for name, value in example.items():
        assert answer[name] == value, name
    known = {"id", "createdAt", "modifiedAt", "ordinal"}
    for name in answer.keys() - example.keys() - known:
        assert answer[name] == [], name


def test_the_list_of_a_tracker(tell: Callable[..., Any]) -> None:
    shown = tell("GET", f"/trackers/{TASKS}/items")
    assert (shown["page"], shown["pageSize"], shown["total"]) == (1, 25, 4)
    assert shown["itemRefs"][:3] == [
        item(1042, 'Bug for "Weight Test"'),
        item(1041, 'Bug for "Suspension Test"'),
        item(1040, 'Bug for "Driving range must be 1000km or more Test"'),
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query(tell: Callable[..., Any], method: str) -> None:
    made = tell("POST", f"/trackers/{TASKS}/items", CREATE)
    asked = {"page": 1, "pageSize": 25, "queryString": "priority='High'"}
    if method == "GET":
        shown = tell("GET", "/items/query", **asked)
    else:
        shown = tell("POST", "/items/query", asked)
    assert (shown["page"], shown["pageSize"], shown["total"]) == (1, 25, 1)
    holds(shown["items"][0], {**CREATED, "id": made["id"]})


def test_creating_and_the_details(tell: Callable[..., Any]) -> None:
    made = tell("POST", f"/trackers/{TASKS}/items", CREATE)
    holds(made, CREATED)
    assert tell("GET", f"/items/{made['id']}") == made


def test_details_with_every_kind_of_field(tell: Callable[..., Any]) -> None:
    body = {
        **CREATE,
        "assignedTo": [{"id": 2, "name": "Developer", "type": "RoleReference"}],
        "status": IN_PROGRESS,
        "teams": [item(TEAM, "Developer Team")],
        "versions": [item(1001, "Sprint 1.1")],
        "customFields": [
            {
                "fieldId": 1006,
                "name": "Occurrence",
                "values": [option(2, "Often")],
                "type": "ChoiceFieldValue",
            },
            {
                "fieldId": 10001,
                "name": "Detected On Date",
                "value": "2020-08-10T09:00:00.000",
                "type": "DateFieldValue",
            },
        ],
    }
    made = tell("POST", f"/trackers/{TASKS}/items", body)
    holds(made, {**CREATED, **body})


def test_each_mandatory_field_must_be_there(ask: Ask) -> None:
    answer = ask("bond", "POST", f"/trackers/{TASKS}/items", {"storyPoints": 5})
    assert answer.status_code == 400
    assert "Summary" in answer.json()["message"]


def test_the_fields_of_a_tracker(tell: Callable[..., Any]) -> None:
    shown = tell("GET", f"/trackers/{CASES}/fields")
    for number, name in (
        (1001, "User custom choice"),
        (10003, "Reusable"),
        (1000000, "Test Steps"),
    ):
        expected = {"id": number, "name": name, "type": "FieldReference"}
        assert {**expected, "trackerId": CASES} in shown
    ids = {
        entry["id"]: entry["name"] for entry in tell("GET", f"/trackers/{TASKS}/fields")
    }
    assert (ids[0], ids[3], ids[7]) == ("ID", "Summary", "Status")


def test_the_definition_of_a_bool_field(tell: Callable[..., Any]) -> None:
    assert tell("GET", f"/trackers/{CASES}/fields/10003") == {
        "id": 10003,
        "name": "Reusable",
        "type": "BoolField",
        "hidden": False,
        "valueModel": "BoolFieldValue",
        "mandatoryInStatuses": [],
    }


def test_the_definition_of_a_choice_field(tell: Callable[..., Any]) -> None:
    names = ("Unset", "First option", "Second option", "Third option")
    assert tell("GET", f"/trackers/{CASES}/fields/1001") == {
        "id": 1001,
        "name": "User custom choice",
        "type": "OptionChoiceField",
        "hidden": False,
        "valueModel": "ChoiceFieldValue<ChoiceOptionReference>",
        "mandatoryInStatuses": [],
        "multipleValues": False,
        "options": [option(number, name) for number, name in enumerate(names)],
        "referenceType": "ChoiceOptionReference",
    }


def test_the_definition_of_a_reference_field(tell: Callable[..., Any]) -> None:
    assert tell("GET", f"/trackers/{CASES}/fields/1002") == {
        "id": 1002,
        "name": "System",
        "description": "System which caused the Defect",
        "type": "TrackerItemChoiceField",
        "hidden": False,
        "valueModel": "ChoiceFieldValue<TrackerItemReference>",
        "mandatoryInStatuses": [],
        "multipleValues": False,
        "referenceType": "TrackerItemReference",
    }


def test_the_definition_of_a_table_field(tell: Callable[..., Any]) -> None:
    shown = tell("GET", f"/trackers/{CASES}/fields/1000000")
    columns = shown.pop("columns")
    assert shown == {
        "id": 1000000,
        "name": "Test Steps",
        "type": "TableField",
        "hidden": False,
        "valueModel": "TableFieldValue",
        "mandatoryInStatuses": [],
    }
    assert [
        (one["id"], one["name"], one["type"], one["hidden"], one["valueModel"])
        for one in columns
    ] == [
        (1000001, "Action", "WikiTextField", False, "WikiTextFieldValue"),
        (1000002, "Expected result", "WikiTextField", False, "WikiTextFieldValue"),
        (1000003, "Critical", "BoolField", False, "BoolFieldValue"),
        (1000004, "Id", "WikiTextField", True, "WikiTextFieldValue"),
    ]


def test_the_definition_of_summary_and_status(tell: Callable[..., Any]) -> None:
    summary = tell("GET", f"/trackers/{TASKS}/fields/3")
    assert summary["name"] == "Summary"
    assert summary["type"] == "TextField"
    assert summary["valueModel"] == "TextFieldValue"
    assert summary["trackerItemField"] == "name"
    names = (
        "Unset",
        "New",
        "Suspended",
        "In progress",
        "Partly completed",
        "Completed",
        "To Verify",
        "InQA",
    )
    assert tell("GET", f"/trackers/{TASKS}/fields/7") == {
        "id": 7,
        "name": "Status",
        "type": "OptionChoiceField",
        "hidden": False,
        "valueModel": "ChoiceFieldValue<ChoiceOptionReference>",
        "mandatoryInStatuses": [],
        "multipleValues": False,
        "options": [option(number, name) for number, name in enumerate(names)],
        "trackerItemField": "status",
        "referenceType": "ChoiceOptionReference",
    }


def test_custom_fields_of_every_kind(tell: Callable[..., Any]) -> None:
    system = {
        "fieldId": 1002,
        "name": "System",
        "values": [item(2750873, "Rocket Science")],
        "type": "ChoiceFieldValue",
    }
    custom = [CHOICE, system, BOOL, TABLE]
    made = tell(
        "POST",
        f"/trackers/{CASES}/items",
        {"name": "Test Case 2", "customFields": custom},
    )
    assert made["customFields"] == custom
    assert tell("GET", f"/items/{made['id']}")["customFields"] == custom


def test_the_example_of_a_test_case(tell: Callable[..., Any]) -> None:
    row = step(
        "Enter an invalid username and an invalid password.Click login button",
        "The application should display an error message and re-open the login page.",
    )
    body = {
        "name": "Test Case 2",
        "customFields": [BOOL, CHOICE, {**TABLE, "values": [row]}],
    }
    made = tell("POST", f"/trackers/{CASES}/items", body)
    assert made["customFields"] == [CHOICE, BOOL, {**TABLE, "values": [row]}]


def test_the_options_of_a_reference_field(tell: Callable[..., Any]) -> None:
    shown = tell("GET", "/items/54206/fields/1002/options")
    assert (shown["page"], shown["pageSize"]) == (1, 25)
    assert shown["total"] == len(shown["references"])
    for expected in (item(2750873, "Rocket Science"), item(2750874, "Warp System")):
        assert expected in shown["references"]
    choices = tell("GET", "/items/54206/fields/1001/options")
    assert choices["references"][2] == option(2, "Second option")
    people = tell("GET", "/items/54206/fields/5/options")["references"]
    assert BOND in people


def test_replacing_a_whole_item(tell: Callable[..., Any], task: int) -> None:
    whole = tell("GET", f"/items/{task}")
    changed = tell("PUT", f"/items/{task}", {**whole, "name": "New name"})
    assert (changed["name"], changed["version"]) == ("New name", 2)
    holds(changed, {**CREATED, "name": "New name", "version": 2})


def test_replacing_with_the_body_of_the_page(
    tell: Callable[..., Any], task: int
) -> None:
    body = {
        **CREATED,
        "id": 1336,
        "name": "New name",
        "createdAt": "2020-08-05T14:11:40.517",
        "modifiedAt": "2020-08-05T14:11:40.517",
        "ordinal": 16,
    }
    holds(
        tell("PUT", f"/items/{task}", body),
        {**CREATED, "name": "New name", "version": 2},
    )


def test_a_field_that_is_left_out_is_cleared(
    tell: Callable[..., Any], task: int
) -> None:
    changed = tell("PUT", f"/items/{task}", {"name": "New name", "status": NEW})
    assert "storyPoints" not in changed
    assert "priority" not in changed
    assert changed["subjects"] == []


def test_clearing_the_status_is_the_documented_error(
    ask: Ask, tell: Callable[..., Any], task: int
) -> None:
    whole = tell("GET", f"/items/{task}")
    tell("PUT", f"/items/{task}", {**whole, "name": "New name"})
    answer = ask("bond", "PUT", f"/items/{task}", {"name": "New name 2"})
    assert answer.status_code == 400
    assert answer.json() == {
        "message": "State transition from New to -- is not defined for"
        " [TASK-1336] - New name",
        "resourceUri": "/items/1336",
    }
    assert tell("GET", f"/items/{task}")["name"] == "New name"


def test_one_field_and_everything_else_stays(
    tell: Callable[..., Any], task: int
) -> None:
    body = {
        "fieldValues": [
            {
                "fieldId": 3,
                "type": "TextFieldValue",
                "name": "Summary",
                "value": "New name 2",
            }
        ]
    }
    changed = tell("PUT", f"/items/{task}/fields", body)
    holds(changed, {**CREATED, "name": "New name 2", "version": 2})


def test_html_in_wiki_text(tell: Callable[..., Any], task: int) -> None:
    description = {
        "fieldId": 80,
        "name": "Description",
        "value": HTML,
        "type": "WikiTextFieldValue",
    }
    path = f"/items/{task}/fields"
    changed = tell("PUT", path, {"fieldValues": [description]})
    assert (changed["description"], changed["descriptionFormat"]) == (HTML, "PlainText")
    form = {
        "fieldId": 84,
        "name": "Description Format",
        "value": "W",
        "type": "TextFieldValue",
    }
    changed = tell("PUT", path, {"fieldValues": [description, form]})
    assert (changed["description"], changed["descriptionFormat"]) == (HTML, "Wiki")
    assert tell("GET", f"/items/{task}")["description"] == HTML


def bulk(*numbers: int) -> list[dict[str, Any]]:
    value = {
        "values": [{"id": 714, "type": "UserReference"}],
        "fieldId": 5,
        "type": "ChoiceFieldValue",
    }
    return [{"itemId": number, "fieldValues": [value]} for number in numbers]


FAILED = {"id": 2147483647, "exceptionMessage": "Tracker item is not found."}


def test_bulk_update_of_all(tell: Callable[..., Any]) -> None:
    assert tell("PUT", "/items/fields", bulk(1000, 1001)) == {
        "successfulOperationsCount": 2
    }
    for number in (1000, 1001):
        (person,) = tell("GET", f"/items/{number}")["assignedTo"]
        assert person["id"] == 714


def test_bulk_update_all_or_nothing(ask: Ask, tell: Callable[..., Any]) -> None:
    answer = ask(
        "bond", "PUT", "/items/fields", bulk(1000, FAILED["id"]), atomic="true"
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "message": "At least one update failed",
        "resourceUri": "items/fields",
        "failedOperations": [FAILED],
    }
    assert tell("GET", "/items/1000")["assignedTo"] == []


@pytest.mark.parametrize("query", [{}, {"atomic": "false"}])
def test_bulk_update_of_what_can_be(
    tell: Callable[..., Any], query: dict[str, str]
) -> None:
    assert tell("PUT", "/items/fields", bulk(1000, FAILED["id"]), **query) == {
        "successfulOperationsCount": 1,
        "failedOperations": [FAILED],
    }
    assert len(tell("GET", "/items/1000")["assignedTo"]) == 1


def test_a_status_transition(ask: Ask, tell: Callable[..., Any], task: int) -> None:
    body = {
        "fieldValues": [
            {
                "fieldId": 7,
                "name": "Status",
                "values": [IN_PROGRESS],
                "type": "ChoiceFieldValue",
            }
        ]
    }
    changed = tell("PUT", f"/items/{task}/fields", body)
    holds(changed, {**CREATED, "status": IN_PROGRESS, "version": 2})
    steps = tell("GET", f"/items/{task}/transitions")
    assert all(entry["fromStatus"] == IN_PROGRESS for entry in steps)
    assert option(5, "Completed") in [entry["toStatus"] for entry in steps]


PARENT, FIND, SCAN, SELECT = 54218, 54220, 54222, 54223
NAMES = {FIND: "Find", SCAN: "Scan", SELECT: "Select"}


def child(number: int) -> dict[str, Any]:
    return item(number, f"{NAMES[number]} Radio Station Test")


def page(*numbers: int) -> dict[str, Any]:
    refs = [child(number) for number in numbers]
    return {"page": 1, "pageSize": 25, "total": len(refs), "itemRefs": refs}


def test_children_in_order(tell: Callable[..., Any]) -> None:
    path = f"/items/{PARENT}/children"
    assert tell("GET", path) == page(FIND, SCAN, SELECT)
    order = {"children": [child(FIND), child(SELECT), child(SCAN)]}
    assert tell("PUT", path, order) == page(FIND, SELECT, SCAN)
    assert tell("GET", path) == page(FIND, SELECT, SCAN)


def test_a_new_child_goes_to_the_end(tell: Callable[..., Any]) -> None:
    path = f"/items/{PARENT}/children"
    assert tell("POST", path, {"id": 54206}) == {
        "itemReference": item(54206, "Auto Scale on Highway Test"),
        "index": 3,
    }
    assert tell("GET", path)["total"] == 4


def test_a_child_is_inserted_and_removed(tell: Callable[..., Any]) -> None:
    path = f"/items/{PARENT}/children"
    body = {"itemReference": item(54217, "Night Mode Test"), "index": 0}
    assert tell("PATCH", path, body, mode="INSERT") == body
    assert tell("GET", path)["itemRefs"][0] == body["itemReference"]
    assert tell("PATCH", path, body, mode="REMOVE") == body
    assert tell("GET", path) == page(FIND, SCAN, SELECT)
    # It moved one level up, next to its parent.
    top = tell("GET", f"/trackers/{CASES}/children")["itemRefs"]
    ids = [entry["id"] for entry in top]
    assert ids.index(54217) == ids.index(PARENT) + 1


def test_removing_needs_the_proper_index(ask: Ask) -> None:
    body = {"itemReference": child(SCAN), "index": 0}
    answer = ask("bond", "PATCH", f"/items/{PARENT}/children", body, mode="REMOVE")
    assert answer.status_code == 400


def test_children_of_a_tracker_work_the_same_way(
    ask: Ask, tell: Callable[..., Any]
) -> None:
    path = f"/trackers/{CASES}/children"
    top = [entry["id"] for entry in tell("GET", path)["itemRefs"]]
    assert top == [54206, 54217, PARENT]
    order = {"children": [item(number) for number in (PARENT, 54206, 54217)]}
    shown = tell("PUT", path, order)
    assert [entry["id"] for entry in shown["itemRefs"]] == [PARENT, 54206, 54217]
    assert tell("POST", path, {"id": FIND})["index"] == 3
    body = {"itemReference": child(SCAN), "index": 1}
    assert tell("PATCH", path, body, mode="INSERT") == body
    ids = [entry["id"] for entry in tell("GET", path)["itemRefs"]]
    assert ids == [PARENT, SCAN, 54206, 54217, FIND]
    # The description knows no way to remove from the top, which has no level above.
    assert ask("bond", "PATCH", path, body, mode="REMOVE").status_code == 400


def test_deleting_is_a_200_and_the_trash(
    ask: Ask, server: Emulator, tell: Callable[..., Any], task: int
) -> None:
    assert ask("bond", "DELETE", f"/items/{task}").status_code == 200
    assert ask("bond", "GET", f"/items/{task}").status_code == 404
    kept = {entry["id"]: entry["trashed"] for entry in server.world()["items"]}
    assert kept[task] is True


def test_deleting_an_association(ask: Ask, tell: Callable[..., Any]) -> None:
    made = tell(
        "POST",
        "/associations",
        {
            "from": item(1000),
            "to": item(STORY, STORY_NAME),
            "type": {"id": 1, "name": "depends", "type": "AssociationTypeReference"},
        },
    )
    shown = tell("GET", "/items/1000/relations")
    expected = {
        "itemId": {"id": 1000, "version": 1},
        "downstreamReferences": [],
        "upstreamReferences": [],
        "incomingAssociations": [],
        "outgoingAssociations": [
            {
                "type": "OutgoingTrackerItemAssociation",
                "id": made["id"],
                "itemRevision": {"id": STORY, "version": 1},
            }
        ],
    }
    assert {name: shown[name] for name in expected} == expected
    # The page writes the address with a slash at its end.
    answer = ask("bond", "DELETE", f"/associations/{made['id']}/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert tell("GET", "/items/1000/relations")["outgoingAssociations"] == []


@pytest.mark.parametrize(
    "path", [f"/trackers/{TASKS}/baselines", f"/items/{STORY}/attachments"]
)
def test_paging_that_is_not_documented(
    ask: Ask, form: Ask, tell: Callable[..., Any], path: str
) -> None:
    for number in range(3):
        name = f"number {number}"
        tell(
            "POST",
            "/baselines",
            {
                "name": name,
                "project": {"id": 101, "type": "ProjectReference"},
                "tracker": {"id": TASKS, "type": "TrackerReference"},
            },
        )
        sent = ("attachments", (name, b"", "text/plain"))
        assert form("bond", "POST", f"/items/{STORY}/attachments", {}, sent).ok
    shown = tell("GET", path)
    assert (shown["page"], shown["pageSize"], shown["total"]) == (1, 3, 3)
    assert ask("bond", "GET", path, page=2).status_code == 400


def test_priority_is_a_choice(tell: Callable[..., Any]) -> None:
    body = {"name": "Implement car software", "priority": HIGH, "status": NEW}
    assert tell("POST", f"/trackers/{TASKS}/items", body)["priority"] == HIGH
