"""What hangs on items and makes no version of them: associations, files, comments.

A query shows none of it. The associations of 500 items are one request, the files of
each item one of their own (source: the vendor's description of 22.10, which lists
files item by item), so how far a look goes is a setting, `certificate_depth`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import (
    ApiError,
    ContractError,
    NotFoundError,
    TransportError,
)
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.locking.audit.packing import packed, unpacked
from airflow_codebeamer.locking.audit.siblings import Touched
from airflow_codebeamer.locking.audit.sight import Glimpse
from airflow_codebeamer.locking.certificate import ForeignChange
from airflow_codebeamer.models import Attachment, Comment, Reference

__all__ = ["Appendix", "Hung", "compare_hung", "look_beside"]

LINKS, FILES = "links", "files"

_Unseen = (ApiError, TransportError, ContractError)


@dataclass(frozen=True)
class Hung:
    """A file or a comment: on which item, which version, and who wrote that when."""

    item_id: int
    version: int
    by_id: int = 0
    by: str = ""
    at: str = ""
    name: str = ""


@dataclass(frozen=True)
class Appendix:
    """What hung on the items of a tracker at one end of a lock, by number.

    `links` are the items at both ends of each association that begins in the tracker.
    `gaps` say what was asked for and could not be read.
    """

    links: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    files: Mapping[int, Hung] = field(default_factory=dict)
    comments: Mapping[int, Hung] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it, without who wrote what."""
        return {
            "links": packed([(n, *ends) for n, ends in sorted(self.links.items())]),
            "files": packed(_rows(self.files)),
            "said": packed(_rows(self.comments)),
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Appendix:
        """Return what `to_json` wrote."""
        return cls(
            {n: (start, end) for n, start, end in unpacked(data.get("links"))},
            {n: Hung(*rest) for n, *rest in unpacked(data.get("files"))},
            {n: Hung(*rest) for n, *rest in unpacked(data.get("said"))},
            tuple(data.get("gaps", ())),
        )


def look_beside(
    client: Client, seen: Collection[Glimpse], depth: str, most: int
) -> Appendix:
    """Return what hangs on these items, as far as the depth says.

    Associations cost a request for 500 items. At the depth "files" each item costs
    one more, and each that has comments another; of more than `most` items none is
    asked for, which is a gap.
    """
    if depth not in (LINKS, FILES):
        return Appendix()
    items = sorted(ItemId(one.item_id) for one in seen)
    links: dict[int, tuple[int, int]] = {}
    gaps = []
    try:
        for start, number, end in _links(client, items):
            links[number] = (start, end)
    except _Unseen as error:
        gaps.append(f"associations could not be read ({_why(error)})")
    if depth != FILES:
        return Appendix(links, gaps=tuple(gaps))
    if len(items) > most:
        gaps.append(
            f"attachments of {len(items)} items were not read (certificate_files is "
            f"{most})"
        )
        return Appendix(links, gaps=tuple(gaps))
    files: dict[int, Hung] = {}
    comments: dict[int, Hung] = {}
    talked_of = {ItemId(one.item_id) for one in seen if one.comments}
    try:
        for item_id in items:
            files |= _files(client, item_id)
            if item_id in talked_of:
                comments |= _comments(client, item_id)
    except _Unseen as error:
        gaps.append(f"attachments could not be read ({_why(error)})")
    return Appendix(links, files, comments, tuple(gaps))


def compare_hung(
    before: Appendix,
    after: Appendix,
    gone: Collection[int],
    *,
    us: int,
    touched: Touched,
) -> tuple[list[ForeignChange], list[tuple[int, int]], list[str]]:
    """Return what others did, new associations whose author is not known, and gaps.

    What hung on an item that is gone (`gone`) went with it.
    """
    if before.gaps or after.gaps:
        # What was seen at one end only cannot be compared.
        gaps = list(dict.fromkeys((*before.gaps, *after.gaps)))
        return [], [], gaps
    new = sorted(after.links.keys() - before.links.keys())
    links = [(number, after.links[number][0]) for number in new]
    lost = [
        before.links[number]
        for number in sorted(before.links.keys() - after.links.keys())
        if number not in touched.dissociated
    ]
    changes = [
        ForeignChange("association deleted", start)
        for start, end in lost
        if start not in gone and end not in gone
    ]
    changes += _compare_files(before.files, after.files, gone, us)
    changes += [
        ForeignChange("comment changed", now.item_id, at=now.at, by=now.by)
        for number, now in sorted(after.comments.items())
        if number in before.comments
        and now.version > before.comments[number].version
        and now.by_id != us
    ]
    return changes, links, []


def _compare_files(
    before: Mapping[int, Hung],
    after: Mapping[int, Hung],
    gone: Collection[int],
    us: int,
) -> Iterator[ForeignChange]:
    for number, now in sorted(after.items()):
        was = before.get(number)
        if now.by_id == us or (was is not None and was.version == now.version):
            continue
        kind = "attached" if was is None else "file changed"
        yield ForeignChange(
            kind, now.item_id, now.version, now.at, now.by, fields=(now.name,)
        )
    for number, was in sorted(before.items()):
        if number not in after and was.item_id not in gone:
            yield ForeignChange("file deleted", was.item_id)


def _links(client: Client, items: Sequence[ItemId]) -> Iterator[tuple[int, int, int]]:
    """Yield start, number and end; an item that has just gone is left out."""
    if not items:
        return
    try:
        found = client.associations.list_outgoing(items)
    except NotFoundError:
        half = len(items) // 2
        if half:
            yield from _links(client, items[:half])
            yield from _links(client, items[half:])
        return
    for start, relations in found.items():
        for one in relations:
            yield start, one.id, one.item_id


def _files(client: Client, item_id: ItemId) -> dict[int, Hung]:
    try:
        found = client.attachments.list_attachments(item_id)
    except NotFoundError:
        return {}
    return {one.id: _hung(item_id, one, one.name) for one in found}


def _comments(client: Client, item_id: ItemId) -> dict[int, Hung]:
    try:
        found = client.items.list_comments(item_id)
    except NotFoundError:
        return {}
    return {one.id: _hung(item_id, one, "") for one in found}


def _hung(item_id: int, one: Attachment | Comment, name: str) -> Hung:
    who: Reference | None = one.modified_by or one.created_by
    return Hung(
        item_id,
        one.version,
        who.id if who else 0,
        (who.name or str(who.id)) if who else "somebody",
        one.modified_at or one.created_at,
        name,
    )


def _rows(hung: Mapping[int, Hung]) -> list[Any]:
    return [(n, one.item_id, one.version) for n, one in sorted(hung.items())]


def _why(error: Exception) -> str:
    return f"status {error.status}" if isinstance(error, ApiError) else str(error)
