"""Finds on the server what a document points at, each thing once."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import CodebeamerError, NotFoundError
from airflow_codebeamer.ids import ItemId, ProjectId, TrackerId
from airflow_codebeamer.models import Tracker
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.neighbours import Neighbours
from airflow_codebeamer.skeleton.tokens import item_token, key_token
from airflow_codebeamer.skeleton.values import (
    ItemNumber,
    Lookup,
    Pointer,
    Ref,
    Role,
    User,
)
from airflow_codebeamer.skeleton.wording import suggestion

__all__ = ["ServerDirectory"]


class ServerDirectory:
    """Asks for accounts by name, for roles once, for each other tracker once.

    Nothing is asked before the document points at something of that kind, and
    nothing at all of what the documents of the same set know already.
    """

    def __init__(
        self,
        client: Client,
        tracker_id: TrackerId,
        document: Document,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._neighbours = neighbours or Neighbours()
        self._client = client
        self._tracker_id = tracker_id
        self._document = document
        self._users: dict[str, int | None] = {}
        self._roles: dict[str, list[int]] | None = None
        self._tracker: Tracker | None = None
        self._trackers: dict[str, TrackerId] | None = None
        self._keys: dict[TrackerId, dict[str, list[ItemId]]] = {}
        self._known: Mapping[str, object] | None = None
        self._items: dict[int, bool] = {}
        self._association_types: dict[str, int] | None = None

    def find(self, pointer: Pointer) -> str:
        """Return the token of what a pointer points at.

        Raises:
            ValueError: there is nobody and nothing of that name.
        """
        match pointer:
            case User(user=name):
                return f"user:{self._user(name)}"
            case Role(role=name):
                return f"role:{self._role(name)}"
            case Ref(ref=key):
                return key_token(self._own(key))
            case ItemNumber(item=number):
                return item_token(self._item(ItemId(number)))
            case Lookup():
                return self._elsewhere(pointer)

    def find_association_type(self, name: str) -> int:
        """Return the number of a type of associations.

        Raises:
            ValueError: the server has no type of that name.
        """
        if self._association_types is None:
            listed = self._client.associations.list_types()
            self._association_types = {one.name: one.id for one in listed}
        known = self._association_types
        if name not in known:
            raise ValueError(
                f"the server has no association type {name!r}, only "
                f"{', '.join(known)}{suggestion(name, known)}"
            )
        return known[name]

    def _user(self, name: str) -> int:
        if name not in self._users:
            found = self._client.users.find_user(name)
            self._users[name] = None if found is None else found.id
        number = self._users[name]
        if number is None:
            raise ValueError(
                f"the server knows no account {name!r}, or this one may not see it"
            )
        return number

    def _role(self, name: str) -> int:
        if self._roles is None:
            self._roles = {}
            for role in self._client.users.list_roles():
                self._roles.setdefault(role.name, []).append(role.id)
        found = self._roles.get(name, [])
        if not found:
            raise ValueError(
                f"the server has no role {name!r}{suggestion(name, self._roles)}"
            )
        if len(found) > 1:
            raise ValueError(
                f"the server has {len(found)} roles {name!r} (numbers "
                f"{', '.join(map(str, sorted(found)))}), so it cannot be named"
            )
        return found[0]

    def _own(self, key: str) -> str:
        if not isinstance(self._document, Skeleton):
            raise ValueError("an update has no items of its own; use {tracker, key}")
        if self._known is None:
            wanted = self._document.list_wanted()
            self._known = {one.item.key: None for one in wanted}
        if key not in self._known:
            raise ValueError(
                f"no item has the key {key!r}{suggestion(key, self._known)}"
            )
        return self._document.identity.prefix + key

    def _item(self, number: ItemId) -> ItemId:
        if number not in self._items:
            try:
                self._client.items.get_item(number)
            except NotFoundError:
                self._items[number] = False
            else:
                self._items[number] = True
        if not self._items[number]:
            raise ValueError(
                f"there is no item {number}, or this account may not see it"
            )
        return number

    def _elsewhere(self, pointer: Lookup) -> str:
        tracker_id = self.tracker_of(pointer.tracker)
        field = self._document.identity.field
        known = self._neighbours.find(
            tracker_id, field, pointer.key, asker=self._tracker_id
        )
        return known or item_token(self._lookup(tracker_id, pointer))

    def _lookup(self, tracker_id: TrackerId, pointer: Lookup) -> ItemId:
        if tracker_id not in self._keys:
            self._keys[tracker_id] = self._read_keys(tracker_id)
        found = self._keys[tracker_id].get(pointer.key, [])
        where = f"tracker {pointer.tracker!r}"
        if not found:
            near = suggestion(pointer.key, self._keys[tracker_id])
            raise ValueError(f"{where} has no item with the key {pointer.key!r}{near}")
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise ValueError(f"{where} has the key {pointer.key!r} twice: items {ids}")
        return found[0]

    def tracker_of(self, name: int | str) -> TrackerId:
        """Return the number of another tracker of the same project.

        Raises:
            ValueError: the project has none of that name.
        """
        if isinstance(name, int):
            return TrackerId(name)
        if self._tracker is None:
            self._tracker = self._client.trackers.get_tracker(self._tracker_id)
        if self._trackers is None:
            self._trackers = {}
        if name not in self._trackers:
            project = self._tracker.project
            if project is None:
                raise ValueError("give the tracker by its number")
            project_id = ProjectId(project.id)
            tracker = self._client.projects.find_tracker(project_id, name)
            if tracker is None:
                listed = self._client.projects.list_trackers(project_id)
                names = [one.name for one in listed]
                raise ValueError(
                    f"the project has no tracker {name!r}{suggestion(name, names)}"
                )
            self._trackers[name] = tracker.id
        return self._trackers[name]

    def _read_keys(self, tracker_id: TrackerId) -> dict[str, list[ItemId]]:
        name = self._document.identity.field
        try:
            fields = self._client.trackers.list_schema(tracker_id)
        except CodebeamerError as error:
            raise ValueError(f"tracker {tracker_id} cannot be read: {error}") from error
        number = next((one.id for one in fields if one.name == name), None)
        if number is None:
            raise ValueError(f"tracker {tracker_id} has no field {name!r} with keys")
        keys: dict[str, list[ItemId]] = {}
        for item in self._client.items.query(f"tracker.id IN ({tracker_id})"):
            for entry in item.custom_fields:
                if entry.field_id == number and entry.value:
                    keys.setdefault(str(entry.value).strip(), []).append(item.id)
        return keys
