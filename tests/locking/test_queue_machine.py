"""The queue under whatever order of comings, deaths and lateness: S11, S12, L3.

A machine that knows nothing of places: it keeps who came when with which priority,
and asks at each grant whether anybody who lives was passed that should not be.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, LockState, LockStore, Owner, Ticket
from airflow_codebeamer.settings import LockSettings, StoreSettings

TRACKERS = tuple(map(TrackerId, (1, 2, 3)))
SPANS = LockSettings(
    ageing=timedelta(seconds=20),
    offer_ttl=timedelta(seconds=40),
    waiter_ttl=timedelta(seconds=20),
    poll=timedelta(seconds=5),
)
AGEING = SPANS.ageing.total_seconds()
HOUR = timedelta(hours=1)


@dataclass
class Waiter:
    """What the machine knows of one who waits."""

    owner: Owner
    trackers: tuple[TrackerId, ...]
    priority: int
    came: float
    ticket: Ticket
    #: `there`: waits itself; `attended`: a trigger waits for it; `coming`: its
    #: trigger has fired and its task is on its way; `dead`.
    how: str = "there"
    seen: float = 0.0
    was_sent_back: bool = False

    def aged(self, now: float) -> float:
        """Return its priority with what its waiting counts."""
        return self.priority + (now - self.came) / AGEING


class Waiting(RuleBasedStateMachine):
    """Runs come for one to three trackers, wait in every way, and go."""

    store: LockStore
    clock: ManualClock
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.server = f"https://alm{next(self.numbers)}.example.com"
        self.waiters: dict[str, Waiter] = {}
        self.holding: dict[str, tuple[Lock, ...]] = {}
        self.came = itertools.count(1)

    @initialize()
    def begin(self) -> None:
        self.clock.advance(1)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    @rule(
        trackers=st.sets(st.sampled_from(TRACKERS), min_size=1),
        priority=st.integers(-1, 3),
        is_elsewhere=st.booleans(),
    )
    def come(self, trackers: set[TrackerId], priority: int, is_elsewhere: bool) -> None:
        if len(self.waiters) >= 7:
            return
        owner = Owner(f"run {next(self.came)}")
        ticket = self._enqueue(owner, tuple(trackers), priority)
        self.waiters[owner.key] = Waiter(
            owner,
            tuple(sorted(trackers)),
            priority,
            self.now,
            ticket,
            how="attended" if is_elsewhere else "there",
            seen=self.now,
        )
        self.clock.advance(0.01)

    @rule(trackers=st.sets(st.sampled_from(TRACKERS), min_size=1))
    def try_without_a_ticket(self, trackers: set[TrackerId]) -> None:
        waiter = Waiter(
            Owner(f"run {next(self.came)}"), tuple(trackers), 0, self.now, None
        )
        self._grant(waiter)

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """Let anybody try, whether it is his turn or not."""
        waiter = self._some(data, "there", "coming", "attended")
        if waiter is not None:
            self._try(waiter)

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self._release(data.draw(st.sampled_from(sorted(self.holding))))

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        waiter = self._some(data, "there", "coming", "attended")
        if waiter is not None:
            waiter.how = "dead"

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        waiter = self._some(data, "dead", "coming")
        if waiter is not None:
            again = self._enqueue(waiter.owner, waiter.trackers, waiter.priority)
            assert again.number == waiter.ticket.number, "his own ticket"
            waiter.how, waiter.seen = "there", self.now

    @rule(seconds=st.sampled_from((3, 15, 30, 90)))
    def pass_time(self, seconds: int) -> None:
        """Whoever lives is seen every ten seconds, as by a poll."""
        for _ in range(0, seconds, 10):
            self.clock.advance(min(10, seconds))
            self._attend()

    @invariant()
    def all_or_none(self) -> None:
        """S12: a holder has his whole set; who waits has nothing of what he wants."""
        held = {
            lock.tracker_id: lock.owner.key
            for lock in self.store.list_locks(self.server)
            if lock.state is not LockState.FREE
        }
        expected = {
            lock.tracker_id: name
            for name, locks in self.holding.items()
            for lock in locks
        }
        assert held == expected
        assert not set(self.holding) & set(self.waiters)

    def teardown(self) -> None:
        """L3: holders end, and everybody who lives gets it in the end."""
        living = [w for w in self.waiters.values() if w.how != "dead"]
        # Each dead one may be waited for once, each coming one is in time by then.
        for _ in range(20 * (len(self.waiters) + 1)):
            for name in list(self.holding):
                self._release(name)
            if not any(w.owner.key in self.waiters for w in living):
                return
            self.clock.advance(10)
            self._attend()
            for waiter in list(self.waiters.values()):
                if waiter.how in ("there", "coming"):
                    self._try(waiter)
        left = [w.owner.key for w in living if w.owner.key in self.waiters]
        assert not left, f"never served: {left}"

    def _enqueue(
        self, owner: Owner, trackers: tuple[TrackerId, ...], priority: int
    ) -> Ticket:
        return self.store.queue.enqueue(
            self.server, trackers, owner, settings=SPANS, priority=priority
        )

    def _some(self, data: st.DataObject, *how: str) -> Waiter | None:
        names = [name for name, one in self.waiters.items() if one.how in how]
        return self.waiters[data.draw(st.sampled_from(names))] if names else None

    def _attend(self) -> None:
        before = {t.number: t for t in self.store.queue.list_tickets(self.server)}
        for waiter in self.waiters.values():
            if waiter.how == "there":
                self.store.queue.stay(waiter.ticket, SPANS)
                waiter.seen = self.now
        attended = [w for w in self.waiters.values() if w.how == "attended"]
        numbers = [waiter.ticket.number for waiter in attended]
        standing = self.store.queue.attend(self.server, numbers, SPANS)
        for waiter in attended:
            waiter.seen = self.now
            if standing[waiter.ticket.number]:
                waiter.how = "coming"
        for ticket in self.store.queue.list_tickets(self.server):
            if ticket.number in before and ticket.missed < before[ticket.number].missed:
                assert before[ticket.number].missed == 2, (
                    "the third one costs the place"
                )
                self.waiters[ticket.owner.key].was_sent_back = True

    def _is_live(self, waiter: Waiter, share: float) -> bool:
        """Say whether a waiter was seen in that share of its lease, or has an offer.

        A look does not write before a third of the lease is gone, so two thirds are
        what a waiter may count on, and the whole is the longest that it blocks.
        """
        (ticket,) = [
            ticket
            for ticket in self.store.queue.list_tickets(self.server)
            if ticket.number == waiter.ticket.number
        ]
        offered = ticket.offer_until is not None and (
            ticket.offer_until > self.clock.now()
        )
        span = SPANS.waiter_ttl.total_seconds() * share
        return offered or self.now - waiter.seen < span

    def _try(self, waiter: Waiter) -> None:
        if self._grant(waiter):
            del self.waiters[waiter.owner.key]
        elif waiter.how == "coming":
            self._enqueue(waiter.owner, waiter.trackers, waiter.priority)
            waiter.how, waiter.seen = "there", self.now

    def _grant(self, waiter: Waiter) -> bool:
        others = [
            other
            for other in self.waiters.values()
            if other.owner != waiter.owner
            and set(other.trackers) & set(waiter.trackers)
        ]
        may_block = [other for other in others if self._is_live(other, 1)]
        must_count = [other for other in others if self._is_live(other, 2 / 3)]
        taken = {
            lock.tracker_id for locks in self.holding.values() for lock in locks
        } & set(waiter.trackers)
        locks = self.store.grant_all(
            self.server, waiter.trackers, waiter.owner, reason="", lease=HOUR
        )
        if not locks:
            ahead = [
                other
                for other in may_block
                if other.aged(self.now) >= waiter.aged(self.now) - 1e-6
                or waiter.was_sent_back
            ]
            assert taken or ahead, "free, nobody before him, and not his"
            return False
        assert not taken
        for other in must_count:
            self._is_fair(waiter, other)
        self.holding[waiter.owner.key] = locks
        return True

    def _is_fair(self, waiter: Waiter, other: Waiter) -> None:
        """S11: by aged priority, and who passes came within what his is worth."""
        if other.was_sent_back:
            return
        assert other.aged(self.now) <= waiter.aged(self.now) + 1e-6
        if other.came < waiter.came:
            worth = (waiter.priority - other.priority) * AGEING
            assert waiter.came - other.came <= worth + 1e-6

    def _release(self, name: str) -> None:
        for lock in self.holding.pop(name):
            assert self.store.give_back(lock)


@pytest.fixture
def machine() -> Iterator[type[Waiting]]:
    """Yield the machine on one store; each example is a server of its own in it."""
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock()
        url = f"sqlite:///{Path(folder) / 'store.db'}"
        database = Database(StoreSettings(url=url), clock=clock)  # type: ignore[arg-type]
        Waiting.store, Waiting.clock = LockStore(database), clock
        yield Waiting
        database.close()


def _run(machine: type[Waiting], examples: int, steps: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.trap("T27")
def test_order_sets_and_service(machine: type[Waiting]) -> None:
    # A failure is told as it was found: to make it short takes minutes.
    _run(machine, 25, 30, Phase.generate)


@pytest.mark.nightly
def test_order_sets_and_service_at_length(machine: type[Waiting]) -> None:
    _run(machine, 1500, 60, Phase.generate, Phase.shrink)
