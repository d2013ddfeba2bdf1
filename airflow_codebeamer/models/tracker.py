"""Tracker, and the fields that its items have."""

from __future__ import annotations

from pydantic import Field

from airflow_codebeamer.ids import FieldId, TrackerId
from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["Project", "Tracker", "TrackerField"]


class Project(Answer):
    """A project; `key_name` is the short name that people type."""

    id: int
    name: str = ""
    key_name: str = Field(default="", alias="keyName")


class Tracker(Answer):
    """A tracker, with what tells whether others inherit from it."""

    id: TrackerId
    name: str = ""
    key_name: str = Field(default="", alias="keyName")
    version: int = 0
    project: Reference | None = None
    template: Reference | None = Field(default=None, alias="templateTracker")
    available_as_template: bool = Field(default=False, alias="availableAsTemplate")


class TrackerField(Answer):
    """One field of a tracker's schema.

    `value_model` names the shape of its values (`TextFieldValue`,
    `ChoiceFieldValue<ChoiceOptionReference>`, …); `item_property` is the
    property of an item that carries a built-in field, empty for custom ones.
    """

    id: FieldId
    name: str = ""
    type: str = ""
    hidden: bool = False
    value_model: str = Field(default="", alias="valueModel")
    item_property: str = Field(default="", alias="trackerItemField")
    multiple_values: bool = Field(default=False, alias="multipleValues")
    reference_type: str = Field(default="", alias="referenceType")
    options: tuple[Reference, ...] = ()
    columns: tuple[TrackerField, ...] = ()
    mandatory_in_statuses: tuple[Reference, ...] = Field(
        default=(), alias="mandatoryInStatuses"
    )
