"""Sight: which items a tracker has, and their versions, at one end of a lock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.audit.packing import packed, unpacked
from airflow_codebeamer.models import Item

__all__ = ["Glimpse", "Sight", "look_at", "look_since"]

_PAGE = 500


@dataclass(frozen=True)
class Glimpse:
    """What one look tells of an item; stamps are the server's own words.

    `parent` is 0 at the top of the tracker, `place` its ordinal among its siblings,
    -1 if the server does not say.
    """

    item_id: int
    version: int
    created_at: str
    modified_at: str
    by_id: int
    by: str
    parent: int = 0
    place: int = -1
    comments: tuple[int, ...] = ()

    @classmethod
    def of(cls, item: Item) -> Glimpse:
        """Return what a query tells of an item."""
        who = item.modified_by or item.created_by
        return cls(
            item.id,
            item.version,
            item.created_at,
            item.modified_at or item.created_at,
            who.id if who else 0,
            (who.name or str(who.id)) if who else "",
            item.parent.id if item.parent else 0,
            -1 if item.ordinal is None else item.ordinal,
            tuple(sorted(comment.id for comment in item.comments)),
        )


@dataclass(frozen=True)
class Sight:
    """The items of a tracker; not all of them if `is_complete` is False.

    `stamp` is when the tracker last changed, in the server's own words: later
    changes are found by it, so that no clock has to agree with another. `places`
    and `comments` are of a whole look only, and empty of one by an older release.
    """

    total: int
    stamp: str
    is_complete: bool
    versions: Mapping[int, int]
    places: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    comments: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A digest of all numbers and versions, empty if some are missing."""
        if not self.is_complete:
            return ""
        lines = "".join(f"{k}:{v}\n" for k, v in sorted(self.versions.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the sight as JSON would have it, its items packed."""
        return {
            "total": self.total,
            "stamp": self.stamp,
            "is_complete": self.is_complete,
            "digest": self.digest,
            "packed": packed(sorted(self.versions.items())),
            "places": packed([(k, *at) for k, at in sorted(self.places.items())]),
            "comments": packed(sorted(self.comments.items())),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sight:
        """Return the sight that `to_json` wrote."""
        return cls(
            data["total"],
            data["stamp"],
            data["is_complete"],
            dict(unpacked(data["packed"])),
            {k: (parent, at) for k, parent, at in unpacked(data.get("places"))},
            {k: tuple(found) for k, found in unpacked(data.get("comments"))},
        )


def look_at(
    client: Client, tracker_id: TrackerId, pages: int
) -> tuple[Sight, dict[int, Glimpse]]:
    """Return every item, or the last changed ones if they need more requests.

    One request for up to 500 items; beyond that one more than there are pages.
    """
    cbql = f"tracker.id IN ({tracker_id})"
    first = client.items.query_latest(cbql, 1)
    seen = _by_id(map(Glimpse.of, first.entries))
    stamp = max((one.modified_at for one in seen.values()), default="")
    is_complete = len(seen) == first.total
    total = first.total
    if not is_complete and ceil(first.total / _PAGE) <= pages:
        seen = _by_id(client.items.query_each(cbql, _glimpse))
        is_complete, total = True, len(seen)
        stamp = max(stamp, max(one.modified_at for one in seen.values()))
    versions = {number: one.version for number, one in seen.items()}
    if not is_complete:
        return Sight(total, stamp, is_complete, versions), seen
    places = {number: (one.parent, one.place) for number, one in seen.items()}
    comments = {number: one.comments for number, one in seen.items() if one.comments}
    return Sight(total, stamp, is_complete, versions, places, comments), seen


def look_since(
    client: Client, tracker_id: TrackerId, stamp: str
) -> tuple[Sight, dict[int, Glimpse]]:
    """Return the items that changed since a stamp, and how many there are in all.

    The server compares whole seconds: what changed earlier in the stamp's own
    second is among them.
    """
    cbql = f"tracker.id IN ({tracker_id})"
    total = client.items.count(cbql)
    since = f" AND modifiedAt >= '{stamp[:19].replace('T', ' ')}'" if stamp else ""
    seen = _by_id(client.items.query_each(cbql + since, _glimpse))
    latest = max((one.modified_at for one in seen.values()), default=stamp)
    return Sight(total, latest, is_complete=False, versions={}), seen


def _glimpse(entry: Any) -> Glimpse:
    return Glimpse.of(Item.model_validate(entry))


def _by_id(glimpses: Iterable[Glimpse]) -> dict[int, Glimpse]:
    return {one.item_id: one for one in glimpses}
