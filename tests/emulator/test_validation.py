from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator

Ask = Callable[..., requests.Response]
ITEM, OTHER, TOP = 10002, 10005, 10003
OPTION = {"id": 2, "name": "x", "type": "ChoiceOptionReference"}
USER = {"id": 2, "name": "alice", "type": "UserReference"}
CUSTOM = [
    {"fieldId": 10001, "name": "External ID", "type": "TextFieldValue", "value": "k"},
    {"fieldId": 10004, "type": "DecimalFieldValue", "value": 0.5},
    {"fieldId": 10008, "type": "IntegerFieldValue", "value": 7},
    {"fieldId": 10011, "type": "BoolFieldValue", "value": True},
    {"fieldId": 1001, "type": "ChoiceFieldValue", "values": [OPTION]},
]
WHOLE = {
    "name": "whole",
    "description": "text",
    "descriptionFormat": "Wiki",
    "status": {"id": 1, "type": "ChoiceOptionReference"},
    "priority": OPTION,
    "categories": [OPTION],
    "assignedTo": [USER],
    "storyPoints": 3,
    "startDate": "2026-01-01T00:00:00.000",
    "customFields": CUSTOM,
}
FIELDS = {
    "fieldValues": [*CUSTOM, {"fieldId": 3, "type": "TextFieldValue", "value": "n"}]
}
CHILD = {"itemReference": {"id": OTHER, "type": "TrackerItemReference"}, "index": 0}
TOPS = [10001, 10003, 10006]
ORDER = {"children": [{"id": n, "type": "TrackerItemReference"} for n in TOPS]}
VALID: list[tuple[str, str, dict[str, Any], Any]] = [
    ("POST", "/trackers/2001/items", {}, WHOLE),
    ("PUT", f"/items/{ITEM}", {}, WHOLE),
    ("PUT", f"/items/{ITEM}/fields", {}, FIELDS),
    ("PUT", "/items/fields", {"atomic": "true"}, [{"itemId": ITEM, **FIELDS}]),
    ("POST", "/items/query", {}, {"queryString": "id = 1", "page": 1, "pageSize": 9}),
    ("PUT", f"/items/{ITEM}/lock", {}, {"hard": False, "duration": "1:30h"}),
    (
        "PUT",
        "/trackers/2001/roles/12/permissions",
        {},
        {"permissions": [{"id": 0, "name": "issue_view_not_own"}]},
    ),
    ("PATCH", f"/items/{TOP}/children", {"mode": "INSERT"}, CHILD),
    ("POST", f"/items/{TOP}/children", {}, {"id": OTHER, "version": 1}),
    ("PUT", "/trackers/2002/children", {}, ORDER),
    ("PATCH", "/trackers/2002/children", {"mode": "INSERT"}, CHILD),
    ("POST", "/trackers/2002/children", {}, {"id": OTHER}),
    (
        "PUT",
        f"/items/{TOP}/children",
        {},
        {
            "children": [
                {"id": 10004, "type": "TrackerItemReference"},
                {"id": 10005, "type": "TrackerItemReference"},
            ]
        },
    ),
]
IDS = [f"{method} {path}" for method, path, _, _ in VALID]


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator() as server:
        yield server


@pytest.fixture
def once(running: Emulator, asking: Callable[[Emulator], Ask]) -> Ask:
    running.load_world("demo")
    return asking(running)


def mutations(value: Any) -> Iterator[Any]:
    """Every way to break one thing in a valid body."""
    yield from broken_here(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            for worse in mutations(inner):
                yield {**value, name: worse}
    if isinstance(value, list):
        for at, inner in enumerate(value):
            for worse in mutations(inner):
                yield [*value[:at], worse, *value[at + 1 :]]


def broken_here(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield {**value, "nobodyKnowsThis": 1}
        yield [value]
        if "type" in value:
            yield {**value, "type": "NoSuchThing"}
    elif isinstance(value, list):
        yield {"0": value}
        yield "list"
    elif isinstance(value, bool):
        yield "maybe"
        yield 1
    elif isinstance(value, str):
        yield 12
        yield [value]
    else:
        yield "many"
        yield True
        if isinstance(value, int):
            yield 2**70


@pytest.mark.parametrize(("method", "path", "query", "body"), VALID, ids=IDS)
def test_the_valid_is_accepted(
    once: Ask, method: str, path: str, query: dict[str, Any], body: Any
) -> None:
    answer = once("bond", method, path, body, **query)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("method", "path", "query", "body"), VALID, ids=IDS)
def test_no_mutation_gets_through(
    running: Emulator,
    once: Ask,
    method: str,
    path: str,
    query: dict[str, Any],
    body: Any,
) -> None:
    before = running.world()
    tried = 0
    for worse in mutations(copy.deepcopy(body)):
        answer = once("bond", method, path, worse, **query)
        assert answer.status_code == 400, (worse, answer.text)
        assert set(answer.json()) == {"message", "resourceUri"}
        assert answer.json()["resourceUri"] == path
        tried += 1
    assert tried >= 5
    assert running.world() == before


@pytest.mark.parametrize(("method", "path", "query", "body"), VALID, ids=IDS)
def test_the_envelope_is_checked_too(
    once: Ask, method: str, path: str, query: dict[str, Any], body: Any
) -> None:
    def status(**changed: Any) -> int:
        return once("bond", method, path, body, **{**query, **changed}).status_code

    assert status(nobodyKnowsThis=1) == 400
    assert once("bond", method, path, None, **query).status_code == 400
    for name in query:
        assert status(**{name: "wrong"}) == 400


REQUIRED = [
    ("PATCH", f"/items/{TOP}/children", {}, CHILD),
    ("PATCH", f"/items/{TOP}/children", {"mode": "INSERT"}, {"index": 0}),
    ("POST", f"/items/{TOP}/children", {}, {"version": 1}),
    ("POST", "/items/query", {}, {"page": 1}),
    ("GET", "/items/query", {}, None),
    ("GET", "/users/findByName", {}, None),
    ("PUT", "/items/fields", {}, [{"fieldValues": []}]),
    (
        "PUT",
        "/trackers/2001/roles/12/permissions",
        {},
        {"permissions": [{"name": "x"}]},
    ),
    ("POST", "/trackers/2001/items", {}, {"description": "no summary"}),
    ("POST", "/trackers/2001/items", {}, {"name": "a", "priority": {"id": 1}}),
    (
        "PUT",
        f"/items/{ITEM}/fields",
        {},
        {"fieldValues": [{"type": "TextFieldValue", "value": "x"}]},
    ),
    (
        "PUT",
        f"/items/{ITEM}/fields",
        {},
        {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue"}]},
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "body"), REQUIRED)
def test_what_is_missing_is_refused(
    once: Ask, method: str, path: str, query: dict[str, Any], body: Any
) -> None:
    answer = once("bond", method, path, body, **query)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/items/abc", {}),
        ("/items/99999999999", {}),
        ("/items/10001", {"version": "x"}),
        ("/trackers/2001/items", {"page": 0}),
        ("/trackers/2001/items", {"pageSize": 501}),
        ("/items/query", {"queryString": "id = 1", "pageSize": 501}),
    ],
)
def test_numbers_of_paths_and_queries_are_checked(
    once: Ask, path: str, query: dict[str, Any]
) -> None:
    assert once("bond", "GET", path, **query).status_code == 400


def test_the_message_names_the_field_as_the_server_does(once: Ask) -> None:
    body = {"name": "a", "customFields": [{**CUSTOM[0], "foo": 1}]}
    message = once("bond", "POST", "/trackers/2001/items", body).json()["message"]
    assert message == 'JSON parse error: Unrecognized field "foo" (at customFields[0])'


@pytest.mark.parametrize("text", ["{", '{"name": NaN}', "[" * 5000])
def test_what_is_not_json_is_refused(running: Emulator, once: Ask, text: str) -> None:
    answer = requests.post(
        f"{running.url}/api/v3/trackers/2001/items",
        data=text,
        auth=("bond", "bond"),
        timeout=10,
    )
    assert answer.status_code == 400
    assert "JSON parse error" in answer.json()["message"]


def test_null_is_nothing(once: Ask) -> None:
    body = {"name": "a", "description": None, "customFields": None, "priority": None}
    made = once("bond", "POST", "/trackers/2001/items", body)
    assert made.status_code == 200
    assert "description" not in made.json()
