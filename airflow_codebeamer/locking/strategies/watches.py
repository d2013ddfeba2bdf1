"""What is watched while a lock is held: rights of roles, locks of items, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_codebeamer.errors import LockDriftedError, LockLostError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.locking.audit.glancing import Glances
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Lock
from airflow_codebeamer.locking.lookout import Lookout
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.rights.drift import DRIFT, TAKEN
from airflow_codebeamer.locking.rights.watching import RoleWatch
from airflow_codebeamer.locking.strategies.item_locks import (
    ItemLocks,
    list_astray,
    relock,
)
from airflow_codebeamer.locking.strategies.registry import strategy_of

__all__ = ["ItemWatch", "watch_of", "watches_of"]


class ItemWatch(Lookout):
    """Looks every `watch` whether each chosen item is still locked by us.

    One request for each item a look. A lock that somebody took off early, or that
    ran out, is locked again with `on_drift` "relock", unless somebody else has the
    item by now: what was to be kept from him he has, and the work has to stop.
    """

    subject = "the locks of its items are"

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        on_failed: Callable[[LockLostError], None],
        **more: Any,
    ) -> None:
        super().__init__(parts, lock, on_failed, **more)
        self._known: dict[ItemId, str] = {}

    def look(self) -> list[str]:
        """Ask for each item's lock once; return the items that are newly not ours.

        Raises:
            LockLostError: the lock is not ours any more, or an item is somebody
                else's and `on_drift` is "relock".
            LockDriftedError: one is not locked by us, and `on_drift` is "fail".
            CodebeamerError: the server or the store did not let us.
        """
        astray = list_astray(self._parts, self._lock)
        new = {
            item_id: who
            for item_id, who in astray.items()
            if self._known.get(item_id) != who
        }
        said = [self._record(item_id, who) for item_id, who in new.items()]
        self._known = astray
        policy = self._parts.settings.on_drift
        if policy == "relock" and astray:
            for item_id in astray:
                relock(self._parts, self._lock, item_id)
            self._write_down(TAKEN, {"role_ids": sorted(astray)})
            self._known = {}
        if policy == "fail" and new:
            raise LockDriftedError(
                self._lock.tracker_id, epoch=self._lock.epoch, drift=said
            )
        return [f"item {item_id}" for item_id in new]

    def _record(self, item_id: ItemId, who: str) -> str:
        policy = self._parts.settings.on_drift
        line = f"item {item_id} is locked by {who or 'nobody'}"
        detail = {
            "role": f"item {item_id}",
            "role_id": item_id,
            "rights": f"locked by {who or 'nobody'} while it was held",
            "policy": policy,
            "is_item": True,
            "taken": False,
        }
        self._write_down(DRIFT, detail)
        self._parts.say(
            f"Tracker {self._lock.tracker_id}: the lock of an item was taken off while "
            f"it is held: {line} (on_drift is {policy})."
        )
        return line


def watches_of(
    parts: Parts,
    lock: Lock,
    on_failed: Callable[[LockLostError], None],
    **more: Any,
) -> tuple[Lookout, ...]:
    """Return everything that looks at a held lock meanwhile, not yet begun."""
    glances = Glances(parts, lock, on_failed, **more)
    watch = watch_of(parts, lock, on_failed, **more)
    both = (watch, glances if glances.every else None)
    return tuple(one for one in both if one is not None)


def watch_of(
    parts: Parts,
    lock: Lock,
    on_failed: Callable[[LockLostError], None],
    **more: Any,
) -> Lookout | None:
    """Return what looks at a held lock meanwhile, None if `watch` is 0.

    Of a strategy that changes nothing on the server there is nothing to look at, and
    of somebody else's we do not know what: that is said, once for each hold.
    """
    if not parts.settings.watch:
        return None
    if lock.strategy == ROLE_PERMISSIONS:
        return RoleWatch(parts, lock, on_failed, **more)
    if isinstance(strategy_of(lock), ItemLocks):
        return ItemWatch(parts, lock, on_failed, **more)
    parts.say(
        f"Tracker {lock.tracker_id}: nothing is watched although `watch` is set: the "
        f"strategy {lock.strategy} takes nothing on the server that could come back."
    )
    return None
