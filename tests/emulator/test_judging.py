from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from itertools import pairwise
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, differences
from airflow_codebeamer.emulator.judging import orders

Ask = Callable[..., requests.Response]
ORDER = json.loads(
    resources.files("airflow_codebeamer.emulator").joinpath("order.json").read_text()
)
STEPS = [step["step"] for step in ORDER["steps"]]
STATUS = {step["step"]: step["statuses"] for step in ORDER["steps"]}
TEXTS = ("loginErrorText", "loginText", "notificationText", "slogan", "welcomeText")
CLOSED = {
    "fieldId": 7,
    "type": "ChoiceFieldValue",
    "values": [{"id": 3, "type": "ChoiceOptionReference"}],
}


@pytest.fixture
def judged(server: Emulator, asking: Callable[[Emulator], Ask]) -> Callable[..., int]:
    """A request that is wrong at the named steps, and right at all others."""
    ask = asking(server)
    ask("generator", "POST", "/trackers/2001/items", {"name": "a"})
    ask("alice", "PUT", "/items/10008/lock", {"hard": True})
    world = server.world()
    world["users"].append({"id": 77, "name": "shut", "password": "shut"})
    world["users"][-1]["rest_access"] = False
    world["projects"][0]["members"]["77"] = [15]
    server.load_world(world)

    def judge(*wrong: str) -> int:
        user = "bob" if "access" in wrong else "generator"
        if "rest_access" in wrong:
            user = "shut"
        if "account" in wrong:
            user = f"{user}/wrong"
        item = 10999 if "existence" in wrong else 10008
        if "lock" not in wrong:
            server.act("alice", "DELETE", f"/v3/items/{item}/lock")
        if "maintenance" in wrong:
            mode = {"systemMode": "MAINTENANCE", "properties": dict.fromkeys(TEXTS, "")}
            assert server.act("bond", "PUT", "/v3/system/maintenance", mode) == 200
        body: dict[str, Any] = {"fieldValues": [CLOSED] if "rules" in wrong else []}
        if "shape" in wrong:
            body["foo"] = 1
        path = f"/items/{item}/{'field' if 'operation' in wrong else 'fields'}"
        return ask(user, "PUT", path, body).status_code

    return judge


def test_the_steps_of_the_order_are_the_ones_that_are_judged() -> None:
    assert orders()["request"] == tuple(STEPS[: len(orders()["request"])])
    assert sorted(orders()["account"]) == sorted(orders()["request"])
    listed = [entry["id"] for entry in differences()[: len(STEPS)]]
    assert listed == [step["id"] for step in ORDER["steps"]]


@pytest.mark.parametrize("first", ["request", "account"])
def test_of_two_wrongs_the_earlier_step_answers(
    server: Emulator, judged: Callable[..., int], first: str
) -> None:
    server.assume(judged_first=first)
    begun = server.world()
    names = [*orders()[first], *STEPS[len(orders()[first]) :]]
    names.remove("rate")  # has a test of its own
    for earlier, later in pairwise(names):
        server.load_world(begun)
        assert judged(earlier) in STATUS[earlier], earlier
        server.load_world(begun)
        assert judged(earlier, later) in STATUS[earlier], (earlier, later)
    server.load_world(begun)
    assert judged("lock") == 423
    server.load_world(begun)
    assert judged() == 200


@pytest.mark.parametrize(
    ("first", "counts"), [("request", (False, False)), ("account", (True, False))]
)
def test_what_uses_up_the_budget(
    asking: Callable[[Emulator], Ask], first: str, counts: tuple[bool, bool]
) -> None:
    with Emulator(throttle="1/h") as server:
        server.assume(judged_first=first)
        ask = asking(server)
        for user, counted in zip(("alice", "bob/wrong"), counts, strict=True):
            ask(user, "POST", "/trackers/2001/items", {"foo": 1})
            again = ask(user.partition("/")[0], "GET", "/projects").status_code
            assert (again == 429) == counted, user
