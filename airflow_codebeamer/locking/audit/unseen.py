"""What a certificate does not see, as it says of itself; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["list_unseen"]


def list_unseen(began: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the blind spots of a look that began like this, each as a phrase.

    They are not gaps: nothing was tried there, and a certificate can be clean.
    """
    depth, is_whole = began.get("depth", "items"), bool(began.get("is_complete"))
    seconds = float(began.get("every", 0))
    unseen = []
    if not is_whole:
        unseen.append(
            "comments, the order of items, associations and attachments (the tracker "
            "is larger than certificate_pages)"
        )
    elif depth == "items":
        unseen.append(
            "associations, attachments and edits of comments that make no version of "
            "their item (certificate_depth is items)"
        )
    elif depth == "links":
        unseen.append(
            "attachments and edits of comments that make no version of their item "
            "(certificate_depth is links)"
        )
    else:
        unseen.append("versions of a file or a comment before its last one")
    if is_whole and depth != "items":
        unseen.append(
            "edits of associations, those to an address or from another tracker, and "
            "those that this account may not see"
        )
    if seconds:
        unseen.append(
            "items made and deleted again between two looks of certificate_watch, "
            f"{seconds:g} seconds apart, or while nobody worked under the lock"
        )
    else:
        unseen.append(
            "items made and deleted again under the lock (certificate_watch is 0)"
        )
    return (
        *unseen,
        "who deleted or reordered something, which no request tells",
        "somebody else who used this account",
    )
