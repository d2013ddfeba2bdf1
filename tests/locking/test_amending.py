"""A person changes what a role gets back, while the tracker is held."""

from __future__ import annotations

import pytest

from airflow_codebeamer.errors import ConfigurationError, DatabaseError
from airflow_codebeamer.locking import RoleWatch

WRITER = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]


@pytest.fixture
def held(bench, owner):
    """A held lock."""
    engine = bench.engine()
    return engine, engine.acquire(bench.tracker, owner=owner)


def _amend(bench, role="Writer 1", **words):
    bench.engine().amend(
        bench.tracker, role, by="carol", reason="left the team", **words
    )


def test_a_right_that_the_lock_took_can_be_revoked(bench, held, owner):
    _amend(bench, remove=["issue_delete", "3"])
    held[0].release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == sorted({*WRITER} - {7, 3})
    events = bench.engine().parts.history.list_events(bench.server.url, bench.tracker)
    (event,) = [event for event in events if event.kind == "amended"]
    assert event.who == "carol"
    assert event.detail["revoked"] == "issue_add, issue_delete"
    assert event.detail["reason"] == "left the team"


def test_a_right_that_no_role_has_can_be_added(bench, held, owner):
    _amend(bench, add=["branch_merge"])
    held[0].release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == sorted([*WRITER, 24])


def test_recovery_gives_back_what_was_amended(bench, held):
    _amend(bench, remove=["issue_delete"])
    bench.pass_time(hours=1)
    bench.recovery().recover()
    assert bench.rights("Writer 1") == sorted({*WRITER} - {7})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"role": "Nobody", "remove": ["issue_add"]}, "say one of Writer 1"),
        ({"remove": ["issue_fly"]}, "there is no permission 'issue_fly'"),
        ({"add": ["4711"]}, "there is no permission '4711'"),
        ({"remove": ["issue_mass_edit"]}, "would not get issue_mass_edit back"),
        ({"add": ["issue_add"]}, "gets issue_add back anyway"),
        ({"add": ["export"], "remove": ["export"]}, "both added and removed"),
        ({}, "which permission"),
        ({"role": "Reader 1", "add": ["issue_add"]}, "took nothing from Reader 1"),
        ({"role": "Generator", "remove": ["issue_add"]}, "took nothing from Generator"),
    ],
)
def test_nonsense_is_refused_before_anything_is_changed(bench, held, words, said):
    engine, lock = held
    before = engine.parts.ledger.list_roles(lock.lineage)
    with pytest.raises(ConfigurationError, match=said):
        _amend(bench, **words)
    assert engine.parts.ledger.list_roles(lock.lineage) == before


def test_only_a_held_lock_is_amended(bench, owner):
    with pytest.raises(ConfigurationError, match="it is free"):
        _amend(bench, remove=["issue_delete"])
    bench.engine().reserve(bench.tracker, owner=owner, reason="")
    with pytest.raises(ConfigurationError, match="it is granted"):
        _amend(bench, remove=["issue_delete"])


def test_a_watch_that_read_before_an_amendment_does_not_undo_it(stored, held, owner):
    bench = stored
    engine, lock = held
    store = engine.parts.store
    stale = engine.parts.ledger.list_roles(lock.lineage)[bench.place.roles["Writer 1"]]
    _amend(bench, remove=["issue_delete"])
    with pytest.raises(DatabaseError, match="amended meanwhile"):
        engine.parts.ledger.keep(lock, stale, lease=engine.parts.settings.ttl)
    assert store.find(lock.server, lock.tracker_id).state is lock.state
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    RoleWatch(engine.parts, lock, lambda error: None).look()
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == sorted({*WRITER, 5} - {7})


def test_what_was_revoked_after_the_watch_took_it_does_not_come_back(
    bench, held, owner
):
    engine, lock = held
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    RoleWatch(engine.parts, lock, lambda error: None).look()
    _amend(bench, remove=["issue_mass_edit"])
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == WRITER
