"""Associations: links between items, or from an item to an address."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.call import EMPTY, Call, Route
from airflow_codebeamer.emulator.linked import ASSOCIATION_TYPES, Association
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference, page_of, user_reference
from airflow_codebeamer.emulator.world import Item

__all__ = ["ASSOCIATIONS", "ASSOCIATION_VIEW", "rights_on"]

ASSOCIATION_VIEW, _EDIT = 21, 22
_SWITCHES = (
    "biDirectionalPropagation",
    "propagatingDependencies",
    "propagatingSuspects",
    "reversePropagation",
)
_CHANGEABLE = ("type", "description", "descriptionFormat", *_SWITCHES)


def rights_on(call: Call, item: Item) -> Rights:
    """Return what the user may do where an item is, which he may see.

    Raises:
        RefusedError: He may not see it.
    """
    rights = Rights(call.world, call.user, call.world.trackers[item.tracker], item)
    rights.require_view(item)
    return rights


def _end(call: Call, given: dict[str, Any] | None, side: str) -> Item:
    """Return the item at one end of a new association."""
    if given is None:
        raise RefusedError(400, f"An association needs {side}.")
    if given["type"] != "TrackerItemReference":
        raise RefusedError(
            501, f"The emulator associates tracker items, not a {given['type']}."
        )
    item = call.world.items.get(given["id"])
    if item is None or item.trashed:
        raise RefusedError(400, f"Tracker item {given['id']} of {side} is not found.")
    return item


def _type(given: dict[str, Any] | None) -> int:
    if given is None:
        raise RefusedError(400, "An association needs a type.")
    number: int | None = given.get("id")
    if number not in ASSOCIATION_TYPES:
        raise RefusedError(400, f"There is no association type {number}.")
    return number


def _properties(given: dict[str, Any]) -> dict[str, Any]:
    """Read what may change of an association, as far as a request says it."""
    kept = {name: given[name] for name in _CHANGEABLE if given.get(name) is not None}
    if "type" in kept:
        kept["type"] = _type(kept["type"])
    return kept


def _create(call: Call) -> Any:
    given = call.body
    if given.get("baselineId") is not None:
        raise RefusedError(501, "The emulator associates no items of baselines.")
    if (given.get("to") is None) == (not given.get("url")):
        raise RefusedError(400, "An association needs either to or url.")
    start = _end(call, given["from"], "from")
    end = _end(call, given["to"], "to") if given.get("to") is not None else None
    _type(given.get("type"))
    rights = rights_on(call, start)
    if end is not None:
        rights_on(call, end)
    rights.require(_EDIT, "edit associations")
    association = Association(
        id=call.world.next_id("association", 7001),
        start=start.id,
        end=end.id if end is not None else None,
        url=given.get("url") or "",
        created_at=call.now,
        created_by=call.user.id,
        properties=dict.fromkeys(_SWITCHES, False) | _properties(given),
    )
    _write_down(call, association, "created")
    call.world.associations[association.id] = association
    return _shown(call, association)


def _write_down(call: Call, association: Association, summary: str) -> None:
    association.history.append({"at": call.now, "by": call.user.id, "summary": summary})


def _named(call: Call, permission: int, to_do: str) -> Association:
    association = call.world.associations.get(call.path["associationId"])
    if association is None:
        raise RefusedError(404, "Association is not found.")
    ends = [call.world.items[association.start]]
    if association.end is not None:
        ends.append(call.world.items[association.end])
    if any(item.trashed for item in ends):
        raise RefusedError(404, "Association is not found.")
    rights = [rights_on(call, item) for item in ends]
    rights[0].require(permission, to_do)
    return association


def _get(call: Call) -> Any:
    return _shown(call, _named(call, ASSOCIATION_VIEW, "view associations"))


def _put(call: Call) -> Any:
    association = _named(call, _EDIT, "edit associations")
    given = call.body
    ends = {"from": association.start, "to": association.end}
    for side, number in ends.items():
        asked = given.get(side)
        if asked is not None and asked.get("id") != number:
            raise RefusedError(400, f"The {side} of an association cannot change.")
    if given.get("id") not in (None, association.id):
        raise RefusedError(400, "The id is not the id of the path.")
    if given.get("url") not in (None, association.url):
        raise RefusedError(400, "The url of an association cannot change.")
    new = _properties(given)
    changed = sorted(
        name for name, kept in new.items() if association.properties.get(name) != kept
    )
    association.properties |= new
    _write_down(call, association, ", ".join(changed))
    return _shown(call, association)


def _delete(call: Call) -> Any:
    association = _named(call, _EDIT, "edit associations")
    del call.world.associations[association.id]
    return EMPTY


def _history(call: Call) -> Any:
    association = _named(call, ASSOCIATION_VIEW, "view associations")
    page, size = call.query["page"], call.query["pageSize"]
    revisions = [
        {
            "id": association.id,
            "version": version,
            "modifiedAt": entry["at"],
            "modifiedBy": user_reference(call.world, entry["by"]),
            "changeSummary": entry["summary"],
        }
        for version, entry in enumerate(association.history, start=1)
    ]
    return {
        "page": page,
        "pageSize": size,
        "total": len(revisions),
        "revisions": page_of(revisions[::-1], page, size),
    }


def _shown(call: Call, association: Association) -> dict[str, Any]:
    world = call.world
    number = association.properties["type"]
    shown = {
        **association.properties,
        "id": association.id,
        "from": item_reference(world.items[association.start]),
        "type": {
            "id": number,
            "name": ASSOCIATION_TYPES[number],
            "type": "AssociationTypeReference",
        },
        "createdAt": association.created_at,
        "createdBy": user_reference(world, association.created_by),
    }
    if association.end is not None:
        shown["to"] = item_reference(world.items[association.end])
    else:
        shown["url"] = association.url
    return shown


def _show_type(number: int) -> dict[str, Any]:
    return {"id": number, "name": ASSOCIATION_TYPES[number]}


def _get_types(call: Call) -> Any:
    return [_show_type(number) for number in ASSOCIATION_TYPES]


def _get_type(call: Call) -> Any:
    if call.path["associationTypeId"] not in ASSOCIATION_TYPES:
        raise RefusedError(404, "Association type is not found.")
    return _show_type(call.path["associationTypeId"])


ASSOCIATIONS: dict[str, Route] = {
    "createAssociation": _create,
    "getAvailableAssociationTypes": _get_types,
    "getAssociationType": _get_type,
    "getAssociation": _get,
    "updateAssociation": _put,
    "deleteAssociation": _delete,
    "getAssociationHistory": _history,
}
