"""The seeded bugs: a change of our own code each, and the tests that must see it."""

from __future__ import annotations

from dataclasses import dataclass

RING = "tests/crash/test_ring.py::"
ROOM = "tests/locking/"


@dataclass(frozen=True)
class Change:
    """A text of one module, as it stands there exactly once, and what replaces it."""

    module: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A mistake that the protocol forbids; `of_model` is its name in the model."""

    name: str
    what: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    of_model: str = ""


BUGS = (
    Bug(
        "request first",
        "the request leaves before its intent is committed",
        (
            Change(
                "locking/rights/writing.py",
                """\
        number = self._intend(kind, entry, value)
        try:
            answer = self._parts.client.trackers.set_role_permissions(
                self.lock.tracker_id,
                entry.role_id,
                request_of(value, entry.names),
                before=partial(self._parts.deadlines.check, self.lock),
            )
""",
                """\
        try:
            try:
                answer = self._parts.client.trackers.set_role_permissions(
                    self.lock.tracker_id,
                    entry.role_id,
                    request_of(value, entry.names),
                    before=partial(self._parts.deadlines.check, self.lock),
                )
            finally:
                number = self._intend(kind, entry, value)
""",
            ),
        ),
        (f"{RING}test_a_crash_anywhere_and_then_recovery[2]",),
        "REQUEST_FIRST",
    ),
    Bug(
        "no fence",
        "nobody asks whether the lock is still his",
        (
            Change(
                "locking/records/transitions.py",
                """\
            *_AS_SEEN,
            lock_table.c.state.in_(bindparam("in_states", expanding=True)),
            *_is_good(now),
""",
                """\
            *_OF_TRACKER,
            lock_table.c.state != LockState.FREE.value,
""",
            ),
        ),
        (
            f"{ROOM}test_store.py::test_a_take_over_fences_and_happens_once[sqlite]",
            f"{RING}test_one_that_wakes_up_under_somebody_elses_lock_sends_nothing",
        ),
        "NO_FENCE",
    ),
    Bug(
        "break frees",
        "a break frees the record and leaves the permissions",
        (
            Change(
                "locking/records/marks.py",
                "            breaking_since=self._database.now,\n",
                "            breaking_since=self._database.now,\n"
                "            state=LockState.FREE.value,\n",
            ),
        ),
        (f"{ROOM}test_breaking.py::test_breaking_fences_waits_restores_and_frees",),
        "BREAK_FREES",
    ),
    Bug(
        "no lock delay",
        "a lock is taken over while requests of its holder are under way",
        (
            Change(
                "locking/records/transitions.py",
                "        seconds = lock_delay.total_seconds()\n",
                "        seconds = 0.0\n",
            ),
            Change(
                "locking/takeover.py",
                "lock.lease_until + self._settings.lock_delay > now",
                "lock.lease_until > now",
            ),
            Change(
                "locking/takeover.py",
                "lock.breaking.until + self._settings.lock_delay <= now",
                "lock.breaking.until <= now",
            ),
        ),
        (
            f"{ROOM}test_store.py::test_a_good_lease_is_not_taken_over[sqlite]",
            f"{ROOM}test_breaking.py::test_a_breaker_that_died_is_finished_by_recovery",
        ),
        "NO_LOCK_DELAY",
    ),
    Bug(
        "no amendment",
        "what an administrator grants while a role is reduced is not kept",
        (
            Change(
                "locking/rights/reducing.py",
                "original=entry.amended(fresh)",
                "original=entry.original",
            ),
        ),
        (
            f"{ROOM}test_reducing.py::"
            "test_a_grant_to_a_role_already_reduced_is_taken_and_comes_back",
        ),
        "NO_AMENDMENT",
    ),
    Bug(
        "moving base",
        "the base of the merge is the value that was sent last",
        (
            Change(
                "locking/rights/reducing.py",
                "original=entry.amended(fresh), ",
                "original=entry.amended(fresh), base=self._wanted(writer, role_id), ",
            ),
        ),
        (
            f"{ROOM}test_reducing.py::"
            "test_a_grant_to_a_role_already_reduced_is_taken_and_comes_back",
        ),
        "MOVING_BASE",
    ),
    Bug(
        "trusts silence",
        "a request without an answer is taken for done",
        (
            Change(
                "locking/rights/writing.py",
                """\
            self._lose(number, error)
            return False
""",
                """\
            roles = {**self.current.roles, entry.role_id: value}
            self.current = replace(self.current, roles=roles)
            self._settle(number, entry, value, self.current, is_first=False)
            return True
""",
            ),
            Change(
                "locking/rights/reducing.py",
                "            writer.read()\n            self._floors.accept(writer)\n",
                "            self._floors.accept(writer)\n",
            ),
        ),
        (f"{ROOM}test_reducing.py::test_one_lost_answer_of_each_request[reset]",),
        "TRUSTS_SILENCE",
    ),
    Bug(
        "new snapshot",
        "who goes on with a half-taken lock writes new originals down",
        (
            Change(
                "locking/rights/reducing.py",
                "        entries = self._parts.ledger.list_roles(self.lock.lineage)\n",
                """\
        for old in self._parts.ledger.list_roles(self.lock.lineage).values():
            if old.phase is not Phase.EXCLUSIVE:
                new = RoleEntry(
                    old.role_id,
                    old.name,
                    original=now.of_role(old.role_id),
                    names=old.names,
                )
                self._parts.ledger.keep(
                    self.lock, new, lease=self._parts.settings.ttl
                )
        entries = self._parts.ledger.list_roles(self.lock.lineage)
""",
            ),
        ),
        (f"{RING}test_a_crash_anywhere_and_then_the_same_owner_tries_again",),
        "NEW_SNAPSHOT",
    ),
    Bug(
        "stale snapshot",
        "what changed between the snapshot and a role's turn is not its original",
        (
            Change(
                "locking/rights/reducing.py",
                "original=fresh,",
                "original=entry.original,",
            ),
        ),
        (
            f"{ROOM}test_reducing.py::"
            "test_what_changed_between_snapshot_and_its_turn_is_the_original",
        ),
    ),
    Bug(
        "blind restore",
        "the originals are put back without a merge",
        (
            Change(
                "locking/roles.py",
                "return merge(self.original, self._base, current)",
                "return self.original",
            ),
        ),
        (
            f"{ROOM}test_restoring.py::"
            "test_edits_of_an_administrator_survive_and_are_told",
        ),
        "BLIND_RESTORE",
    ),
    Bug(
        "free first",
        "the record is freed before the restore",
        (
            Change(
                "locking/rights/restoring.py",
                """\
            writer = self._restore()
            self._free(writer, pulse)
""",
                """\
            from airflow_codebeamer.locking.permissions import request_of

            entries = self._parts.ledger.list_roles(self._lock.lineage)
            writer = RoleWriter(self._parts, self._lock, entries, Permissions({}))
            self._free(writer, pulse)
            for entry in entries.values():
                if entry.is_owed:
                    self._parts.client.trackers.set_role_permissions(
                        self._lock.tracker_id,
                        entry.role_id,
                        request_of(entry.original, entry.names),
                        before=self._guard,
                    )
""",
            ),
        ),
        (
            f"{ROOM}test_restoring.py::"
            "test_a_server_that_refuses_leaves_a_restore_owed[updatePermission]",
        ),
        "FREE_FIRST",
    ),
    Bug(
        "holds unfenced",
        "the lock is called held without asking whose it is",
        (
            Change(
                "locking/records/store.py",
                """\
            if held is None:
                raise lost(connection, lock)
            return held
""",
                """\
            if held is None:
                connection.execute(
                    lock_table.update()
                    .where(
                        lock_table.c.server == lock.server,
                        lock_table.c.tracker_id == lock.tracker_id,
                    )
                    .values(
                        state=LockState.HELD.value,
                        lease_until=self._moves.ahead(lease),
                    )
                )
                held = self.find(lock.server, lock.tracker_id)
            return held
""",
            ),
        ),
        (
            f"{ROOM}test_store.py::test_breaking_ends_every_right_of_the_holder[sqlite]",
            f"{RING}test_one_that_wakes_up_under_somebody_elses_lock_does_not_hold",
        ),
        "HOLDS_UNFENCED",
    ),
    Bug(
        "no drain",
        "the tracker is freed while a request may still land",
        (
            Change(
                "locking/rights/restoring.py",
                "            self._wait_for_late_requests()\n",
                "",
            ),
        ),
        (
            f"{ROOM}test_reducing.py::"
            "test_a_lost_answer_is_waited_out_before_the_tracker_is_free",
            f"{RING}test_a_request_lands_after_everything_else",
        ),
        "NO_DRAIN",
    ),
    Bug(
        "whole echo only",
        "a late request is not put right where somebody took more on top",
        (
            Change(
                "locking/rights/restoring.py",
                "locking.rights.late import given_late, list_late, taken_late\n",
                "locking.rights.late import "
                "explaining, given_late, list_late, taken_late\n",
            ),
            Change(
                "locking/rights/restoring.py",
                "return None if late == now else late",
                "is_whole = explaining(self._late, entry, now)\n"
                "            return late if late != now and is_whole else None",
            ),
        ),
        (
            f"{ROOM}test_echoes.py::"
            "test_an_edit_on_top_of_it_while_it_is_restored_costs_nobody_a_right",
        ),
        "WHOLE_ECHO_ONLY",
    ),
    Bug(
        "forgets old requests",
        "a new lock forgets the unanswered requests of the one before",
        (
            Change(
                "locking/rights/late.py",
                "    scopes = history.list_lineages(server, tracker_id, oldest)\n",
                "    scopes: set[Lineage] = set()\n",
            ),
        ),
        (
            f"{ROOM}test_echoes.py::"
            "test_a_request_that_lands_while_the_next_lock_restores",
        ),
        "FORGETS_OLD_REQUESTS",
    ),
    Bug(
        "no scrub",
        "recovery does not look for late requests on a free tracker",
        (
            Change(
                "locking/recovery.py",
                "                results.extend(self._scrub(lock, dry_run=dry_run))\n",
                "",
            ),
        ),
        (f"{RING}test_a_request_lands_when_the_tracker_is_long_free[late]",),
    ),
)
