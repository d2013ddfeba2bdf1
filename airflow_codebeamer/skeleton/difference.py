"""What changed between two surveys of a tracker, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.skeleton.beside import Aside
from airflow_codebeamer.skeleton.fields import is_same
from airflow_codebeamer.skeleton.parting import Part
from airflow_codebeamer.skeleton.survey import Survey, Surveyed

__all__ = ["Changed", "Difference", "difference"]


@dataclass(frozen=True)
class Changed:
    """An item whose fields differ."""

    before: Surveyed
    now: Surveyed
    field_ids: tuple[FieldId, ...]


@dataclass(frozen=True)
class Difference:
    """What a program did, as far as two surveys show it.

    `left` says in a line each what nobody can put back from here: what went to
    the trash, what somebody else did meanwhile, fields that cannot be written.
    """

    created: tuple[Surveyed, ...] = ()
    changed: tuple[Changed, ...] = ()
    moved: tuple[Changed, ...] = ()
    reordered: tuple[ItemId | None, ...] = ()
    deleted: tuple[Surveyed, ...] = ()
    parts: tuple[Part, ...] = ()
    left: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that could be put back."""
        return not (
            self.created or self.changed or self.moved or self.reordered or self.parts
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many items each word applies to."""
        return {
            "created": len(self.created),
            "updated": len(self.changed),
            "moved": len(self.moved),
            "reordered": len(self.reordered),
            "deleted": len(self.deleted),
            "unchanged": self.unchanged,
        }


def difference(before: Survey, now: Survey, aside: Aside | None = None) -> Difference:
    """Compare two surveys of one tracker, made with the same account.

    `aside` is what differs beside the fields.
    """
    return _Comparison(before, now).compare(aside or Aside())


class _Comparison:
    def __init__(self, before: Survey, now: Survey) -> None:
        self._before = before
        self._now = now
        self._left: list[str] = []
        self._lines: list[str] = []

    def compare(self, aside: Aside) -> Difference:
        both = [
            (self._before.items[number], one)
            for number, one in self._now.items.items()
            if number in self._before.items
        ]
        created = self._created()
        changed = tuple(filter(None, (self._changed(*pair) for pair in both)))
        moved = tuple(
            Changed(old, new, ()) for old, new in both if old.parent != new.parent
        )
        for one in moved:
            self._lines.append(f"> {_named(one.now)} moved")
        reordered = self._reordered()
        touched = {one.now.item_id for one in (*changed, *moved)}
        return Difference(
            created,
            changed,
            moved,
            reordered,
            self._deleted(),
            tuple(aside.parts),
            (*self._left, *aside.left),
            (*self._lines, *aside.lines),
            len(both) - len(touched),
        )

    def _is_ours(self, login: str) -> bool:
        return login.casefold() == self._before.account.casefold()

    def _created(self) -> tuple[Surveyed, ...]:
        found = []
        for number, one in self._now.items.items():
            if number in self._before.items:
                continue
            if not self._is_ours(one.created_by):
                self._left.append(f"{_named(one)} was created by {one.created_by}")
                continue
            self._lines.append(f"+ {_named(one)}")
            found.append(one)
        return tuple(found)

    def _deleted(self) -> tuple[Surveyed, ...]:
        gone = [n for n in self._before.items if n not in self._now.items]
        found = tuple(self._before.items[number] for number in gone)
        for one in found:
            self._lines.append(f"- {_named(one)}")
            self._left.append(
                f"{_named(one)} is in the trash; only the server's own pages bring "
                "it back"
            )
        return found

    def _changed(self, old: Surveyed, new: Surveyed) -> Changed | None:
        shapes = self._before.shapes
        ids = [
            number
            for number, shape in shapes.items()
            if not is_same(shape, old.values.get(number), new.values.get(number))
        ]
        others = sorted(
            name
            for name in {*old.others, *new.others}
            if old.others.get(name) != new.others.get(name)
        )
        if others:
            self._lines.append(f"~ {_named(new)}: {', '.join(others)}")
            self._left.append(
                f"{_named(new)}: {', '.join(others)} changed, and such fields cannot "
                "be put back from here"
            )
        if not ids:
            return None
        names = ", ".join(shapes[number].name for number in ids)
        if not self._is_ours(new.modified_by) and new.version != old.version:
            self._left.append(
                f"{_named(new)}: {names} changed, last by {new.modified_by}"
            )
            return None
        self._lines += [
            f"~ {_named(new)}: {shapes[n].name} {shapes[n].show(old.values.get(n))} → "
            f"{shapes[n].show(new.values.get(n))}"
            for n in ids
        ]
        return Changed(old, new, tuple(ids))

    def _reordered(self) -> tuple[ItemId | None, ...]:
        found: list[ItemId | None] = []
        for parent, children in self._before.children.items():
            now = self._now.children.get(parent, ())
            if _common(children, now) != _common(now, children):
                found.append(parent)
                where = "the top" if parent is None else f"item {parent}"
                self._lines.append(f"= order below {where}")
        return tuple(found)


def _common(order: Sequence[ItemId], other: Sequence[ItemId]) -> list[ItemId]:
    there = set(other)
    return [number for number in order if number in there]


def _named(item: Surveyed) -> str:
    return f"item {item.item_id} ({item.name!r})"
