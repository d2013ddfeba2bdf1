"""Which items a lock of single items is of: a list, a subtree, or a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import (
    BadRequestError,
    ConfigurationError,
    LockRefusedError,
    NotFoundError,
)
from airflow_codebeamer.ids import ItemId, TrackerId

__all__ = ["CHOSEN", "check_choice", "choose"]

#: The event that keeps what was chosen.
CHOSEN = "items_chosen"

_WAYS = ("items", "under", "query")
#: The server takes no longer list in a filter for granted; more go in parts.
_AT_ONCE = 200


def check_choice(options: Mapping[str, Any]) -> None:
    """Return if the options choose items in exactly one way.

    Raises:
        ConfigurationError: none, several, or not of the right kind.
    """
    unknown = sorted(set(options) - {*_WAYS, "minutes"})
    given = [way for way in _WAYS if options.get(way)]
    if unknown or len(given) != 1:
        raise ConfigurationError(
            "strategy_options",
            "say which items, by one of items (numbers), under (an item's number) and "
            "query (a cbQL filter), and minutes if they are to be locked for another "
            f"time; {', '.join(unknown or given) or 'nothing'} was given",
        )
    minutes = options.get("minutes", 1)
    numbers = options["items"] if "items" in given else [options.get("under", 1)]
    if "query" in given and not isinstance(options["query"], str):
        raise ConfigurationError("strategy_options", "write the query as text")
    if not isinstance(numbers, list | tuple) or not all(
        isinstance(one, int) and not isinstance(one, bool) and one > 0
        for one in (*numbers, minutes)
    ):
        raise ConfigurationError(
            "strategy_options", "items, under and minutes are whole numbers above 0"
        )


def choose(
    client: Client, tracker_id: TrackerId, options: Mapping[str, Any]
) -> tuple[ItemId, ...]:
    """Return the items that are meant, in ascending order.

    A list and a query cost one request for 500 items, a subtree one for each item
    in it that may have others below.

    Raises:
        LockRefusedError: there are none, or one is not in the tracker.
    """
    within = f"tracker.id IN ({tracker_id})"
    try:
        if options.get("query"):
            found = client.items.query(f"{within} AND ({options['query']})")
            chosen = {ItemId(item.id) for item in found}
        elif options.get("under"):
            chosen = _subtree(client, tracker_id, ItemId(options["under"]))
        else:
            chosen = _listed(client, tracker_id, [ItemId(n) for n in options["items"]])
    except BadRequestError as error:
        raise LockRefusedError(
            tracker_id, [f"the server does not understand the query: {error}"]
        ) from error
    if not chosen:
        raise LockRefusedError(tracker_id, ["no item is chosen by the options"])
    return tuple(sorted(chosen))


def _listed(client: Client, tracker_id: TrackerId, wanted: list[ItemId]) -> set[ItemId]:
    found: set[ItemId] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        numbers = ", ".join(str(one) for one in wanted[start : start + _AT_ONCE])
        query = f"tracker.id IN ({tracker_id}) AND item.id IN ({numbers})"
        found |= {ItemId(item.id) for item in client.items.query(query)}
    if missing := sorted(set(wanted) - found):
        numbers = ", ".join(str(one) for one in missing)
        raise LockRefusedError(tracker_id, [f"it has no item {numbers}"])
    return found


def _subtree(client: Client, tracker_id: TrackerId, top: ItemId) -> set[ItemId]:
    found = _listed(client, tracker_id, [top])
    rest = [top]
    while rest:
        try:
            below = client.items.list_children(rest.pop())
        except NotFoundError:
            continue  # somebody has just deleted it
        new = [ItemId(one.id) for one in below if ItemId(one.id) not in found]
        found |= set(new)
        rest += new
    return found
