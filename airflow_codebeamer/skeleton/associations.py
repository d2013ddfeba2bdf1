"""Associations of items: which stand there, and which a document wants.

Of an item whose document names `associations` those that our account made are ours:
the document keeps them. What other people linked stays, and counts where it is just
what is wanted. Of any other item nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import NotFoundError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association, Relation
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import Associate, Dissociate
from airflow_codebeamer.skeleton.tokens import item_token, settle_token

__all__ = [
    "is_by",
    "name_of",
    "plan_associations",
    "read_associations",
    "with_associations",
]

Known = Mapping[int, Association]


def with_associations(
    client: Client, snapshot: Snapshot, made: Iterable[Association] = ()
) -> Snapshot:
    """Return the snapshot with the associations of the items that name theirs.

    Costs a request for 500 such items, and one for each association that is not
    known yet: the server tells types and authors only one by one. `made` are known
    because we have just made them. The same snapshot is returned if nothing changed.

    Not promised: to see that somebody changed the type of a known one.
    """
    asked = [
        found.item_id
        for wish in snapshot.wishes.wishes
        if wish.associations is not None
        and (found := snapshot.keyed.get(wish.key)) is not None
    ]
    known = {one.id: one for group in snapshot.associations.values() for one in group}
    known |= {one.id: one for one in made}
    now = read_associations(client, asked, known)
    if now == snapshot.associations:
        return snapshot
    return replace(snapshot, associations=now)


def read_associations(
    client: Client, item_ids: list[ItemId], known: Known
) -> dict[ItemId, tuple[Association, ...]]:
    """Return the associations that start at items."""
    if not item_ids:
        return {}
    outgoing = client.associations.list_outgoing(item_ids)
    relations = [one for group in outgoing.values() for one in group]
    unknown = [one for one in relations if not _is_known(one, known)]
    details: dict[int, Association] = {}
    if unknown:
        with ThreadPoolExecutor(client.settings.connections, "associations") as pool:
            read = pool.map(lambda one: _read(client, one.id), unknown)
            details = {one.id: one for one in read if one is not None}
    found = {**known, **details}
    return {
        item_id: tuple(found[one.id] for one in group if one.id in found)
        for item_id, group in outgoing.items()
    }


def plan_associations(
    snapshot: Snapshot,
) -> tuple[tuple[Associate, ...], tuple[Dissociate, ...]]:
    """Compare what stands there with what is wished; nothing is asked."""
    made: list[Associate] = []
    gone: list[Dissociate] = []
    numbers = {key: found.item_id for key, found in snapshot.keyed.items()}
    for wish in snapshot.wishes.wishes:
        if wish.associations is None:
            continue
        found = snapshot.keyed.get(wish.key)
        here = _standing(snapshot, found)
        spare = {name_of(one): one for one in reversed(here) if _is_ours(one, snapshot)}
        theirs = {name_of(one)[:2] for one in here if not _is_ours(one, snapshot)}
        for one in wish.associations:
            name = (one.type_id, settle_token(one.target, numbers), one.propagates)
            if spare.pop(name, None) is None and name[:2] not in theirs:
                spot = wish.key if found is None else found.item_id
                made.append(Associate(spot, wish.key, one.type_id, one.type, *name[1:]))
        left = {one.id for one in spare.values()} | _doubles(here, snapshot)
        gone += [
            Dissociate(found.item_id, wish.key, one.id, *_described(one))
            for one in here
            if found is not None and one.id in left and one.end is not None
        ]
    return tuple(made), tuple(gone)


def _standing(snapshot: Snapshot, found: Found | None) -> list[Association]:
    """Return the associations that start at an item, the oldest first."""
    if found is None:
        return []
    here = snapshot.associations.get(found.item_id, ())
    return sorted(here, key=lambda one: one.id)


def is_by(association: Association, account: str) -> bool:
    """Whether an account made an association; log-ins have no case."""
    maker = association.created_by.name if association.created_by else ""
    return maker.casefold() == account.casefold()


def _is_ours(association: Association, snapshot: Snapshot) -> bool:
    return is_by(association, snapshot.account)


def _doubles(here: Iterable[Association], snapshot: Snapshot) -> set[int]:
    """Return ours that say what an earlier one says: a lost answer made them."""
    seen: set[tuple[int, str, bool]] = set()
    found: set[int] = set()
    for one in here:
        if _is_ours(one, snapshot):
            if name_of(one) in seen:
                found.add(one.id)
            seen.add(name_of(one))
    return found


def name_of(association: Association) -> tuple[int, str, bool]:
    """Return what an association says: its type, the item at its end, and suspects."""
    end = item_token(ItemId(association.end_id))
    return association.type_id, end, association.propagates


def _described(one: Association) -> tuple[int, str, str, bool]:
    type_id, end, propagates = name_of(one)
    return type_id, one.type.name if one.type else "", end, propagates


def _is_known(relation: Relation, known: Known) -> bool:
    one = known.get(relation.id)
    return one is not None and one.end_id == relation.item_id


def _read(client: Client, number: int) -> Association | None:
    try:
        return client.associations.get_association(number)
    except NotFoundError:
        # Gone since the list was made.
        return None
