"""Each switch, under both of its answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, differences

Ask = Callable[..., requests.Response]
ITEM = 10001
NAME = {"fieldId": 3, "type": "TextFieldValue", "value": "renamed"}


@pytest.mark.parametrize("bound", [False, True])
def test_system_administrators(ask: Ask, server: Emulator, bound: bool) -> None:
    server.assume(system_admins_are_bound=bound)
    world = server.world()
    world["trackers"][1]["permissions"] = {}
    world["projects"][0]["members"].pop("1")
    server.load_world(world)
    status = ask("bond", "GET", f"/items/{ITEM}").status_code
    assert status == (403 if bound else 200)
    # He administers trackers in either case, or nobody could help anybody.
    path = "/trackers/2002/roles/12/permissions"
    assert ask("bond", "PUT", path, {"permissions": []}).status_code == 200


@pytest.mark.parametrize("may", [True, False])
def test_administrators_and_foreign_item_locks(
    ask: Ask, server: Emulator, may: bool
) -> None:
    server.assume(admins_release_item_locks=may)
    ask("alice", "PUT", f"/items/{ITEM}/lock", {"hard": True})
    status = ask("bond", "DELETE", f"/items/{ITEM}/lock").status_code
    assert status == (200 if may else 403)


@pytest.mark.parametrize("renews", [True, False])
def test_locking_again(ask: Ask, server: Emulator, renews: bool) -> None:
    server.assume(item_lock_renews=renews)
    ask("alice", "PUT", f"/items/{ITEM}/lock", {"hard": True})
    again = ask("alice", "PUT", f"/items/{ITEM}/lock", {"duration": "1h"})
    assert again.status_code == (200 if renews else 403)
    held = ask("alice", "GET", f"/items/{ITEM}/lock").json()
    assert held["expires"] == renews


@pytest.mark.parametrize("stops", [True, False])
def test_item_locks_and_bulk_updates(ask: Ask, server: Emulator, stops: bool) -> None:
    server.assume(item_lock_stops_bulk=stops)
    ask("bond", "PUT", f"/items/{ITEM}/lock", {"hard": True})
    body = [{"itemId": ITEM, "fieldValues": [NAME]}]
    answer = ask("alice", "PUT", "/items/fields", body).json()
    assert answer["successfulOperationsCount"] == (0 if stops else 1)


@pytest.mark.parametrize(("scope", "second"), [("user", 200), ("server", 429)])
def test_whose_budget(
    asking: Callable[[Emulator], Ask], scope: str, second: int
) -> None:
    with Emulator(throttle="1/h") as server:
        server.assume(throttle_scope=scope)
        ask = asking(server)
        assert ask("alice", "GET", "/projects").status_code == 200
        assert ask("bob", "GET", "/projects").status_code == second


@pytest.mark.parametrize("refused", [False, True])
def test_stale_versions(ask: Ask, server: Emulator, refused: bool) -> None:
    server.assume(stale_version_refused=refused)
    read = ask("alice", "GET", f"/items/{ITEM}").json()
    whole = {name: read[name] for name in ("name", "status", "version")}
    assert ask("alice", "PUT", f"/items/{ITEM}", whole).status_code == 200
    again = ask("alice", "PUT", f"/items/{ITEM}", whole)
    assert again.status_code == (400 if refused else 200)
    del whole["version"]
    assert ask("alice", "PUT", f"/items/{ITEM}", whole).status_code == 200


@pytest.mark.parametrize(("answer", "left"), [("store", [5, 8]), ("ignore", [8])])
def test_permissions_that_mean_nothing_alone(
    ask: Ask, server: Emulator, answer: str, left: list[int]
) -> None:
    server.assume(lone_permissions=answer)
    path = "/trackers/2001/roles/12/permissions"
    for given, kept in (([5, 8], left), ([0, 5], [0, 5])):
        body = {"permissions": [{"id": number} for number in given]}
        shown = ask("bond", "PUT", path, body).json()
        (his,) = [one for one in shown if one["role"]["id"] == 12]
        assert [one["id"] for one in his["trackerPermissions"]] == kept


@pytest.mark.parametrize("newest", [True, False])
def test_the_order_of_a_list(ask: Ask, server: Emulator, newest: bool) -> None:
    server.assume(list_newest_first=newest)
    listed = ask("alice", "GET", "/trackers/2002/items").json()["itemRefs"]
    numbers = [one["id"] for one in listed]
    assert len(numbers) > 3
    assert numbers == sorted(numbers, reverse=newest)


def test_every_switch_is_turned_in_a_test() -> None:
    tests = "".join(
        path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py"))
    )
    switches = [entry["switch"] for entry in differences() if "switch" in entry]
    assert len(set(switches)) == len(switches) >= 18
    missing = [name for name in switches if not re.search(rf"\b{name}\b", tests)]
    assert missing == []
