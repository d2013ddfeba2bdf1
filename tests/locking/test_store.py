"""Records in both dialects: each change happens once, for one, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import RoleId, TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import LockState, LockStatus, LockStore, Owner
from airflow_codebeamer.locking.permissions import Rights
from airflow_codebeamer.locking.records.ledger import REDUCE, Ledger
from airflow_codebeamer.locking.records.verdicts import Seat
from airflow_codebeamer.locking.roles import Phase, RoleEntry

SERVER = "https://alm.example.com/cb"
TRACKER = TrackerId(7)
MINUTE = timedelta(minutes=1)
OWNER = Owner("run 1", link="https://airflow/run")


@pytest.fixture
def store(database):
    return LockStore(database)


@pytest.fixture
def ledger(store, database):
    return Ledger(store, Journal(database))


def _grant(store, owner=OWNER, lease=MINUTE):
    return store.grant(SERVER, TRACKER, owner, reason="why", lease=lease)


def _entry(**values) -> RoleEntry:
    rights: Rights = frozenset({0, 1})
    given = {"names": {0: "issue_view", 1: "issue_edit"}, **values}
    return RoleEntry(RoleId(3), "Writer", original=rights, **given)


def _locking(store, ledger):
    return ledger.open_lineage(
        _grant(store), [_entry()], lease=MINUTE, exclusive_role="G", digest="d"
    )


def test_a_record_is_read_back_as_it_was_written(store):
    lock = _grant(store)
    assert lock == store.find(SERVER, TRACKER) == store.list_locks(SERVER)[0]
    assert (lock.owner, lock.state, lock.epoch) == (OWNER, LockState.GRANTED, 1)
    assert lock.reason == "why"
    assert lock.lease_until - lock.acquired_at == pytest.approx(
        MINUTE, abs=timedelta(seconds=1)
    )
    assert store.find(SERVER, TrackerId(8)) is None
    assert store.list_locks("elsewhere") == []


def test_what_is_granted_is_granted_once(store):
    assert _grant(store) is not None
    assert _grant(store, Owner("run 2")) is None


@pytest.mark.trap("T19")
def test_many_at_once_and_one_gets_it(store):
    got = []
    barrier = threading.Barrier(4)

    def try_it(number):
        barrier.wait()
        got.append(_grant(store, Owner(f"run {number}")))

    threads = [threading.Thread(target=try_it, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [lock for lock in got if lock is not None]
    assert store.find(SERVER, TRACKER).owner == winner.owner


@pytest.mark.trap("T20")
def test_names_that_differ_in_the_last_character_are_two_locks(store):
    long = f"{SERVER}/{'x' * 1000}"
    servers = [f"{long}{last}" for last in ("", "a", "b", "A")]
    for number, server in enumerate(servers):
        for tracker in (TRACKER, TrackerId(TRACKER + 2**32)):
            owner = Owner(f"run {number} {tracker}")
            assert store.grant(server, tracker, owner, reason="", lease=MINUTE)
    assert [len(store.list_locks(server)) for server in servers] == [2, 2, 2, 2]


def test_epochs_only_grow_and_lineages_differ(store):
    first = _grant(store)
    store.give_back(first)
    second = _grant(store)
    assert second.epoch > first.epoch
    assert second.lineage != first.lineage
    assert store.give_back(first) is None


@pytest.mark.trap("T12")
def test_an_expired_lease_is_neither_renewed_nor_written_under(store, ledger):
    lock = _grant(store, lease=timedelta(seconds=-1))
    with pytest.raises(LockLostError, match="ran out"):
        store.renew(lock, MINUTE)
    with pytest.raises(LockLostError):
        ledger.open_lineage(lock, [], lease=MINUTE, exclusive_role="", digest="")
    assert store.find(SERVER, TRACKER).state is LockState.GRANTED


def test_a_good_lease_is_not_taken_over(store):
    lock = _grant(store)
    spans = {"ttl": MINUTE, "lock_delay": timedelta(seconds=15)}
    assert store.take_over(lock, "r", why="", **spans) is None
    expired = store.renew(lock, timedelta(seconds=-14))
    assert store.take_over(expired, "r", why="", **spans) is None


def test_a_take_over_fences_and_happens_once(store, ledger):
    lock = _locking(store, ledger)
    lock = store.renew(lock, timedelta(seconds=-16))
    spans = {"ttl": MINUTE, "lock_delay": timedelta(seconds=15)}
    taken = store.take_over(lock, "recovery", why="dead", **spans)
    assert (taken.state, taken.epoch) == (LockState.RESTORING, lock.epoch + 1)
    assert (taken.lineage, taken.owner) == (lock.lineage, lock.owner)
    assert store.take_over(lock, "other", why="dead", **spans) is None
    with pytest.raises(LockLostError, match="taken over, under epoch 2"):
        ledger.intend(lock, REDUCE, _entry(), frozenset(), lease=MINUTE)
    assert ledger.list_open(lock.lineage) == []


def test_only_the_same_owner_adopts(store, ledger):
    lock = _locking(store, ledger)
    spans = {"ttl": MINUTE, "dirty": timedelta(seconds=15)}
    assert store.adopt(lock, Owner("run 2"), **spans) is None
    adopted = store.adopt(lock, Owner(OWNER.key, host="again"), **spans)
    assert (adopted.epoch, adopted.state) == (lock.epoch + 1, LockState.LOCKING)
    assert adopted.owner.host == "again"
    assert adopted.dirty_until > store.now()
    assert store.adopt(lock, OWNER, **spans) is None


@pytest.mark.trap("T2")
def test_an_intent_and_its_check_are_one_commit(store, ledger):
    lock = _locking(store, ledger)
    entry = _entry(touched=True, phase=Phase.REDUCING, base=frozenset({0}))
    number = ledger.intend(lock, REDUCE, entry, frozenset({0}), lease=MINUTE)
    (written,) = ledger.list_open(lock.lineage)
    assert (written.number, written.epoch) == (number, lock.epoch)
    assert written.intent == [{"id": 0, "name": "issue_view"}]
    assert ledger.list_roles(lock.lineage) == {3: entry}
    ledger.answered(lock, number, entry, lease=MINUTE)
    assert ledger.list_open(lock.lineage) == []
    assert ledger.list_unsettled(lock.lineage) == []


def test_an_unanswered_intent_marks_the_record(store, ledger):
    lock = _locking(store, ledger)
    number = ledger.intend(lock, REDUCE, _entry(), frozenset(), lease=MINUTE)
    ledger.unanswered(
        lock, number, lease=MINUTE, lock_delay=timedelta(seconds=15), why="x"
    )
    until = store.find(SERVER, TRACKER).dirty_until
    assert timedelta(seconds=10) < until - store.now() <= timedelta(seconds=15)
    assert len(ledger.list_unsettled(lock.lineage)) == 1


@pytest.mark.trap("T12")
def test_breaking_ends_every_right_of_the_holder(store, ledger):
    lock = _locking(store, ledger)
    broken = store.set_breaking(lock, by="carol", reason="stuck")
    assert (broken.breaking.by, broken.breaking.reason) == ("carol", "stuck")
    for act in (
        lambda: store.renew(lock, MINUTE),
        lambda: store.hold(lock, lease=MINUTE),
        lambda: ledger.intend(lock, REDUCE, _entry(), frozenset(), lease=MINUTE),
    ):
        with pytest.raises(LockLostError, match="carol is breaking it"):
            act()
    spans = {"ttl": MINUTE, "dirty": timedelta()}
    assert store.start_restoring(lock, **spans) is None
    assert store.resume_restoring(lock, OWNER, **spans) is None
    assert store.adopt(lock, OWNER, **spans) is None


def test_the_whole_way_and_its_history(store, ledger):
    lock = _locking(store, ledger)
    held = store.hold(lock, lease=MINUTE)
    assert store.lease_left(held) <= MINUTE
    restoring = store.start_restoring(held, ttl=MINUTE, dirty=timedelta())
    with pytest.raises(LockLostError):
        store.lease_left(held)
    freed = store.free(restoring, fingerprint={"lineage": held.lineage}, detail={})
    assert (freed.state, freed.owner) == (LockState.FREE, Owner(""))
    assert not freed.owner_died
    status = LockStatus(store)
    assert status.list_locks() == []
    assert status.find(SERVER, TRACKER) == freed
    events = status.history(SERVER, TRACKER)
    assert [event.kind for event in events] == [
        "grant",
        "journal",
        "snapshot",
        "hold",
        "restore",
        "restored_verified",
    ]
    assert {event.who for event in events} == {OWNER.key}


@pytest.mark.trap("T12", "T17")
def test_the_epoch_alone_is_not_enough(store, ledger):
    lock = replace(_locking(store, ledger), owner=Owner("run 2"))
    with pytest.raises(LockLostError, match="run 1 has it now"):
        store.renew(lock, MINUTE)
    assert store.start_restoring(lock, ttl=MINUTE, dirty=timedelta()) is None
    assert store.set_breaking(lock, by="carol", reason="x") is None


def test_a_restore_counts_only_once(store, ledger):
    held = store.hold(_locking(store, ledger), lease=MINUTE)
    restoring = store.start_restoring(held, ttl=MINUTE, dirty=timedelta())
    assert store.start_restoring(held, ttl=MINUTE, dirty=timedelta()) is None
    store.free(restoring, fingerprint={}, detail={})
    with pytest.raises(LockLostError, match="released"):
        store.free(restoring, fingerprint={}, detail={})


def _freed(store, ledger):
    lock = store.hold(_locking(store, ledger), lease=MINUTE)
    restoring = store.start_restoring(lock, ttl=MINUTE, dirty=timedelta())
    fingerprint = {"digest": "d", "lineage": lock.lineage}
    return store.free(restoring, fingerprint=fingerprint, detail={})


def _heal(store, seen, by="recovery"):
    return store.heal(
        seen,
        OWNER,
        lineage=seen.fingerprint["lineage"],
        ttl=MINUTE,
        detail={"requests": [1]},
        by=by,
    )


def test_a_free_tracker_is_healed_by_one_under_a_new_epoch(store, ledger):
    freed = _freed(store, ledger)
    healing = _heal(store, freed)
    assert (healing.state, healing.epoch) == (LockState.RESTORING, freed.epoch + 1)
    assert (healing.owner, healing.lineage) == (OWNER, freed.lineage)
    assert healing.lease_until > store.now()
    assert _heal(store, freed) is None
    (event,) = store.history.list_lineage(freed.lineage, "heal")
    assert (event.who, event.detail) == ("recovery", {"requests": [1]})


def test_many_heal_at_once_and_one_does(store, ledger):
    freed = _freed(store, ledger)
    got = []
    barrier = threading.Barrier(4)

    def try_it(number):
        barrier.wait()
        got.append(_heal(store, freed, by=f"recovery {number}"))

    threads = [threading.Thread(target=try_it, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lock for lock in got if lock is not None]) == 1
    assert len(store.history.list_lineage(freed.lineage, "heal")) == 1


def test_what_moved_on_or_was_accepted_is_not_healed(store, ledger):
    freed = _freed(store, ledger)
    granted = _grant(store, Owner("run 2"))
    assert _heal(store, freed) is None
    again = store.give_back(granted)
    assert _heal(store, freed) is None
    store.forget_fingerprint(again, by="admin", reason="meant")
    assert _heal(store, again) is None
    assert store.find(SERVER, TRACKER).state is LockState.FREE


def test_a_verdict_on_a_seat_grows_old(store):
    seat = Seat(SERVER, 1, RoleId(2), "generator")
    assert store.verdicts.find(seat, MINUTE) is None
    store.verdicts.remember(seat, ("a note",))
    assert store.verdicts.find(seat, MINUTE) == ("a note",)
    assert store.verdicts.find(seat, timedelta(seconds=-1)) is None
    store.verdicts.remember(seat, ())
    assert store.verdicts.find(seat, MINUTE) == ()
