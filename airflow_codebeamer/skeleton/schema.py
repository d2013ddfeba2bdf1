"""Schema: a tracker's fields by name, and which of them a document may write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models import TrackerField
from airflow_codebeamer.skeleton.fields import OPTION_REFERENCE, FieldShape
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.tables import STEP_COLUMNS
from airflow_codebeamer.skeleton.tokens import KINDS
from airflow_codebeamer.skeleton.wording import suggestion

__all__ = ["Schema", "tables_of"]

#: Built-in properties that only the server writes.
_COMPUTED = frozenset(
    {
        "accruedMillis",
        "assignedAt",
        "children",
        "closedAt",
        "comments",
        "createdAt",
        "createdBy",
        "id",
        "modifiedAt",
        "modifiedBy",
        "ordinal",
        "parent",
        "spentMillis",
        "tags",
        "tracker",
        "typeName",
        "version",
    }
)

#: Numbers below are given to built-in fields, the same on every server.
_FIRST_CUSTOM_FIELD = 1000

_INSTEAD = {
    "name": "its value is the item's own property 'name'",
    "description": "write it as the item's own property 'description'",
    "descriptionFormat": "write the description as {wiki: …}, {html: …} or {plain: …}",
}


class Schema:
    """The fields of a tracker by name, as a document writes them."""

    def __init__(self, fields: Iterable[TrackerField]) -> None:
        self._fields: dict[str, list[TrackerField]] = {}
        for field in fields:
            self._fields.setdefault(field.name, []).append(field)

    def get(self, name: str, path: str, *, is_update: bool = False) -> FieldShape:
        """Return a field that a document may write under `fields` or `seed`.

        An update may also name the fields that a skeleton writes as properties
        of its items.

        Raises:
            DocumentError: no field of that name, several of them, or one that is
                hidden, computed, or of a kind that cannot be written yet.
        """
        field = self._named(name, path)
        if field.item_property in _INSTEAD and not is_update:
            raise DocumentError(path, _INSTEAD[field.item_property])
        return self._shape(field, path)

    def get_built_in(self, item_property: str, path: str) -> FieldShape:
        """Return the field behind a property of an item, whatever its name."""
        for fields in self._fields.values():
            for field in fields:
                if field.item_property == item_property:
                    return self._shape(field, path)
        raise DocumentError(path, f"the tracker has no field for {item_property!r}")

    def get_table(self, name: str, path: str) -> FieldShape:
        """Return a table by its name.

        Raises:
            DocumentError: no field of that name that can be written, or no table.
        """
        shape = self._shape(self._named(name, path), path)
        if shape.kind is not Kind.TABLE:
            raise DocumentError(path, f"the field {name!r} is no table")
        return shape

    def get_steps(self, path: str) -> FieldShape:
        """Return the table of test steps: the one that has their columns.

        Raises:
            DocumentError: no table has them, or several have.
        """
        found = [
            field
            for fields in self._fields.values()
            for field in fields
            if set(STEP_COLUMNS) <= {column.name for column in field.columns}
        ]
        if len(found) != 1:
            columns = ", ".join(map(repr, STEP_COLUMNS))
            raise DocumentError(
                path,
                f"the tracker has {len(found) or 'no'} tables with the columns "
                f"{columns}; write the rows under `tables`",
            )
        return self._shape(found[0], path)

    def get_number(self, field_id: FieldId) -> FieldShape:
        """Return a field by its number.

        Raises:
            DocumentError: the tracker has none, or it cannot be written.
        """
        for fields in self._fields.values():
            for field in fields:
                if field.id == field_id:
                    return self._shape(field, "")
        raise DocumentError("", f"the tracker has no field {field_id}")

    def _named(self, name: str, path: str) -> TrackerField:
        found = self._fields.get(name, [])
        if not found:
            raise DocumentError(
                path,
                f"the tracker has no field {name!r}{suggestion(name, self._fields)}",
            )
        if len(found) > 1:
            ids = ", ".join(str(field.id) for field in found)
            raise DocumentError(
                path,
                f"the tracker has {len(found)} fields {name!r} (ids {ids}); rename one"
                " of them, a document names fields by name",
            )
        return found[0]

    def _shape(self, field: TrackerField, path: str) -> FieldShape:
        if field.hidden:
            raise DocumentError(path, f"the field {field.name!r} is hidden")
        built_in = field.id < _FIRST_CUSTOM_FIELD
        extra = field.model_extra or {}
        formula = extra.get("formula")
        if (
            formula
            or field.item_property in _COMPUTED
            or (built_in and not field.item_property)
        ):
            raise DocumentError(
                path, f"the field {field.name!r} is computed or written by the server"
            )
        return FieldShape(
            field.id,
            field.name,
            _kind(field, path),
            field.item_property,
            field.multiple_values,
            tuple((option.id, option.name) for option in field.options),
            _bound(extra.get("min")),
            _bound(extra.get("max")),
            _refers(field),
            tuple(self._shape(one, path) for one in field.columns if not one.hidden),
        )


def tables_of(schema: Schema, fields: Iterable[TrackerField]) -> list[FieldShape]:
    """Return the tables that a document may write."""
    found: list[FieldShape] = []
    for field in fields:
        if field.columns:
            with suppress(DocumentError):
                found.append(schema.get_table(field.name, ""))
    return found


def _bound(value: object) -> float | None:
    # The bounds of dates and durations are text; those are the server's affair.
    return float(value) if isinstance(value, int | float) else None


def _refers(field: TrackerField) -> tuple[str, ...]:
    """Return the kinds of things that a field with references may point at."""
    named = [
        KINDS[name]
        for name in re.findall(r"\w+", field.value_model)
        if name in ("UserReference", "RoleReference", "TrackerItemReference")
    ]
    # A member field says which kinds it takes; unknown words of newer releases
    # are for the server to judge.
    members = (field.model_extra or {}).get("memberTypes")
    if not named and isinstance(members, list):
        known = {"USER": "user", "ROLE": "role"}
        named = [known[word] for word in members if word in known]
    return tuple(named)


def _kind(field: TrackerField, path: str) -> Kind:
    model = field.value_model
    if model.startswith("ChoiceField") and OPTION_REFERENCE in model:
        return Kind.CHOICE
    if model.startswith("ChoiceField") and _refers(field):
        return Kind.REFERENCE
    try:
        kind = Kind(model)
    except ValueError:
        kind = None
    if kind is None or kind in (Kind.CHOICE, Kind.REFERENCE):
        raise DocumentError(
            path,
            f"{field.name!r} is a {field.type or model}; such fields are not"
            " supported yet",
        )
    return kind
