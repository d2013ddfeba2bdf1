"""What refuses a lock before anything is touched, and what is only said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import LockRefusedError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.settings import LockSettings

WRITES = ("updatePermission", "removePermissions")


def _refused(bench, owner, match, **more):
    before = bench.permissions()
    found = bench.engine().preflight(bench.tracker, **more)
    with pytest.raises(LockRefusedError, match=match):
        found.require()
    with pytest.raises(LockRefusedError, match=match):
        bench.engine().acquire(bench.tracker, owner=owner, **more)
    assert bench.operations(*WRITES) == []
    assert bench.permissions() == before
    lock = bench.engine().parts.store.find(bench.server.url, bench.tracker)
    assert lock is None or lock.state == "free"


@pytest.mark.trap("T37")
def test_a_sound_place_has_no_findings_and_says_what_it_cannot_do(bench):
    found = bench.engine().preflight(bench.tracker).require()
    assert found.writing == ("Writer 1", "Writer 2")
    assert found.role_name == "Generator"
    assert found.tracker_name == "System Requirements"
    assert any("system administrators" in note for note in found.notes)
    assert any("Created by" in note for note in found.notes)
    # Three for the account, one for the permissions, two for the other members.
    assert found.requests == 4 + 2


def test_the_look_at_members_is_remembered_for_a_while(bench):
    engine = bench.engine()
    engine.preflight(bench.tracker)
    assert bench.engine().preflight(bench.tracker).requests == 4
    bench.pass_time(hours=24)
    assert bench.engine().preflight(bench.tracker).requests == 6


def test_a_bad_verdict_is_not_remembered(make_bench):
    bench = make_bench(others=("bob",))
    assert bench.engine().preflight(bench.tracker).findings
    assert bench.engine().preflight(bench.tracker).requests > 4


def test_no_such_tracker(bench, owner):
    engine = bench.engine()
    with pytest.raises(LockRefusedError, match="tracker 4711 does not exist"):
        engine.acquire(TrackerId(4711), owner=owner)
    assert engine.preflight(TrackerId(4711)).findings


def test_a_tracker_that_the_account_may_not_see(bench, owner):
    fault = {"kind": "status", "status": 403, "operation": "getTracker"}
    bench.server.add_fault(fault)
    _refused(bench, owner, "may not see tracker 2001")


@pytest.mark.trap("T35")
def test_a_template(make_bench, owner):
    bench = make_bench(available_as_template=True)
    _refused(bench, owner, "is a template")
    allowed = bench.engine(settings=LockSettings(allow_templates=True))
    assert any(
        "template" in n for n in allowed.preflight(bench.tracker).require().notes
    )


@pytest.mark.trap("T35")
def test_a_derived_tracker(make_bench):
    bench = make_bench()
    world = bench.server.world()
    parent = world["trackers"][0]
    derived = {**parent, "id": 2999, "key": "DER", "template": parent["id"]}
    world["trackers"].append({**derived, "children": []})
    bench.server.load_world(world)
    found = bench.engine().preflight(TrackerId(2999))
    assert "derived from template" in found.findings[0]


def test_a_role_that_does_not_exist_names_those_that_do(bench, owner):
    _refused(
        bench,
        owner,
        "there is no role Generater; roles of this tracker: Generator, Reader 1",
        exclusive_role="Generater",
    )


def test_no_member_of_the_exclusive_role(bench, owner):
    _refused(
        bench, owner, "not a member of the exclusive role", exclusive_role="Writer 1"
    )


@pytest.mark.trap("T37")
def test_somebody_else_in_the_exclusive_role(make_bench, owner):
    bench = make_bench(others=("bob",))
    _refused(bench, owner, "bob is in the exclusive role")


def _with_group(bench, *members):
    world = bench.server.world()
    for user in world["users"]:
        # Members of groups are shown to those who administer accounts.
        user["system_admin"] = user["system_admin"] or user["name"] == "generator"
    world["groups"] = [{"id": 501, "name": "Machines", "members": list(members)}]
    world["projects"][0]["groups"] = {"501": [bench.place.roles["Generator"]]}
    bench.server.load_world(world)


@pytest.mark.trap("T37")
def test_somebody_in_a_group_in_the_exclusive_role(bench, owner):
    _with_group(bench, bench.place.users["generator"], bench.place.users["bob"])
    _refused(bench, owner, "bob is in the exclusive role")


def test_a_group_of_nobody_else_does_not_matter(bench):
    _with_group(bench, bench.place.users["generator"])
    assert bench.engine().preflight(bench.tracker).findings == ()


@pytest.mark.parametrize("operation", ["getGroupMembers", "getMembersOfProject"])
def test_members_that_cannot_be_seen_are_a_note(bench, operation):
    _with_group(bench, bench.place.users["bob"])
    fault = {"kind": "status", "status": 403, "operation": operation}
    bench.server.add_fault(fault)
    found = bench.engine().preflight(bench.tracker)
    assert found.findings == ()
    assert any("could not be seen" in note for note in found.notes)


def test_an_exclusive_role_that_may_not_write(make_bench, owner):
    bench = make_bench(generator_rights=(0, 2, 8))
    _refused(bench, owner, "may not write on this tracker")


def test_an_unknown_account(bench, owner):
    engine = bench.engine(client=bench.client("generator"))
    world = bench.server.world()
    found = engine.preflight(bench.tracker)
    assert not found.findings
    assert world
    bench.server.add_fault({"kind": "status", "status": 404, "operation": _FIND_USER})
    found = bench.engine().preflight(bench.tracker)
    assert "no account with the log-in name generator" in found.findings[0]


_FIND_USER = "getUserByName"


@pytest.mark.trap("T33")
def test_rights_that_nobody_knows_are_taken_away_and_told(bench):
    settings = LockSettings(read_only=frozenset({"issue_view"}))
    found = bench.engine(settings=settings).preflight(bench.tracker)
    assert any("right export is not known" in note for note in found.notes)


def test_the_role_may_be_given_by_number(bench, owner):
    number = str(bench.place.roles["Generator"])
    lock = bench.engine().acquire(bench.tracker, owner=owner, exclusive_role=number)
    assert lock.exclusive_role == "Generator"


@pytest.mark.trap("T1")
def test_permissions_that_look_like_our_own_lock_stop_a_new_one(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    locked = {name: bench.rights(name) for name in ("Writer 1", "Writer 2")}
    engine.release(bench.tracker, owner_key=owner.key)
    engine.preflight(bench.tracker).require()
    for name, rights in locked.items():
        bench.grant(name, rights)
    _refused_for_echo(bench, owner)
    assert engine.accept_permissions(bench.tracker, by="admin", reason="meant")
    engine.acquire(bench.tracker, owner=owner)


def _refused_for_echo(bench, owner):
    before = bench.permissions()
    with pytest.raises(LockRefusedError, match="no more rights than our last lock"):
        bench.engine().acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before
    assert bench.engine().preflight(bench.tracker).findings


def test_one_role_that_an_administrator_reduced_does_not(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    locked = bench.rights("Writer 1")
    engine.release(bench.tracker, owner_key=owner.key)
    bench.grant("Writer 1", locked)
    engine.acquire(bench.tracker, owner=owner, wait_for=timedelta(0))
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == locked
