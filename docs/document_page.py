"""The page on documents: every part, what it takes, what is refused so far."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from reading import cell, first_paragraph, notes

from airflow_codebeamer.skeleton import document
from airflow_codebeamer.skeleton.values import POINTERS


def stated(field: FieldInfo) -> str:
    """Return the default of a document's property."""
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    if field.default in (None, "", (), {}):
        return "-"
    return f"`{field.default}`"


def refused(field: FieldInfo) -> list[str]:
    """Return the values of a property that are named and not supported yet."""
    for entry in field.metadata:
        check = getattr(entry, "func", None)
        if inspect.isfunction(check):
            told = inspect.getclosurevars(check).nonlocals
            if "later" in told:
                return list(told["later"])
    return []


def choices(field: FieldInfo) -> list[str]:
    """Return the words that a property takes, if it takes only some."""
    return [str(word) for word in getattr(field.annotation, "__args__", ())]


def document_page() -> Iterator[str]:
    """The documents of both kinds, part by part."""
    yield "# Document\n\nYAML or JSON; a property that is not listed is refused. "
    yield "Editors check against [the schema](document.schema.json), which "
    yield "`airflow-codebeamer schema` prints too; `airflow-codebeamer generate init` "
    yield "writes a document to begin with. "
    yield "A file whose name ends in `.jsonl` holds JSON lines: the first is the "
    yield "document without its items (or rows), each other one an item with its "
    yield "`parent` (or a row). "
    yield "`kind: skeleton` describes a tree of items, `kind: update` values for "
    yield "fields of items that exist. A value is text, a number, true or false, a "
    yield "date, null for empty, or a list of names of options; text also as "
    yield "`{wiki: …}`, `{html: …}` or `{plain: …}`. Fields that refer to something "
    yield "take a pointer or a list of them:\n\n"
    yield "| pointer | points at |\n| --- | --- |\n"
    for form, model in POINTERS.items():
        yield f"| `{{{form}}}` | {first_paragraph(model)} |\n"
    yield "\nA status takes the shortest way that the workflow has, one bulk update "
    yield "for each step and all items together.\n\n"
    later: list[str] = []
    for model in DOCUMENT:
        yield f"## {model.__name__}\n\n{first_paragraph(model)}\n\n"
        yield "| property | default | meaning |\n| --- | --- | --- |\n"
        said = notes(model)
        for name, field in model.model_fields.items():
            path = f"`{model.__name__}.{field.alias or name}`"
            meaning = cell(said.get(name, ""))
            later += [f"{path} of `{word}`" for word in refused(field)]
            if "Literal" in str(field.annotation) and len(choices(field)) > 1:
                meaning += " One of " + ", ".join(f"`{w}`" for w in choices(field))
                meaning += "."
            yield f"| `{field.alias or name}` | {stated(field)} | {meaning} |\n"
        yield "\n"
    yield "## Not supported yet\n\nKnown by name and refused with a sentence: "
    yield ", ".join(later) + ". Not among the fields that can be written: references "
    yield "to trackers, projects and repositories, durations, colours, languages "
    yield "and countries.\n"


DOCUMENT: tuple[type[BaseModel], ...] = (
    document.Skeleton,
    document.Target,
    document.DocumentItem,
    document.TestStep,
    document.ItemAssociation,
    document.ItemAttachment,
    document.Identity,
    document.Policy,
    document.Prune,
    document.FieldUpdate,
    document.Row,
    document.UpdatePolicy,
)
