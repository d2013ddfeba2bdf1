from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.emulator.throttle import Throttle, parse_limits

Ask = Callable[..., requests.Response]


def test_limits_are_read() -> None:
    assert parse_limits("3/s,120/m") == ((3, 1.0), (120, 60.0))
    assert parse_limits("off") == ()


@pytest.mark.parametrize("text", ["fast", "3", "0/s", "3/s;4/m", "-1/s", "3/d"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="3/s,120/m"):
        parse_limits(text)


def test_both_budgets_bind() -> None:
    throttle = Throttle(((2, 1.0), (3, 60.0)))
    assert [throttle.wait(1, 0.0) for _ in range(3)] == [0, 0, 1]
    assert throttle.wait(1, 1.0) == 0
    # The minute has one every 20 seconds; this one came 1 second after the start.
    assert throttle.wait(1, 2.0) == 18
    assert throttle.wait(1, 2.0) == 18
    assert throttle.wait(1, 20.0) == 0
    assert throttle.wait(2, 2.0) == 0


def test_a_refused_request_has_no_effect(asking: Callable[[Emulator], Ask]) -> None:
    with Emulator(throttle="2/s,100/m") as server:
        ask = asking(server)
        items = "/trackers/2001/items"
        server_stops(server)
        found = [ask("generator", "POST", items, {"name": "a"}) for _ in range(3)]
        assert [answer.status_code for answer in found] == [200, 200, 429]
        refused = found[-1]
        assert refused.json() == {
            "message": "Too many requests",
            "resourceUri": items,
            "retryAfterSecond": 1,
        }
        assert refused.headers["Retry-After"] == "1"
        assert len(server.items(2001)) == 2
        # Somebody else has a budget of his own.
        assert ask("alice", "GET", items).status_code == 200
        server.advance(1)
        assert ask("generator", "POST", items, {"name": "a"}).status_code == 200


def server_stops(server: Emulator) -> None:
    """Let time stand still, so that only the test moves it."""
    requests.post(f"{server.control_url}/clock", json={"stopped": True}, timeout=10)


@pytest.mark.parametrize(
    ("accept", "kind"), [("*/*", "text/xml"), ("application/json", "application/json")]
)
def test_only_who_accepts_json_gets_it(accept: str, kind: str) -> None:
    with Emulator(throttle="1/h") as server:
        answers = [
            requests.get(
                f"{server.url}/api/v3/projects",
                auth=("alice", "alice"),
                headers={"Accept": accept},
                timeout=10,
            )
            for _ in range(2)
        ]
    assert answers[0].status_code == 200
    assert answers[1].status_code == 429
    assert answers[1].headers["Content-Type"].startswith(kind)
    assert "Too many requests" in answers[1].text
    assert 3590 < int(answers[1].headers["Retry-After"]) <= 3600


def test_who_is_unknown_costs_nobody_a_budget(
    asking: Callable[[Emulator], Ask],
) -> None:
    with Emulator(throttle="1/h") as server:
        ask = asking(server)
        assert ask("alice/wrong", "GET", "/projects").status_code == 401
        assert ask("alice/wrong", "GET", "/projects").status_code == 401
        assert ask("alice", "GET", "/projects").status_code == 200


def test_another_world_starts_with_full_budgets(
    asking: Callable[[Emulator], Ask],
) -> None:
    with Emulator(throttle="1/h") as server:
        ask = asking(server)
        assert ask("alice", "GET", "/projects").status_code == 200
        assert ask("alice", "GET", "/projects").status_code == 429
        server.load_world("demo")
        assert ask("alice", "GET", "/projects").status_code == 200
