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
)

Ask = Callable[..., requests.Response]
PROJECT = {"id": DEMO_PROJECT_ID, "type": "ProjectReference"}
TRACKER = {"id": DEMO_STAKEHOLDER_ID, "type": "TrackerReference"}


def name(text: str) -> dict[str, Any]:
    return {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": text}]}


@pytest.fixture
def take(ask: Ask) -> Callable[..., int]:
    def make(**more: Any) -> int:
        body = {"name": "before", "project": PROJECT, **more}
        answer = ask("generator", "POST", "/baselines", body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    return make


def test_a_baseline_says_what_it_is_of(ask: Ask) -> None:
    body = {"name": "B", "description": "why", "project": PROJECT, "tracker": TRACKER}
    made = ask("generator", "POST", "/baselines", body).json()
    assert (made["name"], made["description"]) == ("B", "why")
    assert made["project"]["name"] == "Brake System"
    assert made["tracker"]["name"] == "Stakeholder Requirements"
    path = f"/trackers/{DEMO_STAKEHOLDER_ID}/baselines"
    assert ask("bob", "GET", path).json() == {
        "page": 1,
        "pageSize": 1,
        "total": 1,
        "references": [
            {"id": made["id"], "name": "B", "type": "TrackerBaselineReference"}
        ],
    }
    assert (
        ask("bob", "GET", f"/trackers/{DEMO_TRACKER_ID}/baselines").json()["total"] == 0
    )


def test_what_makes_no_baseline(ask: Ask) -> None:
    good = {"name": "B", "project": PROJECT, "tracker": TRACKER}
    for status, user, body in (
        (403, "alice", good),
        (400, "generator", {"name": "B"}),
        (400, "generator", {**good, "name": " "}),
        (400, "generator", {**good, "name": None}),
        (400, "generator", {**good, "project": None}),
        (400, "generator", {**good, "project": {"type": "ProjectReference"}}),
        (404, "generator", {**good, "project": {**PROJECT, "id": 99}}),
        (404, "generator", {**good, "tracker": {**TRACKER, "id": 99}}),
    ):
        assert ask(user, "POST", "/baselines", body).status_code == status, body


def test_items_are_what_they_were(
    ask: Ask, take: Callable[..., int], server: Emulator, need: int
) -> None:
    first, second = (entry["id"] for entry in server.items(DEMO_STAKEHOLDER_ID)[:2])
    before = ask("bob", "GET", f"/items/{need}").json()
    baseline = take()
    assert ask("alice", "PUT", f"/items/{need}/fields", name("changed")).ok
    assert ask("generator", "DELETE", f"/items/{second}").ok
    new = ask(
        "generator", "POST", f"/trackers/{DEMO_STAKEHOLDER_ID}/items", {"name": "n"}
    )
    past = {"baselineId": baseline}
    assert first == need
    assert ask("bob", "GET", f"/items/{need}").json()["name"] == "changed"
    assert ask("bob", "GET", f"/items/{need}", **past).json() == before
    assert ask("bob", "GET", f"/items/{second}").status_code == 404
    assert ask("bob", "GET", f"/items/{second}", **past).status_code == 200
    late = f"/items/{new.json()['id']}"
    assert ask("bob", "GET", late, **past).status_code == 404
    assert ask("bob", "GET", late, baselineId=1).status_code == 404
    both = ask("bob", "GET", f"/items/{need}", version=1, **past)
    assert both.status_code == 400


def test_a_query_looks_at_the_baseline(
    ask: Ask, take: Callable[..., int], need: int
) -> None:
    asked = {"queryString": f"tracker.id IN ({DEMO_STAKEHOLDER_ID})", "pageSize": 500}
    before = ask("bob", "POST", "/items/query", asked).json()
    baseline = take(tracker=TRACKER)
    assert ask("alice", "PUT", f"/items/{need}/fields", name("changed")).ok
    move = {"id": need}
    last = before["items"][-1]["id"]
    assert ask("alice", "POST", f"/items/{last}/children", move).ok
    assert ask("generator", "DELETE", f"/items/{before['items'][1]['id']}").ok
    past = {**asked, "baselineId": baseline}
    assert ask("bob", "POST", "/items/query", past).json() == before
    assert ask("bob", "GET", "/items/query", **past).json() == before
    assert ask("bob", "POST", "/items/query", asked).json() != before
    wrong = {**asked, "baselineId": 1}
    assert ask("bob", "POST", "/items/query", wrong).status_code == 400


def test_relations_and_files_of_a_baseline(
    ask: Ask, form: Ask, take: Callable[..., int], server: Emulator, need: int
) -> None:
    other = server.items(DEMO_STAKEHOLDER_ID)[1]["id"]
    subject = {
        "fieldId": 17,
        "type": "ChoiceFieldValue",
        "values": [{"id": need, "type": "TrackerItemReference"}],
    }
    path = f"/items/{other}/fields"
    assert ask("alice", "PUT", path, {"fieldValues": [subject]}).ok
    baseline = take()
    server.advance(60)
    assert ask("alice", "PUT", path, {"fieldValues": [{**subject, "values": []}]}).ok
    sent = ("attachments", ("a.txt", b"late", "text/plain"))
    assert form("alice", "POST", f"/items/{need}/attachments", {}, sent).ok
    past = {"baselineId": baseline}
    now = ask("bob", "GET", f"/items/{need}/relations").json()
    then = ask("bob", "GET", f"/items/{need}/relations", **past).json()
    assert now["downstreamReferences"] == []
    assert [one["itemRevision"]["id"] for one in then["downstreamReferences"]] == [
        other
    ]
    body = {"items": [{"id": need, "type": "TrackerItemReference"}]}
    many = ask("bob", "POST", "/items/relations", body, **past).json()
    assert many[0]["downstreamReferences"] == then["downstreamReferences"]
    here = ask("bob", "POST", "/items/attachments/content", body)
    there = ask("bob", "POST", "/items/attachments/content", {**body, **past})
    assert len(here.content) > len(there.content)


def test_a_baseline_survives_in_the_saved_world(
    ask: Ask, take: Callable[..., int], server: Emulator, need: int
) -> None:
    before = ask("bob", "GET", f"/items/{need}").json()
    baseline = take()
    assert ask("alice", "PUT", f"/items/{need}/fields", name("changed")).ok
    server.load_world(server.world())
    past = ask("bob", "GET", f"/items/{need}", baselineId=baseline)
    assert past.json() == before
