"""Skeleton: the items that a generator wants to see in a tracker.

A field that is absent is not ours. One under `fields` is ours and kept at its
value on every run, null included; one under `seed` is written when the item is
created and then belongs to the users.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
)

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.item_parts import (
    ItemAssociation,
    ItemAttachment,
    TestStep,
)
from airflow_codebeamer.skeleton.jsonlines import is_json_lines, read_json_lines
from airflow_codebeamer.skeleton.problems import first_problem
from airflow_codebeamer.skeleton.reading import Source, read_source
from airflow_codebeamer.skeleton.tree import LONGEST_KEY, Wanted, list_wanted
from airflow_codebeamer.skeleton.values import Closed, Value
from airflow_codebeamer.skeleton.wording import described

__all__ = [
    "Document",
    "DocumentItem",
    "FieldUpdate",
    "Identity",
    "ItemAssociation",
    "ItemAttachment",
    "Policy",
    "Prune",
    "Row",
    "Skeleton",
    "Target",
    "TestStep",
    "UpdatePolicy",
    "load_document",
]


#: The words that others use for two of the levels.
_LEVELS = {"restore": "rollback", "none": "keep"}


def _level(value: Any) -> Any:
    return _LEVELS.get(value, value) if isinstance(value, str) else value


OnFailure = Annotated[
    Literal["rollback", "restore_or_keep_locked", "report", "keep"],
    BeforeValidator(_level),
]


class DocumentItem(Closed):
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
    fields: dict[StrictStr, Value] = Field({})
    #: Written when the item is created; belongs to people afterwards.
    seed: dict[StrictStr, Value] = Field({})
    #: Keep what somebody else edited, whatever `foreign_edit` says.
    protect: bool = False
    #: Rows of tables by the table's name, each a mapping of columns to values;
    #: ours as a whole on every run.
    tables: dict[StrictStr, tuple[dict[StrictStr, Value], ...]] = Field({})
    #: Short for the table of test steps; an empty list is ours and empty.
    steps: tuple[TestStep, ...] | None = None
    #: Links to other items; those that our account made are kept as they are here.
    #: Absent: not ours; an empty list: ours, and none.
    associations: tuple[ItemAssociation, ...] | None = None
    #: Files by name and SHA-512; what hangs there besides stays. Names differ.
    attachments: tuple[ItemAttachment, ...] = ()
    #: The items below it.
    children: tuple[DocumentItem, ...] = ()

    @property
    def has_description(self) -> bool:
        """Whether the description is ours: it is, once it is written down."""
        return "description" in self.model_fields_set


class Target(Closed):
    """The tracker to fill: by number, or by name or key within its project."""

    #: Name, key or number of the project; not needed for a tracker's number.
    project: StrictInt | StrictStr | None = None
    #: Number, name or key of the tracker.
    tracker: StrictInt | StrictStr
    #: A skeleton stands below this item instead of at the top: its number, or the
    #: whole key that it carries. What is elsewhere is never pruned.
    root: StrictInt | StrictStr | None = None


class Identity(Closed):
    """Where in the tracker the keys are kept, and what stands before each."""

    #: The tracker's text field that keeps the keys.
    field: StrictStr = "External ID"
    #: Stands before each key; only items with it count as ours.
    prefix: StrictStr = ""
    #: Items without a key are never taken for ours; or one that stands where the
    #: document wants one of that name gets its key.
    adopt: Literal["never", "by_path"] = "never"
    #: What to do when several items carry one key; `first` takes the oldest.
    duplicates: Literal["fail", "first"] = "fail"


class Prune(Closed):
    """What happens to items of ours that the document does not name any more."""

    #: Name them in the warnings; or mark and move them; or trash them, for good.
    mode: Literal["report", "obsolete", "trash"] = "report"
    #: Refuse to prune more items than that at once; null: no limit.
    max_items: Annotated[StrictInt, Field(ge=0)] | None = 50
    #: Refuse to prune a larger share of our items, if they are more than five.
    max_percent: Annotated[float, Field(ge=0, le=100)] | None = 5
    #: A cbQL filter: what it finds is never pruned.
    protect: Annotated[StrictStr, Field(min_length=1)] | None = None
    #: With `obsolete`: values that mark an item.
    set: dict[StrictStr, Value] = Field({})
    #: With `obsolete`: the key of the item below which they are moved.
    move_under: StrictStr | None = None


class Policy(Closed):
    """What to do where the tracker and the document disagree."""

    #: An owned value differs and somebody else changed the item last.
    foreign_edit: Literal["fail", "keep", "overwrite"] = "fail"
    #: Put siblings in order; or only append new ones; or leave it to the server.
    order: Literal["strict", "append", "ignore"] = "strict"
    #: A field of the tracker's own that the document's last run owned, and that it
    #: does not name any more, stays as it is; or is emptied on all of its items.
    released_field: Literal["leave", "clear"] = "leave"
    #: Undo a failed run (`restore` says the same); or undo it, and keep the tracker
    #: locked for a person to look if that cannot be done whole; or only list what
    #: it wrote; or leave it without a word (`none` says the same).
    on_failure: OnFailure = "rollback"
    #: Refuse a document that names a larger file, in MiB; null: no limit.
    largest_attachment_mib: Annotated[StrictInt, Field(ge=0)] | None = 100
    prune: Prune = Prune()


class Skeleton(Closed):
    """Everything that one owner wants to see in one tracker."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    kind: Literal["skeleton"] = "skeleton"
    #: Whose document it is, in small letters; shown, not stored on items.
    owner: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    #: Notes on where it comes from; kept nowhere.
    source: dict[str, str] = Field({})
    target: Target
    identity: Identity = Identity()
    policy: Policy = Policy()
    #: `fields` of every item that does not name them itself.
    defaults: dict[StrictStr, Value] = Field({})
    items: tuple[DocumentItem, ...]

    def list_wanted(self) -> list[Wanted]:
        """Return every item, parents before children, siblings in their order.

        Raises:
            DocumentError: a key used twice, a parent that is not in the document
                or below its own child, a field both owned and seeded, a key that
                is too long with its prefix.
        """
        return list_wanted(self.items, self.identity.prefix)


class Row(Closed):
    """One item of an update, by its number or by its key, and its values."""

    #: The item's number.
    item: StrictInt | None = None
    #: Or the key that it carries, without the document's prefix.
    key: StrictStr | None = None
    #: The values, over those of `set`.
    fields: dict[StrictStr, Value]


class UpdatePolicy(Closed):
    """What to do where an update meets what somebody else wrote."""

    #: An update is there to change what it finds; the others protect edits.
    foreign_edit: Literal["fail", "keep", "overwrite"] = "overwrite"
    #: Undo a failed run (`restore` says the same); or undo it, and keep the tracker
    #: locked for a person to look if that cannot be done whole; or only list what
    #: it wrote; or leave it without a word (`none` says the same).
    on_failure: OnFailure = "rollback"


class FieldUpdate(Closed):
    """Values for fields of items that exist: of all, of some, or row by row."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    kind: Literal["update"]
    #: Whose document it is, in small letters; shown, not stored on items.
    owner: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    #: Notes on where it comes from; kept nowhere.
    source: dict[str, str] = Field({})
    target: Target
    #: Where keys are kept; only asked for when rows name their items by key.
    identity: Identity = Identity()
    #: A cbQL filter: only items of the tracker that it finds are changed.
    where: Annotated[StrictStr, Field(min_length=1)] | None = None
    #: Values for every item that is found.
    set: dict[StrictStr, Value] = Field({})
    #: Values for single items; without `set` and `where` only these are read.
    rows: tuple[Row, ...] = ()
    policy: UpdatePolicy = UpdatePolicy()

    def check(self) -> None:
        """Refuse an update of nothing, and rows that are not one item each.

        Raises:
            DocumentError: says which row.
        """
        if self.target.root is not None:
            raise DocumentError("target.root", "is for skeletons; use `where` instead")
        if not self.set and not self.rows:
            raise DocumentError("set", "name at least one field here, or under rows")
        seen: dict[int | str, int] = {}
        for index, row in enumerate(self.rows):
            name = row.item if row.key is None else row.key
            if name is None or (row.item is not None and row.key is not None):
                raise DocumentError(
                    f"rows[{index}]", "give either the item's number or its key"
                )
            if name in seen:
                raise DocumentError(
                    f"rows[{index}]", f"the same item as rows[{seen[name]}]"
                )
            seen[name] = index


Document: TypeAlias = Skeleton | FieldUpdate


def load_document(
    source: str | Path | Mapping[str, Any] | Source | Document,
    *,
    folder: Path | None = None,
) -> Document:
    """Read a document: a YAML or JSON file, its text, a mapping, or a model.

    A file whose name ends in .jsonl or .ndjson holds JSON lines: the first is the
    document without its items (or rows), each other one an item with its `parent`.
    Paths of attachments begin in the folder of the file, or of what is no file in
    `folder`, by default where this process stands.

    Not promised: that the tracker has these fields and options; only
    `read_snapshot` can know.

    Raises:
        DocumentError: with the place in the document, and what to write instead.
    """
    if isinstance(source, Skeleton | FieldUpdate):
        return _checked(source)
    if isinstance(source, Path | str) and is_json_lines(path := Path(source)):
        head, lines = read_json_lines(path, _model_of)
        source = {**head, _model_of(head)[0]: lines}
    if isinstance(source, Mapping):
        source = Source(source, {})
    read = source if isinstance(source, Source) else read_source(source)
    if not isinstance(read.value, Mapping):
        raise DocumentError("", f"must be a mapping, found {described(read.value)}")
    kind = read.value.get("kind", "skeleton")
    if kind not in ("skeleton", "update"):
        raise DocumentError("kind", f"is {kind!r}, must be 'skeleton' or 'update'")
    model = FieldUpdate if kind == "update" else Skeleton
    try:
        context = {"folder": read.folder or folder}
        return _checked(model.model_validate(dict(read.value), context=context))
    except ValidationError as error:
        raise first_problem(error, read, {**_PARTS, "": model}) from None


def _model_of(head: Mapping[str, Any]) -> tuple[str, type[Closed]]:
    return ("rows", Row) if head.get("kind") == "update" else ("items", DocumentItem)


def _checked(document: Document) -> Document:
    if isinstance(document, Skeleton):
        document.list_wanted()
    else:
        document.check()
    return document


_PARTS: dict[str, type[Closed]] = {
    "associations": ItemAssociation,
    "attachments": ItemAttachment,
    "children": DocumentItem,
    "identity": Identity,
    "items": DocumentItem,
    "policy": Policy,
    "prune": Prune,
    "rows": Row,
    "steps": TestStep,
    "target": Target,
}
