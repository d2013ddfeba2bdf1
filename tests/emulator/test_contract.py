from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, coverage, differences
from airflow_codebeamer.emulator.app import Answer, Application, Asked
from airflow_codebeamer.emulator.call import EMPTY, Call, Route
from airflow_codebeamer.emulator.contract import Contract, load_contract
from airflow_codebeamer.emulator.coverage import LEVELS
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.routes import ROUTES
from airflow_codebeamer.emulator.seeds import demo_world
from airflow_codebeamer.emulator.validation import Shapes
from airflow_codebeamer.emulator.world import World

Ask = Callable[..., requests.Response]


def test_the_vendor_declares_142_operations_and_we_claim_some() -> None:
    contract = load_contract()
    assert len(contract.operations) + len(contract.unclaimed) == 142
    assert not contract.operations.keys() & contract.unclaimed.keys()


def test_every_unclaimed_operation_is_a_501_that_names_it(ask: Ask) -> None:
    for known in load_contract().unclaimed.values():
        path = known.path.removeprefix("/v3").replace("{", "").replace("}", "")
        answer = ask("bond", known.method, path)
        assert answer.status_code == 501, known
        assert known.id in answer.json()["message"]
        assert "22.10" in answer.json()["message"]


def test_the_unknown_is_404_and_the_wrong_method_405(ask: Ask) -> None:
    answer = ask("bond", "GET", "/nothing/here")
    assert (answer.status_code, answer.json()["resourceUri"]) == (404, "/nothing/here")
    answer = ask("bond", "DELETE", "/items/query")
    assert answer.status_code == 405
    assert "GET, POST" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/", "/cb", "/cb/api", "/cb/rest/projects", "/emu"])
def test_nothing_is_served_elsewhere(server: Emulator, path: str) -> None:
    root = server.url.removesuffix("/cb")
    assert requests.get(root + path, timeout=10).status_code == 404


def test_a_literal_segment_wins_over_a_parameter() -> None:
    contract = load_contract()
    found, values, _ = contract.find("GET", "/v3/trackers/permissions")
    assert (getattr(found, "id", ""), values) == ("getTrackerPermissions", [])
    found, values, _ = contract.find("GET", "/v3/trackers/7")
    assert (getattr(found, "id", ""), values) == ("getTracker", ["7"])
    found, values, _ = contract.find("PUT", "/v3/trackers/7/roles/8/permissions")
    assert (getattr(found, "id", ""), values) == ("updatePermission", ["7", "8"])


def test_each_claimed_operation_has_a_route_and_a_level() -> None:
    contract = load_contract()
    assert ROUTES.keys() == contract.operations.keys()
    for operation in contract.operations.values():
        assert operation.level in LEVELS[2:5]
        assert operation.source
        assert {200, 400, 401, 403, 429} <= operation.statuses


def answer_of(route: Route) -> tuple[Answer, dict[str, object]]:
    """What an application answers to GET roles when its route is this one."""
    application = Application(
        World.load(demo_world()), routes={**ROUTES, "getRoles": route}
    )
    alice = base64.b64encode(b"alice:alice").decode()
    asked = Asked("GET", "/cb/api/v3/roles", authorization=f"Basic {alice}")
    answer = application.finish(application.begin(asked))
    return answer, application.calls.to_json()[-1]


def test_a_claimed_operation_without_route_stops_the_start() -> None:
    routes = {name: route for name, route in ROUTES.items() if name != "getRoles"}
    with pytest.raises(RuntimeError, match="getRoles"):
        Application(World.load(demo_world()), routes=routes)


def test_a_sound_route_is_heard() -> None:
    answer, entry = answer_of(ROUTES["getRoles"])
    assert (answer.status, entry["status"]) == (200, 200)
    assert "problem" not in entry


@pytest.mark.parametrize(
    "broken", [[{"id": 1, "colour": "red"}], [{"id": "1"}], [{"name": None}], {}]
)
def test_an_answer_outside_the_contract_is_a_500(broken: object) -> None:
    answer, entry = answer_of(lambda _: broken)
    assert answer.status == 500
    assert b"broke its own contract of getRoles" in answer.body
    assert "getRoles" in str(entry["problem"])


def test_no_answer_where_the_contract_has_one_is_a_500() -> None:
    answer, _ = answer_of(lambda _: EMPTY)
    assert answer.status == 500
    assert b"broke its own contract of getRoles" in answer.body


def test_a_status_outside_the_contract_is_a_500() -> None:
    def refuse(_: Call) -> object:
        raise RefusedError(423, "Locked.")

    answer, _ = answer_of(refuse)
    assert answer.status == 500
    assert b"423 is not declared" in answer.body


def test_a_route_that_fails_is_a_500_and_says_where() -> None:
    answer, entry = answer_of(lambda _: 1 / 0)
    assert answer.status == 500
    assert "ZeroDivisionError" in str(entry["problem"])
    assert "Traceback" in str(entry["problem"])


def test_shapes_may_contain_themselves() -> None:
    tree = {"type": "object", "properties": {"of": {"$ref": "Tree"}}}
    check = Shapes({"Tree": tree}, nullable=True).check({"$ref": "Tree"})
    assert check({"of": {"of": None}}) is None
    assert check({"of": {"of": {"if": 1}}}) == 'Unrecognized field "if" (at of.of)'


def test_null_is_refused_in_answers() -> None:
    shape = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert Shapes({}, nullable=False).check(shape)({"a": None}) is not None
    assert Shapes({}, nullable=True).check(shape)({"a": None}) is None


def test_contracts_are_data() -> None:
    data = {
        "release": "1",
        "shapes": {},
        "operations": [],
        "unclaimed": [["later", "GET", "/v3/later/{id}"]],
    }
    found, values, methods = Contract(data).find("GET", "/v3/later/5")
    assert (getattr(found, "id", ""), values, methods) == ("later", ["5"], ["GET"])


def test_coverage_lists_every_operation_once() -> None:
    entries = coverage()
    assert len({(entry["method"], entry["path"]) for entry in entries}) == 142
    levels = {entry["operation"]: entry["level"] for entry in entries}
    assert levels["getWikiPage"] == "absent"
    assert levels["updateTrackerItem"] == "documented"
    # Nobody has run the tests against a real server yet.
    assert "verified" not in levels.values()


def test_differences_are_questions_with_answers() -> None:
    entries = differences()
    assert len({entry["id"] for entry in entries}) == len(entries) > 30
    for entry in entries:
        assert entry["question"].endswith("?")
        assert entry["chosen"]
        assert entry["changes"]
        assert entry["source"]
        assert entry["level"] in ("assumed", "documented")
        if "switch" in entry:
            assert entry["default"] in entry["options"]
            assert len(entry["options"]) == 2


def test_the_description_is_openapi_of_the_contract(server: Emulator) -> None:
    answer = requests.get(f"{server.url}/api-docs/v3.json", timeout=10)
    document = answer.json()
    assert document["servers"] == [{"url": f"{server.url}/api"}]
    found = {
        one["operationId"]
        for path in document["paths"].values()
        for one in path.values()
    }
    assert found == load_contract().operations.keys()
    schemas = document["components"]["schemas"]
    refs = [part.split('"')[0] for part in answer.text.split('"#/components/schemas/')]
    assert set(refs[1:]) <= schemas.keys()
    assert schemas["LockRequest"]["additionalProperties"] is False
