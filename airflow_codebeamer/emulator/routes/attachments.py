"""Attachments: files of items, one by one, all at once, and their revisions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.attached import Attachment, revision_of
from airflow_codebeamer.emulator.attaching import (
    FILE_ADD,
    VIEW,
    add_comment,
    add_files,
    add_revision,
    content_of,
    describe_revision,
    remove_comment,
    remove_file,
    require_change,
    show_attachment,
    touch,
)
from airflow_codebeamer.emulator.baselines import as_of
from airflow_codebeamer.emulator.call import EMPTY, Call, Content, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import page_of, user_reference
from airflow_codebeamer.emulator.world import Item
from airflow_codebeamer.emulator.writing import check_unlocked

__all__ = ["ATTACHMENTS"]

_BYTES, _ARCHIVE = "application/octet-stream", "application/zip"


def _item(call: Call, item_id: int) -> tuple[Item, Rights]:
    """Return an item whose files the user may see."""
    item = call.world.live_item(item_id)
    rights = Rights(call.world, call.user, call.world.trackers[item.tracker], item)
    rights.require_view(item)
    rights.require(VIEW, "view comments and attachments")
    return item, rights


def _files(call: Call, item: Item) -> list[Attachment]:
    return [call.world.attachments[number] for number in item.attachments]


def _named(call: Call) -> tuple[Attachment, Rights]:
    """Return the attachment of the path, below its item or by its own id."""
    attachment = call.world.attachments.get(call.path["attachmentId"])
    if attachment is None or attachment.item != call.path.get(
        "itemId", attachment.item
    ):
        raise RefusedError(404, "Attachment is not found.")
    _, rights = _item(call, attachment.item)
    return attachment, rights


def _changeable(call: Call) -> Attachment:
    attachment, rights = _named(call)
    require_change(call, rights, attachment.revisions[0]["by"])
    try:
        check_unlocked(call, call.world.items[attachment.item])
    except RefusedError as locked:
        if "itemId" in call.path:
            raise
        # The operations that name no item do not document 423.
        raise RefusedError(403, locked.message) from locked
    return attachment


def _list(call: Call) -> Any:
    item, _ = _item(call, call.path["itemId"])
    wanted = call.query.get("fileName", "").casefold()
    found = [file for file in _files(call, item) if wanted in file.name.casefold()]
    return {
        "page": 1,
        "pageSize": len(found),
        "total": len(found),
        "attachments": [show_attachment(call.world, file) for file in found],
    }


def _upload(call: Call) -> Any:
    item = call.world.live_item(call.path["itemId"])
    rights = Rights(call.world, call.user, call.world.trackers[item.tracker], item)
    rights.require_view(item)
    rights.require(FILE_ADD, "add attachments")
    check_unlocked(call, item)
    files = call.body.get("attachments")
    if not files:
        raise RefusedError(400, "The form has no file in a part named attachments.")
    group = add_comment(call, item, "", None, None)
    added = add_files(call, group, files)
    touch(call, item)
    return [show_attachment(call.world, file) for file in added]


def _get(call: Call) -> Any:
    attachment, _ = _named(call)
    revision = describe_revision(attachment, call.query.get("version"))
    return show_attachment(call.world, attachment, revision)


def _get_content(call: Call) -> Any:
    attachment, _ = _named(call)
    revision = describe_revision(attachment, call.query.get("version"))
    return Content(content_of(revision), _BYTES, attachment.name)


def _put_content(call: Call) -> Any:
    attachment = _changeable(call)
    given = call.body
    new: dict[str, Any] = {}
    if "description" in given:
        new["description"] = given["description"]
        new["format"] = given.get("descriptionFormat", "PlainText")
    files = given.get("content", ())
    if len(files) > 1:
        raise RefusedError(400, "The form has more than one file.")
    for file in files:
        new |= revision_of(file.content, file.media)
    add_revision(call, attachment, new, "content" if files else "description")
    touch(call, call.world.items[attachment.item])
    return show_attachment(call.world, attachment)


def _restore(call: Call) -> Any:
    attachment = _changeable(call)
    wanted = call.query["version"]
    old = describe_revision(attachment, wanted)
    add_revision(call, attachment, dict(old), f"restored version {wanted}")
    touch(call, call.world.items[attachment.item])
    return show_attachment(call.world, attachment)


def _history(call: Call) -> Any:
    attachment, _ = _named(call)
    page, size = call.query["page"], call.query["pageSize"]
    revisions = [
        {
            "id": attachment.id,
            "version": revision["version"],
            "modifiedAt": revision["at"],
            "modifiedBy": user_reference(call.world, revision["by"]),
            "changeSummary": revision["summary"],
        }
        for revision in reversed(attachment.revisions)
    ]
    return {
        "page": page,
        "pageSize": size,
        "total": len(revisions),
        "revisions": page_of(revisions, page, size),
    }


def _remove(call: Call, attachment: Attachment) -> None:
    """Take one file away, with its whole group where that is asked for."""
    if call.query.get("deleteAttachmentGroup"):
        remove_comment(call.world, call.world.comments[attachment.comment])
    else:
        remove_file(call.world, attachment)


def _delete_of_item(call: Call) -> Any:
    attachment = _changeable(call)
    shown = show_attachment(call.world, attachment)
    _remove(call, attachment)
    touch(call, call.world.items[attachment.item])
    return shown


def _delete(call: Call) -> Any:
    _delete_of_item(call)
    return EMPTY


def _delete_all(call: Call) -> Any:
    item, rights = _item(call, call.path["itemId"])
    for file in _files(call, item):
        require_change(call, rights, file.revisions[0]["by"])
    check_unlocked(call, item)
    while item.attachments:
        _remove(call, call.world.attachments[item.attachments[0]])
    touch(call, item)
    return EMPTY


def _archive(named: Iterable[tuple[str, bytes]], name: str) -> Content:
    """Return files as one archive; equal files make equal archives."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in named:
            archive.writestr(zipfile.ZipInfo(path), content)
    return Content(made.getvalue(), _ARCHIVE, name)


def _entry(file: Attachment) -> tuple[str, bytes]:
    safe = file.name.replace("/", "_").replace("\\", "_")
    return f"{file.id}_{safe}", content_of(file.last)


def _get_contents(call: Call) -> Any:
    item, _ = _item(call, call.path["itemId"])
    return _archive((_entry(file) for file in _files(call, item)), f"{item.id}.zip")


def _get_contents_of_many(call: Call) -> Any:
    call = as_of(call, call.body.get("baselineId"))
    entries = []
    for wanted in call.body.get("items") or ():
        item, _ = _item(call, wanted["id"])
        for file in _files(call, item):
            if _is_wanted(file, call.body):
                path, content = _entry(file)
                entries.append((f"{item.id}/{path}", content))
    return _archive(entries, "attachments.zip")


def _is_wanted(file: Attachment, asked: dict[str, Any]) -> bool:
    """Tell whether a file passes the filters; without filters each one does."""
    extensions = asked.get("extensions") or ()
    kinds = asked.get("mimeTypes") or ()
    if not extensions and not kinds:
        return True
    ending = file.name.rpartition(".")[2].casefold()
    found = ending in {known.casefold() for known in extensions}
    found = found or file.last["media"] in kinds
    return found != bool(asked.get("excludeFilter"))


ATTACHMENTS: dict[str, Route] = {
    "getTrackerItemAttachments": _list,
    "uploadTrackerItemAttachment": _upload,
    "deleteTrackerItemAttachments": _delete_all,
    "getTrackerItemAttachment": _get,
    "deleteTrackerItemAttachment": _delete_of_item,
    "getTrackerItemAttachmentContent": _get_content,
    "updateAttachmentOfTrackerItem": _put_content,
    "getTrackerItemAttachmentContents": _get_contents,
    "getTrackerItemsAttachmentContents": _get_contents_of_many,
    "getAttachment": _get,
    "deleteAttachment": _delete,
    "getAttachmentContent": _get_content,
    "updateAttachment": _put_content,
    "getAttachmentHistory": _history,
    "restoreAttachment": _restore,
}
