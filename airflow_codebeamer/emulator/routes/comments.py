"""Comments of items, and the answers to them."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.attached import Comment
from airflow_codebeamer.emulator.attaching import (
    COMMENT_ADD,
    FILE_ADD,
    VIEW,
    add_comment,
    add_files,
    remove_comment,
    require_change,
    show_comment,
    touch,
)
from airflow_codebeamer.emulator.call import EMPTY, Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.world import Item
from airflow_codebeamer.emulator.writing import check_unlocked

__all__ = ["COMMENTS"]


def _item(call: Call, permission: int, to_do: str) -> tuple[Item, Rights]:
    item = call.world.live_item(call.path["itemId"])
    rights = Rights(call.world, call.user, call.world.trackers[item.tracker], item)
    rights.require_view(item)
    rights.require(permission, to_do)
    return item, rights


def _seen(call: Call) -> tuple[Item, Rights]:
    return _item(call, VIEW, "view comments and attachments")


def _texts(call: Call, item: Item) -> list[Comment]:
    """Return the comments that say something; groups of files do not."""
    comments = (call.world.comments[number] for number in item.comments)
    return [comment for comment in comments if comment.text]


def _named(call: Call, item: Item) -> Comment:
    comment = call.world.comments.get(call.path["commentId"])
    if comment is None or comment.item != item.id or not comment.text:
        raise RefusedError(404, "Comment is not found.")
    return comment


def _list(call: Call) -> Any:
    item, _ = _seen(call)
    return [show_comment(call.world, comment) for comment in _texts(call, item)]


def _get(call: Call) -> Any:
    item, _ = _seen(call)
    return show_comment(call.world, _named(call, item))


def _add(call: Call, item: Item, rights: Rights, parent: int | None) -> Any:
    check_unlocked(call, item)
    files = call.body.get("attachments", [])
    if files:
        rights.require(FILE_ADD, "add attachments")
    text, wanted = call.body["comment"], call.body.get("commentFormat")
    comment = add_comment(call, item, text, wanted, parent)
    add_files(call, comment, files)
    touch(call, item)
    return show_comment(call.world, comment)


def _post(call: Call) -> Any:
    item, rights = _item(call, COMMENT_ADD, "add comments")
    return _add(call, item, rights, None)


def _reply(call: Call) -> Any:
    item, rights = _item(call, COMMENT_ADD, "add comments")
    return _add(call, item, rights, _named(call, item).id)


def _edit(call: Call) -> Any:
    item, rights = _seen(call)
    comment = _named(call, item)
    require_change(call, rights, comment.created_by)
    check_unlocked(call, item)
    files = call.body.get("attachments", [])
    if files:
        rights.require(FILE_ADD, "add attachments")
    comment.text = call.body["comment"]
    comment.format = call.body.get("commentFormat", "PlainText")
    comment.version += 1
    comment.modified_at, comment.modified_by = call.now, call.user.id
    add_files(call, comment, files)
    touch(call, item)
    return show_comment(call.world, comment)


def _delete(call: Call) -> Any:
    item, rights = _seen(call)
    comment = _named(call, item)
    require_change(call, rights, comment.created_by)
    check_unlocked(call, item)
    shown = show_comment(call.world, comment)
    remove_comment(call.world, comment)
    touch(call, item)
    return shown


def _delete_all(call: Call) -> Any:
    item, rights = _seen(call)
    comments = _texts(call, item)
    for comment in comments:
        require_change(call, rights, comment.created_by)
    check_unlocked(call, item)
    for comment in comments:
        # A reply may have gone with what it answers.
        if comment.id in call.world.comments:
            remove_comment(call.world, comment)
    touch(call, item)
    return EMPTY


COMMENTS: dict[str, Route] = {
    "getTrackerItemComments": _list,
    "commentOnTrackerItem": _post,
    "deleteTrackerItemComments": _delete_all,
    "getTrackerItemComment": _get,
    "replyOnCommentOfTrackerItem": _reply,
    "editCommentOnTrackerItem": _edit,
    "deleteTrackerItemComment": _delete,
}
