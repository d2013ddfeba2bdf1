"""The lock as a machine: anybody may do anything at any moment, and time may jump.

Real engines of several processes, their store, the emulator in this process. A process
can crash, sleep or lose an answer at each of its commits and requests. After each step
the invariants of the protocol are asked, at the end that the tracker comes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from airflow_codebeamer.emulator import READ_ONLY
from airflow_codebeamer.errors import CodebeamerError, DatabaseError, LockLostError
from airflow_codebeamer.ids import Epoch
from airflow_codebeamer.locking import Lock, LockEngine, Owner, Recovery
from tests.schedules.ground import EDITS, BadError, Ground
from tests.schedules.process import CrashedError, Process

__all__ = ["Machine"]

OWNERS = st.sampled_from(["dag/run 1", "dag/run 2"])
SPANS = st.sampled_from([1, 10, 20, 50, 70, 120, 2000, 7200])
JUMPS = st.sampled_from([-600, -30, 30, 50, 600])
#: Rights are granted that nobody took, and only such revoked that the lock leaves: of
#: what it takes itself nobody can say afterwards what an administrator meant.
EDIT_KINDS = st.one_of(
    st.sampled_from(EDITS),
    st.builds(
        "grant {} to {}".format,
        st.sampled_from([5, 6, 9, 12, 13, 15, 17, 19]),
        st.integers(0, 3),
    ),
    st.builds("revoke {} of {}".format, st.sampled_from([2, 8, 10]), st.integers(0, 3)),
)
DEEDS = st.sampled_from(
    [
        "crash",
        "crash",
        "refused",
        "lost",
        "late 14",
        "late 10000",
        "late crash 14",
        "late crash 10000",
        "pause",
        *(f"edit {kind}" for kind in EDITS),
    ]
)
UNANSWERED = st.sampled_from([f"late {n}" for n in ("14", "crash 14", "10000")])
PLANS = st.one_of(
    st.just({}),
    st.dictionaries(st.integers(-6, 24), DEEDS, min_size=1, max_size=2),
    st.dictionaries(st.integers(-4, -1), UNANSWERED, min_size=1, max_size=1),
)
Row = dict[str, Any]
#: How far a janitor goes until a tracker has to be free.
_ROUNDS = 6
_MOST_ROLES = 8


@dataclass
class Holder:
    """A process that was given the lock, and may be wrong about having it."""

    engine: LockEngine
    process: Process
    lock: Lock
    #: How often the store's clock had jumped when it was given.
    jumps: int
    #: Whether another process of the same owner has renewed it since, for less long.
    is_cut: bool = False


class Machine(RuleBasedStateMachine):
    """One tracker and whoever wants it; `ground` is put back for each example."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.holders: list[Holder] = []
        #: What the process that made a lock held had seen of edits, by epoch.
        self.views: dict[int, int] = {}
        self.originals: dict[tuple[str, int], frozenset[int]] = {}
        self.owner = ("", 0)
        self.jumps = 0
        #: The record before and after each pause of the process that acts.
        self.pauses: list[tuple[Row, Row]] = []

    @initialize()
    def begin(self) -> None:
        self.ground.restore(self.ground.start)

    # Processes

    def _process(self, plan: dict[int, str]) -> Process:
        return Process(plan, edit=self._edit, meanwhile=self._meanwhile)

    def _edit(self, kind: str) -> bool:
        if kind == "new role" and len(self.ground.rights()) > _MOST_ROLES:
            return False
        return self.ground.edit(kind)

    def _meanwhile(self) -> None:
        """While somebody sleeps, another run has the tracker, if it can."""
        asleep, before = self.ground.process, self._row()
        self.ground.clock.sleep(7200)
        with suppress(CodebeamerError):
            self._acquire("dag/run 2", {})
            self._note_view(self._row())
        self.ground.process = asleep
        self.pauses.append((before, self._row()))

    def _does(self, plan: dict[int, str], act: Callable[[LockEngine], Any]) -> Any:
        """Let a process do something; a crash ends it, an error is told to nobody."""
        process = self._process(plan)
        engine = self.ground.engine(process)
        with suppress(CrashedError, CodebeamerError):
            return act(engine)
        return None

    def _acquire(self, owner: str, plan: dict[int, str]) -> None:
        process = self._process(plan)
        engine = self.ground.engine(process)
        lock = engine.acquire(self.ground.tracker, owner=Owner(owner))
        if not lock.is_mine or lock.owner.key != owner:
            raise BadError("a lock was given to somebody else")
        self.holders.append(Holder(engine, process, lock, self.jumps))

    @rule(owner=OWNERS, plan=PLANS)
    def acquire(self, owner: str, plan: dict[int, str]) -> None:
        with suppress(CrashedError, CodebeamerError):
            self._acquire(owner, plan)

    @rule(owner=OWNERS, plan=PLANS)
    def run(self, owner: str, plan: dict[int, str]) -> None:
        """Lock and release, as one process that may be disturbed all the way."""

        def act(engine: LockEngine) -> None:
            engine.acquire(self.ground.tracker, owner=Owner(owner))
            engine.release(self.ground.tracker, owner_key=owner)

        self._does(plan, act)

    @rule(owner=OWNERS)
    def reserve(self, owner: str) -> None:
        tracker = self.ground.tracker
        self._does({}, lambda e: e.reserve(tracker, owner=Owner(owner), reason="x"))

    @rule(owner=OWNERS, plan=PLANS)
    def release(self, owner: str, plan: dict[int, str]) -> None:
        self._does(plan, lambda e: e.release(self.ground.tracker, owner_key=owner))

    @rule(plan=PLANS)
    def janitor(self, plan: dict[int, str]) -> None:
        self._does(plan, lambda engine: Recovery(engine).recover())

    @rule(plan=PLANS)
    def break_lock(self, plan: dict[int, str]) -> None:
        tracker, seen = self.ground.tracker, Epoch(self._row()["epoch"])
        more = {"by": "root", "reason": "now", "expect_epoch": seen}
        self._does(plan, lambda engine: engine.break_lock(tracker, **more))

    # What must change nothing

    @rule(which=st.sampled_from(["old epoch", "stranger", "dry run"]))
    def nobody(self, which: str) -> None:
        """Do what must change nothing."""
        before, old = self._look(), Epoch(self.ground.epoch - 1)
        tracker = self.ground.tracker
        if which == "dry run":
            self._does({}, lambda engine: Recovery(engine).recover(dry_run=True))
        elif which == "stranger":
            self._does({}, lambda e: e.release(tracker, owner_key="dag/run 3"))
        else:
            more = {"by": "root", "reason": "late", "expect_epoch": old}
            self._does({}, lambda engine: engine.break_lock(tracker, **more))
        self._unchanged(before)

    # Whoever has, or had, the lock

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        holder = self._holder(data)
        before = self._look()
        try:
            holder.engine.renew(holder.lock)
        except (LockLostError, CrashedError):
            self._unchanged(before)
            return
        except DatabaseError:
            # Its answer was lost, or it never was: what is there says which.
            pass
        for other in self.holders:
            other.is_cut |= other is not holder and _is_same(other.lock, holder.lock)
        for found, left in self._turns(before):
            if found != left and (
                found["epoch"],
                found["owner_key"],
                found["state"],
            ) != (
                holder.lock.epoch,
                holder.lock.owner.key,
                "held",
            ):
                raise BadError(f"S10: {holder.lock} was renewed over {found}")

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        """Write an item as a generator does, if the guard lets it."""
        holder = self._holder(data)
        try:
            holder.engine.guard(holder.lock)
        except (CodebeamerError, CrashedError):
            self._still_lost(holder)
            return
        row = self._row()
        is_over = row["state"] != "held" or row["epoch"] != holder.lock.epoch
        is_others = is_over and row["epoch"] > holder.lock.epoch
        if is_others and not self._may_be_early(holder):
            raise BadError(f"S6: {holder.lock} is good under {row}")
        if not self.ground.write_item("generator"):
            raise BadError("S13: the generator's account may not write")

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def zombie_releases(self, data: st.DataObject) -> None:
        holder, before = self._holder(data), self._look()
        lock = holder.lock
        with suppress(CodebeamerError, CrashedError):
            holder.engine.release(
                lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch
            )
        for found, left in self._turns(before):
            is_newer = found is before and found["epoch"] > lock.epoch
            # A restore may be finished by whoever is of that owner.
            is_newer = is_newer and found["state"] != "restoring"
            if found["owner_key"] != lock.owner.key or is_newer:
                self._same(found, left)

    @staticmethod
    def _still_lost(holder: Holder) -> None:
        with suppress(CodebeamerError, CrashedError):
            holder.engine.guard(holder.lock)
            raise BadError("S6: a lost lock is good again")

    def _holder(self, data: st.DataObject) -> Holder:
        holder = data.draw(st.sampled_from(self.holders))
        self.ground.process = holder.process
        return holder

    def _may_be_early(self, holder: Holder) -> bool:
        """Whether a lock may have gone over while its holder could not know.

        Its own release, a break, and a store whose clock jumps by more than a `ttl`.
        Of two processes of one owner the last renewal counts, and may be the shorter.
        """
        kinds = "('restore', 'breaking', 'give_back', 'adopt')"
        told = self.ground.store.ask(
            "SELECT count(*) FROM codebeamer_event "
            f"WHERE kind IN {kinds} AND epoch >= {holder.lock.epoch}"
        )
        return bool(told[0][0]) or self.jumps != holder.jumps or holder.is_cut

    # Everybody else

    @rule(kind=EDIT_KINDS)
    def edit(self, kind: str) -> None:
        self._edit(kind)

    @precondition(lambda self: self.ground.state() in ("held", "restoring"))
    @rule(kind=EDIT_KINDS)
    def edit_under_the_lock(self, kind: str) -> None:
        self._edit(kind)

    @rule(seconds=SPANS)
    def time_passes(self, seconds: int) -> None:
        self.ground.clock.sleep(seconds)

    @rule(seconds=JUMPS)
    def store_clock_jumps(self, seconds: int) -> None:
        self.ground.store_clock.jumped += seconds
        self.jumps += 1

    @rule()
    def person_writes(self) -> None:
        """Somebody in the last writing role adds an item."""
        before = self._row()
        role = self.ground.writers[-1]
        could = self.ground.write_item("alice")
        if could and self._is_held(before) and not self._may_write(role, before):
            raise BadError("S2: a person wrote under the lock")

    # What must be true

    def _look(self) -> Row:
        """Return the record that a process finds which may have to leave it alone."""
        self.pauses.clear()
        return self._row()

    def _turns(self, before: Row) -> Iterator[tuple[Row, Row]]:
        """Yield the record before and after each time that nobody but it acted."""
        for asleep, awake in self.pauses:
            yield before, asleep
            before = awake
        yield before, self._row()

    def _row(self) -> Row:
        names = "epoch, state, owner_key, lease_until, breaking_by, lineage, lease_seq"
        rows = self.ground.store.ask(f"SELECT {names} FROM codebeamer_lock")
        values = rows[0] if rows else (0, "free", "", None, None, None, 0)
        return dict(zip(names.split(", "), values, strict=True))

    def _unchanged(self, before: Row) -> None:
        """S10: it changed nothing itself; what others did while it slept is theirs."""
        for found, left in self._turns(before):
            self._same(found, left)

    @staticmethod
    def _same(found: Row, left: Row) -> None:
        if left != found and found["epoch"]:
            raise BadError(f"S10: {found} became {left}")

    def _note_view(self, row: Row) -> None:
        """Note what of the edits the process had seen that has just got the lock."""
        if row["state"] == "held":
            self.views.setdefault(row["epoch"], self.ground.process.view)

    def _is_held(self, row: Row) -> bool:
        """Whether the lock is good, and no late request may undo what it did."""
        ground = self.ground
        now = ground.store_clock.now().timestamp()
        # The lock delay is waited for by the store's clock.
        is_loose = ground.has_very_late or (
            ground.has_late and ground.store_clock.jumped != 0
        )
        return bool(
            row["state"] == "held"
            and row["lease_until"] > now
            and row["breaking_by"] is None
            and not is_loose
        )

    def _may_write(self, role: int, row: Row) -> bool:
        """Whether somebody granted it since the last look of who took the lock."""
        edited = self.ground.truth.edited.get(role, -1)
        return edited > self.views.get(row["epoch"], -1)

    @invariant()
    def holds(self) -> None:
        row, ground = self._row(), self.ground
        ground.check_epoch()
        is_other = "" != row["owner_key"] != self.owner[0] != ""
        if is_other and row["epoch"] <= self.owner[1]:
            raise BadError(f"S1: {row} after {self.owner}")
        if row["owner_key"]:
            self.owner = (row["owner_key"], row["epoch"])
        self._note_view(row)
        if self._is_held(row):
            for role, has in ground.rights().items():
                is_free = role == ground.exempt or self._may_write(role, row)
                if not is_free and not has <= READ_ONLY:
                    raise BadError(f"S2: role {role} has {sorted(has)} under {row}")
        if row["state"] == "free" and not ground.has_late:
            ground.check_free()
        if ground.rights()[ground.exempt] != ground.truth.original[ground.exempt]:
            raise BadError("S13: the exclusive role is not what it was")

    @invariant()
    def originals_only_grow(self) -> None:
        question = (
            "SELECT lineage, role_id, original FROM codebeamer_role_journal "
            "WHERE touched"
        )
        for lineage, role, text in self.ground.store.ask(question):
            now = frozenset(one["id"] for one in json.loads(text))
            if not self.originals.get((lineage, role), now) <= now:
                raise BadError(f"S3: an original of role {role} shrank")
            self.originals[(lineage, role)] = now

    def teardown(self) -> None:
        """L1: faults stop, recovery goes round, and all is as it must be."""
        ground = self.ground
        ground.land_all()
        for _ in range(_ROUNDS):
            ground.clock.sleep(timedelta(hours=2).total_seconds())
            Recovery(ground.engine(Process())).recover()
            if ground.state() == "free" and not ground.has_late:
                break
        ground.check_end()


def _is_same(one: Lock, other: Lock) -> bool:
    return (one.owner.key, one.epoch) == (other.owner.key, other.epoch)
