"""Where the notice of a tracker's locks is; what is read and written there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from airflow_codebeamer.errors import ConfigurationError, EscrowError, NotFoundError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.locking.escrow.escrow import Escrow, find_escrows
from airflow_codebeamer.locking.escrow.notice import (
    Notice,
    attachment_name,
    notice_name,
)
from airflow_codebeamer.locking.parts import Guard, Parts
from airflow_codebeamer.models import Attachment, FieldValue, Item

__all__ = [
    "SETTLED",
    "WRITTEN",
    "NoticePlace",
    "find_notice",
    "hang_escrow",
    "last_place",
    "list_notices",
    "read_escrow",
    "read_notice",
    "set_text",
]

#: Events: a notice says who has the tracker, and says that it is free again.
WRITTEN = "notice"
SETTLED = "notice_settled"

_DESCRIPTION = "description"


@dataclass(frozen=True)
class NoticePlace:
    """Where a tracker's notice is, as far as it is known; 0 for what is not."""

    tracker_id: int
    item: int = 0
    field: int = 0
    field_type: str = ""
    attachment: int = 0


def last_place(parts: Parts, tracker_id: TrackerId, where: int) -> NoticePlace:
    """Return where a tracker's notice was the last time, if in that tracker."""
    event = parts.history.find_last(parts.server, tracker_id, WRITTEN, SETTLED)
    told = {} if event is None else event.detail["place"]
    if told.get("tracker_id") != where:
        return NoticePlace(where)
    return NoticePlace(**told)


def find_notice(parts: Parts, tracker_id: TrackerId, place: NoticePlace) -> Item | None:
    """Return the item of a tracker's notice, None if there is none: one request."""
    if place.item:
        # One that is gone is looked for by its name: somebody may have moved it.
        with suppress(NotFoundError):
            return parts.client.items.get_item(ItemId(place.item))
    name = notice_name(tracker_id)
    found = parts.client.items.query(
        f"tracker.id IN ({place.tracker_id}) AND summary = '{name}'"
    )
    return min(found, key=lambda item: item.id, default=None)


def read_notice(parts: Parts, tracker_id: TrackerId) -> tuple[Item, Notice] | None:
    """Return a tracker's notice and what it says, None without one: one request."""
    where = parts.client.settings.notice_tracker
    if not where:
        return None
    item = find_notice(parts, tracker_id, last_place(parts, tracker_id, where))
    notice = None if item is None else Notice.read(item.description)
    return None if item is None or notice is None else (item, notice)


def list_notices(parts: Parts) -> dict[TrackerId, Notice]:
    """Return what all notices say, by tracker: one request for 500 of them, or none.

    Of several of one name the oldest counts, as everywhere.
    """
    where = parts.client.settings.notice_tracker
    if not where:
        return {}
    found: dict[TrackerId, Notice] = {}
    items = parts.client.items.query(f"tracker.id IN ({where})")
    for item in sorted(items, key=lambda item: item.id, reverse=True):
        notice = Notice.read(item.description)
        if notice is not None and item.name == notice_name(notice.tracker_id):
            found[notice.tracker_id] = notice
    return found


def read_escrow(parts: Parts, tracker_id: TrackerId) -> list[Escrow]:
    """Return the escrow that hangs on a tracker's notice: three requests.

    Raises:
        EscrowError: there is no notice, or no escrow with it, or one of another lock
            than its text tells of, or the text says that the lock is over.
        ConfigurationError: no tracker for notices is set.
    """
    where = parts.client.settings.notice_tracker
    if not where:
        raise ConfigurationError(
            "notice_tracker", "say in which tracker the notices are"
        )
    name = attachment_name(tracker_id)
    item = find_notice(parts, tracker_id, NoticePlace(where))
    if item is None:
        raise EscrowError(
            f"tracker {where}",
            f"it has no item with the name {notice_name(tracker_id)!r}",
            _THE_LOG,
        )
    notice = Notice.read(item.description)
    if notice is not None and not notice.is_locked:
        raise EscrowError(
            f"item {item.id}",
            f"it says that the lock with epoch {notice.epoch} is over",
            "if roles lack rights all the same, look who took them; what they had "
            "before is in the log of the task that took the lock",
        )
    files = parts.client.attachments
    for file in files.list_attachments(item.id, name):
        text = files.get_content(item.id, file.id).decode("utf-8", "replace")
        found = find_escrows(text, f"item {item.id}, {name}")
        _require_same(found, notice, f"item {item.id}, {name}")
        return found
    raise EscrowError(f"item {item.id}", f"it has no file {name}", _THE_LOG)


_THE_LOG = "take it from the log of the task that took the lock"


def _require_same(found: list[Escrow], notice: Notice | None, where: str) -> None:
    """Refuse a file that was left behind when a later lock could not write its own."""
    lineages = {escrow.lineage for escrow in found}
    if notice is not None and notice.lineage not in lineages:
        raise EscrowError(
            where,
            f"it is of an older lock than the one with epoch {notice.epoch}, of which "
            "the notice tells",
            _THE_LOG,
        )


def set_text(
    parts: Parts, place: NoticePlace, text: str, *, before: Guard
) -> NoticePlace:
    """Write the description of a notice; its field is asked for once."""
    if not place.field:
        schema = parts.client.trackers.list_schema(TrackerId(place.tracker_id))
        field = next((f for f in schema if f.item_property == _DESCRIPTION), None)
        if field is None:
            raise ConfigurationError(
                "notice_tracker", "its items have no description to write into"
            )
        kind = field.value_model.partition("<")[0]
        place = replace(place, field=field.id, field_type=kind)
    value = FieldValue(field_id=FieldId(place.field), type=place.field_type, value=text)
    parts.client.items.update_fields(ItemId(place.item), [value], before=before)
    return place


def hang_escrow(
    parts: Parts,
    place: NoticePlace,
    escrow: Escrow,
    *,
    before: Guard,
    is_new: bool = False,
) -> NoticePlace:
    """Write the file of a notice; its number is asked for once, if there may be one."""
    files, item_id = parts.client.attachments, ItemId(place.item)
    name = attachment_name(escrow.tracker_id)
    content = f"{escrow.line()}\n".encode()
    number = place.attachment
    if not number and not is_new:
        # An answer may have been lost: what is there is taken.
        listed = files.list_attachments(item_id, name)
        number = listed[0].id if listed else 0
    if number:
        file = Attachment(id=number, name=name)
        files.replace_content(item_id, file, content, before=before)
    else:
        file = files.add_attachment(item_id, name, content, before=before)
    return replace(place, attachment=file.id)
