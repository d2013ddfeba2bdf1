"""Several documents at once: read, and put in the order of their references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton.document import (
    Document,
    FieldUpdate,
    Skeleton,
    load_document,
)
from airflow_codebeamer.skeleton.jsonlines import is_json_lines
from airflow_codebeamer.skeleton.reading import read_sources
from airflow_codebeamer.skeleton.values import Lookup

__all__ = ["in_order", "load_documents", "place_of"]


def load_documents(
    source: str | Path | Mapping[str, Any] | Document | Sequence[Any],
    *,
    folder: Path | None = None,
) -> tuple[Document, ...]:
    """Read one document or several, each for a tracker of its own.

    Several are a list (of mappings or models, or in a file), or YAML documents with
    a line of `---` between them. `folder` is as in `load_document`.

    Raises:
        DocumentError: as `load_document`; says which one of several.
    """
    if isinstance(source, Skeleton | FieldUpdate | Mapping):
        return (load_document(source, folder=folder),)
    if isinstance(source, Path | str):
        if is_json_lines(Path(source)):
            return (load_document(source, folder=folder),)
        parts: list[Any] = list(read_sources(source))
    else:
        parts = list(source)
    if not parts:
        raise DocumentError("", "this is a list without a document")
    found: list[Document] = []
    for number, part in enumerate(parts):
        try:
            found.append(load_document(part, folder=folder))
        except DocumentError as error:
            if len(parts) == 1:
                raise
            raise DocumentError(place_of(number, error.path), error.problem) from None
    return tuple(found)


def place_of(number: int, path: str = "") -> str:
    """Return how errors name one of several documents, or a place in it."""
    return f"documents[{number}]{'.' if path else ''}{path}"


def in_order(
    documents: Mapping[TrackerId, Document],
    tracker_of: Callable[[TrackerId, int | str], TrackerId | None],
) -> list[TrackerId]:
    """Return the trackers so that what a document looks up elsewhere is there first.

    `tracker_of` says which tracker a document of another means by a name.
    Documents that do not refer to each other stay in the order given.

    Raises:
        DocumentError: they refer to each other in a circle.
    """
    needs = {
        tracker_id: _needs(tracker_id, document, documents, tracker_of)
        for tracker_id, document in documents.items()
    }
    ordered: list[TrackerId] = []
    while left := [one for one in documents if one not in ordered]:
        ready = next((one for one in left if needs[one] <= set(ordered)), None)
        if ready is None:
            circle = " -> ".join(map(str, _circle(left[0], needs, set(left))))
            raise DocumentError(
                "",
                f"the documents for the trackers {circle} refer to each other in a "
                "circle; keep the references on one side, or set those of the other "
                "side by a second run",
            )
        ordered.append(ready)
    return ordered


def _needs(
    tracker_id: TrackerId,
    document: Document,
    documents: Mapping[TrackerId, Document],
    tracker_of: Callable[[TrackerId, int | str], TrackerId | None],
) -> set[TrackerId]:
    names = dict.fromkeys(lookup.tracker for lookup in _lookups(document))
    found = {tracker_of(tracker_id, name) for name in names}
    others = set(documents) - {tracker_id}
    return {one for one in others if one in found}


def _circle(
    start: TrackerId, needs: Mapping[TrackerId, set[TrackerId]], left: set[TrackerId]
) -> list[TrackerId]:
    way = [start]
    while way[-1] not in way[:-1]:
        way.append(min(needs[way[-1]] & left))
    return way[way.index(way[-1]) :]


def _lookups(part: Any) -> Iterator[Lookup]:
    """Yield whatever a document looks up in a tracker, wherever it stands."""
    if isinstance(part, Lookup):
        yield part
    elif isinstance(part, BaseModel):
        for name in part.model_fields_set:
            yield from _lookups(getattr(part, name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _lookups(value)
    elif isinstance(part, tuple | list):
        for entry in part:
            yield from _lookups(entry)
