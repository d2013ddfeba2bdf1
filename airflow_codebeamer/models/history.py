"""History of an item: its versions and what changed between them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["Change", "Version"]


class Change(Answer):
    """One field that changed, with the value before and after."""

    field: Reference | None = None
    name: str = ""
    old: dict[str, Any] | None = Field(default=None, alias="oldValue")
    new: dict[str, Any] | None = Field(default=None, alias="newValue")


class Version(Answer):
    """One version of an item: when, by whom, and what changed."""

    revision: dict[str, Any] = Field(default_factory=dict, alias="itemRevision")
    modified_at: str = Field(default="", alias="modifiedAt")
    modified_by: Reference | None = Field(default=None, alias="modifiedBy")
    changes: tuple[Change, ...] = ()
