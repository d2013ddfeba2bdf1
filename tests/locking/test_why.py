"""Who took which right of a role, when, for which run, and when it came back."""

from __future__ import annotations

import pytest

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.locking import LockStatus, RoleWatch

TAKEN = (
    "issue_add",
    "issue_close",
    "issue_comment_add",
    "issue_delete",
    "issue_edit",
    "issue_edit_not_own",
)


@pytest.fixture
def why(bench):
    """Return the question, asked of the store alone."""

    def ask(role, permission=""):
        status = LockStatus(bench.engine().parts.store)
        return status.list_takings(bench.server.url, bench.tracker, role, permission)

    return ask


def test_a_right_that_is_away_and_then_back(bench, owner, why):
    engine = bench.engine()
    taken_at = bench.clock.now()
    engine.acquire(bench.tracker, owner=owner, reason="new model")
    (one,) = why("writer 1")
    assert one.taken == TAKEN
    assert (one.owner, one.epoch, one.reason) == (owner.key, 1, "new model")
    assert (one.taken_at, one.back_at) == (taken_at, None)
    assert one.lines()[-1].strip() == "not back yet"
    bench.pass_time(minutes=7)
    engine.release(bench.tracker, owner_key=owner.key)
    (one,) = why("writer 1")
    assert one.back_at == bench.clock.now()
    assert (one.back_by, one.kept) == (owner.key, ())
    assert why(str(bench.place.roles["Writer 1"])) == [one]


def test_locks_one_after_the_other_and_one_that_died(bench, owner, other, why):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key)
    engine.acquire(bench.tracker, owner=other)
    bench.pass_time(hours=1)
    bench.recovery().recover()
    first, second = why("Writer 2", "issue_add")
    assert (first.owner, second.owner) == (owner.key, other.key)
    assert second.taken == ("issue_add",)
    assert second.back_by.startswith("recovery on ")


def test_a_role_that_no_lock_took_anything_from(bench, owner, why):
    bench.engine().acquire(bench.tracker, owner=owner)
    assert why("Reader 1") == []
    assert why("Generator") == []
    assert why("Writer 1", "export") == []


def test_a_role_that_no_lock_has_seen_is_refused(bench, owner, why):
    bench.engine().acquire(bench.tracker, owner=owner)
    with pytest.raises(ConfigurationError, match=r"locks have seen Generator \("):
        why("Nobody")


def test_what_people_did_meanwhile_is_told_with_who_and_why(stored, owner, why):
    bench = stored
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    RoleWatch(engine.parts, lock, lambda error: None).look()
    engine.amend(
        bench.tracker, "Writer 1", remove=["issue_delete"], by="carol", reason="left"
    )
    engine.release(bench.tracker, owner_key=owner.key)
    (one,) = why("Writer 1")
    assert "issue_mass_edit" in one.taken
    assert "issue_delete" in one.taken
    assert one.kept == ("issue_delete",)
    told = "\n".join(one.notes)
    assert "somebody added issue_mass_edit while the tracker was held" in told
    assert "amended by carol: revoked issue_delete, because: left" in told
    assert [line for line in one.lines() if "given back by" in line]


def test_what_did_not_come_back_is_named(bench, owner, why):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, restore_policy="keep")
    bench.grant("Writer 1", [0])
    engine.release(bench.tracker, owner_key=owner.key)
    (one,) = why("Writer 1")
    assert one.kept == TAKEN
    assert "but not issue_add" in one.lines()[-1]
