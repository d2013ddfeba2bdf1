from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder

Ask = Callable[..., requests.Response]
STEPS = 1000000
HIDDEN = 1000004


def row(action: str, expected: str, critical: bool | None = False) -> list[Any]:
    return [
        {"fieldId": 1000001, "type": "WikiTextFieldValue", "value": action},
        {"fieldId": 1000002, "type": "WikiTextFieldValue", "value": expected},
        {"fieldId": 1000003, "type": "BoolFieldValue", "value": critical},
    ]


def table(*rows: list[Any]) -> dict[str, Any]:
    return {"fieldId": STEPS, "type": "TableFieldValue", "values": list(rows)}


def texts(item: dict[str, Any]) -> list[list[Any]]:
    for field in item["customFields"]:
        if field["fieldId"] == STEPS:
            return [[cell["value"] for cell in line] for line in field["values"]]
    return []


def world() -> dict[str, Any]:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    project = builder.project("One", "ONE")
    cases = builder.tracker(project, "Test Cases", "CASE", kind="Test Case")
    steps = {"Test Steps": [{"Action": "press", "Expected result": "it stops"}]}
    builder.item(cases, "built", fields=steps)
    return builder.build()


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator(world=world()) as running:
        yield running


@pytest.fixture
def case(ask: Ask) -> int:
    body = {"name": "case", "customFields": [table(row("a", "b"), row("c", "d"))]}
    answer = ask("bond", "POST", "/trackers/2001/items", body)
    assert answer.status_code == 200, answer.text
    assert texts(answer.json()) == [["a", "b", False], ["c", "d", False]]
    return int(answer.json()["id"])


def test_a_builder_makes_rows(ask: Ask) -> None:
    assert texts(ask("bond", "GET", "/items/10001").json()) == [["press", "it stops"]]


def test_rows_read_back_without_their_hidden_column(
    ask: Ask, server: Emulator, case: int
) -> None:
    path = f"/items/{case}"
    assert texts(ask("bond", "GET", path).json()) == [
        ["a", "b", False],
        ["c", "d", False],
    ]
    server.assume(hidden_columns_shown=True)
    shown = texts(ask("bond", "GET", path).json())
    assert [line[:3] for line in shown] == [["a", "b", False], ["c", "d", False]]
    assert shown[0][3] != shown[1][3]


def test_a_row_keeps_its_number_as_long_as_it_keeps_its_place(
    ask: Ask, server: Emulator, case: int
) -> None:
    server.assume(hidden_columns_shown=True)
    before = texts(ask("bond", "GET", f"/items/{case}").json())
    path = f"/items/{case}/fields/tables/{STEPS}"
    rows = {"rows": [row("a", "new", True), row("c", "d"), row("e", "f", None)]}
    answer = ask("bond", "PUT", path, rows)
    assert answer.status_code == 200, answer.text
    after = texts(answer.json())
    assert [line[3] for line in after[:2]] == [line[3] for line in before]
    assert after[2][:3] == ["e", "f", False]
    assert len({line[3] for line in after}) == 3
    # One who knows the numbers moves rows with them.
    moved = answer.json()["customFields"][0]["values"][::-1]
    swapped = texts(ask("bond", "PUT", path, {"rows": moved}).json())
    assert swapped == after[::-1]


def test_every_changed_row_is_in_the_history(ask: Ask, case: int) -> None:
    path = f"/items/{case}/fields/tables/{STEPS}"
    rows = {"rows": [row("a", "b"), row("c", "changed"), row("new", "row")]}
    assert ask("bond", "PUT", path, rows).ok
    assert ask("bond", "PUT", path, {"rows": [row("a", "b")]}).ok
    versions = ask("bond", "GET", f"/items/{case}/history").json()["versions"]
    second, third = versions[1]["changes"], versions[2]["changes"]
    assert [(one["type"], one["rowNumber"]) for one in second] == [
        ("TrackerItemRowChange", 1),
        ("TrackerItemRowChange", 2),
    ]
    assert second[0]["oldValue"]["values"][0][1]["value"] == "d"
    assert second[0]["newValue"]["values"][0][1]["value"] == "changed"
    assert "oldValue" not in second[1]
    assert [one["rowNumber"] for one in third] == [1, 2]
    assert all("newValue" not in one for one in third)
    old = ask("bond", "GET", f"/items/{case}", version=2).json()
    assert texts(old)[2] == ["new", "row", False]


def test_tables_can_be_set_with_other_fields(ask: Ask, case: int) -> None:
    name = {"fieldId": 3, "type": "TextFieldValue", "value": "renamed"}
    path = f"/items/{case}/fields"
    body = {"fieldValues": [name], "tableValues": [table(row("x", "y"))]}
    changed = ask("bond", "PUT", path, body).json()
    assert (changed["name"], texts(changed)) == ("renamed", [["x", "y", False]])
    shown = ask("bond", "GET", path).json()
    assert [entry["fieldId"] for entry in shown["editableTableFields"]] == [STEPS]
    assert STEPS not in [entry["fieldId"] for entry in shown["editableFields"]]
    many = [{"itemId": case, "tableValues": [table()]}]
    assert ask("bond", "PUT", "/items/fields", many).json() == {
        "successfulOperationsCount": 1
    }
    assert texts(ask("bond", "GET", f"/items/{case}").json()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        row("a", "b")[:2],
        [*row("a", "b"), *row("a", "b")[:1]],
        [*row("a", "b")[:2], {"fieldId": 3, "type": "TextFieldValue", "value": "x"}],
        [*row("a", "b")[:2], {**row("a", "b")[0], "fieldId": 1000003}],
    ],
)
def test_a_row_has_exactly_the_columns(ask: Ask, case: int, wrong: list[Any]) -> None:
    path = f"/items/{case}/fields/tables/{STEPS}"
    before = ask("bond", "GET", f"/items/{case}").json()
    answer = ask("bond", "PUT", path, {"rows": [wrong]})
    assert answer.status_code == 400
    assert ask("bond", "GET", f"/items/{case}").json() == before


def test_only_tables_are_tables(ask: Ask, case: int) -> None:
    path = f"/items/{case}/fields/tables"
    assert ask("bond", "PUT", f"{path}/3", {"rows": []}).status_code == 404
    assert ask("bond", "PUT", f"{path}/9", {"rows": []}).status_code == 404


def test_a_locked_item_keeps_its_rows(ask: Ask, server: Emulator, case: int) -> None:
    saved = server.world()
    saved["users"].append({"id": 9, "name": "eve", "password": "eve"})
    saved["users"][-1]["system_admin"] = True
    server.load_world(saved)
    assert ask("eve", "PUT", f"/items/{case}/lock", {"hard": True}).ok
    path = f"/items/{case}/fields/tables/{STEPS}"
    assert ask("bond", "PUT", path, {"rows": []}).status_code == 423
