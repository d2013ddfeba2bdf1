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

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
    LockRefusedError,
)
from airflow_codebeamer.ids import Lineage, TrackerId
from airflow_codebeamer.locking.escrow.escrow import Escrow
from airflow_codebeamer.locking.escrow.notice import (
    Notice,
    held_text,
    notice_name,
)
from airflow_codebeamer.locking.escrow.notice_place import (
    WRITTEN,
    NoticePlace,
    find_notice,
    hang_escrow,
    last_place,
    set_text,
)
from airflow_codebeamer.locking.escrow.settling import begin_notice
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.epochs import raise_epoch
from airflow_codebeamer.locking.records.history import OPENED
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.models import Item, NewItem

__all__ = ["NoticeBoard", "renew_escrow"]

#: Event: a notice could not be written.
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
        #: What hangs on it since `post`, None if it could not be written.
        self._said: Escrow | None = None
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
        self._try(lock, escrow, lease)

    def post_again(self, lock: Lock, escrow: Escrow, lease: timedelta) -> None:
        """Say it now if that did not work before; hang another escrow on it: 1 request.

        Raises:
            LockRefusedError, LockLostError: as for `post`.
        """
        if not self.is_on or (self._said and self._said.digest == escrow.digest):
            return
        self._try(lock, escrow, None if self._said else lease)

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

    def _try(self, lock: Lock, escrow: Escrow, lease: timedelta | None) -> None:
        """Write the notice with its file, or without a `lease` the file alone."""
        try:
            is_new = lease is not None and self._write(lock, lease)
            self._attach(lock, escrow, is_new=is_new)
        except (LockLostError, DatabaseError):
            raise
        except CodebeamerError as error:
            with suppress(DatabaseError):
                detail = {"place": vars(self._place), "why": str(error)}
                self._parts.history.record(lock, FAILED, detail)
            self._fail(error, "written")
        else:
            self._said = escrow
            _record_written(self._parts, lock, self._place, escrow)

    def _write(self, lock: Lock, lease: timedelta) -> bool:
        """Write the text; return whether the item is new, and so has no file."""
        parts = self._parts
        before = partial(parts.deadlines.check, lock)
        text = held_text(
            lock,
            parts.store.now(),
            max(lease, parts.settings.bridge),
            parts.settings.hold_limit,
        )
        is_new = self._is_absent or (not self._place.item and self._find() is None)
        # Without an answer it may be there all the same.
        self._is_absent = False
        if not is_new:
            self._place = set_text(parts, self._place, text, before=before)
            return False
        new = NewItem(
            notice_name(lock.tracker_id),
            {_DESCRIPTION: text, "descriptionFormat": "PlainText"},
        )
        item = parts.client.items.create_item(
            TrackerId(self._place.tracker_id), new, before=before
        )
        self._place = replace(self._place, item=item.id)
        return True

    def _attach(self, lock: Lock, escrow: Escrow, *, is_new: bool) -> None:
        before = partial(self._parts.deadlines.check, lock)
        self._place = hang_escrow(
            self._parts, self._place, escrow, is_new=is_new, before=before
        )

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


def renew_escrow(parts: Parts, lock: Lock, escrow: Escrow) -> None:
    """Hang the escrow of a held lock on its notice again if it has become another.

    One request, none if it is the same or there is no notice. Anybody may, a holder
    or who amends his lock. What goes wrong is told; the next change tries again.
    """
    try:
        written = parts.history.find_event(lock.lineage, WRITTEN)
        if written is None or written.detail.get("escrow") == escrow.digest:
            return
        place = NoticePlace(**written.detail["place"])
        place = hang_escrow(
            parts, place, escrow, before=partial(_require_held, parts, lock)
        )
        _record_written(parts, lock, place, escrow)
    except LockLostError:
        # It is over, and whoever ends it says so.
        return
    except CodebeamerError as error:
        told = " ".join(str(error).split())
        parts.say(
            f"Tracker {lock.tracker_id}: the file of its notice is not up to date, the "
            f"log has what comes back: {told}"
        )


def _require_held(parts: Parts, lock: Lock) -> None:
    found = parts.store.find(lock.server, lock.tracker_id)
    is_same = found is not None and (found.epoch, found.lineage) == (
        lock.epoch,
        lock.lineage,
    )
    if found is None or not is_same or found.state is not LockState.HELD:
        raise LockLostError(
            lock.tracker_id,
            expected=lock.epoch,
            found=None if found is None else found.epoch,
            why="it is not held any more",
        )


def _record_written(
    parts: Parts, lock: Lock, place: NoticePlace, escrow: Escrow
) -> None:
    detail = {"place": vars(place), "escrow": escrow.digest}
    parts.history.record(lock, WRITTEN, detail)


def _is_known(parts: Parts, lineage: Lineage) -> bool:
    """Return whether that lineage is of this store, or was restored into it."""
    find = parts.history.find_event
    return bool(find(lineage, "grant") or find(lineage, OPENED))
