"""People who have an item open: looked for before the rights to save are taken.

Whoever opens an item for editing locks it, and finds out that he may not save when he
tries. The API shows such a lock only item by item (source: the vendor's description
of 22.10, whose items do not say whether they are locked), so a look costs a request
for the items changed last and one for each of them. It is off unless asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_codebeamer.errors import EditorsOpenError, NotFoundError
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.locking.parts import Parts

__all__ = ["OpenEditor", "heed_editors", "list_editors"]


@dataclass(frozen=True)
class OpenEditor:
    """An item that somebody else has locked, as his open editor does."""

    item_id: ItemId
    name: str
    who: str

    def __str__(self) -> str:
        return f"{self.who} has item {self.item_id} ({self.name}) open"


def list_editors(parts: Parts, tracker_id: TrackerId) -> list[OpenEditor]:
    """Return who has which item open, of the items that were changed last.

    One request, and one for each of up to `open_editors_items` items. How many were
    left out is said.
    """
    found = parts.client.items.query_latest(f"tracker.id IN ({tracker_id})", 1)
    looked_at = found.entries[: parts.settings.open_editors_items]
    if found.total > len(looked_at):
        parts.say(
            f"Tracker {tracker_id}: open editors were looked for in the "
            f"{len(looked_at)} items changed last, of {found.total}."
        )
    named = ((ItemId(item.id), item.name) for item in looked_at)
    return list(_open(parts, named))


def heed_editors(parts: Parts, tracker_id: TrackerId) -> None:
    """Do as the policy says about people with an item open; nothing is held yet.

    Raises:
        EditorsOpenError: somebody has, and the policy is to fail, or he still has it
            after `open_editors_wait`.
    """
    policy, settings = parts.settings.open_editors, parts.settings
    if policy == "ignore":
        return
    end = parts.clock.monotonic() + settings.open_editors_wait.total_seconds()
    editors = list_editors(parts, tracker_id)
    while editors:
        left = end - parts.clock.monotonic()
        if policy == "fail" or left <= 0:
            raise EditorsOpenError(tracker_id, [str(one) for one in editors])
        parts.say(f"Tracker {tracker_id}: {editors[0]}; waiting until it is closed.")
        parts.clock.sleep(min(settings.poll.total_seconds(), left))
        # Only who had one open is asked again; who opens one now is not waited for.
        editors = list(_open(parts, ((one.item_id, one.name) for one in editors)))


def _open(parts: Parts, items: Iterator[tuple[ItemId, str]]) -> Iterator[OpenEditor]:
    us = parts.client.settings.login
    for item_id, name in items:
        try:
            lock = parts.client.items.find_lock(item_id)
        except NotFoundError:
            continue  # deleted meanwhile
        if lock is not None and lock.user is not None and lock.user.name != us:
            yield OpenEditor(item_id, name, lock.user.name)
