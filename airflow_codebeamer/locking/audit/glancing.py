"""Looks at what others wrote while a lock is held, before it may be gone again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Any

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.locking.audit.sight import Glimpse
from airflow_codebeamer.locking.certificate import ForeignChange
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.lookout import Lookout
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.history import Event

__all__ = ["BEGAN", "GLANCED", "Glances", "glanced"]

#: The events of the first look at a tracker, and of one while it is held.
BEGAN = "witness_began"
GLANCED = "witness_glanced"


class Glances(Lookout):
    """Asks every `certificate_watch` what others wrote last: one request a look.

    What they made is known with author and time even if they delete it again before
    the lock ends. It is told at once, and stops nothing: the release judges.
    """

    subject = "what others write in it is"

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        on_failed: Callable[[LockLostError], None],
        **more: Any,
    ) -> None:
        super().__init__(parts, lock, on_failed, **more)
        self._known: dict[int, int] = {}
        self._since = ""

    @property
    def every(self) -> timedelta:
        """How often it looks; not at all without a certificate."""
        settings = self._parts.settings
        return (
            timedelta() if settings.certificate == "off" else settings.certificate_watch
        )

    def look(self) -> list[str]:
        """Ask once; return a sentence for each new change of others.

        Raises:
            LockLostError: the lock is not ours any more.
            CodebeamerError: the server or the store did not let us.
        """
        parts, lock = self._parts, self._lock
        began = parts.history.find_event(lock.lineage, BEGAN)
        if began is None or not began.detail.get("us"):
            return []
        stamp = began.detail["stamp"]
        since = self._since or stamp
        cbql = (
            f"tracker.id IN ({lock.tracker_id}) AND "
            f"modifiedBy NOT IN ({began.detail['us']})"
        )
        if since:
            # The server compares whole seconds.
            cbql += f" AND modifiedAt >= '{since[:19].replace('T', ' ')}'"
        latest = parts.writer_client(lock).items.query_latest(cbql, 1)
        found = [Glimpse.of(item) for item in latest.entries]
        known = self._known
        new = [
            one
            for one in found
            if one.modified_at > stamp and known.get(one.item_id) != one.version
        ]
        if new:
            self._write_down(GLANCED, {"items": [_row(one) for one in new]})
        for one in new:
            known[one.item_id] = one.version
            self._since = max(self._since, one.modified_at)
        said = [str(_change(one)) for one in new]
        for line in said:
            parts.say(f"Tracker {lock.tracker_id}: {line}, under the lock.")
        return said


def glanced(
    events: Iterable[Event], there: Collection[int], known: Collection[int]
) -> list[ForeignChange]:
    """Return what was seen of items that are not `there` any more in the end.

    One that was not `known` at the beginning is told as deleted, too: that no look
    but these has seen.
    """
    seen = {
        (one.item_id, one.version): one
        for event in events
        for one in (Glimpse(*row) for row in event.detail["items"])
    }
    gone = [one for one in seen.values() if one.item_id not in there]
    changes = [_change(one) for one in gone]
    vanished = sorted({one.item_id for one in gone} - set(known))
    return changes + [ForeignChange("deleted", number) for number in vanished]


def _change(one: Glimpse) -> ForeignChange:
    kind = "created" if one.version == 1 else "changed"
    return ForeignChange(kind, one.item_id, one.version, one.modified_at, one.by)


def _row(one: Glimpse) -> list[Any]:
    return [
        *(one.item_id, one.version, one.created_at),
        *(one.modified_at, one.by_id, one.by),
    ]
