"""The items of a document as one tree, whether written nested or flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.reading import Step, path_text
from airflow_codebeamer.skeleton.wording import suggestion

if TYPE_CHECKING:
    from airflow_codebeamer.skeleton.document import DocumentItem

__all__ = ["LONGEST_KEY", "Wanted", "list_wanted"]

#: A text field of the server holds no more.
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item of the document, its parent's key, and its place in the text."""

    item: DocumentItem
    parent: str | None
    place: tuple[Step, ...]


def list_wanted(items: Sequence[DocumentItem], prefix: str) -> list[Wanted]:
    """Return every item, parents before children, siblings in their order.

    Raises:
        DocumentError: a key used twice or too long with its prefix, a parent that
            is not there or below its own child, a field both owned and seeded.
    """
    return _Tree(items, prefix).list_wanted()


class _Tree:
    """Finds who is below whom, and refuses what is no tree."""

    def __init__(self, items: Sequence[DocumentItem], prefix: str) -> None:
        self._prefix = prefix
        self._found: dict[str, Wanted] = {}
        self._children: dict[str | None, list[str]] = {}
        for index, item in enumerate(items):
            self._collect(item, item.parent, ("items", index))
        for wanted in self._found.values():
            self._check_parent(wanted)

    def list_wanted(self) -> list[Wanted]:
        result: list[Wanted] = []
        waiting = list(reversed(self._children.get(None, [])))
        while waiting:
            key = waiting.pop()
            result.append(self._found[key])
            waiting.extend(reversed(self._children.get(key, [])))
        if len(result) < len(self._found):
            reached = {wanted.item.key for wanted in result}
            lost = next(w for k, w in self._found.items() if k not in reached)
            raise DocumentError(
                path_text((*lost.place, "parent")),
                f"{self._circle(lost)} form a circle; one of them must be at the top",
            )
        return result

    def _collect(
        self, item: DocumentItem, parent: str | None, place: tuple[Step, ...]
    ) -> None:
        self._check_item(item, place)
        self._found[item.key] = Wanted(item, parent, place)
        self._children.setdefault(parent, []).append(item.key)
        for index, child in enumerate(item.children):
            below = (*place, "children", index)
            if child.parent is not None:
                raise DocumentError(
                    path_text((*below, "parent")),
                    "an item among children has its parent already; leave it out",
                )
            self._collect(child, item.key, below)

    def _check_item(self, item: DocumentItem, place: tuple[Step, ...]) -> None:
        if item.key in self._found:
            other = path_text(self._found[item.key].place)
            raise DocumentError(
                path_text((*place, "key")),
                f"the key {item.key!r} is used already by {other}; keys must be unique",
            )
        if len(self._prefix) + len(item.key) > LONGEST_KEY:
            raise DocumentError(
                path_text((*place, "key")),
                f"the key is longer than {LONGEST_KEY} characters with its prefix",
            )
        key = self._prefix + item.key
        if key != key.strip() or not key.isprintable():
            raise DocumentError(
                path_text((*place, "key")),
                f"the key {key!r} begins or ends with a blank or has a character that"
                " cannot be printed; a server may not give it back unchanged",
            )
        if not item.name.strip() or len(item.name.splitlines()) > 1:
            raise DocumentError(
                path_text((*place, "name")), f"{item.name!r} must be one line of text"
            )
        both = sorted(set(item.fields) & set(item.seed))
        if both:
            raise DocumentError(
                path_text((*place, "seed", both[0])),
                f"{both[0]!r} is both owned (fields) and seeded; keep one of the two",
            )

    def _check_parent(self, wanted: Wanted) -> None:
        if wanted.parent is not None and wanted.parent not in self._found:
            raise DocumentError(
                path_text((*wanted.place, "parent")),
                f"no item has the key {wanted.parent!r}"
                + suggestion(wanted.parent, self._found),
            )

    def _circle(self, wanted: Wanted) -> str:
        keys: list[str] = []
        key: str | None = wanted.item.key
        while key is not None and key not in keys:
            keys.append(key)
            key = self._found[key].parent
        return " → ".join([*keys, str(key)])
