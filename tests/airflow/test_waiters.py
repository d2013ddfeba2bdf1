"""A thousand tasks wait in one triggerer: one poll for all, and everybody's turn."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from airflow_codebeamer.database import Database
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockStore, Owner
from airflow_codebeamer.settings import LockSettings
from airflow_codebeamer.triggers import LockEvent, TrackerLockTrigger, lock_event

SERVER = "http://codebeamer.example"
TRACKER = TrackerId(7)
WAITERS = 1000
POLL_SECONDS = 0.2
#: The statement that asks how tickets stand.
LOOK = "SELECT codebeamer_queue.ticket, codebeamer_queue.offer_until IS NOT NULL"


@pytest.fixture
def store(
    database: Database, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> LockStore:
    """Return the store, on each dialect, that the connection points to."""
    connection = {
        "conn_type": "codebeamer",
        "host": SERVER,
        "login": "generator",
        "password": "not asked for",
    }
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", store_url)
    return LockStore(database)


@dataclass
class Seen:
    """What the triggers of one triggerer did, and what they cost."""

    fired: list[int] = field(default_factory=list)
    events: dict[int, LockEvent] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    looks: list[frozenset[int]] = field(default_factory=list)
    begun: int = 0
    threads: int = 0
    longest_gap: float = 0.0

    @property
    def written(self) -> list[str]:
        return [text for text in self.statements if text.startswith("UPDATE")]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Yield a note of everything that is sent to any store meanwhile."""
    noted = Seen()

    def statement(_c: Any, _cursor: Any, text: str, given: Any, *_: Any) -> None:
        noted.statements.append(text)
        if text.startswith(LOOK):
            values = given.values() if isinstance(given, dict) else given
            noted.looks.append(frozenset(values))

    def begin(_: Any) -> None:
        noted.begun += 1

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "begin", begin)
    yield noted
    event.remove(Engine, "before_cursor_execute", statement)
    event.remove(Engine, "begin", begin)


def enqueue(store: LockStore, waiters: int) -> dict[int, str]:
    """Queue up so many runs; return their owners by ticket."""
    settings = LockSettings(offer_ttl=timedelta(minutes=30))
    names = [f"dag/run {number}" for number in range(waiters)]
    tickets = {}
    for number, name in enumerate(names):
        ticket = store.queue.enqueue(
            SERVER,
            [TRACKER],
            Owner(name),
            settings=settings,
            priority=number % 3,
            is_elsewhere=True,
        )
        tickets[ticket.number] = name
    return tickets


def trigger(ticket: int, **arguments: Any) -> TrackerLockTrigger:
    """Return a waiting trigger that went through Airflow's database."""
    given = {
        "tracker_id": int(TRACKER),
        "ticket": ticket,
        "poll_seconds": POLL_SECONDS,
        "deadline": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
        **arguments,
    }
    _, kwargs = TrackerLockTrigger(**given).serialize()
    return TrackerLockTrigger(**json.loads(json.dumps(kwargs)))


async def fire(waiting: TrackerLockTrigger, seen: Seen) -> None:
    async for one in waiting.run():
        assert waiting.ticket is not None
        seen.fired.append(waiting.ticket)
        seen.events[waiting.ticket] = lock_event(one.payload)


async def triggerer(tickets: list[int], seen: Seen, until: Any) -> None:
    """Run a trigger for each ticket until that coroutine is done; then die."""
    running = [asyncio.create_task(fire(trigger(one), seen)) for one in tickets]
    watch = asyncio.create_task(measure(seen))
    try:
        await until
    finally:
        for task in (*running, watch):
            task.cancel()
        ended = await asyncio.gather(*running, watch, return_exceptions=True)
    failed = [one for one in ended if isinstance(one, Exception)]
    assert failed == []


async def measure(seen: Seen) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        seen.longest_gap = max(seen.longest_gap, now - last)
        seen.threads = max(seen.threads, threading.active_count())
        last = now


def order(store: LockStore) -> list[int]:
    return [ticket.number for ticket in store.queue.list_tickets(SERVER)]


async def rounds(seen: Seen, number: int) -> None:
    wanted = seen.begun + number
    while seen.begun < wanted:
        await asyncio.sleep(0.02)


def serve(store: LockStore, name: str) -> None:
    """Do what the resumed task does, and release at once."""
    lock = store.grant(
        SERVER, TRACKER, Owner(name), reason="", lease=timedelta(minutes=1)
    )
    assert lock is not None, f"{name} had the offer"
    assert store.give_back(lock)


async def served(
    store: LockStore, owners: dict[int, str], seen: Seen, number: int
) -> None:
    """Let so many have their turn, each resumed when its trigger has fired."""
    done = len(seen.fired)
    for turn in range(done, done + number):
        while len(seen.fired) <= turn:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(serve, store, owners[seen.fired[turn]])


def hold(store: LockStore) -> Any:
    return store.grant(
        SERVER, TRACKER, Owner("holder"), reason="", lease=timedelta(hours=1)
    )


def test_a_thousand_waiters_share_one_poll(store: LockStore, seen: Seen) -> None:
    lock = hold(store)
    owners = enqueue(store, WAITERS)
    expected = order(store)
    assert len(expected) == WAITERS
    assert expected != sorted(expected), "priorities count"
    threads = threading.active_count()

    async def first_triggerer() -> None:
        seen.begun = 0
        await rounds(seen, 1)
        seen.statements.clear()
        began, begun = time.monotonic(), seen.begun
        await rounds(seen, 4)
        seconds = time.monotonic() - began
        transactions = seen.begun - begun
        assert len(seen.statements) <= 6 * transactions + 6, "as many as for one waiter"
        assert len(seen.written) <= 3, "of the leases that grow old, all in one"
        # One that looks, and one that writes if there is anything to write.
        assert transactions <= 2 * (seconds / (POLL_SECONDS * 0.8) + 1)
        assert seen.fired == []
        await asyncio.to_thread(store.give_back, lock)
        await served(store, owners, seen, 5)

    asyncio.run(triggerer(list(owners), seen, first_triggerer()))
    waiting = order(store)
    assert len(waiting) == WAITERS - 5, "a triggerer that dies takes nobody's place"
    left = {ticket: owners[ticket] for ticket in waiting}
    asyncio.run(triggerer(list(left), seen, served(store, owners, seen, 5)))
    offered = [t.number for t in store.queue.list_tickets() if t.offer_until]
    assert len(offered) <= 1
    assert seen.fired[:10] == expected[:10]
    assert {one.status for one in seen.events.values()} == {"reached"}
    assert seen.threads - threads <= 3, "the loop's own pool, not one for each"
    assert seen.longest_gap < 2.0, seen.longest_gap


def test_connections_to_one_server_and_store_share_one_poll(
    store: LockStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {
        "conn_type": "codebeamer",
        "host": f"{SERVER}/",
        "login": "somebody else",
        "password": "another one",
    }
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other))
    monkeypatch.setenv(
        "AIRFLOW_CONN_THIRD", json.dumps({**other, "host": f"{SERVER}/x"})
    )
    hold(store)
    names = ["codebeamer_default", "other", "codebeamer_default", "other"]
    tickets = list(enqueue(store, len(names)))

    async def looked_for(*names: str) -> set[frozenset[int]]:
        """Return the tickets of each look while triggers of these connections wait."""
        waiting = [
            asyncio.create_task(fire(trigger(ticket, codebeamer_conn_id=name), seen))
            for ticket, name in zip(tickets, names, strict=False)
        ]
        await rounds(seen, 8)
        seen.statements.clear()
        seen.looks.clear()
        await rounds(seen, 8)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert seen.written == [], "nothing changes, so nothing is written"
        return set(seen.looks)

    one, two, *_ = tickets
    assert asyncio.run(looked_for(*names)) == {frozenset(tickets)}
    apart = asyncio.run(looked_for("codebeamer_default", "third"))
    assert apart == {frozenset({one}), frozenset({two})}, "of another server"


def test_removed_ticket_ends_the_wait_and_is_worth_a_retry(
    store: LockStore, seen: Seen
) -> None:
    hold(store)
    (ticket,) = enqueue(store, 1)

    async def leave() -> None:
        await rounds(seen, 1)
        await asyncio.to_thread(store.queue.leave, SERVER, "dag/run 0")
        while not seen.events:
            await asyncio.sleep(0.01)

    asyncio.run(triggerer([ticket], seen, leave()))
    told = seen.events[ticket]
    assert (told.status, told.retry) == ("error", True)
    assert "its ticket was removed" in told.message


def test_wait_has_its_own_end_and_leaves_the_ticket(
    store: LockStore, seen: Seen
) -> None:
    hold(store)
    (ticket,) = enqueue(store, 1)
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    asyncio.run(fire(trigger(ticket, deadline=soon), seen))
    assert seen.events[ticket].status == "timeout"
    assert order(store) == [ticket]


def test_copies_of_one_trigger_all_say_so(store: LockStore, seen: Seen) -> None:
    (ticket,) = enqueue(store, 1)

    async def fired() -> None:
        while len(seen.fired) < 2:
            await asyncio.sleep(0.01)

    asyncio.run(triggerer([ticket, ticket], seen, fired()))
    assert seen.fired == [ticket, ticket]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_store_that_cannot_be_asked_ends_every_wait(
    store: LockStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = list(enqueue(store, 2))
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", "mongodb://locks")

    async def told() -> None:
        while len(seen.events) < 2:
            await asyncio.sleep(0.01)

    asyncio.run(triggerer(tickets, seen, told()))
    assert {(e.status, e.retry) for e in seen.events.values()} == {("error", False)}
