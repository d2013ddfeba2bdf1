"""Creating items: one chain for each parent, and no item twice."""

from __future__ import annotations

from functools import partial

from airflow_codebeamer.client import Before
from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Item, Place
from airflow_codebeamer.skeleton.steps import Create, Spot
from airflow_codebeamer.skeleton.writing import Writing

__all__ = ["Creator"]


class Creator:
    """Creates what a plan says, siblings in sequence, chains side by side.

    What was sent more than once, or may have been sent by a dead try of a run
    that `is_resumed`, is looked for in the end.
    """

    def __init__(self, writing: Writing, *, is_resumed: bool) -> None:
        self._writing = writing
        self._creates = writing.plan.creates
        self._repeated: set[str] = (
            {create.key for create in self._creates} if is_resumed else set()
        )
        self._chains: dict[Spot | None, list[Create]] = {}

    def create_all(self) -> None:
        """Create everything; a chain below a new item starts when that is there."""
        for create in self._creates:
            self._chains.setdefault(create.parent, []).append(create)
        new = {create.key for create in self._creates}
        ready = [chain for parent, chain in self._chains.items() if parent not in new]
        self._writing.crew.run(partial(self._create_chain, chain) for chain in ready)

    def trash_copies(self) -> tuple[ItemId, ...]:
        """Trash second items of keys whose creation was sent more than once."""
        if not self._repeated:
            return ()
        items = self._writing.items()
        copies = tuple(
            item_id
            for key in sorted(self._repeated)
            for item_id in self._with_key(items, key)
            if item_id != self._writing.created[key]
        )
        for item_id in copies:
            self._writing.client.items.delete_item(
                item_id, before=self._writing.crew.check
            )
        return copies

    def _create_chain(self, chain: list[Create]) -> None:
        writing = self._writing
        for create in chain:
            item_id, repeated = writing.crew.write(
                partial(self._create, create), partial(self._find, create.key)
            )
            if repeated:
                self._repeated.add(create.key)
            writing.created[create.key] = item_id
            writing.notes.note([create], {"item": item_id})
            if create.key in self._chains:
                below = partial(self._create_chain, self._chains[create.key])
                writing.crew.add(below)

    def _create(self, create: Create, before: Before) -> ItemId:
        writing = self._writing
        place = Place(
            writing.number(create.parent),
            writing.number(create.reference),
            create.position,
        )
        new = create.new_item(writing.plan.snapshot.wishes.shapes)
        try:
            created = writing.client.items.create_item(
                writing.tracker_id, new, place, before=before
            )
        except ApiError as error:
            error.add_note(f"while creating {create.key!r} ({create.name!r})")
            raise
        return created.id

    def _find(self, key: str) -> ItemId | None:
        """Return the item that a lost request may have made."""
        found = self._with_key(self._writing.items(), key)
        return found[0] if found else None

    def _with_key(self, items: list[Item], key: str) -> list[ItemId]:
        identity = self._writing.plan.snapshot.wishes.keeper
        before = self._writing.plan.snapshot.items
        return sorted(
            item.id
            for item in items
            if item.id not in before and identity.read(item) == key
        )
