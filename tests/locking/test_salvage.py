"""The lock store is lost while a tracker is locked: back from escrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import (
    EscrowError,
    LockHeldError,
    RestorePendingError,
)
from airflow_codebeamer.locking import (
    Escrow,
    LockState,
    ReleaseReport,
    Salvage,
    find_escrows,
)
from airflow_codebeamer.settings import StoreSettings

PUT = "updatePermission"


@pytest.fixture
def lost(bench: Any, owner: Any, tmp_path: Path, clock: Any) -> Escrow:
    """A locked tracker, its escrow, and an empty store in the place of the lost."""
    lines: list[str] = []
    engine = bench.engine(escrow=lines.append)
    engine.reserve(bench.tracker, owner=owner, reason="")
    engine.release(bench.tracker, owner_key=owner.key)
    bench.before = bench.permissions()
    engine.acquire(bench.tracker, owner=owner)
    bench.database.close()
    bench.database = Database(
        StoreSettings(url=f"sqlite:///{tmp_path / 'another.db'}"), clock=clock
    )
    return find_escrows("\n".join(lines), "the log")[-1]


def salvage(bench: Any, escrow: Escrow, **more: Any) -> ReleaseReport:
    return Salvage(bench.engine(**more).parts, escrow).run(by="ann")


def record(bench: Any) -> Any:
    return bench.engine().parts.store.find(bench.server.url, bench.tracker)


@pytest.mark.trap("T25")
def test_every_role_is_as_it_was(bench, lost) -> None:
    assert bench.permissions() != bench.before
    report = salvage(bench, lost)
    assert bench.permissions() == bench.before
    assert report.restored == ("Writer 1", "Writer 2")
    assert report.drift == ()


@pytest.mark.trap("T25")
def test_the_epoch_goes_on_above_the_lost_one(bench, lost, other) -> None:
    assert lost.epoch == 2
    salvage(bench, lost)
    assert record(bench).epoch == 3
    lock = bench.engine().acquire(bench.tracker, owner=other)
    assert lock.epoch == 4


def test_it_leaves_a_record_like_any_release(bench, lost) -> None:
    salvage(bench, lost)
    lock = record(bench)
    assert lock.state is LockState.FREE
    events = bench.engine().parts.history.list_events(bench.server.url, bench.tracker)
    kinds = [event.kind for event in events]
    assert kinds == [
        "epoch_raised",
        "grant",
        "journal",
        "snapshot",
        "escrow_opened",
        "restore",
        "restored_verified",
    ]
    assert events[-1].detail["before"] == events[-1].detail["after"]


def test_a_plan_says_it_and_changes_nothing(bench, lost) -> None:
    reduced = bench.permissions()
    bench.server.clear_calls()
    plan = Salvage(bench.engine().parts, lost).plan()
    assert len(bench.server.calls()) == 1
    assert bench.permissions() == reduced
    assert [role.name for role in plan.roles] == ["Writer 1", "Writer 2"]
    assert "issue_add" in plan.roles[0].gets
    assert set(plan.unchanged) == {"Reader 1", "Generator"}
    assert record(bench) is None


def test_edits_of_others_survive_as_at_a_release(bench, lost) -> None:
    bench.grant("Writer 1", [0, 8, 22])
    report = salvage(bench, lost)
    rights = bench.rights("Writer 1")
    assert {0, 1, 3, 8, 22} <= set(rights)
    assert not {2, 10} & set(rights)
    assert "Writer 1" in report.drift[0]


def test_again_changes_nothing(bench, lost) -> None:
    salvage(bench, lost)
    bench.grant("Writer 1", [0])
    reduced = bench.permissions()
    with pytest.raises(EscrowError, match="was restored at"):
        salvage(bench, lost)
    assert bench.permissions() == reduced


def test_a_role_that_has_part_of_it_is_told(bench, lost) -> None:
    bench.grant("Writer 1", [0, 2, 3, 8, 10])
    plan = Salvage(bench.engine().parts, lost).plan()
    told = {role.name: role.returned for role in plan.roles}
    assert told == {"Writer 1": True, "Writer 2": False}


@pytest.mark.trap("T25")
def test_somebody_in_the_store_is_left_alone(bench, lost, other) -> None:
    engine = bench.engine()
    engine.accept_permissions(bench.tracker, by="bob", reason="he does not know")
    engine.acquire(bench.tracker, owner=other)
    bench.server.clear_calls()
    with pytest.raises(LockHeldError) as caught:
        salvage(bench, lost)
    assert caught.value.owner == other.key
    assert bench.server.calls() == []
    assert record(bench).epoch == 1


def test_recovery_finishes_what_it_began(bench, lost) -> None:
    bench.server.add_fault({"kind": "status", "status": 403, "operation": PUT})
    with pytest.raises(RestorePendingError):
        salvage(bench, lost)
    bench.server.clear_faults()
    bench.pass_time(minutes=5)
    [done] = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.permissions() == bench.before


@pytest.mark.trap("T5")
def test_requests_of_the_lost_lock_are_waited_for(bench, lost, clock) -> None:
    """Nobody knows any more which of them went without an answer."""
    began = clock.monotonic()
    salvage(bench, lost)
    assert clock.monotonic() - began >= 15


def test_answers_that_are_lost_are_looked_up(bench, lost) -> None:
    for nth in (1, 2):
        bench.server.add_fault({"kind": "drop_answer", "operation": PUT, "nth": nth})
    salvage(bench, lost)
    assert bench.permissions() == bench.before


def test_a_role_that_is_gone_is_told_and_the_others_come_back(bench, lost) -> None:
    world = bench.server.world()
    role = bench.place.roles["Writer 1"]
    world["roles"] = [one for one in world["roles"] if one["id"] != role]
    for project in world["projects"]:
        for roles in project["members"].values():
            roles[:] = [one for one in roles if one != role]
    del world["trackers"][0]["permissions"][str(role)]
    bench.server.load_world(world)
    report = salvage(bench, lost)
    assert "does not exist any more" in report.drift[0]
    assert report.restored == ("Writer 2",)
