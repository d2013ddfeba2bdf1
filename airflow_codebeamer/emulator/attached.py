"""Attached: the comments of an item and the files that hang on it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Attachment", "Comment", "revision_of"]


@dataclass
class Comment:
    """A comment; without text it only holds files together that came together."""

    id: int
    item: int
    text: str
    created_at: str
    created_by: int
    modified_at: str
    modified_by: int
    format: str = "PlainText"
    parent: int | None = None
    version: int = 1

    def references(self) -> list[tuple[str, int | None]]:
        """Return what must be there for this to make sense."""
        return [("items", self.item), ("comments", self.parent)]


@dataclass
class Attachment:
    """A file of an item with all its revisions, oldest first; see `revision_of`."""

    id: int
    item: int
    comment: int
    name: str
    revisions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        """The newest revision."""
        return self.revisions[-1]

    def references(self) -> list[tuple[str, int | None]]:
        """Return what must be there for this to make sense."""
        return [("items", self.item), ("comments", self.comment)]


def revision_of(content: bytes, media: str) -> dict[str, Any]:
    """Return what a revision says about its content, the content included."""
    return {
        "media": media,
        "size": len(content),
        "sha512": hashlib.sha512(content).hexdigest(),
        "content": base64.b64encode(content).decode(),
    }
