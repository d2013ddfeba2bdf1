"""From a lock in any state back to a free tracker with its own permissions.

Also what recovery and a forced release do: the journal decides, not who reads
it. Each role is merged three ways, so edits of others survive and a repeated
restore changes nothing. `free` is the last write, after everything was read
back and every request without an answer was waited out
(docs/explanation/locking.md, rules 4 and 6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from airflow_codebeamer.errors import (
    ApiError,
    CodebeamerError,
    DatabaseError,
    LockLostError,
    NotFoundError,
    QuarantinedError,
    RestorePendingError,
    Retry,
)
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.journal import Entry
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import NOTHING, Permissions, Rights
from airflow_codebeamer.locking.pulse import Pulse
from airflow_codebeamer.locking.quarantine import QUARANTINED
from airflow_codebeamer.locking.records.ledger import RESTORE
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.aftermath import Aftermath
from airflow_codebeamer.locking.rights.doubts import Doubts
from airflow_codebeamer.locking.rights.late import given_late, list_late, taken_late
from airflow_codebeamer.locking.rights.policies import is_waiting, wanted_of
from airflow_codebeamer.locking.rights.questions import ask, named_as_now
from airflow_codebeamer.locking.rights.turning import fence_writer
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["Restoring"]

#: Requests for one role before a person has to look.
_TRIES = 3


class Restoring:
    """Takes one lock in state `restoring` to `free`.

    Stays in `restoring` with a lease that runs out, for recovery or the next
    release to go on, whenever the server does not let it finish.
    """

    def __init__(self, parts: Parts, lock: Lock, *, by: str = "") -> None:
        self._parts = parts
        self._lock = lock
        self._by = by or lock.owner.key
        self._said = Aftermath(parts, lock, by=self._by)
        self._doubts = Doubts(parts, lock, by=self._by)
        self._sent: Counter[RoleId] = Counter()
        self._has_read = False
        self._late: list[Entry] = []

    def run(self) -> ReleaseReport:
        """Undo open runs, put permissions back, verify, free.

        Raises:
            RestorePendingError: not all is back yet; names each role.
            LockLostError: somebody else goes on with it; nothing more was sent.
        """
        began = self._parts.client.requests_made
        pulse = Pulse(self._parts)
        sent = self._parts.deadlines.now()
        self._lock = self._parts.store.renew(self._lock, self._parts.settings.ttl)
        self._parts.deadlines.note(self._lock, sent, self._parts.settings.ttl)
        pulse.start(self._lock)
        try:
            fence_writer(self._parts, self._lock)
            self._undo()
            writer = self._restore()
            self._free(writer, pulse)
        except LockLostError:
            raise
        except DatabaseError:
            self._let_go(pulse)
            raise
        except RestorePendingError as pending:
            self._record_pending(pending)
            self._let_go(pulse)
            raise
        except CodebeamerError as error:
            owed = self._pending(error)
            self._record_pending(owed)
            self._let_go(pulse)
            raise owed from error
        finally:
            pulse.stop()
        self._parts.deadlines.drop(self._lock)
        return self._said.report(writer, self._parts.client.requests_made - began)

    def _undo(self) -> None:
        """Roll open runs back; only what may pass by itself stops the release."""
        if self._parts.undo is None:
            return
        try:
            report = self._parts.undo(self._lock, self._guard)
        except (LockLostError, QuarantinedError):
            raise
        except CodebeamerError as error:
            if error.retry is not Retry.NEVER:
                raise
            self._not_undone((str(error),))
        except Exception as error:
            # A fault in the undo must not keep the tracker from everybody.
            self._not_undone((f"{type(error).__name__}: {error}",))
        else:
            self._said.undone = tuple(report.undone)
            if report.left:
                self._not_undone(tuple(report.left))

    def _not_undone(self, left: tuple[str, ...]) -> None:
        self._said.not_undone = left
        self._parts.history.record(
            self._lock, "not_undone", {"left": list(left)}, who=self._by
        )

    def _guard(self) -> None:
        self._parts.deadlines.check(self._lock)

    def _restore(self) -> RoleWriter:
        self._said.policy = self._policy()
        entries = self._parts.ledger.list_roles(self._lock.lineage)
        self._late = list_late(
            self._parts, self._lock.tracker_id, self._lock.lineage, with_healed=True
        )
        is_owed = any(entry.is_owed for entry in entries.values())
        if not (self._late or is_owed or self._said.policy == "exact"):
            # Nothing was ever sent: no request is needed to know what is true.
            return RoleWriter(self._parts, self._lock, entries, Permissions({}))
        writer = RoleWriter(self._parts, self._lock, entries, Permissions({}))
        self._read(writer)
        while True:
            for role_id in sorted(entries):
                self._restore_role(writer, role_id)
            self._wait_for_late_requests()
            self._read(writer)
            if not any(self._wanted(writer, role) is not None for role in entries):
                self._said.compare(writer)
                self._keep_what_is_left(writer)
                ask(self._parts, self._lock, writer, self._said)
                return writer

    def _read(self, writer: RoleWriter) -> None:
        writer.read()
        self._has_read = True
        named_as_now(self._parts, self._lock, writer)

    def _policy(self) -> str:
        """Return what goes for changes of others: before it was held, to merge them.

        What the server made of our own requests is known for sure only then.
        """
        policy = self._lock.restore_policy
        if policy == "merge":
            return policy
        held = self._parts.history.find_event(self._lock.lineage, "hold")
        return "merge" if held is None else policy

    def _restore_role(self, writer: RoleWriter, role_id: RoleId) -> None:
        while True:
            wanted = self._wanted(writer, role_id)
            if wanted is None:
                return
            entry = writer.entries[role_id]
            if self._sent[role_id] >= _TRIES:
                still = self._said.lacks(writer, entry, wanted, _TRIES)
                raise RestorePendingError(self._lock.tracker_id, [still])
            self._sent[role_id] += 1
            now = writer.current.of_role(role_id)
            self._doubts.note(self._late, entry, now, wanted)
            self._said.note(writer, entry, wanted)
            if not entry.touched and self._said.policy == "exact":
                # No other policy writes a role that the lock left alone.
                entry = replace(entry, touched=True, base=entry.original)
            entry = replace(entry, merged=wanted, phase=Phase.RESTORING)
            try:
                writer.send(RESTORE, entry, wanted)
            except NotFoundError:
                self._check_gone(writer, role_id)
                return
            self._said.restored[role_id] = entry.name

    def _wanted(self, writer: RoleWriter, role_id: RoleId) -> Rights | None:
        """Return what a role must get, None if it is as it must be."""
        entry, now = writer.entries[role_id], writer.current.of_role(role_id)
        if entry.phase is Phase.GONE:
            return None
        is_ours = entry.touched or self._is_put_back(entry, now)
        if not is_ours or entry.phase is Phase.RESTORED:
            # It was all back, or never taken: what a late request of ours does not
            # take or give is somebody else's edit.
            late = now | taken_late(self._late, entry, now)
            late -= given_late(self._late, entry, now)
            return None if late == now else late
        wanted = wanted_of(entry, now, self._said.policy)
        return None if wanted == now else wanted

    def _is_put_back(self, entry: RoleEntry, now: Rights) -> bool:
        """Return whether `exact` puts a role back that the lock left alone."""
        is_exact = self._said.policy == "exact" and not entry.renamed
        return is_exact and entry.phase is not Phase.EXCLUSIVE and now != entry.original

    def _wait_for_late_requests(self) -> None:
        """Wait until no request without an answer can take effect any more."""
        store, settings = self._parts.store, self._parts.settings
        while True:
            found = store.find(self._lock.server, self._lock.tracker_id)
            until = found.dirty_until if found is not None else None
            left = (until - store.now()).total_seconds() if until else 0.0
            if left <= 0:
                return
            self._parts.clock.sleep(min(left, settings.beat.total_seconds()))
            sent = self._parts.deadlines.now()
            store.renew(self._lock, settings.ttl)
            self._parts.deadlines.note(self._lock, sent, settings.ttl)

    def _check_gone(self, writer: RoleWriter, role_id: RoleId) -> None:
        entry = writer.entries[role_id]
        writer.read()
        if writer.current.of_role(role_id) != NOTHING:
            raise RestorePendingError(
                self._lock.tracker_id, [f"role {entry.name} (the server says 404)"]
            )
        gone = replace(entry, phase=Phase.GONE)
        self._parts.ledger.keep(
            self._lock,
            gone,
            lease=self._parts.settings.ttl,
            event="role_gone",
            detail={"role": entry.name},
        )
        writer.entries[role_id] = gone
        self._said.drift[role_id] = f"role {entry.name} does not exist any more"

    def _free(self, writer: RoleWriter, pulse: Pulse) -> None:
        snapshot = self._parts.history.find_event(self._lock.lineage, "snapshot")
        before = snapshot.detail.get("digest") if snapshot is not None else None
        is_untouched = not any(entry.touched for entry in writer.entries.values())
        after_digest = writer.current.digest() if self._has_read else None
        detail: Mapping[str, Any] = {
            "before": before,
            "after": after_digest,
            "untouched": is_untouched,
            "restored": list(self._said.restored.values()),
            "drift": list(self._said.sentences()),
        }
        pulse.stop()
        self._parts.store.free(
            self._lock,
            fingerprint=self._fingerprint(after_digest),
            detail=detail,
            by=self._by,
        )

    def _fingerprint(self, digest: str | None) -> Mapping[str, Any]:
        """Return what the record keeps of this lock: who comes next compares it."""
        return {"digest": digest, "lineage": self._lock.lineage}

    def _keep_what_is_left(self, writer: RoleWriter) -> None:
        """Write down what roles have at last where that is not what we sent.

        A request that lands after this lock is told from a person's edit by it, and
        while some roles wait for a person nothing is owed to the others.
        """
        for entry in list(writer.entries.values()):
            now = writer.current.of_role(entry.role_id)
            is_known = entry.phase is Phase.RESTORED and entry.merged == now
            is_asked = is_waiting(entry, now, self._said.policy)
            if entry.is_owed and not is_known and not is_asked:
                left = replace(entry, phase=Phase.RESTORED, merged=now)
                self._parts.ledger.keep(
                    self._lock, left, lease=self._parts.settings.ttl
                )
                writer.entries[entry.role_id] = left

    def _record_pending(self, pending: RestorePendingError) -> None:
        missing, history = list(pending.missing), self._parts.history
        is_held_back = isinstance(pending, QuarantinedError)
        kind = QUARANTINED if is_held_back else "restore_pending"
        # The store may be what fails; the error is raised either way.
        with suppress(DatabaseError):
            said = history.find_event(self._lock.lineage, kind)
            if said is None or said.detail.get("missing") != missing:
                history.record(self._lock, kind, {"missing": missing}, who=self._by)

    def _let_go(self, pulse: Pulse) -> None:
        """Say that nobody has to wait for our lease to go on with it."""
        pulse.stop()
        settings = self._parts.settings
        with suppress(DatabaseError):
            self._parts.store.let_go(self._lock, settings.lock_delay + settings.ttl)
        self._parts.deadlines.drop(self._lock)

    def _pending(self, error: CodebeamerError) -> RestorePendingError:
        entries = self._parts.ledger.list_roles(self._lock.lineage).values()
        why = f"status {error.status}" if isinstance(error, ApiError) else str(error)
        if isinstance(error, NotFoundError):
            why += (
                "; if the tracker was deleted: `airflow-codebeamer lock forget "
                f"{self._lock.tracker_id}`"
            )
        owed = [
            f"role {entry.name} ({why})"
            for entry in entries
            if entry.is_owed and entry.phase is not Phase.RESTORED
        ]
        return RestorePendingError(
            self._lock.tracker_id,
            owed or [f"its last check is missing ({why})"],
            may_pass=error.retry is not Retry.NEVER,
        )
