"""Attaching: how comments and files come to an item, change, and go."""

from __future__ import annotations

import base64
from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.attached import Attachment, Comment, revision_of
from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.forms import File
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import user_reference
from airflow_codebeamer.emulator.world import Item, World
from airflow_codebeamer.emulator.writing import next_version

__all__ = [
    "COMMENT_ADD",
    "FILE_ADD",
    "VIEW",
    "add_comment",
    "add_files",
    "add_revision",
    "content_of",
    "describe_revision",
    "remove_comment",
    "remove_file",
    "require_change",
    "show_attachment",
    "show_comment",
    "touch",
]

VIEW, COMMENT_ADD, FILE_ADD, _EDIT_ANY, _EDIT_OWN = 10, 11, 12, 13, 14


def require_change(call: Call, rights: Rights, author: int) -> None:
    """Refuse when a comment or a file is not the user's to change.

    Raises:
        RefusedError: He lacks the right for any, or for his own (403).
    """
    own = author == call.user.id and rights.has(_EDIT_OWN)
    if not own:
        rights.require(_EDIT_ANY, "edit this comment or attachment")


def add_comment(
    call: Call, item: Item, text: str, wanted: str | None, parent: int | None
) -> Comment:
    """Add a comment to an item; without text it is a group of files."""
    comment = Comment(
        id=call.world.next_id("comment", 3001),
        item=item.id,
        text=text,
        created_at=call.now,
        created_by=call.user.id,
        modified_at=call.now,
        modified_by=call.user.id,
        format=wanted or "PlainText",
        parent=parent,
    )
    call.world.comments[comment.id] = comment
    item.comments.append(comment.id)
    return comment


def add_files(call: Call, comment: Comment, files: list[File]) -> list[Attachment]:
    """Hang files on an item, in the group of a comment."""
    item = call.world.items[comment.item]
    added = []
    for file in files:
        number = call.world.next_id("attachment", 5001)
        attachment = Attachment(number, item.id, comment.id, file.name or "file")
        call.world.attachments[number] = attachment
        item.attachments.append(number)
        add_revision(call, attachment, revision_of(file.content, file.media), "created")
        added.append(attachment)
    return added


def add_revision(
    call: Call, attachment: Attachment, new: dict[str, Any], summary: str
) -> None:
    """Give an attachment a new revision; what `new` does not say stays."""
    before = attachment.last if attachment.revisions else {}
    revision = {"description": "", "format": "PlainText", **before, **new}
    revision |= {
        "version": len(attachment.revisions) + 1,
        "at": call.now,
        "by": call.user.id,
        "summary": summary,
    }
    attachment.revisions.append(revision)


def describe_revision(attachment: Attachment, version: int | None) -> dict[str, Any]:
    """Return one revision, the newest for None.

    Raises:
        RefusedError: There is none of that version (404).
    """
    if version is None:
        return attachment.last
    if not 1 <= version <= len(attachment.revisions):
        raise RefusedError(404, f"Attachment has no version {version}.")
    return attachment.revisions[version - 1]


def content_of(revision: dict[str, Any]) -> bytes:
    """Return the bytes of a revision."""
    return base64.b64decode(revision["content"])


def remove_file(world: World, attachment: Attachment) -> None:
    """Take a file away; a group that has neither text nor files goes with it."""
    del world.attachments[attachment.id]
    item = world.items[attachment.item]
    item.attachments.remove(attachment.id)
    group = world.comments[attachment.comment]
    held = any(world.attachments[at].comment == group.id for at in item.attachments)
    if not group.text and not held:
        remove_comment(world, group)


def remove_comment(world: World, comment: Comment) -> None:
    """Take a comment away, with its files and its replies."""
    item = world.items[comment.item]
    item.comments.remove(comment.id)
    del world.comments[comment.id]
    for number in list(item.attachments):
        if world.attachments[number].comment == comment.id:
            del world.attachments[number]
            item.attachments.remove(number)
    for number in list(item.comments):
        reply = world.comments.get(number)
        if reply is not None and reply.parent == comment.id:
            remove_comment(world, reply)


def touch(call: Call, item: Item) -> None:
    """Make a version of the item, where that is assumed."""
    if call.world.assumptions["attaching_makes_version"]:
        next_version(call, item, [])


def show_attachment(
    world: World, attachment: Attachment, revision: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return an attachment, as it is or as it was in an earlier revision."""
    first, shown = attachment.revisions[0], revision or attachment.last
    return {
        "id": attachment.id,
        "name": attachment.name,
        "description": shown["description"],
        "descriptionFormat": shown["format"],
        "createdAt": first["at"],
        "createdBy": user_reference(world, first["by"]),
        "modifiedAt": shown["at"],
        "modifiedBy": user_reference(world, shown["by"]),
        "version": shown["version"],
        "size": shown["size"],
        "sha512": shown["sha512"],
    }


def show_comment(world: World, comment: Comment) -> dict[str, Any]:
    """Return a comment with its files."""
    files = [
        world.attachments[number]
        for number in world.items[comment.item].attachments
        if world.attachments[number].comment == comment.id
    ]
    shown: dict[str, Any] = {
        "id": comment.id,
        "comment": comment.text,
        "commentFormat": comment.format,
        "createdAt": comment.created_at,
        "createdBy": user_reference(world, comment.created_by),
        "modifiedAt": comment.modified_at,
        "modifiedBy": user_reference(world, comment.modified_by),
        "version": comment.version,
        "attachments": [show_attachment(world, file) for file in files],
    }
    if comment.parent is not None:
        shown["parent"] = {"id": comment.parent, "type": "CommentReference"}
    return shown
