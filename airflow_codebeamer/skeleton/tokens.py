"""Tokens: references as text, `user:2`, `item:10001`, or `key:SYS-1` for a new item.

One form for everything that a field may point at, so that values can be
compared, sorted and written down. `key:` stands for an item that has no number
yet; it is settled once the item is there. `coming:` stands for one that another
document of the same set will make; it is looked up again before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.models import Reference
from airflow_codebeamer.skeleton.values import Pointer

__all__ = [
    "KINDS",
    "Directory",
    "coming_token",
    "has_key",
    "item_token",
    "key_of",
    "key_token",
    "kind_of",
    "number_of_item",
    "reference_of",
    "settle",
    "settle_token",
    "token_of",
]

#: What the server calls each kind of thing that a field may point at.
KINDS: Mapping[str, str] = {
    "UserReference": "user",
    "RoleReference": "role",
    "UserGroupReference": "group",
    "TrackerItemReference": "item",
    "TrackerReference": "tracker",
    "ProjectReference": "project",
    "RepositoryReference": "repository",
}
_TYPES = {kind: type_name for type_name, kind in KINDS.items()}
_KEY = "key:"
_COMING = "coming:"


class Directory(Protocol):
    """Turns what a document points at into tokens."""

    def find(self, pointer: Pointer) -> str:
        """Return the token.

        Raises:
            ValueError: there is nobody and nothing of that name.
        """
        ...

    def find_association_type(self, name: str) -> int:
        """Return the number of a type of associations.

        Raises:
            ValueError: the server has no type of that name.
        """
        ...


def token_of(entry: Any) -> str:
    """Return the token of a reference as the server sent it."""
    given = entry if isinstance(entry, Mapping) else vars(entry)
    kind = str(given.get("type") or "")
    return f"{KINDS.get(kind, kind)}:{given.get('id')}"


def item_token(item_id: ItemId) -> str:
    """Return the token of an item with a number."""
    return f"item:{item_id}"


def key_token(key: str) -> str:
    """Return the token of an item that is to be created."""
    return _KEY + key


def coming_token(tracker_id: TrackerId, key: str) -> str:
    """Return the token of an item that another document is about to make."""
    return f"{_COMING}{tracker_id}/{key}"


def kind_of(token: str) -> str:
    """Return what kind of thing a token stands for."""
    return "item" if token.startswith((_KEY, _COMING)) else token.partition(":")[0]


def key_of(token: object) -> str | None:
    """Return the key if a token stands for an item without a number."""
    if isinstance(token, str) and token.startswith(_KEY):
        return token.removeprefix(_KEY)
    return None


def has_key(value: Any) -> bool:
    """Whether a value, or a cell of a table, points at an item without a number."""
    if not isinstance(value, tuple):
        return False
    if _is_table(value):
        return any(has_key(cell) for row in value for cell in row)
    return any(key_of(token) is not None for token in value)


def settle(value: Any, numbers: Mapping[str, ItemId]) -> Any:
    """Return a value in which keys are replaced by the numbers that are known."""
    if not isinstance(value, tuple):
        return value
    if _is_table(value):
        return tuple(tuple(settle(cell, numbers) for cell in row) for row in value)
    return (
        tuple(sorted(_settled(token, numbers) for token in value))
        if any(key_of(token) in numbers for token in value)
        else value
    )


def number_of_item(token: str) -> ItemId:
    """Return the number in an item's token."""
    return ItemId(int(token.removeprefix("item:")))


def settle_token(token: str, numbers: Mapping[str, ItemId]) -> str:
    """Return a token with the number of its item, if that is known."""
    return str(_settled(token, numbers))


def reference_of(token: str) -> Reference:
    """Return the reference as a request needs it."""
    kind, _, number = token.partition(":")
    return Reference(id=int(number), type=_TYPES.get(kind, kind))


def _is_table(value: tuple[Any, ...]) -> bool:
    """Whether a value is rows of cells: tokens and options are no tuples."""
    return bool(value) and isinstance(value[0], tuple)


def _settled(token: Any, numbers: Mapping[str, ItemId]) -> Any:
    key = key_of(token)
    return item_token(numbers[key]) if key is not None and key in numbers else token
