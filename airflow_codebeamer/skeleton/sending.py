"""The request that takes back one link, file or comment."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from airflow_codebeamer.client import Before, Client
from airflow_codebeamer.skeleton.parting import (
    Detach,
    LinkAgain,
    Part,
    Revert,
    Uncomment,
    Unlink,
)
from airflow_codebeamer.skeleton.tokens import number_of_item

__all__ = ["Sending", "sending"]


class Sending(Protocol):
    """A request that asks right before each try."""

    def __call__(self, *, before: Before) -> object:
        """Send it."""
        ...


def sending(client: Client, part: Part) -> Sending:
    """Return what is to be sent."""
    associations, attachments = client.associations, client.attachments
    match part:
        case Unlink(number=number):
            return partial(associations.delete_association, number)
        case LinkAgain(step=gone):
            return partial(
                associations.create_association,
                gone.item_id,
                number_of_item(gone.target),
                gone.type_id,
                propagates=gone.propagates,
            )
        case Detach(item_id=item_id, number=number):
            return partial(attachments.delete_attachment, item_id, number)
        case Revert(number=number, version=version):
            return partial(attachments.restore_version, number, version)
        case Uncomment(item_id=item_id, number=number):
            return partial(client.items.delete_comment, item_id, number)
