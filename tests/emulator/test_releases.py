from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from airflow_codebeamer.emulator import (
    RELEASES,
    Emulator,
    coverage,
    differences,
    load_contract,
    release_rules,
    vendor_facts,
)

Ask = Callable[..., requests.Response]
ITEM = 10001
LOCKED_WRITES = [
    ("PUT", f"/items/{ITEM}/fields", {"fieldValues": []}),
    ("DELETE", f"/items/{ITEM}", None),
    ("PUT", f"/items/{ITEM}/children", {"children": []}),
]
#: Places of the vendor's descriptions, and the releases that do not have them.
LATER = [
    ("PUT", "/items/fields", [], ("10.1",), (400,)),
    ("GET", "/trackers/2001/children", None, ("10.1",), (404,)),
    ("GET", "/items/10001/fields/accessibility", None, ("10.1",), (404,)),
    ("GET", "/projects/101/members", None, ("10.1",), (404,)),
    ("POST", "/baselines", {}, ("10.1",), (404,)),
    ("POST", "/jobs/working-set-update", {}, ("10.1", "21.09"), (404,)),
    ("GET", "/tracker/2001/configuration", None, RELEASES[:-1], (404,)),
    ("POST", "/tracker/configuration", {}, RELEASES[:-1], (404,)),
    ("POST", "/sysadmin/audit/permissions", {}, RELEASES[:-1], (404,)),
    ("POST", "/items/move", {}, RELEASES[:-1], (405,)),
    ("GET", "/trackers/tree", None, RELEASES[:-1], (400,)),
]


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_release_has_the_operations_of_its_description(release: str) -> None:
    contract = load_contract(release)
    facts = vendor_facts(release)
    declared = {place for place in facts if place.count(" ") == 1 and "/v3/" in place}
    known = [*contract.operations.values(), *contract.unclaimed.values()]
    assert {f"{one.method} {one.path}" for one in known} == declared
    counts = {"10.1": 122, "21.09": 140, "22.04": 142, "22.10": 142, "2.x": 158}
    assert len(declared) == counts[release]
    assert len(coverage(release)) == counts[release]


def test_what_came_later_is_not_there(
    release: str, asking: Callable[[Emulator], Ask]
) -> None:
    with Emulator(release=release) as server:
        ask = asking(server)
        for method, path, body, without, statuses in LATER:
            status = ask("bond", method, path, body).status_code
            if release in without:
                assert status in statuses, path
            else:
                # There, and either claimed or a 501 that names it.
                assert status not in (404, 405), path
        health = requests.get(f"{server.control_url}/health", timeout=10).json()
        assert health["release"] == release
        shown = requests.get(f"{server.control_url}/coverage", timeout=10).json()
        assert shown == coverage(release)


@pytest.mark.parametrize("assumed", [None, 200])
def test_a_foreign_item_lock(
    release: str, asking: Callable[[Emulator], Ask], assumed: int | None
) -> None:
    with Emulator(release=release) as server:
        if assumed:
            server.assume(locked_before_22_04=assumed)
        ask = asking(server)
        ask("bond", "PUT", f"/items/{ITEM}/lock", {"hard": True})
        old = release in ("10.1", "21.09")
        expected = (assumed or 403) if old else 423
        for method, path, body in LOCKED_WRITES:
            if method == "PUT" and "children" in path:
                kids = ask("alice", "GET", path).json()["itemRefs"]
                body = {"children": [{**kid} for kid in kids]}
            place = f"{method} /v3{path.replace(str(ITEM), '{itemId}')} status 423"
            assert (place in vendor_facts(release)) == (not old)
            first = server.world()
            assert ask("alice", method, path, body).status_code == expected, path
            server.load_world(first)


def test_unknown_properties_are_ignored_before_21_09(
    release: str, asking: Callable[[Emulator], Ask]
) -> None:
    body = {"name": "new", "foo": "bar", "priority": {"id": 2, "baz": 1}}
    body["priority"] |= {"type": "ChoiceOptionReference"}  # type: ignore[operator]
    with Emulator(release=release) as server:
        answer = asking(server)("generator", "POST", "/trackers/2001/items", body)
        if release == "10.1":
            assert answer.status_code == 200
            assert answer.json()["priority"]["name"] == "High"
        else:
            assert answer.status_code == 400
            told = 'JSON parse error: Unrecognized field "foo"'
            assert answer.json()["message"] == told


def test_an_old_release_answers_no_property_that_came_later(
    release: str, asking: Callable[[Emulator], Ask]
) -> None:
    with Emulator(release=release) as server:
        tracker = asking(server)("bond", "GET", "/trackers/2001").json()
        assert ("sharedInWorkingSet" in tracker) == (release != "10.1")
        for name in tracker:
            assert f"Tracker.{name}" in vendor_facts(release)


def test_the_throttle_came_with_21_09() -> None:
    with pytest.raises(ValueError, match="no throttle"):
        Emulator(release="10.1", throttle="3/s")
    for release in RELEASES[1:]:
        Emulator(release=release, throttle="3/s")


def test_nothing_is_known_about_other_releases() -> None:
    for told in ("9.5", "23.04", ""):
        with pytest.raises(ValueError, match="Nothing is known about release"):
            Emulator(release=told)


@pytest.mark.parametrize("known", [True, False])
def test_two_permissions_may_be_newer(
    asking: Callable[[Emulator], Ask], known: bool
) -> None:
    with Emulator() as server:
        server.assume(newest_permissions=known)
        ask = asking(server)
        listed = ask("bond", "GET", "/trackers/permissions").json()
        assert len(listed) == (28 if known else 26)
        path = "/trackers/2001/roles/12/permissions"
        body = {"permissions": [{"id": 26}]}
        status = ask("bond", "PUT", path, body).status_code
        assert status == (200 if known else 404)
        shown = ask("bond", "GET", "/trackers/2001/permissions").json()
        numbers = {one["id"] for role in shown for one in role["trackerPermissions"]}
        assert (27 in numbers) == known


def test_every_rule_about_releases_is_among_the_differences() -> None:
    listed = [entry for entry in differences() if entry["about"] == "release"]
    assert [{"about": "release", **rule} for rule in release_rules()] == listed
    for rule in release_rules():
        named = set(rule["releases"].split(", "))
        assert named <= {*RELEASES, "all"}
