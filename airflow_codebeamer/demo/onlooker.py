"""Somebody who has a tracker open while a run holds it."""

from __future__ import annotations

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import CodebeamerError, ForbiddenError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.models import FieldValue, NewItem

__all__ = ["Onlooker"]

_SUMMARY = FieldId(3)


class Onlooker:
    """Tries to add, to edit and to read, and says what came of it.

    Every attempt returns whether it ended as it must under a lock, and a
    sentence for people.
    """

    def __init__(self, client: Client, tracker_id: TrackerId) -> None:
        self._client = client
        self._tracker_id = tracker_id
        self._who = client.settings.login

    def add(self) -> tuple[bool, str]:
        """Try to add an item."""
        try:
            new = NewItem(name=f"An item of {self._who}")
            item = self._client.items.create_item(self._tracker_id, new)
        except ForbiddenError as error:
            return True, f"refused: {error.server_message}"
        except CodebeamerError as error:
            return False, f"another error than a refusal: {error}"
        return False, f"item {item.id} was added, in spite of the lock"

    def edit(self, item_id: int) -> tuple[bool, str]:
        """Try to rename an item."""
        value = FieldValue(
            fieldId=_SUMMARY, name="Summary", type="TextFieldValue", value="Edited"
        )
        try:
            self._client.items.update_fields(ItemId(item_id), [value])
        except ForbiddenError as error:
            return True, f"refused: {error.server_message}"
        except CodebeamerError as error:
            return False, f"another error than a refusal: {error}"
        return False, f"item {item_id} was edited, in spite of the lock"

    def read(self, item_id: int) -> tuple[bool, str]:
        """Read an item, which a lock must not prevent."""
        try:
            item = self._client.items.get_item(ItemId(item_id))
        except CodebeamerError as error:
            return False, f"not readable: {error}"
        return item.id == item_id, f"sees item {item.id}, {item.name!r}"
