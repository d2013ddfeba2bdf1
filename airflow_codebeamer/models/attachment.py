"""Attachment: a file that hangs on an item."""

from __future__ import annotations

from pydantic import Field

from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["Attachment"]


class Attachment(Answer):
    """A file of an item, without its content."""

    id: int
    name: str = ""
    version: int = 0
    size: int = 0
    sha512: str = ""
    created_at: str = Field(default="", alias="createdAt")
    created_by: Reference | None = Field(default=None, alias="createdBy")
    modified_at: str = Field(default="", alias="modifiedAt")
    modified_by: Reference | None = Field(default=None, alias="modifiedBy")
