from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import (
    DEMO_PROJECT_ID,
    DEMO_STAKEHOLDER_ID,
    DEMO_TRACKER_ID,
    Emulator,
    RefusedError,
    WorldBuilder,
    demo_world,
    empty_world,
)
from airflow_codebeamer.emulator.world import World

Ask = Callable[..., requests.Response]


def test_worlds_are_the_same_every_time() -> None:
    assert demo_world() == demo_world()
    assert empty_world() == empty_world()
    assert World.load(demo_world()).dump() == demo_world()


def test_the_demo(ask: Ask, server: Emulator) -> None:
    project = ask("alice", "GET", f"/projects/{DEMO_PROJECT_ID}").json()
    assert (project["keyName"], project["name"]) == ("BRK", "Brake System")
    tracker = ask("alice", "GET", f"/trackers/{DEMO_TRACKER_ID}").json()
    assert (tracker["keyName"], tracker["name"]) == ("SYSREQ", "System Requirements")
    assert "templateTracker" not in tracker
    assert tracker["availableAsTemplate"] is False
    assert tracker["project"]["id"] == DEMO_PROJECT_ID
    assert server.items(DEMO_TRACKER_ID) == []
    assert len(server.items(DEMO_STAKEHOLDER_ID)) == 7
    listed = ask("alice", "GET", f"/projects/{DEMO_PROJECT_ID}/trackers").json()
    assert len(listed) == 4


def test_who_may_what_in_the_demo(ask: Ask) -> None:
    items = f"/trackers/{DEMO_TRACKER_ID}/items"
    made = ask("generator", "POST", items, {"name": "a"}).json()["id"]
    rename = {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": "b"}]}
    may_edit = {
        user: ask(user, "PUT", f"/items/{made}/fields", rename).status_code == 200
        for user in ("alice", "bob", "generator", "bond")
    }
    assert may_edit == {"alice": True, "bob": False, "generator": True, "bond": True}
    assert ask("bob", "GET", f"/items/{made}").status_code == 200


def test_fields_of_the_demo(ask: Ask) -> None:
    path = f"/trackers/{DEMO_TRACKER_ID}"
    schema = ask("alice", "GET", f"{path}/schema").json()
    by_name: dict[str, dict[str, Any]] = {one["name"]: one for one in schema}
    assert by_name["Summary"]["id"] == 3
    assert by_name["Summary"]["trackerItemField"] == "name"
    assert by_name["Description"]["id"] == 80
    assert by_name["Type"]["trackerItemField"] == "categories"
    options = [option["name"] for option in by_name["ASIL"]["options"]]
    assert options == ["Unset", "QM", "A", "B", "C", "D"]
    assert by_name["ASIL"]["valueModel"] == "ChoiceFieldValue<ChoiceOptionReference>"
    kinds = {
        "External ID": "TextField",
        "Unit": "TextField",
        "Receivers": "TextField",
        "Factor": "DecimalField",
        "Offset": "DecimalField",
        "Minimum": "DecimalField",
        "Maximum": "DecimalField",
        "Start Bit": "IntegerField",
        "Length": "IntegerField",
        "Cycle Time": "IntegerField",
        "Byte Order": "OptionChoiceField",
        "Signed": "BoolField",
        "Rationale": "WikiTextField",
    }
    assert {name: by_name[name]["type"] for name in kinds} == kinds
    references = ask("alice", "GET", f"{path}/fields").json()
    assert [(one["id"], one["name"]) for one in references] == [
        (one["id"], one["name"]) for one in schema
    ]
    assert ask("alice", "GET", f"{path}/fields/80").json() == by_name["Description"]
    assert ask("alice", "GET", f"{path}/fields/99").status_code == 404


def test_the_builder_fills_fields_by_name_and_id(
    asking: Callable[[Emulator], Ask],
) -> None:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    project = builder.project("One", "ONE")
    tracker = builder.tracker(project, "T", "T")
    fields = {"External ID": "k", 10004: 0.5, "Type": ["Folder"], "ASIL": "B"}
    item = builder.item(tracker, "a", fields=fields)
    with pytest.raises(KeyError):
        builder.item(tracker, "b", fields={"Extern ID": "k"})
    with pytest.raises(ValueError, match="gravity"):
        builder.assume(gravity=True)
    with Emulator(world=builder.build()) as server:
        shown = asking(server)("bond", "GET", f"/items/{item}").json()
    assert shown["typeName"] == "Folder"
    assert [one["name"] for one in shown["categories"]] == ["Folder"]
    kept = {one["name"]: one.get("value") for one in shown["customFields"]}
    assert kept == {"ASIL": None, "External ID": "k", "Factor": 0.5}


def test_unknown_worlds_and_switches_are_refused(server: Emulator) -> None:
    with pytest.raises(RefusedError, match="no world moon"):
        Emulator(world="moon")
    with pytest.raises(ValueError, match="gravity"):
        server.assume(gravity=True)
