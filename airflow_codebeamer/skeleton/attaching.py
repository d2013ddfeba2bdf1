"""Attaching: the files that a plan sends, small ones side by side."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from airflow_codebeamer.client import Before
from airflow_codebeamer.errors import ApiError, SkeletonError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Attachment
from airflow_codebeamer.skeleton.attachments import holds
from airflow_codebeamer.skeleton.local_files import digest_of
from airflow_codebeamer.skeleton.steps import Attach
from airflow_codebeamer.skeleton.writing import Writing

__all__ = ["Attacher"]

#: A larger file is in memory twice while it is sent: one of them at a time.
_SMALL = 4 * 2**20


class Attacher:
    """Sends the files of a plan."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def attach_all(self) -> None:
        """Send what is new or another.

        Raises:
            SkeletonError: a file is not any more what was planned.
        """
        steps, crew = self._writing.plan.attaches, self._writing.crew
        crew.run(partial(self._attach, one) for one in steps if one.size <= _SMALL)
        for step in steps:
            if step.size > _SMALL:
                crew.run([partial(self._attach, step)])

    def _attach(self, step: Attach) -> None:
        writing = self._writing
        (item_id,) = writing.numbers([step.item_id])
        content = _content(step)
        made, _ = writing.crew.write(
            partial(self._send, step, item_id, content),
            partial(self._find, step, item_id),
        )
        writing.notes.note([step], {"attachment": made.id})

    def _send(
        self, step: Attach, item_id: ItemId, content: bytes, before: Before
    ) -> Attachment:
        attachments = self._writing.client.attachments
        try:
            if step.number is None:
                return attachments.add_attachment(
                    item_id, step.name, content, before=before
                )
            old = Attachment(id=step.number, name=step.name)
            return attachments.replace_content(item_id, old, content, before=before)
        except ApiError as error:
            error.add_note(f"while attaching {step.name!r} to {step.key!r}")
            raise

    def _find(self, step: Attach, item_id: ItemId) -> Attachment | None:
        """Return the file that a lost request may have left there."""
        snapshot = self._writing.plan.snapshot
        before = {one.id: one for one in snapshot.attachments.get(item_id, ())}
        for one in self._writing.client.attachments.list_attachments(item_id):
            is_new = one.id not in before or one.version > before[one.id].version
            is_meant = step.number in (None, one.id) and one.name == step.name
            if is_new and is_meant and holds(one, step.size, step.sha512):
                return one
        return None


def _content(step: Attach) -> bytes:
    try:
        content = Path(step.path).read_bytes()
    except OSError as error:
        raise SkeletonError(
            f"The file {step.path} for {step.key!r} cannot be read any more: "
            f"{error.strerror or error}."
        ) from error
    if digest_of(content) != step.sha512:
        raise SkeletonError(
            f"The file {step.path} for {step.key!r} has changed since it was planned: "
            "plan again."
        )
    return content
