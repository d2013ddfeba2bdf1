"""A notice that is owed its end: remembered before it is written, settled once free."""

from __future__ import annotations

from dataclasses import replace

from airflow_codebeamer.errors import CodebeamerError, LockLostError, NotFoundError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.escrow.notice import Notice, free_text
from airflow_codebeamer.locking.escrow.notice_place import (
    SETTLED,
    WRITTEN,
    NoticePlace,
    find_notice,
    last_place,
    set_text,
)
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.history import Event
from airflow_codebeamer.locking.states import LockState

__all__ = ["begin_notice", "settle_notice"]

#: Event: a notice is about to be written.
BEGUN = "notice_begun"


def begin_notice(parts: Parts, lock: Lock) -> None:
    """Remember, once, that the notice of a lock has to be settled when it is over."""
    where = parts.client.settings.notice_tracker
    if where and parts.history.find_event(lock.lineage, BEGUN) is None:
        place = last_place(parts, lock.tracker_id, where)
        parts.history.record(lock, BEGUN, {"place": vars(place)})


def settle_notice(parts: Parts, tracker_id: TrackerId) -> None:
    """Say that a tracker is free if its notice still says otherwise.

    One request, two the first time, and none if the last lock had no notice. What
    goes wrong is told; recovery and the next lock try again.
    """
    try:
        _settle_if_owed(parts, tracker_id)
    except LockLostError:
        # Somebody has it by now, and says so himself.
        return
    except CodebeamerError as error:
        # The tracker is free: no fault of its notice may make that look undone.
        told = " ".join(str(error).split())
        parts.say(f"Tracker {tracker_id}: its notice does not say it is free: {told}")


def _settle_if_owed(parts: Parts, tracker_id: TrackerId) -> None:
    lock = parts.store.find(parts.server, tracker_id)
    if lock is None or lock.state is not LockState.FREE:
        return
    begun = parts.history.find_last(parts.server, tracker_id, BEGUN, SETTLED)
    if begun is None or begun.kind == SETTLED:
        return
    place = _settle(parts, lock, begun)
    parts.history.record(lock, SETTLED, {"place": vars(place)}, who=begun.who)


def _settle(parts: Parts, lock: Lock, begun: Event) -> NoticePlace:
    """Write the end of the lock that the event began; return where that is."""
    began = NoticePlace(**begun.detail["place"])
    written = parts.history.find_last(parts.server, lock.tracker_id, WRITTEN)
    place = last_place(parts, lock.tracker_id, began.tracker_id)
    is_ours = written is not None and written.lineage == begun.lineage
    if not is_ours:
        # Nobody knows whether it was ever written.
        item = find_notice(parts, lock.tracker_id, place)
        notice = None if item is None else Notice.read(item.description)
        if item is None or notice is None or notice.lineage != begun.lineage:
            return place
        place = replace(place, item=item.id)
    last = replace(
        lock,
        owner=Owner(begun.who),
        lineage=begun.lineage,
    )
    text = free_text(last, begun.at, parts.store.now())
    try:
        return set_text(parts, place, text, before=lambda: _require_free(parts, lock))
    except NotFoundError:
        return replace(place, item=0, attachment=0)


def _require_free(parts: Parts, lock: Lock) -> None:
    found = parts.store.find(lock.server, lock.tracker_id)
    if found is None or found.state is not LockState.FREE or found.epoch != lock.epoch:
        raise LockLostError(
            lock.tracker_id, expected=lock.epoch, found=None, why="it was taken again"
        )
