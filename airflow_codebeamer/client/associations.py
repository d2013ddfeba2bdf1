"""Operations on associations: links between items."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_codebeamer.client.answers import read, read_many
from airflow_codebeamer.client.paging import LONGEST_PAGE
from airflow_codebeamer.client.transport import Before, Transport
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association, Reference, Relation, Relations

__all__ = ["Associations"]

_ITEM_REFERENCE = "TrackerItemReference"


class Associations:
    """Links between items, by number or by where they start."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_types(self) -> list[Reference]:
        """Return the types that associations may have; nobody can change them."""
        path = "/associations/types"
        answer = self._transport.read("GET", path)
        return read_many(Reference, answer or [], f"GET {path}")

    def list_outgoing(
        self, item_ids: Sequence[ItemId]
    ) -> dict[ItemId, tuple[Relation, ...]]:
        """Return the associations that start at items, 500 items in a request.

        Not promised: their types, which the server tells only one by one.

        Raises:
            NotFoundError: one of the items is not there (any more).
        """
        path = "/items/relations"
        found: dict[ItemId, tuple[Relation, ...]] = {}
        for start in range(0, len(item_ids), LONGEST_PAGE):
            chunk = item_ids[start : start + LONGEST_PAGE]
            body = {"items": [{"id": one, "type": _ITEM_REFERENCE} for one in chunk]}
            answer = self._transport.read("POST", path, body=body)
            for one in read_many(Relations, answer or [], f"POST {path}"):
                found[one.item_id] = one.outgoing
        return found

    def get_association(self, number: int) -> Association:
        """Return an association with its type and who made it.

        Raises:
            NotFoundError: it is not there, or one of its ends is not.
        """
        path = f"/associations/{number}"
        return read(Association, self._transport.read("GET", path), f"GET {path}")

    def create_association(
        self,
        start: ItemId,
        end: ItemId,
        type_id: int,
        *,
        propagates: bool = False,
        before: Before | None = None,
    ) -> Association:
        """Link an item to another and return the association.

        Raises:
            BadRequestError: no such item or type.
            ForbiddenError: needs the permission "Item - Edit Associations".
        """
        path = "/associations"
        body = {
            "from": {"id": start, "type": _ITEM_REFERENCE},
            "to": {"id": end, "type": _ITEM_REFERENCE},
            "type": {"id": type_id, "type": "AssociationTypeReference"},
            "propagatingSuspects": propagates,
        }
        answer = self._transport.write("POST", path, body=body, before=before)
        return read(Association, answer, f"POST {path}")

    def delete_association(self, number: int, *, before: Before | None = None) -> None:
        """Remove an association.

        Raises:
            NotFoundError: it is not there (any more).
        """
        self._transport.write("DELETE", f"/associations/{number}", before=before)
