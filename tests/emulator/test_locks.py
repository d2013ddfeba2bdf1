from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

Ask = Callable[..., requests.Response]
RENAME = {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": "new"}]}
WHOLE = {"name": "new", "status": {"id": 1, "type": "ChoiceOptionReference"}}


@pytest.fixture
def items(ask: Ask) -> tuple[int, int]:
    path = f"/trackers/{DEMO_TRACKER_ID}/items"
    made = [
        ask("generator", "POST", path, {"name": name}).json()["id"] for name in "ab"
    ]
    return made[0], made[1]


def test_a_lock_is_shown_and_given_back(ask: Ask, items: tuple[int, int]) -> None:
    path = f"/items/{items[0]}/lock"
    nothing = ask("bob", "GET", path)
    assert (nothing.status_code, nothing.content) == (200, b"")
    taken = ask("alice", "PUT", path, {"hard": True})
    assert (taken.status_code, taken.content) == (200, b"")
    shown = ask("bob", "GET", path).json()
    assert (shown["user"]["name"], shown["expires"]) == ("alice", False)
    assert ask("alice", "DELETE", path).status_code == 200
    assert ask("bob", "GET", path).content == b""
    assert ask("alice", "DELETE", path).status_code == 200


def test_a_foreign_lock_is_403_for_locks(ask: Ask, items: tuple[int, int]) -> None:
    path = f"/items/{items[0]}/lock"
    ask("alice", "PUT", path, {})
    answer = ask("generator", "PUT", path, {})
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "Could not acquire lock",
    )
    answer = ask("generator", "DELETE", path)
    assert (answer.status_code, answer.json()["message"]) == (403, "Could not unlock")
    assert ask("bond", "DELETE", path).status_code == 200
    assert ask("generator", "PUT", path, {}).status_code == 200


def writes(locked: int, free: int) -> list[tuple[str, str, Any, dict[str, Any]]]:
    top = f"/trackers/{DEMO_TRACKER_ID}/children"
    moved = {
        "itemReference": {"id": locked, "type": "TrackerItemReference"},
        "index": 1,
    }
    turned = [{"id": n, "type": "TrackerItemReference"} for n in (free, locked)]
    below = f"/items/{locked}/children"
    return [
        ("PUT", f"/items/{locked}", WHOLE, {}),
        ("PUT", f"/items/{locked}/fields", RENAME, {}),
        ("DELETE", f"/items/{locked}", None, {}),
        ("POST", below, {"id": free}, {}),
        ("PUT", below, {"children": []}, {}),
        ("PATCH", below, {**moved, "itemReference": turned[0]}, {"mode": "INSERT"}),
        ("POST", top, {"id": locked}, {}),
        ("PATCH", top, moved, {"mode": "INSERT"}),
        ("PUT", top, {"children": turned}, {}),
    ]


@pytest.mark.parametrize("at", range(9))
def test_a_foreign_lock_is_423_for_writes(
    ask: Ask, server: Emulator, items: tuple[int, int], at: int
) -> None:
    method, path, body, query = writes(*items)[at]
    ask("alice", "PUT", f"/items/{items[0]}/lock", {"hard": True})
    before = server.world()
    answer = ask("generator", method, path, body, **query)
    assert answer.status_code == 423, answer.text
    assert answer.json()["message"] == "Tracker item is locked."
    assert server.world() == before
    ask("alice", "DELETE", f"/items/{items[0]}/lock")
    assert ask("generator", method, path, body, **query).status_code != 423


def test_the_owner_of_a_lock_writes(ask: Ask, items: tuple[int, int]) -> None:
    ask("alice", "PUT", f"/items/{items[0]}/lock", {})
    assert ask("alice", "PUT", f"/items/{items[0]}/fields", RENAME).status_code == 200


def test_bulk_reports_locked_items(ask: Ask, items: tuple[int, int]) -> None:
    ask("alice", "PUT", f"/items/{items[0]}/lock", {})
    body = [{"itemId": item, **RENAME} for item in items]
    answer = ask("generator", "PUT", "/items/fields", body)
    assert answer.json() == {
        "successfulOperationsCount": 1,
        "failedOperations": [
            {"id": items[0], "exceptionMessage": "Tracker item is locked."}
        ],
    }


def test_a_locked_parent_does_not_stop_creation(
    ask: Ask, items: tuple[int, int]
) -> None:
    ask("alice", "PUT", f"/items/{items[0]}/lock", {})
    path = f"/trackers/{DEMO_TRACKER_ID}/items"
    answer = ask("generator", "POST", path, {"name": "c"}, parentItemId=items[0])
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"hard": False, "duration": "1:30h"}, 5400),
        ({"duration": "45m"}, 2700),
        ({"duration": "2d"}, 172800),
        ({"duration": "1h 5m"}, 3900),
        ({}, 3600),
    ],
)
def test_a_soft_lock_ends_on_our_clock(
    ask: Ask,
    server: Emulator,
    items: tuple[int, int],
    body: dict[str, Any],
    seconds: int,
) -> None:
    item = items[0]
    ask("alice", "PUT", f"/items/{item}/lock", body)
    assert ask("bob", "GET", f"/items/{item}/lock").json()["expires"] is True
    server.advance(seconds - 30)
    assert ask("generator", "PUT", f"/items/{item}/fields", RENAME).status_code == 423
    server.advance(31)
    assert ask("generator", "PUT", f"/items/{item}/fields", RENAME).status_code == 200
    assert ask("bob", "GET", f"/items/{item}/lock").content == b""


def test_a_hard_lock_does_not_end(
    ask: Ask, server: Emulator, items: tuple[int, int]
) -> None:
    ask("alice", "PUT", f"/items/{items[0]}/lock", {"hard": True, "duration": "1m"})
    server.advance(10 * 86400)
    path = f"/items/{items[0]}/fields"
    assert ask("generator", "PUT", path, RENAME).status_code == 423


@pytest.mark.parametrize("duration", ["", "soon", "0m", "1:30", "-1h"])
def test_what_is_no_duration(ask: Ask, items: tuple[int, int], duration: str) -> None:
    answer = ask("alice", "PUT", f"/items/{items[0]}/lock", {"duration": duration})
    assert answer.status_code == 400


def test_locking_needs_the_right_to_edit(ask: Ask, items: tuple[int, int]) -> None:
    assert ask("bob", "PUT", f"/items/{items[0]}/lock", {}).status_code == 403
    assert ask("bob", "PUT", "/items/99/lock", {}).status_code == 404
