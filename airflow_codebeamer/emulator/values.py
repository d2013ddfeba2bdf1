"""Values: what a field may hold, between requests, the world and answers.

The world keeps text and numbers as they are and every choice as a list of
references, so that one form serves a property, a custom field and the history.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.tables import rows_of, visible
from airflow_codebeamer.emulator.world import Tracker, World

__all__ = [
    "DESCRIPTION_FORMAT",
    "IGNORED",
    "NAME",
    "NOT_EDITABLE",
    "PARENT",
    "STATUS",
    "from_property",
    "from_value",
    "to_value",
]

NAME, STATUS, PARENT, DESCRIPTION_FORMAT = 3, 7, 76, 84
# Properties of a whole item that a request may carry and that are not set by it.
IGNORED = frozenset(
    [
        "id",
        "tracker",
        "createdAt",
        "createdBy",
        "modifiedAt",
        "modifiedBy",
        "version",
        "children",
        "comments",
        "tags",
        "ordinal",
        "typeName",
        "assignedAt",
        "closedAt",
        "accruedMillis",
        "spentMillis",
        "parent",
        "customFields",
    ]
)
NOT_EDITABLE = frozenset((0, 1, 4, 6, 74, 75, PARENT))
_FORMATS = {"W": "Wiki", "P": "PlainText", "H": "Html"}
_LISTS = ("ChoiceFieldValue", "TableFieldValue")
_NUMBER_MODELS = ("IntegerFieldValue", "DecimalFieldValue")


def from_value(
    world: World, tracker: Tracker, given: dict[str, Any], *, custom_only: bool = False
) -> tuple[int, Any]:
    """Read a field value of a request; return the field's id and what to keep.

    Raises:
        RefusedError: No such field, or not a value that it may have (400).
    """
    known = tracker.by_id.get(given["fieldId"])
    if known is None:
        raise RefusedError(
            400, f"Field {given['fieldId']} does not exist in tracker {tracker.name}."
        )
    if known["id"] in NOT_EDITABLE or (custom_only and "trackerItemField" in known):
        raise RefusedError(
            400, f"Field {known['name']} cannot be set as a field value."
        )
    return known["id"], _value(world, known, given)


def _value(world: World, known: dict[str, Any], given: dict[str, Any]) -> Any:
    model = known["valueModel"].partition("<")[0]
    if given["type"] != model:
        raise RefusedError(
            400, f"Field {known['name']} takes a {model}, not a {given['type']}."
        )
    if model == "ChoiceFieldValue":
        return _choices(world, known, given.get("values"))
    if model == "TableFieldValue":
        return rows_of(known, given.get("values"), partial(_value, world))
    return _plain(known, given.get("value"))


def from_property(
    world: World, tracker: Tracker, name: str, given: Any
) -> tuple[int, Any] | None:
    """Read a property of a whole item; None when it is empty and has no field.

    Raises:
        RefusedError: The tracker has no such field, or the value is not allowed (400).
    """
    known = tracker.by_property.get(name)
    if known is None:
        if given is None or given == []:
            return None
        raise RefusedError(400, f"Tracker {tracker.name} has no field for {name}.")
    if known["valueModel"].startswith("ChoiceFieldValue"):
        if isinstance(given, dict):
            given = [given]
        return known["id"], _choices(world, known, given)
    return known["id"], _plain(known, given)


def to_value(world: World, known: dict[str, Any], kept: Any) -> dict[str, Any]:
    """Return a kept value in the shape of a field value."""
    model = known["valueModel"].partition("<")[0]
    value = {"fieldId": known["id"], "name": known["name"], "type": model}
    if model == "TableFieldValue":
        kept = visible(world, known, kept)
    value["values" if model in _LISTS else "value"] = kept
    return value


def _plain(known: dict[str, Any], given: Any) -> Any:
    if given is None:
        return None
    if known["id"] == DESCRIPTION_FORMAT:
        given = _FORMATS.get(given, given)
        if given not in _FORMATS.values():
            raise RefusedError(400, f"{given} is not a description format.")
        return given
    if known["type"] == "DecimalField":
        given = _decimal(known, given)
    size = given if known["valueModel"] in _NUMBER_MODELS else None
    if isinstance(given, str):
        if not given:
            return None
        size = len(given)
    if size is not None and not _fits(known, size):
        raise RefusedError(
            400,
            f"Value of field {known['name']} is not between"
            f" {known.get('min', '-')} and {known.get('max', '-')}.",
        )
    return given


def _decimal(known: dict[str, Any], given: float) -> float:
    try:
        return float(given)
    except OverflowError as error:
        raise RefusedError(
            400, f"Value of field {known['name']} is too large."
        ) from error


def _fits(known: dict[str, Any], size: float) -> bool:
    low, high = known.get("min"), known.get("max")
    return (low is None or size >= low) and (high is None or size <= high)


def _choices(world: World, known: dict[str, Any], given: Any) -> Any:
    if not given:
        return None
    if len(given) > 1 and not known.get("multipleValues"):
        raise RefusedError(400, f"Field {known['name']} takes one value only.")
    if "options" in known:
        kept = [_option(known, entry) for entry in given]
        kept = [entry for entry in kept if entry["id"] != 0]
    else:
        kept = [_reference(world, known, entry) for entry in given]
    return kept or None


def _option(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    for option in known["options"]:
        if option["id"] == given.get("id"):
            if given["type"] != option["type"]:
                break
            return dict(option)
    raise RefusedError(
        400, f"{given.get('id')} is not an option of field {known['name']}."
    )


def _reference(
    world: World, known: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    kind, number = given["type"], given.get("id", 0)
    if known["type"] == "MemberField":
        people: dict[str, dict[int, Any]] = {
            "UserReference": world.users,
            "RoleReference": world.roles,
            "UserGroupReference": world.groups,
        }
        found = people.get(kind, {}).get(number)
    elif kind == known.get("referenceType") == "TrackerItemReference":
        found = world.items.get(number)
        found = None if found is not None and found.trashed else found
    else:
        found = None
    if found is None:
        raise RefusedError(
            400, f"{kind} {number} is not a value of field {known['name']}."
        )
    return {"id": number, "name": found.name, "type": kind}
