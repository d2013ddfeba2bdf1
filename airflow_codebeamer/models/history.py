"""History of an item: its versions, what changed between them, and its comments."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["Change", "Comment", "Version"]


class Change(Answer):
    """One field that changed, with the value before and after.

    Of a table each row that changed is told by itself, with its `row` from 0: a
    table of that row alone before and after, None where there was none.
    """

    field: Reference | None = None
    name: str = ""
    old: dict[str, Any] | None = Field(default=None, alias="oldValue")
    new: dict[str, Any] | None = Field(default=None, alias="newValue")
    row: int | None = Field(default=None, alias="rowNumber")


class Comment(Answer):
    """A comment of an item: when, and by whom."""

    id: int
    version: int = 0
    created_at: str = Field(default="", alias="createdAt")
    created_by: Reference | None = Field(default=None, alias="createdBy")
    modified_at: str = Field(default="", alias="modifiedAt")
    modified_by: Reference | None = Field(default=None, alias="modifiedBy")


class Version(Answer):
    """One version of an item: when, by whom, and what changed."""

    revision: dict[str, Any] = Field(default_factory=dict, alias="itemRevision")
    modified_at: str = Field(default="", alias="modifiedAt")
    modified_by: Reference | None = Field(default=None, alias="modifiedBy")
    changes: tuple[Change, ...] = ()
