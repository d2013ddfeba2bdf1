"""The queue on each kind of store: whose turn it is, and what a ticket survives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import LockHeldError, TicketRemovedError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, LockStore, Owner, Ticket
from airflow_codebeamer.settings import LockSettings, StoreSettings
from tests.locking.conftest import Bench

SERVER = "https://alm.example.com/cb"
ONE, TWO = TrackerId(7), TrackerId(8)
SETTINGS = LockSettings()
MINUTE = timedelta(minutes=1)
HOLDER = Owner("holder")


@pytest.fixture
def store(store_url: str, clock: ManualClock) -> Iterator[LockStore]:
    """Yield a store on each dialect whose time is ours."""
    database = Database(StoreSettings(url=store_url), clock=clock)
    yield LockStore(database)
    database.close()


def grant(
    store: LockStore, name: str, tracker: TrackerId = ONE, priority: int = 0
) -> Lock | None:
    return store.grant(
        SERVER,
        tracker,
        Owner(name),
        reason="",
        lease=timedelta(hours=1),
        head_start=priority * SETTINGS.ageing,
    )


def enqueue(
    store: LockStore, name: str, *trackers: TrackerId, priority: int = 0
) -> Ticket:
    return store.queue.enqueue(
        SERVER, trackers or (ONE,), Owner(name), settings=SETTINGS, priority=priority
    )


def free(store: LockStore, lock: Lock | None) -> None:
    assert lock is not None
    assert store.give_back(lock)


def attend(store: LockStore, *tickets: Ticket) -> list[bool | None]:
    numbers = [ticket.number for ticket in tickets]
    standing = store.queue.attend(SERVER, numbers, SETTINGS)
    return [standing.get(number) for number in numbers]


def order(store: LockStore) -> list[str]:
    return [ticket.owner.key for ticket in store.queue.list_tickets(SERVER)]


def test_first_come_first_served(store: LockStore) -> None:
    lock = grant(store, "holder")
    for name in ("a", "b", "c"):
        enqueue(store, name)
    assert grant(store, "b") is None
    free(store, lock)
    for name in ("a", "b", "c"):
        others = {"a", "b", "c"} - {name}
        assert not any(grant(store, other) for other in others if other in order(store))
        free(store, grant(store, name))
    assert order(store) == []


def test_one_who_comes_later_does_not_pass_those_who_wait(store: LockStore) -> None:
    free(store, grant(store, "holder"))
    enqueue(store, "a")
    assert grant(store, "late") is None
    assert grant(store, "late", TWO) is not None, "another tracker is no business of a"
    assert grant(store, "a") is not None


def test_priority_passes_and_ageing_ends_that(
    store: LockStore, clock: ManualClock
) -> None:
    low = enqueue(store, "low")
    clock.advance(299)
    store.queue.stay(low, SETTINGS)
    enqueue(store, "urgent", priority=1)
    assert order(store) == ["urgent", "low"]
    clock.advance(2)
    store.queue.stay(low, SETTINGS)
    enqueue(store, "too late", priority=1)
    assert order(store) == ["urgent", "low", "too late"]
    assert grant(store, "newcomer", priority=1) is None
    assert grant(store, "newcomer", priority=2) is not None, "worth ten minutes"


def test_same_owner_finds_his_ticket_and_keeps_his_place(
    store: LockStore, clock: ManualClock
) -> None:
    first = enqueue(store, "a")
    enqueue(store, "b")
    clock.advance(3600)
    again = enqueue(store, "a")
    assert (again.number, again.enqueued_at) == (first.number, first.enqueued_at)
    assert order(store) == ["a", "b"]
    moved = enqueue(store, "a", priority=-1)
    assert moved.place == first.place + SETTINGS.ageing.total_seconds()
    assert order(store) == ["b", "a"]
    assert enqueue(store, "a", ONE, TWO).number != first.number, "another set"


@pytest.mark.trap("T27")
def test_dead_waiter_blocks_nobody_and_keeps_his_place(
    store: LockStore, clock: ManualClock
) -> None:
    dead = enqueue(store, "dead")
    clock.advance(29)
    second = enqueue(store, "b")
    assert grant(store, "b") is None
    clock.advance(2)
    assert not store.queue.list_tickets(SERVER)[0].is_live
    lock = grant(store, "b")
    free(store, lock)
    assert second.number not in [t.number for t in store.queue.list_tickets()]
    assert store.queue.stay(dead, SETTINGS) is True
    assert grant(store, "c") is None, "he is back, at his old place"


def test_who_rests_blocks_nobody(store: LockStore) -> None:
    ticket = enqueue(store, "a")
    store.queue.rest(ticket)
    assert grant(store, "b") is not None
    assert order(store) == ["a"]


def test_ticket_for_two_waits_for_both_and_holds_none(store: LockStore) -> None:
    held = grant(store, "holder", TWO)
    both = enqueue(store, "both", ONE, TWO)
    enqueue(store, "single")
    assert attend(store, both) == [False]
    assert grant(store, "single") is None, "the ticket for both comes first"
    free(store, held)
    assert attend(store, both) == [True]
    turn = store.queue.is_turn(SERVER, (ONE, TWO), "both", head_start=timedelta())
    assert turn is True


def test_holder_does_not_wait_behind_one_who_waits_for_him(store: LockStore) -> None:
    """A run with two locks, one within the other, and another that wants both."""
    assert grant(store, "nested", ONE) is not None
    both = enqueue(store, "both", ONE, TWO)
    single = enqueue(store, "single", TWO)
    assert grant(store, "late", TWO) is None
    inner = enqueue(store, "nested", TWO)
    assert attend(store, both, single, inner) == [False, False, True]
    assert store.queue.stay(inner, SETTINGS)
    assert grant(store, "nested", TWO) is not None


def test_offer_is_made_to_the_first_alone_and_once(
    store: LockStore, clock: ManualClock
) -> None:
    lock = grant(store, "holder")
    waiting = [enqueue(store, name) for name in ("a", "b", "c")]
    assert attend(store, *waiting) == [False, False, False]
    free(store, lock)
    assert attend(store, *waiting) == [True, False, False]
    clock.advance(100)
    assert attend(store, *waiting) == [True, False, False]
    assert grant(store, "b") is None
    assert grant(store, "a") is not None
    assert attend(store, *waiting) == [None, False, False]


@pytest.mark.trap("T27")
def test_missed_offer_passes_on_and_the_third_costs_the_place(
    store: LockStore, clock: ManualClock
) -> None:
    """Nobody attends to the first any more: his task is on its way, and slow."""
    slow, other = enqueue(store, "slow"), enqueue(store, "other")
    for missed in (1, 2):
        assert attend(store, slow, other) == [True, False]
        clock.advance(119)
        assert attend(store, other) == [False], "the offer still stands"
        clock.advance(2)
        assert attend(store, other) == [True], "and passes on when it is over"
        assert order(store) == ["slow", "other"], "the place is kept"
        assert store.queue.list_tickets()[0].missed == missed
        free(store, grant(store, "other"))
        other = enqueue(store, "other")
    assert attend(store, slow, other) == [True, False]
    clock.advance(121)
    assert attend(store, other, slow) == [True, False]
    assert order(store) == ["other", "slow"]
    assert store.queue.list_tickets()[1].missed == 0


def test_late_claim_is_good_if_nobody_else_took_it(
    store: LockStore, clock: ManualClock
) -> None:
    slow, other = enqueue(store, "slow"), enqueue(store, "other")
    attend(store, slow)
    clock.advance(200)
    assert attend(store, other) == [True]
    assert grant(store, "slow") is not None, "his place is before the other's"
    assert attend(store, other) == [True], "an offer is a word, the grant decides"
    assert grant(store, "other") is None


def test_offer_also_for_what_may_be_taken_over(
    store: LockStore, clock: ManualClock
) -> None:
    grant(store, "dying")
    waiting = enqueue(store, "a"), enqueue(store, "b")
    clock.advance(3600 + 14)
    assert attend(store, *waiting) == [False, False]
    clock.advance(2)
    assert attend(store, *waiting) == [True, False]


def test_removed_ticket_is_told(store: LockStore) -> None:
    ticket = enqueue(store, "a")
    (left,) = store.queue.leave(SERVER, "a", ONE)
    assert left.number == ticket.number
    assert store.queue.leave(SERVER, "a") == []
    assert attend(store, ticket) == [None]
    with pytest.raises(TicketRemovedError, match="tracker 7"):
        store.queue.stay(ticket, SETTINGS)


def test_forgotten_ticket_is_dropped_after_a_day(
    store: LockStore, clock: ManualClock
) -> None:
    enqueue(store, "a")
    clock.advance(86_399)
    enqueue(store, "b")
    assert order(store) == ["a", "b"]
    clock.advance(2)
    enqueue(store, "b")
    assert order(store) == ["b"]


def test_many_at_once_are_served_in_their_order(database: Database) -> None:
    """Threads that all wait: each grant is the first living ticket's."""
    store = LockStore(database)
    lock = grant(store, "holder")
    names = [f"waiter {number}" for number in range(6)]
    tickets = {name: enqueue(store, name) for name in names}
    served: list[str] = []
    failed: list[BaseException] = []

    def wait(name: str) -> None:
        try:
            while not (mine := grant(store, name)):
                store.queue.stay(tickets[name], SETTINGS)
            served.append(name)
            free(store, mine)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=wait, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    free(store, lock)
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert served == names


def statements(database: Database) -> list[str]:
    """Return a list that fills with what is sent to the store from now on."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    def begun(_: object) -> None:
        sent.append("begin")

    with database.read() as looking:
        engines = {looking.engine}
    with database.begin() as writing:
        engines.add(writing.engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "begin", begun)
    return sent


def test_without_contention_a_grant_is_one_transaction(database: Database) -> None:
    store = LockStore(database)
    sent = statements(database)
    assert grant(store, "a") is not None
    assert sent.count("begin") == 1
    assert not any("INSERT INTO codebeamer_queue" in one for one in sent)


def test_engine_waits_its_turn(bench: Bench, owner: Owner, other: Owner) -> None:
    """One who waits longer goes first, although the other asks when it is free."""
    first = bench.engine()
    ticket = first.enqueue(bench.tracker, owner=owner, reason="nightly import")
    bench.server.clear_calls()
    with pytest.raises(LockHeldError, match="is free, and kept for dag/run 1") as error:
        bench.engine().acquire(bench.tracker, owner=other)
    assert error.value.is_kept
    assert "nightly import" in str(error.value)
    assert first.parts.store.queue.list_tickets() == [ticket], "no wait, no ticket"
    assert not first.reserve(bench.tracker, owner=other, reason="").is_mine
    assert first.acquire(bench.tracker, owner=owner).is_mine
    assert first.parts.store.queue.list_tickets() == []


def test_waiting_engine_sends_nothing_while_others_go_before(
    bench: Bench, owner: Owner, other: Owner
) -> None:
    engine = bench.engine()
    queue = engine.parts.store.queue
    ticket = engine.enqueue(bench.tracker, owner=owner)
    attended = queue.attend(bench.server.url, [ticket.number], SETTINGS)
    assert attended == {ticket.number: True}
    bench.server.clear_calls()
    with pytest.raises(LockHeldError):
        engine.acquire(bench.tracker, owner=other, wait_for=MINUTE)
    looks = bench.operations("getTracker")
    mine, theirs = queue.list_tickets()
    assert (mine.is_live, theirs.is_live) == (True, False), "who gave up blocks nobody"
    assert len(looks) == 1, "one preflight, whatever the number of looks"
    lock = engine.acquire(bench.tracker, owner=other, wait_for=3 * MINUTE)
    assert lock.is_mine, "the offer is over, nobody came"
    assert queue.list_tickets()[0].missed == 1


def test_removed_ticket_ends_the_wait(bench: Bench, owner: Owner, other: Owner) -> None:
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    queue = engine.parts.store.queue

    class Removing(ManualClock):
        def sleep(self, seconds: float) -> None:
            queue.leave(None, other.key)

    bench.clock = Removing()
    with pytest.raises(TicketRemovedError):
        bench.engine().acquire(bench.tracker, owner=other, wait_for=MINUTE)


@contextmanager
def written() -> Iterator[list[str]]:
    """Yield what is written to any store meanwhile."""
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not text.lstrip().upper().startswith(("SELECT", "BEGIN", "SET", "PRAGMA")):
            statements.append(text)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_waiters_write_when_a_third_of_their_lease_is_gone_and_not_before(
    store: LockStore, clock: ManualClock
) -> None:
    lock = grant(store, "holder")
    tickets = [enqueue(store, name) for name in ("a", "b", "c")]
    with written() as statements:
        for _ in range(60):
            clock.advance(1)
            assert attend(store, *tickets) == [False, False, False]
            assert all(ticket.is_live for ticket in store.queue.list_tickets())
    renewed = [text for text in statements if "seen_at=" in text]
    # Missed offers, leases, offers due: three statements each ten seconds.
    assert (len(statements), len(renewed)) == (18, 6)
    free(store, lock)
    with written() as statements:
        assert attend(store, *tickets) == [True, False, False], "at once"
        assert attend(store, *tickets) == [True, False, False]
    assert len(statements) == 3, "and once"


def test_one_who_waits_himself_writes_as_seldom(
    store: LockStore, clock: ManualClock
) -> None:
    grant(store, "holder")
    first, second = enqueue(store, "a"), enqueue(store, "b")
    with written() as statements:
        for _ in range(30):
            clock.advance(1)
            assert store.queue.stay(first, SETTINGS)
            assert not store.queue.stay(second, SETTINGS)
    assert len([text for text in statements if "seen_at=" in text]) == 6


def test_ticket_that_nobody_attended_to_yet_lives_as_long_as_others_then(
    store: LockStore, clock: ManualClock
) -> None:
    grant(store, "holder")
    ticket = store.queue.enqueue(
        SERVER, [ONE], Owner("a"), settings=SETTINGS, is_elsewhere=True
    )
    attend(store, ticket)
    clock.advance(31)
    assert not store.queue.list_tickets()[0].is_live, "its triggerer died at once"
