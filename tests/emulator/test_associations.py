from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, Emulator

Ask = Callable[..., requests.Response]
DEPENDS = {"id": 1, "name": "depends", "type": "AssociationTypeReference"}


def item(number: int) -> dict[str, Any]:
    return {"id": number, "type": "TrackerItemReference"}


@pytest.fixture
def ends(server: Emulator) -> tuple[int, int]:
    first, second = server.items(DEMO_STAKEHOLDER_ID)[:2]
    return first["id"], second["id"]


@pytest.fixture
def link(ask: Ask, ends: tuple[int, int]) -> dict[str, Any]:
    body = {
        "from": item(ends[0]),
        "to": item(ends[1]),
        "type": DEPENDS,
        "propagatingSuspects": True,
        "description": "This depends on that.",
    }
    answer = ask("bob", "POST", "/associations", body)
    assert answer.status_code == 403, "a tester may view associations only"
    answer = ask("generator", "POST", "/associations", body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_association_reads_back(
    ask: Ask, link: dict[str, Any], ends: tuple[int, int]
) -> None:
    assert (link["from"]["id"], link["to"]["id"]) == ends
    assert link["type"] == DEPENDS
    assert link["propagatingSuspects"] is True
    assert link["biDirectionalPropagation"] is False
    assert link["createdBy"]["name"] == "generator"
    assert ask("alice", "GET", f"/associations/{link['id']}").json() == link
    assert ask("alice", "GET", "/associations/1").status_code == 404


def test_relations_show_it_from_both_ends_until_it_is_deleted(
    ask: Ask, link: dict[str, Any], ends: tuple[int, int]
) -> None:
    out = ask("alice", "GET", f"/items/{ends[0]}/relations").json()
    assert out["itemId"] == {"id": ends[0], "version": 1}
    assert out["outgoingAssociations"] == [
        {
            "id": link["id"],
            "itemRevision": {"id": ends[1], "version": 1},
            "type": "OutgoingTrackerItemAssociation",
        }
    ]
    assert out["downstreamReferences"] == out["upstreamReferences"] == []
    back = ask("alice", "GET", f"/items/{ends[1]}/relations").json()
    assert [entry["id"] for entry in back["incomingAssociations"]] == [link["id"]]
    many = {"items": [item(number) for number in ends]}
    both = ask("alice", "POST", "/items/relations", many).json()
    assert [entry["itemId"]["id"] for entry in both] == list(ends)
    assert both[0]["outgoingAssociations"] == out["outgoingAssociations"]
    path = f"/associations/{link['id']}"
    assert ask("bob", "DELETE", path).status_code == 403
    gone = ask("generator", "DELETE", path)
    assert (gone.status_code, gone.content) == (200, b"")
    assert ask("generator", "DELETE", path).status_code == 404
    out = ask("alice", "GET", f"/items/{ends[0]}/relations").json()
    assert out["outgoingAssociations"] == []


def test_only_its_settings_can_change(
    ask: Ask, link: dict[str, Any], ends: tuple[int, int]
) -> None:
    path = f"/associations/{link['id']}"
    change = {"from": item(ends[0]), "description": "new", "type": {**DEPENDS, "id": 4}}
    assert ask("bob", "PUT", path, change).status_code == 403
    changed = ask("generator", "PUT", path, change).json()
    assert changed == {
        **link,
        "description": "new",
        "type": {**DEPENDS, "id": 4, "name": "related"},
    }
    for wrong in (
        {"from": item(ends[1])},
        {"from": item(ends[0]), "to": item(ends[0])},
        {"from": item(ends[0]), "url": "https://example.com"},
        {"from": item(ends[0]), "id": 1},
        {"from": item(ends[0]), "type": {**DEPENDS, "id": 99}},
    ):
        assert ask("generator", "PUT", path, wrong).status_code == 400, wrong
    history = ask("alice", "GET", f"{path}/history").json()
    assert [entry["version"] for entry in history["revisions"]] == [2, 1]
    assert history["revisions"][0]["changeSummary"] == "description, type"
    assert ask("alice", "GET", path).json() == changed


def test_what_makes_no_association(ask: Ask, ends: tuple[int, int]) -> None:
    whole = {"from": item(ends[0]), "to": item(ends[1]), "type": DEPENDS}
    for wrong in (
        {"from": item(ends[0]), "type": DEPENDS},
        {**whole, "url": "https://example.com"},
        {"from": item(ends[0]), "to": item(ends[1])},
        {**whole, "to": item(99)},
        {"to": item(ends[1]), "type": DEPENDS},
    ):
        assert ask("generator", "POST", "/associations", wrong).status_code == 400
    other = {**whole, "to": {"id": 1, "type": "UserReference"}}
    assert ask("generator", "POST", "/associations", other).status_code == 501
    outside = {"from": item(ends[0]), "url": "https://example.com", "type": DEPENDS}
    made = ask("generator", "POST", "/associations", outside).json()
    assert made["url"] == "https://example.com"
    assert "to" not in made
    out = ask("alice", "GET", f"/items/{ends[0]}/relations").json()
    assert out["outgoingAssociations"] == []


def test_item_locks_do_not_stop_associations(ask: Ask, ends: tuple[int, int]) -> None:
    # Not documented; the list of assumptions says what was chosen.
    assert ask("alice", "PUT", f"/items/{ends[0]}/lock", {"hard": True}).ok
    whole = {"from": item(ends[0]), "to": item(ends[1]), "type": DEPENDS}
    assert ask("generator", "POST", "/associations", whole).status_code == 200


def test_types_are_predefined(ask: Ask) -> None:
    types = ask("alice", "GET", "/associations/types").json()
    assert {entry["name"] for entry in types} >= {"depends", "copy of"}
    one = ask("alice", "GET", f"/associations/types/{types[0]['id']}")
    assert one.json() == types[0]
    assert ask("alice", "GET", "/associations/types/99").status_code == 404


def test_the_trash_takes_associations_out_of_sight(
    ask: Ask, link: dict[str, Any], ends: tuple[int, int]
) -> None:
    assert ask("generator", "DELETE", f"/items/{ends[1]}").ok
    assert ask("alice", "GET", f"/associations/{link['id']}").status_code == 404
    out = ask("alice", "GET", f"/items/{ends[0]}/relations").json()
    assert out["outgoingAssociations"] == []


def test_references_are_relations_too(ask: Ask, ends: tuple[int, int]) -> None:
    subject = {
        "fieldId": 17,
        "type": "ChoiceFieldValue",
        "values": [item(ends[0])],
    }
    path = f"/items/{ends[1]}/fields"
    assert ask("alice", "PUT", path, {"fieldValues": [subject]}).ok
    up = ask("alice", "GET", f"/items/{ends[1]}/relations").json()
    down = ask("alice", "GET", f"/items/{ends[0]}/relations").json()
    (one,) = up["upstreamReferences"]
    (other,) = down["downstreamReferences"]
    assert one["id"] == other["id"]
    assert one["itemRevision"] == {"id": ends[0], "version": 1}
    assert other["itemRevision"] == {"id": ends[1], "version": 2}


def test_relations_come_in_pages(
    ask: Ask, link: dict[str, Any], ends: tuple[int, int]
) -> None:
    whole = {"from": item(ends[0]), "to": item(ends[1]), "type": DEPENDS}
    for _ in range(2):
        assert ask("generator", "POST", "/associations", whole).ok
    path = f"/items/{ends[0]}/relations"
    first = ask("alice", "GET", path, pageSize=2).json()
    assert (first["page"], first["pageSize"], first["itemCount"]) == (1, 2, 2)
    assert first["isLastPage"] is False
    last = ask("alice", "GET", path, page=2, pageSize=2).json()
    assert (last["itemCount"], last["isLastPage"]) == (1, True)
    assert len(last["outgoingAssociations"]) == 1
