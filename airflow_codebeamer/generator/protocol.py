"""What a generator is told, and what it may say; pure.

A generator is a function that describes items and never talks to Codebeamer:

    def my_generator(model: str, *, context: GeneratorContext) -> Iterator[dict]:
        yield {"key": "pump", "name": "Pump", "type": "Folder"}
        yield {"key": "pump/speed", "name": "Speed", "parent": "pump",
               "fields": {"Unit": "rpm"}}

Its arguments are its own; `context` is given only if it asks for it by name. The
first that it yields may be the head of the document: what is known of it but for
the items, such as `{"identity": {"prefix": "can:"}}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Required, TypedDict

from airflow_codebeamer.ids import TrackerId

__all__ = ["GeneratedItem", "GeneratorContext", "owner_of"]

_OWNER_LENGTH = 63


class GeneratedItem(TypedDict, total=False):
    """One item as a generator yields it, parents before children.

    `key` is the item's identity over all runs; the order of siblings is the
    order in which they are yielded. A field that is absent from `fields` is not
    ours, one that is None is ours and empty; `seed` is written at creation only.
    """

    key: Required[str]
    name: Required[str]
    parent: str | None
    type: str | None
    description: Any
    fields: Mapping[str, Any]
    seed: Mapping[str, Any]
    protect: bool


@dataclass(frozen=True)
class GeneratorContext:
    """What a generator may know about the run that it describes items for.

    With `dry_run` nothing will be written; `args` are the arguments it got.
    """

    tracker_id: TrackerId
    run_key: str = ""
    dry_run: bool = False
    args: Mapping[str, Any] = field(default_factory=dict)


def owner_of(name: str) -> str:
    """Return a generator's name in the letters that a document's owner may have."""
    plain = re.sub(r"[^a-z0-9_.-]+", ".", name.lower())
    return plain[-_OWNER_LENGTH:].strip("._-") or "generator"
