"""The notice of a tracker's locks inside Codebeamer: one item, written at both ends.

One item for each tracker, so its history is that of the locks and a subscription to
it tells of each. Off unless a tracker for notices is set, and then of no request. A
notice is for people, and a second place for the escrow: what goes wrong with it is
told and tried again at the next step, and holds no lock and no release up.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
    LockRefusedError,
    NotFoundError,
)
from airflow_codebeamer.ids import ItemId, Lineage, TrackerId
from airflow_codebeamer.locking.escrow.escrow import Escrow
from airflow_codebeamer.locking.escrow.notice import (
    Notice,
    attachment_name,
    free_text,
    held_text,
    notice_name,
)
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
from airflow_codebeamer.locking.records.epochs import raise_epoch
from airflow_codebeamer.locking.records.history import OPENED, Event
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.models import Attachment, Item, NewItem

__all__ = ["NoticeBoard", "begin_notice", "settle_notice"]

#: Events: a notice is about to be written, and could not be written.
BEGUN = "notice_begun"
FAILED = "notice_failed"

_DESCRIPTION = "description"


class NoticeBoard:
    """The notice of one tracker, while somebody takes its lock."""

    def __init__(self, parts: Parts, tracker_id: TrackerId) -> None:
        self._parts = parts
        self._tracker_id = tracker_id
        self._place = NoticePlace(parts.client.settings.notice_tracker or 0)
        #: Whether the record has another epoch than before the notice was read.
        self.has_raised = False
        self._is_said = True
        # Looked for, and not found: it need not be looked for again.
        self._is_absent = False

    @property
    def is_on(self) -> bool:
        """Whether there is a tracker for notices."""
        return bool(self._place.tracker_id)

    def heed(self) -> None:
        """Read what the notice says before the tracker is taken: one request.

        A store that was lost, or put back from a backup, is found out by it: an
        epoch that the notice has is never given out again.

        Raises:
            LockRefusedError: it tells of a lock that the store does not know, or
                cannot be read and is required.
        """
        if not self.is_on:
            return
        parts, tracker_id = self._parts, self._tracker_id
        if self._place.tracker_id == tracker_id:
            finding = "it is the tracker of the notices; lock it without notice"
            raise LockRefusedError(tracker_id, [finding])
        self._place = last_place(parts, tracker_id, self._place.tracker_id)
        try:
            item = self._find()
        except CodebeamerError as error:
            self._fail(error, "read")
            return
        notice = Notice.read(item.description) if item is not None else None
        if notice is not None and notice.tracker_id == tracker_id:
            self._judge(notice)

    def post(self, lock: Lock, escrow: Escrow, lease: timedelta) -> None:
        """Say who has the tracker, and hang the escrow on it: 2 requests, or 3.

        Raises:
            LockRefusedError: it cannot be said, and is required.
            LockLostError: the lock is not ours any more.
        """
        if not self.is_on:
            return
        begin_notice(self._parts, lock)
        self._is_said = self._try(lock, escrow, lease)

    def post_again(self, lock: Lock, escrow: Escrow, lease: timedelta) -> None:
        """Say it now if that did not work before.

        Raises:
            LockRefusedError, LockLostError: as for `post`.
        """
        if self.is_on and not self._is_said:
            self._is_said = self._try(lock, escrow, lease)

    def _judge(self, notice: Notice) -> None:
        parts, tracker_id = self._parts, self._tracker_id
        lock = parts.store.find(parts.server, tracker_id)
        if notice.is_locked and not _is_known(parts, notice.lineage):
            finding = (
                f"its notice (item {self._place.item}) tells of a lock under epoch "
                f"{notice.epoch} that the lock store does not know: if the store was "
                f"lost or put back, say `airflow-codebeamer restore {tracker_id} "
                "--from-notice`"
            )
            raise LockRefusedError(tracker_id, [finding])
        if lock is None or lock.epoch < notice.epoch:
            self.has_raised = True
            raise_epoch(
                parts.store,
                parts.server,
                tracker_id,
                notice.epoch,
                host="",
                by="notice",
                why="the notice has it",
            )

    def _try(self, lock: Lock, escrow: Escrow, lease: timedelta) -> bool:
        try:
            self._write(lock, escrow, lease)
        except (LockLostError, DatabaseError):
            raise
        except CodebeamerError as error:
            with suppress(DatabaseError):
                self._record(lock, FAILED, why=str(error))
            self._fail(error, "written")
            return False
        self._record(lock, WRITTEN)
        return True

    def _write(self, lock: Lock, escrow: Escrow, lease: timedelta) -> None:
        parts = self._parts
        before = partial(parts.deadlines.check, lock)
        text = held_text(lock, lease)
        is_new = self._is_absent or (not self._place.item and self._find() is None)
        # Without an answer it may be there all the same.
        self._is_absent = False
        if is_new:
            new = NewItem(
                notice_name(lock.tracker_id),
                {_DESCRIPTION: text, "descriptionFormat": "PlainText"},
            )
            item = parts.client.items.create_item(
                TrackerId(self._place.tracker_id), new, before=before
            )
            self._place = replace(self._place, item=item.id)
        else:
            self._place = set_text(parts, self._place, text, before=before)
        self._attach(lock, escrow, is_new=is_new)

    def _attach(self, lock: Lock, escrow: Escrow, *, is_new: bool) -> None:
        files, place = self._parts.client.attachments, self._place
        before = partial(self._parts.deadlines.check, lock)
        name = attachment_name(lock.tracker_id)
        content = f"{escrow.line()}\n".encode()
        number = place.attachment
        if not number and not is_new:
            # An answer may have been lost: what is there is taken.
            listed = files.list_attachments(ItemId(place.item), name)
            number = listed[0].id if listed else 0
        if number:
            file = Attachment(id=number, name=name)
            files.replace_content(ItemId(place.item), file, content, before=before)
        else:
            file = files.add_attachment(
                ItemId(place.item), name, content, before=before
            )
        self._place = replace(place, attachment=file.id)

    def _find(self) -> Item | None:
        """Return the notice's item; where it is not known it is looked for."""
        item = find_notice(self._parts, self._tracker_id, self._place)
        number = 0 if item is None else item.id
        if number != self._place.item:
            self._place = replace(self._place, item=number, attachment=0)
        self._is_absent = item is None
        return item

    def _fail(self, error: CodebeamerError, what: str) -> None:
        told = " ".join(str(error).split())
        if self._parts.settings.notice == "required":
            finding = f"its notice cannot be {what}, and is required ({told})"
            raise LockRefusedError(self._tracker_id, [finding]) from error
        self._parts.say(
            f"Tracker {self._tracker_id}: its notice was not {what}: {told}"
        )

    def _record(self, lock: Lock, kind: str, **detail: Any) -> None:
        self._parts.history.record(lock, kind, {"place": vars(self._place), **detail})


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


def _is_known(parts: Parts, lineage: Lineage) -> bool:
    """Return whether that lineage is of this store, or was restored into it."""
    find = parts.history.find_event
    return bool(find(lineage, "grant") or find(lineage, OPENED))
