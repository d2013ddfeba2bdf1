from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import ALL_PERMISSIONS, Emulator, WorldBuilder

Ask = Callable[..., requests.Response]
UNIT, ASIL, RATIONALE = 10002, 1001, 10012
ITEMS = "/trackers/2001/items"


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Unit is written by engineers and read by guests; Rationale is not for guests."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann, gus = builder.user("ann"), builder.user("gus")
    project = builder.project("One", "ONE")
    engineer = builder.role(project, "Chief Engineer")
    guest = builder.role(project, "Guest")
    builder.member(project, ann, engineer)
    builder.member(project, gus, guest)
    everything = {engineer: ALL_PERMISSIONS, guest: ALL_PERMISSIONS}
    tracker = builder.tracker(project, "T", "T", permissions=everything)
    builder.field_access(tracker, UNIT, Chief_Engineer="WRITE", Guest="READ")
    builder.field_access(tracker, RATIONALE, Chief_Engineer="WRITE")
    builder.field_access(tracker, ASIL, Chief_Engineer="WRITE", Guest="READ")
    builder.field_access(tracker, ASIL, status=2, Guest="WRITE")
    builder.default(tracker, UNIT, "km/h")
    fields = {"Unit": "m/s", "Rationale": "secret", "ASIL": "B"}
    builder.item(tracker, "speed", fields=fields)
    with Emulator(world=builder.build()) as running:
        yield running


def text(field: int, value: str | None, kind: str = "TextFieldValue") -> dict[str, Any]:
    return {"fieldValues": [{"fieldId": field, "type": kind, "value": value}]}


def custom(item: dict[str, Any]) -> dict[int, Any]:
    return {
        one["fieldId"]: one.get("value", one.get("values"))
        for one in item["customFields"]
    }


def test_null_becomes_the_default_where_one_may_not_write(ask: Ask) -> None:
    path = "/items/10001/fields"
    changed = ask("gus", "PUT", path, text(UNIT, None))
    assert changed.status_code == 200
    assert custom(changed.json())[UNIT] == "km/h"
    # Who may write the field empties it.
    assert UNIT not in custom(ask("ann", "PUT", path, text(UNIT, None)).json())


def test_null_leaves_a_field_without_default_alone(ask: Ask) -> None:
    path = "/items/10001/fields"
    empty = {"fieldId": ASIL, "type": "ChoiceFieldValue", "values": []}
    assert ask("gus", "PUT", path, {"fieldValues": [empty]}).ok
    assert custom(ask("ann", "GET", "/items/10001").json())[ASIL][0]["name"] == "B"


def test_another_value_is_refused_and_the_same_is_not(ask: Ask) -> None:
    path = "/items/10001/fields"
    before = ask("ann", "GET", "/items/10001").json()
    refused = ask("gus", "PUT", path, text(UNIT, "mph"))
    assert refused.status_code == 403
    assert "Unit" in refused.json()["message"]
    assert ask("ann", "GET", "/items/10001").json() == before
    assert ask("gus", "PUT", path, text(UNIT, "m/s")).status_code == 200
    assert ask("ann", "PUT", path, text(UNIT, "mph")).status_code == 200


def test_a_whole_update_by_who_may_not_write_resets_to_the_default(ask: Ask) -> None:
    whole = ask("gus", "GET", "/items/10001").json()
    body = {"name": "renamed", "status": whole["status"]}
    changed = ask("gus", "PUT", "/items/10001", body)
    assert changed.status_code == 200
    kept = custom(ask("ann", "GET", "/items/10001").json())
    assert kept[UNIT] == "km/h"
    assert kept[RATIONALE] == "secret"


def test_a_field_can_be_hidden(ask: Ask) -> None:
    assert RATIONALE in custom(ask("ann", "GET", "/items/10001").json())
    assert RATIONALE not in custom(ask("gus", "GET", "/items/10001").json())
    query = {"queryString": "tracker.id IN (2001)"}
    (found,) = ask("gus", "POST", "/items/query", query).json()["items"]
    assert RATIONALE not in custom(found)
    shown = ask("gus", "GET", "/items/10001/fields").json()
    readable = {one["fieldId"] for one in shown["readOnlyFields"]}
    assert {UNIT, ASIL} <= readable
    assert str(RATIONALE) not in str(shown)
    wiki = text(RATIONALE, "new", "WikiTextFieldValue")
    assert ask("gus", "PUT", "/items/10001/fields", wiki).status_code == 403
    assert ask("ann", "PUT", "/items/10001/fields", wiki).ok
    for user, fields in (("ann", [RATIONALE]), ("gus", [])):
        versions = ask(user, "GET", "/items/10001/history").json()["versions"]
        changed = [one["field"]["id"] for one in versions[-1]["changes"]]
        assert changed == fields


def test_new_items_get_defaults(ask: Ask) -> None:
    made = ask("gus", "POST", ITEMS, {"name": "new"}).json()
    assert custom(made) == {UNIT: "km/h"}
    given = text(UNIT, "mph")["fieldValues"]
    mine = ask("ann", "POST", ITEMS, {"name": "new", "customFields": given}).json()
    assert custom(mine) == {UNIT: "mph"}
    refused = ask("gus", "POST", ITEMS, {"name": "new", "customFields": given})
    assert refused.status_code == 403


def accessibility(ask: Ask, user: str, **query: Any) -> dict[int, tuple[bool, ...]]:
    answer = ask(user, "GET", "/items/10001/fields/accessibility", **query)
    assert answer.status_code == 200, answer.text
    return {
        one["field"]["id"]: (one["visible"], one["editable"], one["mandatory"])
        for one in answer.json()["fields"]
    }


def test_accessibility_tells_the_same(ask: Ask) -> None:
    ann, gus = accessibility(ask, "ann"), accessibility(ask, "gus")
    assert ann[UNIT] == (True, True, False)
    assert gus[UNIT] == (True, False, False)
    assert gus[RATIONALE] == (False, False, False)
    assert gus[3] == (True, True, True)
    assert gus[0] == gus[75] == (True, False, False)
    # In status 2 guests write ASIL.
    assert gus[ASIL] == (True, False, False)
    assert accessibility(ask, "gus", targetStatusId=2)[ASIL] == (True, True, False)
    path = "/items/10001/fields/accessibility"
    assert ask("ann", "GET", path, targetStatusId=99).status_code == 400


def test_permissions_of_fields(ask: Ask) -> None:
    path = f"/trackers/2001/fields/{ASIL}/permissions"
    shown = ask("ann", "GET", path).json()
    levels = {
        (entry["status"]["name"], one["role"]["name"]): one["accessLevel"]
        for entry in shown
        for one in entry["permissions"]
    }
    assert levels["New", "Guest"] == "READ"
    assert levels["In Review", "Guest"] == "WRITE"
    assert levels["New", "Chief Engineer"] == "WRITE"
    (one,) = ask("ann", "GET", path, statusId=2).json()
    assert one["status"]["name"] == "In Review"
    assert ask("ann", "GET", path, statusId=99).status_code == 400
    assert ask("ann", "GET", "/trackers/2001/fields/99/permissions").status_code == 404
    every = ask("ann", "GET", "/trackers/2001/fields/permissions", statusId=2).json()
    by_field = {
        entry["fieldReference"]["id"]: entry["fieldPermissions"]
        for entry in every["permissions"]
    }
    assert by_field[ASIL] == [one]
    assert len(by_field) == len(ask("ann", "GET", "/trackers/2001/fields").json())


def test_options_of_choices(ask: Ask) -> None:
    path = "/items/10001/fields"
    shown = ask("ann", "GET", f"{path}/{ASIL}/options", pageSize=2).json()
    assert (shown["total"], len(shown["references"])) == (6, 2)
    people = ask("ann", "GET", f"{path}/5/options").json()["references"]
    assert {one["type"] for one in people} == {"UserReference", "RoleReference"}
    assert ask("ann", "GET", f"{path}/3/options").status_code == 404
    one = f"/trackers/2001/fields/{ASIL}/options"
    assert ask("ann", "GET", f"{one}/3").json() == {
        "id": 3,
        "name": "B",
        "type": "ChoiceOptionReference",
    }
    assert ask("ann", "GET", f"{one}/99").status_code == 404
    assert ask("ann", "GET", "/trackers/2001/fields/3/options/1").status_code == 404


def test_a_mandatory_field_is_asked_for_in_its_statuses(
    ask: Ask, server: Emulator
) -> None:
    saved = server.world()
    for known in saved["trackers"][0]["schema"]:
        if known["id"] == RATIONALE:
            known["mandatoryInStatuses"] = [
                {"id": 2, "name": "In Review", "type": "ChoiceOptionReference"}
            ]
    server.load_world(saved)
    step = {
        "fieldId": 7,
        "type": "ChoiceFieldValue",
        "values": [{"id": 2, "type": "ChoiceOptionReference"}],
    }
    number = ask("ann", "POST", ITEMS, {"name": "new"}).json()["id"]
    path = f"/items/{number}/fields"
    refused = ask("ann", "PUT", path, {"fieldValues": [step]})
    assert refused.status_code == 400
    assert refused.json()["message"] == "Field Rationale is mandatory."
    why = text(RATIONALE, "because", "WikiTextFieldValue")["fieldValues"]
    assert ask("ann", "PUT", path, {"fieldValues": [step, *why]}).status_code == 200
    empty = text(RATIONALE, None, "WikiTextFieldValue")
    assert ask("ann", "PUT", path, empty).status_code == 400
    # Other fields may change meanwhile.
    assert ask("ann", "PUT", path, text(10001, "key")).status_code == 200
