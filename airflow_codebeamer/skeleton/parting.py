"""Decide how to take back the associations of a run; pure.

As with fields, what happened is seen in the tracker: what was not there before the
run, and says what the run wanted to say, is the run's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association
from airflow_codebeamer.skeleton.associations import is_by, name_of
from airflow_codebeamer.skeleton.records import Record
from airflow_codebeamer.skeleton.steps import Dissociate
from airflow_codebeamer.skeleton.tokens import number_of_item, settle_token

__all__ = ["LinkAgain", "Unlink", "undo_associations"]

Now = Mapping[ItemId, tuple[Association, ...]]


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


def undo_associations(
    record: Record,
    now: Now,
    items: Collection[ItemId],
    created: Mapping[ItemId, str],
) -> Iterator[Unlink | LinkAgain | str]:
    """Yield what is to be done, and a sentence for what nobody can put back.

    What starts at a created item goes to the trash with it.
    """
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


def _has(now: Now, item_id: ItemId, number: int) -> bool:
    return any(one.id == number for one in now.get(item_id, ()))
