"""Decide how to take back the links and files of a run; pure.

As with fields, what happened is seen in the tracker: what was not there before the
run, and says what the run wanted to say, is the run's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association, Attachment
from airflow_codebeamer.skeleton.associations import is_by, name_of
from airflow_codebeamer.skeleton.attachments import holds
from airflow_codebeamer.skeleton.records import Before, Record
from airflow_codebeamer.skeleton.steps import Attach, Dissociate
from airflow_codebeamer.skeleton.tokens import number_of_item, settle_token

__all__ = [
    "Detach",
    "LinkAgain",
    "Part",
    "Parts",
    "Revert",
    "Uncomment",
    "Unlink",
    "undo_parts",
]


@dataclass(frozen=True)
class Parts:
    """What stands there now at the items to which the run gave links and files."""

    associations: Mapping[ItemId, tuple[Association, ...]] = field(default_factory=dict)
    attachments: Mapping[ItemId, tuple[Attachment, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Unlink:
    """An association of the run that goes."""

    number: int
    says: str


@dataclass(frozen=True)
class LinkAgain:
    """One that the run removed, and that is made again under another number."""

    step: Dissociate
    says: str


@dataclass(frozen=True)
class Detach:
    """A file of the run that goes."""

    item_id: ItemId
    number: int
    says: str


@dataclass(frozen=True)
class Revert:
    """A file that holds again what it held before the run, as one more version."""

    number: int
    version: int
    says: str


@dataclass(frozen=True)
class Uncomment:
    """A comment of a program that goes, with its replies."""

    item_id: ItemId
    number: int
    says: str


Part: TypeAlias = Unlink | LinkAgain | Detach | Revert | Uncomment


def undo_parts(
    record: Record, now: Parts, items: Collection[ItemId], created: Mapping[ItemId, str]
) -> Iterator[Part | str]:
    """Yield what is to be done, and a sentence for what nobody can put back.

    What hangs on a created item, or starts there, goes to the trash with it.
    """
    yield from _associations(record, now.associations, items, created)
    for step in record.attaches:
        item_id = step.item_id
        if isinstance(item_id, str) or item_id not in items:
            continue
        yield from _attachment(record, step, item_id, now.attachments.get(item_id, ()))


def _attachment(
    record: Record, step: Attach, item_id: ItemId, here: Iterable[Attachment]
) -> Iterator[Part | str]:
    name = f"{step.key} (item {item_id}), attachment {step.name!r}"
    before = record.attachments.get(item_id, {})
    for one in here:
        is_meant = one.name == step.name and step.number in (None, one.id)
        if step.number is None and (one.id in before or not _is_by(one, record)):
            continue
        if not is_meant or (step.number is not None and _is_back(one, before, step)):
            continue
        if not holds(one, step.size, step.sha512):
            yield f"{name} was changed later"
        elif step.number is None:
            yield Detach(item_id, one.id, f"{name}: removed")
        else:
            yield Revert(one.id, step.version or 1, f"{name}: put back")
    if step.number is not None and all(one.id != step.number for one in here):
        yield f"{name} is not there any more"


def _is_by(attachment: Attachment, record: Record) -> bool:
    maker = attachment.created_by.name if attachment.created_by else ""
    return maker.casefold() == record.account.casefold()


def _is_back(one: Attachment, before: Mapping[int, Before], step: Attach) -> bool:
    """Whether a file holds what it held before: by its digest, or by its version."""
    old = before.get(one.id)
    if old is None:
        return False
    if one.sha512:
        return one.sha512 == old.sha512
    # Ours was the next version, and putting it back makes one more.
    return one.version != old.version + 1 and holds(one, old.size, old.sha512)


def _associations(
    record: Record,
    now: Mapping[ItemId, tuple[Association, ...]],
    items: Collection[ItemId],
    created: Mapping[ItemId, str],
) -> Iterator[Part | str]:
    numbers = record.numbers | {key: number for number, key in created.items()}
    for item_id, before in record.associations.items():
        if item_id not in items:
            continue
        removed = {
            (step.type_id, step.target, step.propagates): step
            for step in record.dissociates
            if step.item_id == item_id and not _has(now, item_id, step.number)
        }
        wanted = {
            (step.type_id, settle_token(step.target, numbers)): step
            for step in record.associates
            if step.item_id == item_id
        }
        for one in now.get(item_id, ()):
            if one.id in before or not is_by(one, record.account):
                continue
            if removed.pop(name_of(one), None) is not None:
                continue
            step = wanted.get(name_of(one)[:2])
            if step is not None:
                where = f"{step.key} (item {item_id}), {step.type} item {one.end_id}"
                yield Unlink(one.id, f"{where}: association removed")
        for gone in removed.values():
            end = number_of_item(gone.target)
            where = f"{gone.key} (item {item_id}), {gone.type} item {end}"
            yield LinkAgain(gone, f"{where}: association made again")


def _has(
    now: Mapping[ItemId, tuple[Association, ...]], item_id: ItemId, number: int
) -> bool:
    return any(one.id == number for one in now.get(item_id, ()))
