from __future__ import annotations

import base64
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import (
    DEMO_TRACKER_ID,
    Emulator,
    RefusedError,
    UnmetFaultError,
)

Ask = Callable[..., requests.Response]
ITEMS = f"/trackers/{DEMO_TRACKER_ID}/items"
NEW = {"name": "new"}


def made(server: Emulator) -> int:
    return len(server.items(DEMO_TRACKER_ID))


def test_reset_comes_before_any_effect(ask: Ask, server: Emulator) -> None:
    server.add_fault({"operation": "createTrackerItem", "kind": "reset", "nth": 1})
    with pytest.raises(requests.ConnectionError):
        ask("generator", "POST", ITEMS, NEW)
    assert made(server) == 0
    assert server.calls()[-1]["fault"] == "reset"
    assert ask("generator", "POST", ITEMS, NEW).status_code == 200


@pytest.mark.parametrize("kind", ["drop_answer", "empty", "truncate", "garbage"])
def test_a_spoiled_answer_comes_after_the_effect(
    ask: Ask, server: Emulator, kind: str
) -> None:
    server.add_fault({"operation": "createTrackerItem", "kind": kind, "nth": 1})
    with pytest.raises(
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    ):
        ask("generator", "POST", ITEMS, NEW)
    assert made(server) == 1
    last = server.calls()[-1]
    assert (last["fault"], last["status"]) == (kind, 200)
    assert ask("generator", "POST", ITEMS, NEW).status_code == 200


def test_reset_after_the_effect(ask: Ask, server: Emulator) -> None:
    server.add_fault({"operation": "write", "kind": "reset", "phase": "after"})
    with pytest.raises(requests.ConnectionError):
        ask("generator", "POST", ITEMS, NEW)
    assert made(server) == 1


@pytest.mark.parametrize(("phase", "effects"), [(None, 0), ("before", 0), ("after", 1)])
def test_status_with_and_without_effect(
    ask: Ask, server: Emulator, phase: str | None, effects: int
) -> None:
    server.add_fault(
        {
            "operation": "createTrackerItem",
            "kind": "status",
            "status": 503,
            "message": "down for a moment",
            "phase": phase,
        }
    )
    answer = ask("generator", "POST", ITEMS, NEW)
    assert answer.status_code == 503
    assert answer.json() == {"message": "down for a moment", "resourceUri": ITEMS}
    assert made(server) == effects


def test_status_429_says_how_long(ask: Ask, server: Emulator) -> None:
    server.add_fault({"kind": "status", "status": 429, "seconds": 7, "times": 1})
    answer = ask("generator", "GET", "/projects")
    assert answer.json()["retryAfterSecond"] == 7
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize("phase", ["before", "after"])
def test_delay(ask: Ask, server: Emulator, phase: str) -> None:
    server.add_fault({"kind": "delay", "seconds": 0.3, "nth": 2, "phase": phase})
    elapsed = []
    for _ in range(3):
        start = time.monotonic()
        assert ask("generator", "GET", "/projects").status_code == 200
        elapsed.append(time.monotonic() - start)
    # Only the lower bound is the emulator's; the machine may be slow by itself.
    assert elapsed[1] >= 0.3
    assert [one["fault"] for one in server.calls()] == [None, "delay", None]


def test_a_delayed_effect_does_not_hold_up_others(ask: Ask, server: Emulator) -> None:
    server.add_fault({"operation": "write", "kind": "delay", "seconds": 30})
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{server.url}/api/v3{ITEMS}",
            json=NEW,
            auth=("generator", "generator"),
            timeout=0.2,
        )
    assert ask("alice", "GET", ITEMS).json()["total"] == 0
    # Leaving the fixture now ends the sleeping request without a warning.


def statuses(ask: Ask, times: int) -> list[int]:
    return [ask("generator", "GET", "/projects").status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("numbers", "hit"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 2}, [2]),
        ({"every": 2}, [2, 4, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 2}, [2, 4]),
    ],
)
def test_nth_every_times(
    ask: Ask, server: Emulator, numbers: dict[str, int], hit: list[int]
) -> None:
    server.add_fault({"kind": "status", "status": 500, **numbers})
    found = statuses(ask, 6)
    assert [at for at, status in enumerate(found, 1) if status == 500] == hit
    (fault,) = server.faults()
    assert (fault["matched"], fault["met"]) == (6, len(hit))


@pytest.mark.parametrize(
    ("concerns", "hit"),
    [
        ({"operation": "*"}, {"get", "post", "query"}),
        ({"operation": "read"}, {"get", "query"}),
        ({"operation": "write"}, {"post"}),
        ({"operation": "getProjects"}, {"get"}),
        ({"operation": "findTrackerItemsByCbQL"}, {"query"}),
        ({"method": "POST"}, {"post", "query"}),
        ({"user": "alice"}, {"get"}),
        ({"user": "alice", "operation": "write"}, set()),
    ],
)
def test_which_calls_a_fault_concerns(
    ask: Ask, server: Emulator, concerns: dict[str, str], hit: set[str]
) -> None:
    fault = {"kind": "status", "status": 500, "optional": not hit}
    server.add_fault({**fault, **concerns})
    found = {
        "get": ask("alice", "GET", "/projects"),
        "post": ask("generator", "POST", ITEMS, NEW),
        "query": ask("bob", "POST", "/items/query", {"queryString": "id = 1"}),
    }
    assert {name for name, got in found.items() if got.status_code == 500} == hit


def test_another_actor_steps_in_before_and_after(ask: Ask, server: Emulator) -> None:
    path = f"/v3/trackers/{DEMO_TRACKER_ID}/items"
    for phase, name in (("before", "early"), ("after", "late")):
        server.add_fault(
            {
                "operation": "createTrackerItem",
                "user": "generator",
                "kind": "actor",
                "nth": 1,
                "phase": phase,
                "request": {
                    "user": "bond",
                    "method": "POST",
                    "path": path,
                    "body": {"name": name},
                },
            }
        )
    assert ask("generator", "POST", ITEMS, NEW).json()["ordinal"] == 1
    items = server.items(DEMO_TRACKER_ID)
    assert [item["name"] for item in items] == ["early", "new", "late"]
    assert [item["createdBy"]["name"] for item in items] == [
        "bond",
        "generator",
        "bond",
    ]
    assert [
        (call["user"], call["fault"], call["status"]) for call in server.calls()
    ] == [("generator", "actor", 200), ("bond", "actor", 200), ("bond", "actor", 200)]


def test_an_actor_is_bound_by_his_rights_and_by_the_contract(
    server: Emulator,
) -> None:
    path = f"/v3{ITEMS}"
    assert server.act("bob", "POST", path, NEW) == 200
    assert server.act("bob", "DELETE", "/v3/items/10001") == 403
    assert server.act("alice", "POST", path, {"nome": "x"}) == 400
    assert server.act("nobody", "POST", path, NEW) == 401
    assert server.act("bond", "POST", "/v3/nothing", NEW) == 404
    assert server.act("bond", "GET", f"{path}?pageSize=1") == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "explode"},
        {"kind": "reset", "operation": "getWikiPage"},
        {"kind": "reset", "phase": "during"},
        {"kind": "drop_answer", "phase": "before"},
        {"kind": "reset", "nth": 0},
        {"kind": "status", "status": 200},
        {"kind": "delay", "seconds": -1},
        {"kind": "actor"},
        {"kind": "reset", "opration": "*"},
        {"kind": "reset", "optional": "yes"},
    ],
)
def test_what_is_no_fault(server: Emulator, wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        server.add_fault(wrong)
    assert server.faults() == []


def test_faults_are_forgotten(ask: Ask, server: Emulator) -> None:
    first = server.add_fault({"kind": "status"})
    assert server.add_fault({"kind": "status"}) == first + 1
    server.clear_faults()
    assert statuses(ask, 1) == [200]


def test_one_fault_is_forgotten_by_its_number(ask: Ask, server: Emulator) -> None:
    kept = server.add_fault({"kind": "status", "status": 503})
    gone = server.add_fault({"kind": "status", "status": 500})
    server.remove_fault(gone)
    server.remove_fault(gone)
    assert [fault["number"] for fault in server.faults()] == [kept]
    assert statuses(ask, 1) == [503]
    server.remove_fault(kept)
    assert statuses(ask, 1) == [200]


@pytest.mark.parametrize(("phase", "effects"), [(None, 1), ("after", 1), ("before", 0)])
def test_a_stalled_answer_begins_and_does_not_go_on(
    ask: Ask, server: Emulator, phase: str | None, effects: int
) -> None:
    server.add_fault({"operation": "write", "kind": "stall", "phase": phase, "nth": 1})
    host, _, port = server.url.removeprefix("http://").partition(":")
    body = b'{"name": "new"}'
    login = base64.b64encode(b"generator:generator").decode()
    asked = (
        f"POST /cb/api/v3{ITEMS} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Basic {login}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port.split("/")[0]))) as line:
        line.settimeout(0.5)
        line.sendall(asked.encode() + body)
        heard = b""
        with contextlib.suppress(TimeoutError):
            while True:
                part = line.recv(65536)
                assert part, "the connection ended"
                heard += part
    assert (heard == b"") == (phase == "before")
    if heard:
        head, _, half = heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert 0 < len(half) < int(head.rpartition(b":")[2])
    assert made(server) == effects
    assert server.calls()[-1]["fault"] == "stall"
    assert ask("generator", "POST", ITEMS, NEW).status_code == 200


def test_a_stall_ends_with_its_seconds(ask: Ask, server: Emulator) -> None:
    server.add_fault({"kind": "stall", "seconds": 0.1})
    with pytest.raises(
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    ):
        ask("generator", "GET", "/projects")


def emulate(*faults: dict[str, Any], fail: bool = False) -> None:
    with Emulator() as server:
        for fault in faults:
            server.add_fault(fault)
        if fail:
            raise KeyError


def test_a_fault_that_no_call_met_is_an_error_at_the_end() -> None:
    spare = {"kind": "reset", "nth": 9, "optional": True}
    wanted = {"kind": "reset", "operation": "getRoles"}
    emulate(spare)
    with pytest.raises(UnmetFaultError, match=r"2: reset for getRoles \(0 calls"):
        emulate(spare, wanted)
    with pytest.raises(KeyError):
        emulate(wanted, fail=True)
    with Emulator() as server:
        server.add_fault({"kind": "reset"})
        answer = requests.post(f"{server.control_url}/reset", timeout=10)
        assert answer.json() == {"unmet_faults": [1]}
