"""LockTrackerOperator: nobody but this run writes to the tracker from here on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred, conf

from airflow_codebeamer.errors import (
    ConfigurationError,
    DatabaseError,
    LockError,
    LockHeldError,
)
from airflow_codebeamer.hooks.owner import owner_of
from airflow_codebeamer.hooks.verdict import airflow_verdict
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.operators.codebeamer import (
    CodebeamerOperator,
    json_of,
    some_span,
    some_trackers,
    whole_number,
    yes_or_no,
)
from airflow_codebeamer.operators.handle import handle_of
from airflow_codebeamer.operators.teardown import Released

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.triggers import LockEvent
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["LockTrackerOperator"]


class LockTrackerOperator(Released, CodebeamerOperator):
    """Take the exclusive lock of trackers: everybody else may only read.

    The owner is the run, so a second try gets the lock it already holds. Put an
    `UnlockTrackerOperator` behind it as teardown, or use `generator_dag`, which
    wires everything that releases. Several trackers are one lock: all are taken or
    none, and two runs that want each other's never wait for ever.

    Not promised: that a project or system administrator cannot write.

    :param tracker_id: the tracker's number, or a list of numbers: one lock of all.
    :param exclusive_role: name or id of the role that keeps write access; the
        connection's extra `exclusive_role` if not given.
    :param mode: `exclusive`, or `freeze`: nobody may write, this run neither, and
        others may freeze it as well; restored when the last has unlocked.
    :param strategy: how others are kept from writing: `role_permissions`, `item_locks`
        (chosen items only), `advisory` (the record only), or one that another
        distribution brings; that of the connection if not given.
    :param strategy_options: what the strategy has to know; for `item_locks` one of
        `items`, `under` and `query`.
    :param lease: how long the lock is kept between two tasks of the run, the
        setting `bridge` if not given; while a generator runs it renews the lock.
    :param wait_for: how long to wait for somebody else's lock, a timedelta or a text
        like `90s` or `30m`; None does not wait.
    :param priority: who waits with a higher one goes first; a lower one counts one
        more for each `ageing` (setting, five minutes) that it has waited longer.
    :param skip_if_locked: skip the task, and what follows it, when somebody else has
        the tracker and `wait_for` is over.
    :param reason: what for; shown to everybody who meets the lock.
    :param restore_policy: what roles get back that others change meanwhile, `merge`,
        `exact`, `keep` or `ask`; the setting of that name if not given.
    :param deferrable: wait in the triggerer, without a worker; Airflow's
        `[operators] default_deferrable` if not given.
    :return: the handle of the lock: `locks` (a `lock`, `tracker_id` and `state`
        for each tracker), `owner` and `deadline`, which is when the lease ends.
    """

    template_fields: Sequence[str] = (
        "tracker_id",
        "exclusive_role",
        "strategy_options",
        "reason",
        "wait_for",
        "priority",
        "skip_if_locked",
        "codebeamer_conn_id",
    )

    def __init__(
        self,
        *,
        tracker_id: int | str | Sequence[int | str],
        exclusive_role: str | None = None,
        mode: Literal["exclusive", "freeze"] = "exclusive",
        strategy: str | None = None,
        strategy_options: Mapping[str, Any] | str | None = None,
        lease: timedelta | None = None,
        wait_for: timedelta | str | None = None,
        priority: int | str = 0,
        skip_if_locked: bool | str = False,
        reason: str = "",
        restore_policy: Literal["merge", "exact", "keep", "ask"] | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tracker_id = tracker_id
        self.exclusive_role = exclusive_role
        if mode not in ("exclusive", "freeze"):
            raise ConfigurationError("mode", f"say exclusive or freeze, not {mode!r}")
        self.mode = mode
        self.strategy = strategy
        self.strategy_options = strategy_options
        self.lease = lease
        self.wait_for = wait_for
        self.priority = priority
        self.skip_if_locked = skip_if_locked
        self.reason = reason
        if restore_policy not in (None, "merge", "exact", "keep", "ask"):
            raise ConfigurationError("restore_policy", "say merge, exact, keep or ask")
        self.restore_policy = restore_policy
        if deferrable is None:
            deferrable = conf.getboolean(
                "operators", "default_deferrable", fallback=False
            )
        self.deferrable = deferrable

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Take the lock, or say who has it; return its handle."""
        with self._skipping():
            wait_for = some_span(self.wait_for, "wait_for")
            if not (self.deferrable and wait_for):
                return self._acquire(context, codebeamer, wait_for)
            until = codebeamer.clock.now() + wait_for
            return self._acquire_or_defer(context, codebeamer, until, None)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on where the triggerer saw the tracker free, or gave up."""
        from airflow_codebeamer.triggers import lock_event

        with airflow_verdict():
            seen = lock_event(event)
            if seen.status == "error" and not seen.retry:
                raise LockError(seen.message)
            if seen.status != "reached":
                self.log.warning("%s", seen.message)
            with self._skipping():
                return self._resume(context, seen)

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Skip, if that is wanted, where somebody else has the tracker."""
        # Read first: what cannot be read must not wait until somebody has the lock.
        skips = yes_or_no(self.skip_if_locked, "skip_if_locked")
        try:
            yield
        except LockHeldError as error:
            if skips:
                raise AirflowSkipException(str(error)) from error
            raise

    def _resume(self, context: Context, seen: LockEvent) -> dict[str, Any]:
        until = seen.deadline or datetime.now(UTC)
        with self.hook.codebeamer(say=self.log.info) as codebeamer:
            lock = codebeamer.settings.lock
            look = min(until - codebeamer.clock.now(), 2 * lock.ttl + lock.lock_delay)
            patience = max(look, timedelta(0))
            return self._acquire_or_defer(context, codebeamer, until, patience)

    def _acquire_or_defer(
        self,
        context: Context,
        codebeamer: Codebeamer,
        until: datetime,
        patience: timedelta | None,
    ) -> dict[str, Any]:
        from airflow_codebeamer.triggers import TrackerLockTrigger

        try:
            return self._acquire(context, codebeamer, patience)
        except LockHeldError as error:
            left = until - codebeamer.clock.now()
            if left <= timedelta(0):
                raise
            self.log.info("%s Waiting in the triggerer.", error)
            lock = codebeamer.settings.lock
        tracker_ids = some_trackers(self.tracker_id)
        ticket = codebeamer.engine.enqueue(
            *tracker_ids,
            owner=owner_of(context),
            reason=self.reason,
            priority=whole_number(self.priority, "priority"),
            mode=self.mode,
        )
        raise TaskDeferred(
            trigger=TrackerLockTrigger(
                tracker_id=list(tracker_ids),
                codebeamer_conn_id=self.codebeamer_conn_id,
                deadline=until.isoformat(),
                poll_seconds=lock.poll.total_seconds(),
                take_over=True,
                ticket=ticket.number,
            ),
            method_name="execute_complete",
            timeout=left + 2 * lock.ttl,
        )

    def _acquire(
        self, context: Context, codebeamer: Codebeamer, patience: timedelta | None
    ) -> dict[str, Any]:
        tracker_ids = some_trackers(self.tracker_id)
        self.heading_for(codebeamer, tracker_ids[0])
        owner = owner_of(context)
        try:
            locks = codebeamer.engine.acquire_all(
                tracker_ids,
                owner=owner,
                reason=self.reason,
                lease=self.lease,
                wait_for=patience,
                exclusive_role=self.exclusive_role or None,
                priority=whole_number(self.priority, "priority"),
                restore_policy=self.restore_policy,
                mode=self.mode,
                strategy=self.strategy or "",
                options=self._options(),
            )
        except LockHeldError as error:
            self._show_other(context, codebeamer, error)
            raise
        self.keep_if_wanted(context, codebeamer, *locks)
        self.show_holder(context, locks[0])
        self.facts.counts["lock.taken"] = len(locks)
        for lock in locks:
            self.log.info("%s", _told(lock, _reduced(codebeamer, lock)))
        return handle_of(owner, locks, self.lease)

    def _options(self) -> dict[str, Any]:
        found = json_of(self.strategy_options) or {}
        if not isinstance(found, Mapping):
            raise ConfigurationError(
                "strategy_options", 'write a JSON object, like {"items": [4711]}'
            )
        return dict(found)

    def _show_other(
        self, context: Context, codebeamer: Codebeamer, held: LockHeldError
    ) -> None:
        with suppress(DatabaseError):
            server = codebeamer.settings.server.base
            other = codebeamer.status.find(server, TrackerId(held.tracker_id))
            if other is not None:
                self.show_holder(context, other)


def _told(lock: Lock, reduced: Sequence[str] | None) -> str:
    until = lock.lease_until.isoformat(timespec="seconds") if lock.lease_until else "?"
    line = f"Tracker {lock.tracker_id} is locked for {lock.owner.key} until {until}"
    if lock.reason:
        line += f", for: {lock.reason}"
    if reduced is not None:
        line += f"; reduced: {', '.join(reduced) or 'no role, none may write'}"
    return f"{line}; may still write: {lock.exclusive_role or 'nobody'}"


def _reduced(codebeamer: Codebeamer, lock: Lock) -> Sequence[str] | None:
    """Return the roles that the lock reduced, None if its history does not say."""
    # The lock is held by now: a store that is away for a moment must not fail it.
    with suppress(DatabaseError):
        for event in reversed(codebeamer.status.history(lock.server, lock.tracker_id)):
            if event.kind == "hold" and event.lineage == lock.lineage:
                return [str(name) for name in event.detail.get("reduced", ())]
    return None
