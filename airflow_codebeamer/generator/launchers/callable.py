"""Runs a Python function and makes a document of what it yields or returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    DocumentError,
    GeneratorFailedError,
)
from airflow_codebeamer.generator.loader import Generator
from airflow_codebeamer.generator.protocol import GeneratorContext, owner_of
from airflow_codebeamer.skeleton import (
    Document,
    FieldUpdate,
    Skeleton,
    load_document,
    load_documents,
)

__all__ = ["describe_callable"]


def describe_callable(
    generator: Generator, context: GeneratorContext
) -> tuple[Document, ...]:
    """Run the generator and return the document that it described, or the several.

    It may yield or return items (see `GeneratedItem`), the head of the document
    before them, or return a whole document as a mapping or a `Skeleton`; the
    tracker of the context replaces the one that such a document names. Several
    documents, yielded or as a list, name their trackers themselves. The
    generator runs to its end before anything is returned, so one that fails
    half-way has described nothing.

    Raises:
        ConfigurationError: arguments that the generator does not take.
        GeneratorFailedError: it raised; its exception is the cause.
        DocumentError: what it described is no document.
    """
    generator.check_args(context.args)
    described = _run(generator, context)
    target = {"tracker": context.tracker_id}
    if isinstance(described, Skeleton | FieldUpdate):
        described = described.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(described, Mapping):
        return (load_document({**described, "target": target}),)
    if len(described) > 1 and _is_document(described[0]):
        return load_documents(described)
    if len(described) == 1 and _is_document(described[0]):
        return (load_document({**described[0], "target": target}),)
    head, items = _head(described)
    owner = owner_of(generator.name)
    head = {"owner": owner, **head, "target": target, "items": items}
    return (load_document(head),)


def _run(generator: Generator, context: GeneratorContext) -> Any:
    extra = {"context": context} if generator.wants_context else {}
    try:
        described = generator.function(**context.args, **extra)
        if isinstance(described, Skeleton | FieldUpdate | Mapping):
            return described
        if isinstance(described, Iterable) and not isinstance(described, str | bytes):
            return [_mapping(item, number) for number, item in enumerate(described)]
    except CodebeamerError:
        raise
    except Exception as error:
        raise GeneratorFailedError(
            generator.name, f"{type(error).__name__}: {error}"
        ) from error
    raise GeneratorFailedError(
        generator.name,
        f"it returned {type(described).__name__}; yield items, or return a document",
    )


def _head(
    described: list[dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Tell the head of the document from its items: it has no key and no name."""
    first = described[0] if described else {"key": ""}
    is_head = bool(first) and not {"key", "name", "items", "target"} & set(first)
    return (first, described[1:]) if is_head else ({}, described)


def _is_document(described: Mapping[str, Any]) -> bool:
    """Tell a document from an item, and from the head of one."""
    return bool({"target", "items"} & set(described)) and "key" not in described


def _mapping(item: Any, number: int) -> dict[str, Any]:
    if isinstance(item, Skeleton | FieldUpdate):
        return item.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(item, Mapping):
        return dict(item)
    raise DocumentError(
        f"items[{number}]",
        f"a generator yields mappings with key and name, not {type(item).__name__}",
    )
