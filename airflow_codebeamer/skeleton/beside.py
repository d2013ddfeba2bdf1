"""Beside the fields: comments, links, files, baselines, and other trackers.

What a program did there shows in two looks, one before it and one after. Files are
looked at only of the items for whose files the program reached: asking for those
of all items would cost a request for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.models import Attachment, Item, Reference
from airflow_codebeamer.skeleton.attachments import read_attachments
from airflow_codebeamer.skeleton.parting import Detach, Part, Revert, Uncomment, Unlink
from airflow_codebeamer.skeleton.records import Before

__all__ = ["Aside", "Beside", "compare_beside", "files_before", "read_beside"]

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Beside:
    """One look: comments and associations by number, files, baselines.

    `elsewhere` are the items of other trackers that our account changed last, with
    their versions and names; at most the 500 latest.
    """

    comments: Mapping[ItemId, tuple[int, ...]] = field(default_factory=dict)
    associations: Mapping[int, tuple[ItemId, ItemId]] = field(default_factory=dict)
    baselines: Mapping[int, str] = field(default_factory=dict)
    elsewhere: Mapping[ItemId, tuple[int, str]] = field(default_factory=dict)
    files: Mapping[ItemId, Mapping[int, Before]] = field(default_factory=dict)
    found: Mapping[ItemId, tuple[Attachment, ...]] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the look as a journal keeps it; files have entries of their own."""
        return {
            "comments": [[item, list(ids)] for item, ids in self.comments.items()],
            "associations": [[n, *ends] for n, ends in self.associations.items()],
            "baselines": [[n, name] for n, name in self.baselines.items()],
            "elsewhere": [[item, *rest] for item, rest in self.elsewhere.items()],
            "unseen": list(self.unseen),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Beside:
        """Return the look that `to_json` described."""
        return cls(
            {ItemId(item): tuple(ids) for item, ids in data["comments"]},
            {n: (ItemId(one), ItemId(two)) for n, one, two in data["associations"]},
            dict(data["baselines"]),
            {ItemId(item): tuple(rest) for item, *rest in data["elsewhere"]},
            unseen=tuple(data["unseen"]),
        )

    def with_files(self, files: Mapping[ItemId, Mapping[int, Before]]) -> Beside:
        """Return the look with the files that hung there before."""
        return replace(self, files=files)


@dataclass
class Aside:
    """What differs beside the fields: what can be taken back, and what cannot."""

    parts: list[Part] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def take_back(self, part: Part, line: str) -> None:
        """Add something that can be taken back."""
        self.parts.append(part)
        self.lines.append(line)


def read_beside(
    client: Client,
    tracker_id: TrackerId,
    items: Iterable[Item],
    files_of: Collection[ItemId] = (),
) -> Beside:
    """Look; costs a request for 500 items, two more, and one for each of `files_of`.

    What the account may not see is named in `unseen`.
    """
    listed = list(items)
    unseen: list[str] = []

    def see(what: str, read: Callable[[], dict[K, V]]) -> dict[K, V]:
        try:
            return read()
        except ApiError:
            unseen.append(what)
            return {}

    return Beside(
        {one.id: tuple(c.id for c in one.comments) for one in listed if one.comments},
        see("associations", lambda: _associations(client, [i.id for i in listed])),
        see("baselines", lambda: _baselines(client, tracker_id)),
        see("items of other trackers", lambda: _elsewhere(client, tracker_id)),
        found=read_attachments(client, files_of),
        unseen=tuple(unseen),
    )


def files_before(client: Client, item_id: ItemId) -> dict[str, Any]:
    """Return the files of an item as a journal keeps them; costs a request."""
    listed = client.attachments.list_attachments(item_id)
    return {
        "item": item_id,
        "files": [[one.id, one.version, one.size, one.sha512] for one in listed],
    }


def compare_beside(
    client: Client,
    before: Beside,
    now: Beside,
    account: str,
    items: Collection[ItemId],
) -> Aside:
    """Compare two looks, as far as it concerns `items`, which stood there before.

    Costs a request for each new association and each item with new comments, to
    learn who made them. What other people made is theirs.
    """
    unseen = dict.fromkeys((*before.unseen, *now.unseen))
    aside = Aside(
        left=[f"what it did to {what} this account may not see" for what in unseen]
    )
    if unseen:
        # What one look shows and the other does not is no difference.
        before, now = _both_seen(before, unseen), _both_seen(now, unseen)
    _compare_comments(client, before, now, account, items, aside)
    _compare_associations(client, before, now, account, items, aside)
    for item_id, files in before.files.items():
        if item_id in items:
            here = now.found.get(item_id, ())
            _compare_files(item_id, files, here, account, aside)
    for number in now.baselines.keys() - before.baselines.keys():
        name = now.baselines[number]
        aside.left.append(f"baseline {number} ({name!r}) was made, and stays")
    for item_id, (version, name) in now.elsewhere.items():
        if before.elsewhere.get(item_id, (0, ""))[0] != version:
            aside.left.append(
                f"item {item_id} ({name}) was changed meanwhile by our account, in "
                "this run or another; it stays"
            )
    return aside


def _both_seen(look: Beside, unseen: Collection[str]) -> Beside:
    return replace(
        look,
        associations={} if "associations" in unseen else look.associations,
        baselines={} if "baselines" in unseen else look.baselines,
        elsewhere={} if "items of other trackers" in unseen else look.elsewhere,
    )


def _compare_comments(
    client: Client,
    before: Beside,
    now: Beside,
    account: str,
    items: Collection[ItemId],
    aside: Aside,
) -> None:
    for item_id in items:
        old = set(before.comments.get(item_id, ()))
        here = set(now.comments.get(item_id, ()))
        aside.left += [
            f"item {item_id}: comment {number} is gone, and nobody can bring it back"
            for number in sorted(old - here)
        ]
        if not here - old:
            continue
        for one in client.items.list_comments(item_id):
            if one.id not in old and _is(one.created_by, account):
                says = f"item {item_id}, comment {one.id}: removed"
                line = f"+ comment {one.id} of item {item_id}"
                aside.take_back(Uncomment(item_id, one.id, says), line)


def _compare_associations(
    client: Client,
    before: Beside,
    now: Beside,
    account: str,
    items: Collection[ItemId],
    aside: Aside,
) -> None:
    for number, (start, end) in now.associations.items():
        if number in before.associations or start not in items:
            continue
        found = client.associations.get_association(number)
        if _is(found.created_by, account):
            says = f"item {start}, association {number}: removed"
            line = f"+ association {number} from item {start} to item {end}"
            aside.take_back(Unlink(number, says), line)
    for number, (start, end) in before.associations.items():
        if number not in now.associations and {start, end} <= set(items):
            aside.left.append(
                f"item {start}: the association {number} to item {end} is gone, and "
                "its type is not known any more"
            )


def _compare_files(
    item_id: ItemId,
    before: Mapping[int, Before],
    here: Iterable[Attachment],
    account: str,
    aside: Aside,
) -> None:
    now = {one.id: one for one in here}
    for number, one in now.items():
        name = f"{one.name!r} of item {item_id}"
        old = before.get(number)
        if old is None and _is(one.created_by, account):
            part = Detach(item_id, number, f"item {item_id}, {one.name!r}: removed")
            aside.take_back(part, f"+ attachment {name}")
        elif old is not None and not _is_as(one, old):
            says = f"item {item_id}, {one.name!r}: put back"
            aside.take_back(Revert(number, old.version, says), f"~ attachment {name}")
    aside.left += [
        f"item {item_id}: attachment {number} is gone, and nobody can bring it back"
        for number in sorted(before.keys() - now.keys())
    ]


def _is_as(one: Attachment, old: Before) -> bool:
    if one.sha512:
        return one.sha512 == old.sha512
    return one.version == old.version or one.size == old.size


def _is(author: Reference | None, account: str) -> bool:
    return author is not None and author.name.casefold() == account.casefold()


def _associations(
    client: Client, item_ids: list[ItemId]
) -> dict[int, tuple[ItemId, ItemId]]:
    return {
        one.id: (start, one.item_id)
        for start, group in client.associations.list_outgoing(item_ids).items()
        for one in group
    }


def _baselines(client: Client, tracker_id: TrackerId) -> dict[int, str]:
    return {one.id: one.name for one in client.trackers.list_baselines(tracker_id)}


def _elsewhere(client: Client, tracker_id: TrackerId) -> dict[ItemId, tuple[int, str]]:
    login = client.settings.login.replace("'", "")
    query = f"modifiedBy IN ('{login}') AND tracker.id NOT IN ({tracker_id})"
    return dict(_named(client.items.query_latest(query, 1).entries))


def _named(items: Iterable[Item]) -> Iterator[tuple[ItemId, tuple[int, str]]]:
    for item in items:
        where = f" in tracker {item.tracker.id}" if item.tracker else ""
        yield item.id, (item.version, f"{item.name!r}{where}")
