"""Operations on items: read, write, order, history, and items' own locks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from airflow_codebeamer.client.answers import read, read_many
from airflow_codebeamer.client.paging import (
    LONGEST_PAGE,
    list_paged,
    page_of,
    read_pages,
)
from airflow_codebeamer.client.transport import Before, Transport
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.models import (
    BulkResult,
    Comment,
    FieldValue,
    Item,
    ItemLock,
    ItemPatch,
    NewItem,
    Page,
    Place,
    Reference,
    Version,
)

__all__ = ["Items"]

T = TypeVar("T")

_QUERY = "/items/query"
_ITEM_REFERENCE = "TrackerItemReference"


class Items:
    """Items by number or by query.

    Every operation that changes something raises `OutcomeUnknownError` or
    `ServerError` when it may have happened: look before writing again, most of
    all after `create_item`, which makes a second item when repeated. Where one
    takes `before`, that is asked right before each try, after every wait, and
    may raise to have nothing sent any more.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_item(self, item_id: ItemId, *, version: int | None = None) -> Item:
        """Return an item as it is, or as it was in one of its versions.

        Raises:
            NotFoundError: there is none, or this account may not see it.
        """
        path = f"/items/{item_id}"
        answer = self._transport.read("GET", path, query={"version": version})
        return read(Item, answer, f"GET {path}")

    def create_item(
        self,
        tracker_id: TrackerId,
        new: NewItem,
        place: Place | None = None,
        *,
        before: Before | None = None,
    ) -> Item:
        """Create an item and return it as the server made it.

        Raises:
            BadRequestError: a field or value that the tracker does not take.
            ForbiddenError: needs the permission "Item - Add".
        """
        where = place or Place()
        path = f"/trackers/{tracker_id}/items"
        query = {
            "parentItemId": where.parent,
            "referenceItemId": where.reference,
            "position": where.position,
        }
        answer = self._transport.write(
            "POST", path, query=query, body=new.request(), before=before
        )
        return read(Item, answer, f"POST {path}")

    def query(self, cbql: str, *, page_size: int = LONGEST_PAGE) -> list[Item]:
        """Return every item that a cbQL filter finds, with all its fields.

        The first page tells how many there are, the others come in parallel.

        Raises:
            BadRequestError: the server does not understand the filter.
            ContractError: the result kept changing while it was read.
        """
        where = f"POST {_QUERY}"
        entries = read_pages(
            self._fetcher(cbql),
            where,
            page_size=page_size,
            connections=self._transport.connections,
        )
        return read_many(Item, entries, where)

    def query_each(self, cbql: str, convert: Callable[[Any], T]) -> list[T]:
        """Return what `convert` makes of every item that a cbQL filter finds.

        It is given each item as JSON, in the thread that has read its page. For
        long lists: no item is kept.

        Raises:
            BadRequestError: the server does not understand the filter.
            ContractError: the result kept changing while it was read.
        """
        return read_pages(
            self._fetcher(cbql),
            f"POST {_QUERY}",
            connections=self._transport.connections,
            convert=convert,
        )

    def query_latest(self, cbql: str, number: int) -> Page[Item]:
        """Return one page of a cbQL filter's items, the last changed ones first.

        `total` of the page tells how many there are in all.
        """
        where = f"POST {_QUERY}"
        fetch = self._fetcher(f"{cbql} ORDER BY modifiedAt DESC")
        answer = fetch(number, LONGEST_PAGE)
        page = page_of(answer, where, number=number, size=LONGEST_PAGE)
        items = tuple(read_many(Item, page.entries, where))
        return Page(page.number, page.size, page.total, items)

    def count(self, cbql: str) -> int:
        """Return how many items a cbQL filter finds."""
        body = {"queryString": cbql, "page": 1, "pageSize": 1}
        answer = self._transport.read("POST", _QUERY, body=body)
        return page_of(answer, f"POST {_QUERY}", number=1, size=1).total

    def _fetcher(self, cbql: str) -> Callable[[int, int], Any]:
        def fetch(number: int, size: int) -> Any:
            body = {"queryString": cbql, "page": number, "pageSize": size}
            return self._transport.read("POST", _QUERY, body=body)

        return fetch

    def update_fields(
        self,
        item_id: ItemId,
        values: Iterable[FieldValue],
        *,
        before: Before | None = None,
    ) -> Item:
        """Set some fields of an item and return it; the others stay.

        Raises:
            ItemLockedError: somebody is editing the item.
        """
        path = f"/items/{item_id}/fields"
        body = {"fieldValues": [value.request() for value in values]}
        answer = self._transport.write("PUT", path, body=body, before=before)
        return read(Item, answer, f"PUT {path}")

    def update_many(
        self,
        patches: Sequence[ItemPatch],
        *,
        atomic: bool,
        before: Before | None = None,
    ) -> BulkResult:
        """Set some fields of many items in one request: all or none, or each.

        Without `atomic` a return is no success: look at `failed`.

        Not promised: a bound on the number of patches; none is documented.

        Raises:
            BadRequestError: with `atomic`, nothing was changed; `failed` lists
                the items that were in the way.
        """
        if not patches:
            return BulkResult()
        path = "/items/fields"
        body = [patch.request() for patch in patches]
        answer = self._transport.write(
            "PUT", path, query={"atomic": atomic}, body=body, before=before
        )
        return read(BulkResult, answer, f"PUT {path}")

    def delete_item(self, item_id: ItemId, *, before: Before | None = None) -> None:
        """Move an item to the trash.

        Raises:
            NotFoundError: it is not there (any more).
        """
        self._transport.write("DELETE", f"/items/{item_id}", before=before)

    def list_children(self, item_id: ItemId) -> list[Reference]:
        """Return the items directly below an item, in order."""
        return list_paged(self._transport, Reference, f"/items/{item_id}/children")

    def insert_child(
        self,
        parent: ItemId | None,
        tracker_id: TrackerId,
        item_id: ItemId,
        index: int,
        *,
        before: Before | None = None,
    ) -> None:
        """Move an item below `parent`, or to the tracker's top, at `index` from 0."""
        path = _children_path(parent, tracker_id)
        body = {"index": index, "itemReference": _reference(item_id)}
        self._transport.write(
            "PATCH", path, query={"mode": "INSERT"}, body=body, before=before
        )

    def set_children(
        self,
        parent: ItemId | None,
        tracker_id: TrackerId,
        item_ids: Sequence[ItemId],
        *,
        before: Before | None = None,
    ) -> None:
        """Put exactly these items below `parent`, or at the top, in this order."""
        path = _children_path(parent, tracker_id)
        body = {"children": [_reference(item_id) for item_id in item_ids]}
        self._transport.write("PUT", path, body=body, before=before)

    def list_history(self, item_id: ItemId) -> list[Version]:
        """Return the versions of an item with what changed in each.

        Raises:
            ForbiddenError: needs the permission "Item - History View".
        """
        path = f"/items/{item_id}/history"
        answer = self._transport.read("GET", path)
        versions = answer.get("versions") if isinstance(answer, dict) else answer
        return read_many(Version, versions or [], f"GET {path}")

    def list_comments(self, item_id: ItemId) -> list[Comment]:
        """Return the comments of an item.

        Raises:
            ForbiddenError: needs the permission to view comments and attachments.
        """
        path = f"/items/{item_id}/comments"
        answer = self._transport.read("GET", path)
        return read_many(Comment, answer or [], f"GET {path}")

    def delete_comment(
        self, item_id: ItemId, comment_id: int, *, before: Before | None = None
    ) -> None:
        """Take a comment away, with the replies to it.

        Raises:
            NotFoundError: it is not there (any more).
            ItemLockedError: somebody is editing the item.
        """
        path = f"/items/{item_id}/comments/{comment_id}"
        self._transport.write("DELETE", path, before=before)

    def find_lock(self, item_id: ItemId) -> ItemLock | None:
        """Return who keeps an item from being edited, None if nobody does."""
        path = f"/items/{item_id}/lock"
        answer = self._transport.read("GET", path)
        lock = None if answer is None else read(ItemLock, answer, f"GET {path}")
        return lock if lock is not None and lock.user is not None else None

    def lock(
        self, item_id: ItemId, *, hard: bool = False, duration: str | None = None
    ) -> None:
        """Keep an item from being edited by others; `duration` like "1:30h".

        Raises:
            ForbiddenError: somebody else has locked it.
        """
        body: dict[str, Any] = {"hard": hard}
        if duration is not None:
            body["duration"] = duration
        self._transport.write("PUT", f"/items/{item_id}/lock", body=body)

    def unlock(self, item_id: ItemId) -> None:
        """Take an item's lock away.

        Raises:
            ForbiddenError: it is somebody else's.
        """
        self._transport.write("DELETE", f"/items/{item_id}/lock")


def _children_path(parent: ItemId | None, tracker_id: TrackerId) -> str:
    if parent is None:
        return f"/trackers/{tracker_id}/children"
    return f"/items/{parent}/children"


def _reference(item_id: ItemId) -> dict[str, Any]:
    return Reference(id=item_id, type=_ITEM_REFERENCE).request()
