"""ItemLocks: the server's own locks of single items, which it lets expire by itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    ForbiddenError,
    LockLostError,
    LockRefusedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RestorePendingError,
    ServerError,
    TransportError,
)
from airflow_codebeamer.ids import ItemId, RoleId
from airflow_codebeamer.locking.audit.witness import begin_witness
from airflow_codebeamer.locking.escrow.noticing import NoticeBoard
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.pulse import Pulse
from airflow_codebeamer.locking.rights.preflight import Preflight, inspect_tracker
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.strategies.advisory import Returning
from airflow_codebeamer.locking.strategies.chosen_items import (
    CHOSEN,
    check_choice,
    choose,
)
from airflow_codebeamer.locking.strategies.strategy import Strategy
from airflow_codebeamer.locking.wish import Wish

__all__ = ["ItemLocks", "list_astray", "relock"]

#: Kinds of intents.
TAKE = "lock item"
GIVE = "unlock item"

_TRIES = 3
#: An item lock outlives the longest lease by half: renewals come at a third of it.
_SPARE = 1.5


class ItemLocks(Strategy):
    """Chosen items of a tracker, by the server's own locks, each for a time.

    Options: one of `items` (their numbers), `under` (an item: it and all below it)
    and `query` (a cbQL filter within the tracker). Each item costs one request to
    lock, one at each third of the time while it is held, two to unlock.

    Not promised: that nobody adds items, moves one next to them or changes their
    associations; the server's locks do not cover that (source: the vendor's
    description of 22.10, which knows no status for it). Nor that locks of another
    process with the same account are told from ours: no two locks of one tracker
    are held at a time, but a person should not use that account.
    """

    name = "item_locks"
    promise = (
        "only the chosen items are kept from being edited by other accounts: new "
        "items, associations and bulk updates may not be covered, and the server "
        "lets each lock expire by itself"
    )

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._kept: dict[str, float] = {}

    def check(self, options: Mapping[str, Any]) -> None:
        """Return if they choose items in one way."""
        check_choice(options)

    def preflight(self, parts: Parts, wish: Wish) -> Preflight:
        """Look whether the tracker is there: one request."""
        return inspect_tracker(parts, wish.tracker_id, self.promise)

    def enter(
        self, parts: Parts, lock: Lock, wish: Wish, notice: NoticeBoard
    ) -> _LockingItems:
        """Lock each item, in ascending order."""
        return _LockingItems(parts, lock)

    def verify(self, parts: Parts, lock: Lock) -> Sequence[str]:
        """Name the items that are not locked by us; one request for each."""
        return [
            f"item {item_id} is locked by {who or 'nobody'}"
            for item_id, who in list_astray(parts, lock).items()
        ]

    def keep(self, parts: Parts, lock: Lock) -> None:
        """Renew every item's lock when a third of its time is over.

        Raises:
            LockLostError: somebody else has one of them.
        """
        now = parts.clock.monotonic()
        third = _duration(parts, lock).total_seconds() / 3
        key = str(lock.lineage)
        with self._mutex:
            last = self._kept.get(key)
            if last is not None and now - last < third:
                return
            self._kept[key] = now
        try:
            for item_id in chosen_of(parts, lock):
                relock(parts, lock, item_id)
        except BaseException:
            with self._mutex:
                self._kept.pop(key, None)
            raise

    def leave(self, parts: Parts, lock: Lock, *, by: str = "") -> _UnlockingItems:
        """Unlock what is ours."""
        return _UnlockingItems(parts, lock, by=by)


class _LockingItems:
    def __init__(self, parts: Parts, lock: Lock) -> None:
        self._parts = parts
        self.lock = lock
        self._pulse = Pulse(parts, states=(LockState.GRANTED, LockState.LOCKING))

    def run(self, account: Preflight | None, lease: timedelta) -> Lock:
        parts = self._parts
        self._pulse.start(self.lock)
        try:
            if self.lock.state is LockState.GRANTED:
                self._choose()
            items = chosen_of(parts, self.lock)
            for item_id in items:
                self._take(item_id)
            begin_witness(parts, self.lock)
        finally:
            self._pulse.stop()
        sent = parts.deadlines.now()
        detail = {"reduced": [f"item {item_id}" for item_id in items]}
        held = parts.store.hold(self.lock, lease=lease, detail=detail)
        parts.deadlines.note(held, sent, lease)
        return held

    def _choose(self) -> None:
        """Write down which items are meant, before the first is locked."""
        parts, lock = self._parts, self.lock
        items = choose(parts.client, lock.tracker_id, lock.options)
        with parts.store.fenced(lock, parts.settings.ttl) as connection:
            self.lock = parts.store.to_locking(lock, connection, role="", policy="")
            detail = {"items": list(items)}
            parts.history.record(self.lock, CHOSEN, detail, within=connection)

    def _take(self, item_id: ItemId) -> None:
        parts, lock = self._parts, self.lock
        for _ in range(_TRIES):
            number = parts.ledger.begin(
                lock, TAKE, str(item_id), lease=parts.settings.ttl
            )
            try:
                _put(parts, lock, item_id)
            except (NotSentError, RateLimitedError, LockLostError) as error:
                parts.ledger.refused(number, type(error).__name__)
                raise
            except (TransportError, ServerError) as error:
                parts.ledger.unanswered(
                    lock,
                    number,
                    lease=parts.settings.ttl,
                    lock_delay=parts.settings.lock_delay,
                    why=type(error).__name__,
                )
                if holder(parts, item_id) == parts.client.settings.login:
                    return
            except CodebeamerError as error:
                parts.ledger.refused(number, type(error).__name__)
                if isinstance(error, ForbiddenError) and self._is_ours(item_id):
                    return
                raise self._refusal(item_id, error) from error
            else:
                parts.ledger.finish(lock, number, lease=parts.settings.ttl)
                return
        raise OutcomeUnknownError(
            f"The server answered none of {_TRIES} requests to lock item {item_id}; "
            "try again, the lock goes on where it stopped.",
            address=parts.server,
            method="PUT",
        )

    def _is_ours(self, item_id: ItemId) -> bool:
        """Say whether an earlier try has locked it: some servers refuse a second."""
        parts = self._parts
        tries = parts.ledger.list_intents(self.lock.lineage, TAKE, str(item_id))
        return len(tries) > 1 and holder(parts, item_id) == parts.client.settings.login

    def _refusal(self, item_id: ItemId, error: CodebeamerError) -> CodebeamerError:
        if isinstance(error, NotFoundError):
            finding = f"item {item_id} does not exist"
        elif isinstance(error, ForbiddenError):
            who = holder(self._parts, item_id)
            finding = (
                f"item {item_id} is locked by {who}: ask {who} to close it"
                if who
                else f"this account may not lock item {item_id}: it needs the right to "
                "edit it"
            )
        else:
            finding = f"the server refused to lock item {item_id} ({error})"
        return LockRefusedError(self.lock.tracker_id, [finding])


class _UnlockingItems(Returning):
    """Unlocks the items that this lineage locked, and nobody else's."""

    def _restore(self) -> RoleWriter:
        parts, lineage = self._parts, self._lock.lineage
        taken = {int(one.key) for one in parts.ledger.list_intents(lineage, TAKE)}
        # One that lands after this expires by itself, like every other.
        self._wait_for_late_requests()
        for number in sorted(taken):
            self._give(ItemId(number))
        return super()._restore()

    def _give(self, item_id: ItemId) -> None:
        parts = self._parts
        for _ in range(_TRIES):
            try:
                who = holder(parts, item_id)
            except NotFoundError:
                return
            if who != parts.client.settings.login:
                if who:
                    self._said.drift[RoleId(item_id)] = (
                        f"item {item_id}: {who} has locked it meanwhile"
                    )
                return
            number = parts.ledger.begin(
                self._lock, GIVE, str(item_id), lease=parts.settings.ttl
            )
            try:
                parts.deadlines.check(self._lock)
                parts.client.items.unlock(item_id)
            except (TransportError, ServerError):
                continue
            parts.ledger.finish(self._lock, number, lease=parts.settings.ttl)
            self._said.restored[RoleId(item_id)] = f"item {item_id}"
            return
        raise RestorePendingError(
            self._lock.tracker_id, [f"item {item_id} is still locked"], may_pass=True
        )


def chosen_of(parts: Parts, lock: Lock) -> tuple[ItemId, ...]:
    """Return the items that a lock is of, as they were written down."""
    event = parts.history.find_event(lock.lineage, CHOSEN)
    return tuple(ItemId(n) for n in event.detail["items"]) if event else ()


def list_astray(parts: Parts, lock: Lock) -> dict[ItemId, str]:
    """Return the items that are not locked by us, and by whom; a request for each.

    What is gone from the server has no lock any more, and needs none.
    """
    found = {}
    for item_id in chosen_of(parts, lock):
        try:
            who = holder(parts, item_id)
        except NotFoundError:
            continue
        if who != parts.client.settings.login:
            found[item_id] = who
    return found


def relock(parts: Parts, lock: Lock, item_id: ItemId) -> None:
    """Lock an item once more; its intent is in the journal since it was first taken.

    Raises:
        LockLostError: somebody else has locked it.
    """
    try:
        _put(parts, lock, item_id)
    except ForbiddenError as error:
        who = holder(parts, item_id)
        if who and who != parts.client.settings.login:
            raise LockLostError(
                lock.tracker_id,
                expected=lock.epoch,
                found=None,
                why=f"{who} has locked item {item_id}",
            ) from error
        if who:
            # A server that does not let the holder renew: give it back and take it.
            parts.client.items.unlock(item_id)
        _put(parts, lock, item_id)


def holder(parts: Parts, item_id: ItemId) -> str:
    """Return the log-in name of who has locked an item, empty if nobody: one request.

    Raises:
        NotFoundError: there is no such item.
    """
    found = parts.client.items.find_lock(item_id)
    return found.user.name if found is not None and found.user is not None else ""


def _duration(parts: Parts, lock: Lock) -> timedelta:
    given = lock.options.get("minutes")
    if given is not None:
        return timedelta(minutes=int(given))
    return parts.settings.bridge * _SPARE


def _put(parts: Parts, lock: Lock, item_id: ItemId) -> None:
    parts.deadlines.check(lock)
    # The notation of the one example that the vendor gives, "1:30h".
    minutes = max(1, -(-int(_duration(parts, lock).total_seconds()) // 60))
    parts.client.items.lock(
        item_id, hard=False, duration=f"{minutes // 60}:{minutes % 60:02d}h"
    )
