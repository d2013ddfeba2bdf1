from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, coverage, demo_world, differences
from airflow_codebeamer.emulator.contract import load_contract

Ask = Callable[..., requests.Response]
ITEMS = "/trackers/2001/items"


def test_health(control: Ask) -> None:
    assert control("GET", "health").json() == {
        "status": "ok",
        "release": "22.10",
        "operations": len(load_contract().operations),
    }


def test_the_world_goes_out_and_in(ask: Ask, control: Ask, server: Emulator) -> None:
    ask("generator", "POST", ITEMS, {"name": "a", "description": "b"})
    ask("generator", "PUT", "/items/10008/lock", {"duration": "1h"})
    kept = control("GET", "world").json()
    assert kept == server.world()
    shown = ask("generator", "GET", "/items/10008").text
    assert control("PUT", "world", {"name": "empty"}).status_code == 200
    assert ask("bond", "GET", "/projects").json() == []
    assert ask("generator", "GET", "/projects").status_code == 401
    assert control("PUT", "world", kept).status_code == 200
    assert server.world() == kept
    assert ask("generator", "GET", "/items/10008").text == shown
    assert ask("alice", "DELETE", "/items/10008/lock").status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "moon"},
        {"planets": []},
        {"users": [{"id": 1}]},
        {"users": [{"id": 1, "name": "a", "password": "a", "hat": "red"}]},
        {"users": [7]},
        {"assumptions": {"gravity": False}},
        {"roles": [{"id": 1, "project": 5, "name": "r"}]},
        {"items": [{"id": 1, "tracker": 5}]},
        {"locks": [{"item": 1, "user": 1, "hard": True, "until": None}]},
        [],
        "demo",
    ],
)
def test_what_is_no_world_changes_nothing(
    control: Ask, server: Emulator, wrong: Any
) -> None:
    before = server.world()
    answer = control("PUT", "world", wrong)
    assert answer.status_code in (400, 404)
    assert set(answer.json()) == {"message", "resourceUri"}
    assert server.world() == before


def test_reset_goes_back_to_the_beginning(
    ask: Ask, control: Ask, server: Emulator
) -> None:
    before = server.world()
    ask("generator", "POST", ITEMS, {"name": "a"})
    control("POST", "faults", {"kind": "status"})
    control("POST", "clock", {"advance_seconds": 86400})
    later = control("GET", "clock").json()["now"]
    assert control("POST", "reset").status_code == 200
    assert server.world() == before
    assert server.calls() == []
    assert server.faults() == []
    assert control("GET", "clock").json()["now"] < later


def test_reset_does_not_follow_changes_of_what_was_given() -> None:
    world = demo_world()
    with Emulator(world=world) as server:
        world["users"].clear()
        requests.post(f"{server.control_url}/reset", timeout=10)
        assert len(server.world()["users"]) == 4


def test_the_clock_is_set_moved_and_stopped(ask: Ask, control: Ask) -> None:
    def made_at() -> str:
        body = {"name": "a"}
        return str(ask("generator", "POST", ITEMS, body).json()["createdAt"])

    control("POST", "clock", {"now": "2030-05-06T07:08:09Z", "stopped": True})
    stopped = control("GET", "clock").json()
    assert stopped["stopped"] is True
    assert stopped["now"] == "2030-05-06T07:08:09.000Z"
    assert made_at() + "Z" == stopped["now"]
    assert made_at() + "Z" == stopped["now"]
    control("POST", "clock", {"advance_seconds": 61})
    assert made_at().startswith("2030-05-06T07:09:10")
    control("POST", "clock", {"now": "2031-01-01T02:00:00+02:00"})
    assert made_at() == "2031-01-01T00:00:00.000"
    assert control("POST", "clock", {"stopped": False}).json()["stopped"] is False
    time.sleep(0.005)
    assert made_at() > "2031-01-01T00:00:00.000"


@pytest.mark.parametrize(
    "wrong", [{}, {"now": "soon"}, {"advance_seconds": "x"}, {"later": 1}, [1], None]
)
def test_what_is_no_time(control: Ask, wrong: Any) -> None:
    assert control("POST", "clock", wrong).status_code == 400


def test_faults_over_http(ask: Ask, control: Ask) -> None:
    numbers = control("POST", "faults", [{"kind": "reset"}, {"kind": "status"}]).json()
    assert numbers == [1, 2]
    assert [one["kind"] for one in control("GET", "faults").json()] == [
        "reset",
        "status",
    ]
    assert control("POST", "faults", {"kind": "?"}).status_code == 400
    assert control("POST", "faults", [1]).status_code == 400
    assert control("DELETE", "faults", {"number": 1}).status_code == 200
    assert [one["number"] for one in control("GET", "faults").json()] == [2]
    assert control("DELETE", "faults", [1]).status_code == 400
    assert control("DELETE", "faults").status_code == 200
    assert control("GET", "faults").json() == []
    assert ask("alice", "GET", "/projects").status_code == 200


def test_calls_tell_what_was_asked(ask: Ask, control: Ask, server: Emulator) -> None:
    ask("alice", "GET", ITEMS, pageSize=3)
    ask("generator", "POST", ITEMS, {"nome": "a"})
    ask("nobody", "GET", "/projects")
    ask("alice", "GET", "/wikipages/1")
    ask("alice", "GET", "/nothing")
    calls = control("GET", "calls").json()
    assert calls == server.calls()
    assert [(call["operation"], call["user"], call["status"]) for call in calls] == [
        ("getItemsByTracker", "alice", 200),
        ("createTrackerItem", "generator", 400),
        ("getProjects", None, 401),
        ("getWikiPage", "alice", 501),
        (None, "alice", 404),
    ]
    assert calls[0]["query"] == "pageSize=3"
    assert calls[0]["path"] == f"/cb/api/v3{ITEMS}"
    assert calls[0]["method"] == "GET"
    assert calls[0]["fault"] is None
    assert "nome" in calls[1]["problem"]
    assert calls[1]["near"] == {
        "operation": "createTrackerItem",
        "method": "POST",
        "path": "/v3/trackers/{trackerId}/items",
        "differs": 'JSON parse error: Unrecognized field "nome"',
        "perhaps": ["name"],
    }
    assert calls[4]["near"]["differs"]
    assert [call["body"] for call in calls] == [None, {"nome": "a"}, None, None, None]
    assert [call["number"] for call in calls] == [1, 2, 3, 4, 5]
    control("DELETE", "calls")
    ask("alice", "GET", "/projects")
    assert [call["number"] for call in server.calls()] == [6]


def test_lists_about_the_emulator(control: Ask) -> None:
    assert control("GET", "differences").json() == differences()
    assert control("GET", "coverage").json() == coverage()


def test_the_unknown_is_refused_with_what_there_is(control: Ask) -> None:
    answer = control("GET", "worlds")
    assert answer.status_code == 404
    assert "world" in answer.json()["message"]
    assert control("DELETE", "health").status_code == 405


def test_numbers_go_on_behind_what_a_world_brings(ask: Ask, server: Emulator) -> None:
    world = server.world()
    world["items"].append({**world["items"][0], "id": 50_000, "trashed": True})
    server.load_world(world)
    assert ask("generator", "POST", ITEMS, {"name": "a"}).json()["id"] == 50_001


def test_bodies_are_written_down_without_secrets(ask: Ask, server: Emulator) -> None:
    body = {"name": "a", "deep": [{"Password": "p-1", "apiToken": {"x": "p-2"}}]}
    ask("generator", "POST", ITEMS, body)
    ask("generator", "GET", "/projects", access_token="p-3", page=1)
    ask("generator", "POST", ITEMS, {"name": "b" * 70_000})
    first, second, third = server.calls()
    assert first["body"] == {
        "name": "a",
        "deep": [{"Password": "***", "apiToken": "***"}],
    }
    assert second["query"] == "access_token=***&page=1"
    assert third["body"]["bytes"] > 70_000
    assert "p-" not in str(server.calls())


@pytest.mark.parametrize(
    ("method", "path", "operation", "differs"),
    [
        ("GET", "/item/5", "getTrackerItem", "'items' where the request has 'item'"),
        ("GET", "/trackers/1/item", "getItemsByTracker", "'items'"),
        ("PATCH", "/items/5", "getTrackerItem", "method"),
        ("GET", "/items/5/histories", "getTrackerItemHistory", "'history'"),
        ("GET", "/projects/1/trackers/7", "getTrackers", "ends before '7'"),
    ],
)
def test_a_request_that_meets_nothing_is_told_the_nearest(
    ask: Ask, server: Emulator, method: str, path: str, operation: str, differs: str
) -> None:
    answer = ask("alice", method, path)
    near = server.calls()[-1]["near"]
    assert differs in near["differs"]
    if answer.status_code == 404:
        assert near["operation"] == operation
        assert f"The nearest is {operation}, " in answer.json()["message"]
    else:
        assert answer.status_code == 405
