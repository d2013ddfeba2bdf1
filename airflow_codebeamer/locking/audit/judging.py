"""What differs between two looks at a tracker, and whose doing it was; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_codebeamer.locking.audit.siblings import (
    Talk,
    Touched,
    list_reordered,
    list_talks,
)
from airflow_codebeamer.locking.audit.sight import Glimpse, Sight
from airflow_codebeamer.locking.certificate import ForeignChange
from airflow_codebeamer.models import Comment, Version

__all__ = [
    "Findings",
    "Suspect",
    "comments_gone",
    "compare",
    "foreign_comments",
    "foreign_versions",
    "last_change",
]


@dataclass(frozen=True)
class Suspect:
    """An item of which one look does not tell whether only we wrote to it.

    `since` is its version at the beginning, 0 if it is new, None if unknown.
    """

    item: Glimpse
    since: int | None

    @property
    def is_new(self) -> bool:
        """Whether it was not there at the beginning."""
        return self.since == 0


@dataclass
class Findings:
    """What a comparison found: foreign for sure, to be asked about, and ours."""

    changes: list[ForeignChange] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    ours: int = 0
    deleted_by_us: int = 0
    #: New associations and the items where they begin: whose, is to be asked.
    links: list[tuple[int, int]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON would have it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Findings:
        """Return the findings that `to_json` wrote."""
        return cls(
            [
                ForeignChange(**{**c, "fields": tuple(c["fields"])})
                for c in data["changes"]
            ],
            [Suspect(Glimpse(**s["item"]), s["since"]) for s in data["suspects"]],
            [Talk(**{**t, "new": tuple(t["new"])}) for t in data.get("talks", ())],
            data["ours"],
            data["deleted_by_us"],
            [(number, item) for number, item in data.get("links", ())],
            list(data.get("gaps", ())),
        )


def compare(
    before: Sight,
    after: Sight,
    seen: Mapping[int, Glimpse],
    *,
    us: int,
    touched: Touched,
) -> Findings:
    """Return what is other than before; `touched` is what runs of ours meant to do."""
    found = Findings()
    created = 0
    for one in seen.values():
        since = _since(before, one)
        created += since == 0
        if since == one.version and one.modified_at <= before.stamp:
            continue
        if since is None and one.modified_at < before.stamp:
            continue
        _judge(found, Suspect(one, since), us)
    _judge_deleted(found, before, after, touched.discarded, created)
    if before.is_complete and after.is_complete:
        found.changes += list_reordered(before, after, touched)
        found.talks += list_talks(before, after)
    return found


def foreign_versions(
    suspect: Suspect, history: Iterable[Version], *, us: int, stamp: str
) -> list[ForeignChange]:
    """Return the versions between the two looks that others made."""
    changes = []
    for version in history:
        number = int(version.revision.get("version") or 0)
        if number > suspect.item.version:
            continue
        if suspect.since is None and version.modified_at < stamp:
            continue
        if suspect.since is not None and number <= suspect.since:
            continue
        who = version.modified_by
        if who is not None and who.id == us:
            continue
        names = (c.name or (c.field.name if c.field else "") for c in version.changes)
        changes.append(
            ForeignChange(
                "created" if suspect.is_new and number == 1 else "changed",
                suspect.item.item_id,
                number,
                version.modified_at,
                (who.name or str(who.id)) if who else "somebody",
                tuple(name for name in names if name),
            )
        )
    return changes


def foreign_comments(
    talk: Talk, comments: Iterable[Comment], *, us: int
) -> list[ForeignChange]:
    """Return the comments that others added, and those that are gone."""
    changes = []
    for comment in comments:
        who = comment.created_by
        if comment.id not in talk.new or (who is not None and who.id == us):
            continue
        by = (who.name or str(who.id)) if who else "somebody"
        changes.append(
            ForeignChange("commented", talk.item_id, at=comment.created_at, by=by)
        )
    return changes + comments_gone(talk)


def comments_gone(talk: Talk) -> list[ForeignChange]:
    """Return the comments that an item has less; who deleted them, nobody tells."""
    if not talk.gone:
        return []
    return [ForeignChange("comment deleted", talk.item_id, count=talk.gone)]


def _since(before: Sight, one: Glimpse) -> int | None:
    if one.item_id in before.versions:
        return before.versions[one.item_id]
    is_new = before.is_complete or one.created_at > before.stamp
    return 0 if is_new else None


def _judge(found: Findings, suspect: Suspect, us: int) -> None:
    one, since = suspect.item, suspect.since
    # One new version is its last author's; of more, only the history tells all.
    is_told = since is not None and one.version - since <= 1
    if not is_told:
        found.suspects.append(suspect)
    elif one.by_id == us:
        found.ours += 1
    else:
        found.changes.append(last_change(suspect))


def last_change(suspect: Suspect) -> ForeignChange:
    """Return what a look alone tells of a foreign change."""
    one = suspect.item
    kind = "created" if suspect.is_new and one.version == 1 else "changed"
    return ForeignChange(kind, one.item_id, one.version, one.modified_at, one.by)


def _judge_deleted(
    found: Findings,
    before: Sight,
    after: Sight,
    discarded: Collection[int],
    created: int,
) -> None:
    if before.is_complete and after.is_complete:
        gone = before.versions.keys() - after.versions.keys()
        found.deleted_by_us = len(gone & set(discarded))
        found.changes += [
            ForeignChange("deleted", number) for number in sorted(gone - set(discarded))
        ]
        return
    missing = before.total + created - after.total
    found.deleted_by_us = min(len(discarded), max(0, missing))
    if missing > found.deleted_by_us:
        count = missing - found.deleted_by_us
        found.changes.append(ForeignChange("deleted", count=count))
