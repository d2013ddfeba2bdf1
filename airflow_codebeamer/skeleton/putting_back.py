"""Make a tracker again what a survey says, as far as it can be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import ApiError, LockLostError, OutcomeUnknownError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import ItemPatch
from airflow_codebeamer.skeleton.beside import compare_beside
from airflow_codebeamer.skeleton.difference import Changed, Difference, difference
from airflow_codebeamer.skeleton.rollback import RollbackReport
from airflow_codebeamer.skeleton.sending import sending
from airflow_codebeamer.skeleton.survey import Survey, Surveyed, read_survey

__all__ = ["look_again", "put_back"]

_ROUNDS = 6
_BULK = 100


def put_back(
    before: Survey, client: Client, guard: Callable[[], None]
) -> RollbackReport:
    """Put back what differs from a survey, and look again until nothing does.

    What the program added beside the fields goes first: comments, associations, and
    files of items for whose files it reached. Then moves, then what was created goes
    to the trash, values and order come last. Trusts nothing but the tracker, so it
    can be repeated after a crash.

    Not promised: what is in the trash stays there, and so do versions, histories,
    e-mails and baselines. Comments, files and associations that are gone cannot be
    made again, and texts of comments are not compared.

    Raises:
        LockLostError: the guard says so.
        CodebeamerError: no way to the server.
    """
    return _PuttingBack(before, client, guard).go()


def look_again(client: Client, before: Survey) -> tuple[Survey, Difference]:
    """Survey the tracker once more, and say what is different."""
    now = read_survey(client, before.tracker_id, before.shapes, before.beside.files)
    both = [number for number in now.items if number in before.items]
    aside = compare_beside(client, before.beside, now.beside, before.account, both)
    return now, difference(before, now, aside)


class _PuttingBack:
    def __init__(
        self, before: Survey, client: Client, guard: Callable[[], None]
    ) -> None:
        self._before = before
        self._client = client
        self._guard = guard
        self._refused: dict[str, str] = {}

    def go(self) -> RollbackReport:
        seen: dict[str, None] = {}
        last: tuple[str, ...] | None = None
        now, found = self._look()
        for _ in range(_ROUNDS):
            if found.is_empty or found.lines == last:
                break
            last = found.lines
            seen.update(dict.fromkeys(found.lines))
            self._refused.clear()
            self._perform(found, now)
            now, found = self._look()
        remaining = set() if found.is_empty else set(found.lines)
        undone = [
            line for line in seen if line not in remaining and not line.startswith("- ")
        ]
        return RollbackReport(tuple(undone), (*found.left, *self._reasons(found)))

    def _reasons(self, found: Difference) -> list[str]:
        if found.is_empty:
            return []
        why = "; ".join(dict.fromkeys(self._refused.values())) or "no answer"
        return [
            f"{line.lstrip('+~>= ')}: not put back: {why}"
            for line in found.lines
            if not line.startswith("- ")
        ]

    def _look(self) -> tuple[Survey, Difference]:
        return look_again(self._client, self._before)

    def _perform(self, found: Difference, now: Survey) -> None:
        for part in found.parts:
            self._send(sending(self._client, part), "take back")
        if found.moved:
            # What hangs below a created item must be out of it before it goes.
            for one in sorted(found.moved, key=self._depth):
                self._move(one, now)
            return
        for created in self._going(found, now):
            self._send(
                partial(self._client.items.delete_item, created.item_id), "trash"
            )
        for start in range(0, len(found.changed), _BULK):
            self._set(found.changed[start : start + _BULK])
        if not found.created:
            for parent in found.reordered:
                self._sort(parent, now)

    def _depth(self, one: Changed) -> int:
        depth, above = 0, one.before.parent
        while above is not None and depth <= len(self._before.items):
            depth += 1
            item = self._before.items.get(above)
            above = None if item is None else item.parent
        return depth

    def _move(self, one: Changed, now: Survey) -> None:
        parent = one.before.parent
        if parent is not None and parent not in now.items:
            self._refused[str(parent)] = f"its old parent {parent} is gone"
            return
        order = self._before.children.get(parent, ())
        index = order.index(one.before.item_id) if one.before.item_id in order else 0
        index = min(index, len(now.children.get(parent, ())))
        self._send(
            partial(
                self._client.items.insert_child,
                parent,
                self._before.tracker_id,
                one.before.item_id,
                index,
            ),
            "move",
        )

    def _going(self, found: Difference, now: Survey) -> list[Surveyed]:
        """Return created items, the deepest first, without those that hold others."""
        ours = {one.item_id for one in found.created}
        kept: set[ItemId | None] = set()
        for number, item in now.items.items():
            above = item.parent
            while number not in ours and above is not None and above not in kept:
                kept.add(above)
                above = now.items[above].parent if above in now.items else None
        if kept & ours:
            self._refused["kept"] = "somebody else's item is below it"
        return [one for one in reversed(found.created) if one.item_id not in kept]

    def _set(self, changed: tuple[Changed, ...]) -> None:
        shapes = self._before.shapes
        patches = [
            ItemPatch(
                one.before.item_id,
                tuple(shapes[n].wire(one.before.values.get(n)) for n in one.field_ids),
            )
            for one in changed
        ]

        def send(*, before: Callable[[], None]) -> None:
            result = self._client.items.update_many(
                patches, atomic=False, before=before
            )
            for failure in result.failed:
                self._refused[str(failure.id)] = failure.message

        self._send(send, "update")

    def _sort(self, parent: ItemId | None, now: Survey) -> None:
        here = now.children.get(parent, ())
        order = [n for n in self._before.children[parent] if n in set(here)]
        known = set(order)
        order += [number for number in here if number not in known]
        self._send(
            partial(
                self._client.items.set_children,
                parent,
                self._before.tracker_id,
                order,
            ),
            "order",
        )

    def _send(self, send: Callable[..., object], what: str) -> None:
        try:
            send(before=self._guard)
        except LockLostError:
            raise
        except (ApiError, OutcomeUnknownError) as error:
            self._refused[f"{what}/{error}"] = str(error)
