"""Attachments of items: which files a document wants, and which hang there.

Files are told apart by name and SHA-512. The server tells both, so nothing is ever
downloaded, and a file that hangs there already is not sent again. A file that the
document does not name is nobody's business, also if we sent it once.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from airflow_codebeamer.client import Client
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Attachment
from airflow_codebeamer.skeleton.document import Skeleton
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import Attach
from airflow_codebeamer.skeleton.wishes import Wish

__all__ = [
    "AttachmentPlan",
    "holds",
    "plan_attachments",
    "read_attachments",
    "with_attachments",
]


@dataclass
class AttachmentPlan:
    """What is to be sent, what stays as others left it, and what is a conflict."""

    attaches: list[Attach] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def with_attachments(
    client: Client, snapshot: Snapshot, only: Collection[ItemId] | None = None
) -> Snapshot:
    """Return the snapshot with the files of the items that name some.

    Costs a request for each such item, of those in `only` if that is given. The same
    snapshot is returned if nothing changed.
    """
    asked = [
        found.item_id
        for wish in snapshot.wishes.wishes
        if wish.attachments
        and (found := snapshot.keyed.get(wish.key)) is not None
        and (only is None or found.item_id in only)
    ]
    now = {**snapshot.attachments, **read_attachments(client, asked)}
    return (
        snapshot if now == snapshot.attachments else replace(snapshot, attachments=now)
    )


def read_attachments(
    client: Client, item_ids: Collection[ItemId]
) -> dict[ItemId, tuple[Attachment, ...]]:
    """Return the files of items; costs a request for each item."""
    if not item_ids:
        return {}

    def read(item_id: ItemId) -> tuple[Attachment, ...]:
        return tuple(client.attachments.list_attachments(item_id))

    with ThreadPoolExecutor(client.settings.connections, "attachments") as pool:
        return dict(zip(item_ids, pool.map(read, item_ids), strict=True))


def plan_attachments(document: Skeleton, snapshot: Snapshot) -> AttachmentPlan:
    """Compare what hangs there with what is wished; nothing is asked."""
    made = AttachmentPlan()
    for wish in snapshot.wishes.wishes:
        found = snapshot.keyed.get(wish.key)
        here = () if found is None else snapshot.attachments.get(found.item_id, ())
        for file in wish.attachments:
            named = sorted(
                (one for one in here if one.name == file.name), key=lambda one: one.id
            )
            if any(holds(one, file.size, file.sha512) for one in named):
                continue
            spot = wish.key if found is None else found.item_id
            step = Attach(spot, wish.key, file.name, file.size, file.sha512, file.path)
            if not named or found is None:
                made.attaches.append(step)
                continue
            _replace(document, snapshot, wish, found, named[-1], step, made)
    return made


def _replace(
    document: Skeleton,
    snapshot: Snapshot,
    wish: Wish,
    found: Found,
    there: Attachment,
    step: Attach,
    made: AttachmentPlan,
) -> None:
    """Decide about a file of that name with another content."""
    policy = document.policy.foreign_edit
    writer = there.modified_by.name if there.modified_by else ""
    is_ours = writer.casefold() == snapshot.account.casefold()
    if is_ours or (policy == "overwrite" and not wish.is_protected):
        made.attaches.append(replace(step, number=there.id, version=there.version))
        return
    line = (
        f"{wish.key} (item {found.item_id}): the attachment {step.name!r} is another, "
        f"last changed by {writer or 'somebody'}"
    )
    keeps = wish.is_protected or policy == "keep"
    (made.kept if keeps else made.conflicts).append(line)


def holds(attachment: Attachment, size: int, sha512: str) -> bool:
    """Whether a file has that content; a server that tells no digest tells a size."""
    if attachment.sha512:
        return attachment.sha512.casefold() == sha512
    return attachment.size == size
