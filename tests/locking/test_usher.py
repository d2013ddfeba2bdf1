"""A person moves who waits, or sends him away: on each store, and written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockStore, Owner, Ticket
from airflow_codebeamer.settings import LockSettings, StoreSettings

SERVER = "https://alm.example.com/cb"
ONE, TWO = TrackerId(7), TrackerId(8)
SETTINGS = LockSettings()


@pytest.fixture
def store(store_url: str, clock: ManualClock) -> Iterator[LockStore]:
    """Yield a store on each dialect whose time is ours."""
    database = Database(StoreSettings(url=store_url), clock=clock)
    yield LockStore(database)
    database.close()


def _wait(
    store: LockStore,
    clock: ManualClock,
    name: str,
    *trackers: TrackerId,
    asked: int = 0,
) -> Ticket:
    clock.advance(1)
    return store.queue.enqueue(
        SERVER, trackers or (ONE,), Owner(name), settings=SETTINGS, priority=asked
    )


def _order(store: LockStore, tracker: TrackerId = ONE) -> list[tuple[str, int]]:
    tickets = store.queue.list_tickets(SERVER, tracker)
    return [(ticket.owner.key, ticket.priority) for ticket in tickets]


def _reorder(
    store: LockStore, name: str, priority: int, tracker: TrackerId | None = None
) -> list[Ticket]:
    return store.queue.reorder(
        SERVER,
        name,
        tracker,
        priority=priority,
        settings=SETTINGS,
        by="carol (carol@here)",
        reason="the release waits",
    )


def test_who_is_moved_goes_first_and_it_is_written_down(
    store: LockStore, clock: ManualClock
) -> None:
    for name in ("a", "b", "c"):
        _wait(store, clock, name)
    (moved,) = _reorder(store, "c", 5)
    assert (moved.owner.key, moved.priority) == ("c", 5)
    assert _order(store) == [("c", 5), ("a", 0), ("b", 0)]
    (event,) = store.history.list_events(SERVER, ONE)
    assert (event.kind, event.who) == ("reordered", "carol (carol@here)")
    assert event.detail == {
        "owner": "c",
        "was": 0,
        "priority": 5,
        "reason": "the release waits",
    }
    # Back to where it was, to the second.
    _reorder(store, "c", 0)
    assert _order(store) == [("a", 0), ("b", 0), ("c", 0)]


def test_a_task_that_comes_back_keeps_what_a_person_made_of_it(
    store: LockStore, clock: ManualClock
) -> None:
    _wait(store, clock, "a", asked=1)
    _wait(store, clock, "b")
    _reorder(store, "b", 3)
    before = store.queue.list_tickets(SERVER)
    again = _wait(store, clock, "b")
    assert (again.priority, again.place) == (3, before[0].place)
    assert _order(store) == [("b", 3), ("a", 1)]
    # What it asks for anew counts on top.
    assert _wait(store, clock, "b", asked=-2).priority == 1
    assert _order(store) == [("a", 1), ("b", 1)]


def test_only_the_ticket_that_was_meant_is_moved(
    store: LockStore, clock: ManualClock
) -> None:
    _wait(store, clock, "a", ONE)
    _wait(store, clock, "a", TWO)
    _wait(store, clock, "b", ONE, TWO)
    _reorder(store, "a", 2, TWO)
    assert _order(store, ONE) == [("a", 0), ("b", 0)]
    assert _order(store, TWO) == [("a", 2), ("b", 0)]
    assert store.history.list_events(SERVER, ONE) == []
    _reorder(store, "b", 9)
    for tracker in (ONE, TWO):
        assert store.history.list_events(SERVER, tracker)[-1].detail["owner"] == "b"
    assert _reorder(store, "nobody", 1) == []


def test_who_sends_somebody_away_is_written_down(
    store: LockStore, clock: ManualClock
) -> None:
    _wait(store, clock, "a")
    _wait(store, clock, "b")
    store.queue.leave(SERVER, "a", by="carol (carol@here)")
    store.queue.leave(SERVER, "b")
    assert _order(store) == []
    (event,) = store.history.list_events(SERVER, ONE)
    assert (event.kind, event.who) == ("removed_from_queue", "carol (carol@here)")
