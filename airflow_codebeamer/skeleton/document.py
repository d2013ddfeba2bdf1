"""Skeleton: the items that a generator wants to see in a tracker.

A field that is absent is not ours. One under `fields` is ours and kept at its
value on every run, null included; one under `seed` is written when the item is
created and then belongs to the users.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.reading import Source, Step, path_text, read_source
from airflow_codebeamer.skeleton.tree import LONGEST_KEY, Wanted, list_wanted
from airflow_codebeamer.skeleton.wording import described, suggestion

__all__ = [
    "DocumentItem",
    "DocumentValue",
    "Html",
    "Identity",
    "Plain",
    "Policy",
    "Prune",
    "Skeleton",
    "Target",
    "Wiki",
    "load_document",
]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Wiki(_Closed):
    """Text in the server's wiki markup."""

    wiki: StrictStr


class Html(_Closed):
    """Text in HTML."""

    html: StrictStr


class Plain(_Closed):
    """Text without markup, also where it looks like markup."""

    plain: StrictStr


DocumentValue: TypeAlias = (
    bool | int | float | str | Wiki | Html | Plain | tuple[str, ...] | None
)

_TEXTS: dict[str, type[Wiki | Html | Plain]] = {
    "wiki": Wiki,
    "html": Html,
    "plain": Plain,
}
_POINTERS = frozenset({"user", "role", "ref", "item", "tracker"})


def _value(value: Any) -> DocumentValue:
    """Read one field value; every kind that is not here yet is refused by name."""
    if isinstance(value, Wiki | Html | Plain) or value is None:
        return value
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return _marked(value)
    if isinstance(value, list | tuple):
        return tuple(_entry(entry) for entry in value)
    raise ValueError(f"a value of type {type(value).__name__} has no place here")


def _marked(value: Mapping[Any, Any]) -> Wiki | Html | Plain:
    if _POINTERS & set(value):
        named = ", ".join(sorted(str(key) for key in value))
        raise ValueError(f"a reference ({named}) is not supported yet")
    if len(value) != 1 or next(iter(value)) not in _TEXTS:
        raise ValueError("a mapping must be one of {wiki: …}, {html: …}, {plain: …}")
    ((name, text),) = value.items()
    if not isinstance(text, str):
        raise ValueError(f"{name} must be text, found {described(text)}")
    return _TEXTS[name](**{name: text})


def _entry(entry: Any) -> str:
    if isinstance(entry, Mapping):
        _marked(entry)
    if not isinstance(entry, str):
        raise ValueError(
            f"a list holds names of options, found {described(entry)}; put it in quotes"
        )
    return entry


def _later(value: Any) -> None:
    if value not in (None, [], {}, ()):
        raise ValueError("is not supported yet; leave it out")


def _only(*allowed: str, later: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value in later:
            raise ValueError(
                f"{value!r} is not supported yet; use {' or '.join(allowed)}"
            )
        return value

    return BeforeValidator(check)


Value = Annotated[DocumentValue, PlainValidator(_value)]
Later = Annotated[None, BeforeValidator(_later)]


class DocumentItem(_Closed):
    """One wanted item, with the items below it."""

    #: Finds the item again on every run; unique in the document.
    key: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_KEY)]
    #: Its name; ours on every run.
    name: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_KEY)]
    #: Its category: Folder, Requirement, or whatever the tracker has.
    type: StrictStr | None = None
    #: In a flat document, the key of the item above it.
    parent: StrictStr | None = None
    #: Text, or {wiki: …}, {html: …}, {plain: …}; ours once it is written down.
    description: Value = None
    #: Ours on every run, null included.
    fields: dict[StrictStr, Value] = {}
    #: Written when the item is created; belongs to people afterwards.
    seed: dict[StrictStr, Value] = {}
    #: Keep what somebody else edited, whatever `foreign_edit` says.
    protect: bool = False
    #: The items below it.
    children: tuple[DocumentItem, ...] = ()
    tables: Later = None
    steps: Later = None
    links: Later = None
    files: Later = None

    @property
    def has_description(self) -> bool:
        """Whether the description is ours: it is, once it is written down."""
        return "description" in self.model_fields_set


class Target(_Closed):
    """The tracker to fill: by number, or by name or key within its project."""

    #: Name, key or number of the project; not needed for a tracker's number.
    project: StrictInt | StrictStr | None = None
    #: Number, name or key of the tracker.
    tracker: StrictInt | StrictStr
    root: Later = None


class Identity(_Closed):
    """Where in the tracker the keys are kept, and what stands before each."""

    #: The tracker's text field that keeps the keys.
    field: StrictStr = "External ID"
    #: Stands before each key; only items with it count as ours.
    prefix: StrictStr = ""
    #: Items without a key are never taken for ours.
    adopt: Annotated[Literal["never"], _only("never", later=("by_path",))] = "never"
    #: What to do when several items carry one key; `first` takes the oldest.
    duplicates: Literal["fail", "first"] = "fail"


class Prune(_Closed):
    """What happens to items of ours that the document does not name any more."""

    #: They are named in the warnings.
    mode: Annotated[Literal["report"], _only("report", later=("obsolete", "trash"))] = (
        "report"
    )
    max_items: Later = None
    max_percent: Later = None
    protect: Later = None
    set: Later = None
    move_under: Later = None


class Policy(_Closed):
    """What to do where the tracker and the document disagree."""

    #: An owned value differs and somebody else changed the item last.
    foreign_edit: Literal["fail", "keep", "overwrite"] = "fail"
    #: Put siblings in order; or only append new ones; or leave it to the server.
    order: Literal["strict", "append", "ignore"] = "strict"
    #: A field that the document does not name any more stays as it is.
    released_field: Annotated[Literal["leave"], _only("leave", later=("clear",))] = (
        "leave"
    )
    #: Undo a failed run, or leave what it wrote.
    on_failure: Literal["rollback", "keep"] = "rollback"
    prune: Prune = Prune()


class Skeleton(_Closed):
    """Everything that one owner wants to see in one tracker."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    kind: Annotated[Literal["skeleton"], _only("skeleton", later=("update",))] = (
        "skeleton"
    )
    #: Whose document it is, in small letters; shown, not stored on items.
    owner: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    #: Notes on where it comes from; kept nowhere.
    source: dict[str, str] = {}
    target: Target
    identity: Identity = Identity()
    policy: Policy = Policy()
    #: `fields` of every item that does not name them itself.
    defaults: dict[StrictStr, Value] = {}
    items: tuple[DocumentItem, ...]

    def list_wanted(self) -> list[Wanted]:
        """Return every item, parents before children, siblings in their order.

        Raises:
            DocumentError: a key used twice, a parent that is not in the document
                or below its own child, a field both owned and seeded, a key that
                is too long with its prefix.
        """
        return list_wanted(self.items, self.identity.prefix)


def load_document(source: str | Path | Mapping[str, Any] | Skeleton) -> Skeleton:
    """Read a document: a YAML or JSON file, its text, a mapping, or a Skeleton.

    Not promised: that the tracker has these fields and options; only
    `read_snapshot` can know.

    Raises:
        DocumentError: with the place in the document, and what to write instead.
    """
    if isinstance(source, Skeleton):
        source.list_wanted()
        return source
    read = Source(source, {}) if isinstance(source, Mapping) else read_source(source)
    if not isinstance(read.value, Mapping):
        raise DocumentError("", f"must be a mapping, found {described(read.value)}")
    try:
        document = Skeleton.model_validate(dict(read.value))
    except ValidationError as error:
        raise _first(error, read) from None
    document.list_wanted()
    return document


_MODELS: dict[str, type[_Closed]] = {
    "": Skeleton,
    "children": DocumentItem,
    "identity": Identity,
    "items": DocumentItem,
    "policy": Policy,
    "prune": Prune,
    "target": Target,
}


def _first(error: ValidationError, source: Source) -> DocumentError:
    details = error.errors(include_url=False)
    # A misspelt name is also a missing one; the misspelling says more.
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    place = tuple(step for step in first["loc"] if step not in _TAGS)
    line = source.find_line(place)
    # A union reports once for each of its members: the same place is one problem.
    others = len({detail["loc"][: len(place)] for detail in details} - {place})
    more = f" (and {others} more problem(s))" if others else ""
    where = f" (line {line})" if line else ""
    return DocumentError(path_text(place), _sentence(first, place) + where + more)


#: Steps that pydantic adds to a place and that are not in the document.
_TAGS = ("[key]", "int", "str", "nullable")


def _sentence(detail: ErrorDetails, place: tuple[Step, ...]) -> str:
    kind, found = detail["type"], detail["input"]
    name = str(place[-1]) if place else ""
    match kind:
        case "missing":
            return f"the property {name!r} is missing"
        case "extra_forbidden":
            holder = next((s for s in reversed(place[:-1]) if isinstance(s, str)), "")
            known = _names(_MODELS.get(holder, Skeleton))
            return f"there is no property {name!r}{suggestion(name, known)}"
        case "string_type" | "int_type":
            return f"must be text, found {described(found)}; put it in quotes"
        case "tuple_type":
            return f"must be a list, found {described(found)}"
        case "string_too_long":
            return f"is longer than {LONGEST_KEY} characters ({len(found)})"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return (
                f"{found!r} does not fit: lower-case letters, digits, '_', '.' and "
                "'-', at most 63"
            )
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case "literal_error":
            return f"is {found!r}, must be {detail['ctx']['expected']}"
        case _:
            return f"{detail['msg']}, found {described(found)}"


def _names(model: type[_Closed]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]
