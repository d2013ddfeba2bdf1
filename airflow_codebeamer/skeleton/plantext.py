"""A plan as people read it: on a terminal, or as Markdown in a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.skeleton.fields import Value
from airflow_codebeamer.skeleton.tokens import key_of

if TYPE_CHECKING:
    from airflow_codebeamer.skeleton.plan import Plan
    from airflow_codebeamer.skeleton.steps import (
        Associate,
        Attach,
        Change,
        Create,
        Dissociate,
        Update,
    )

__all__ = ["as_markdown", "as_text"]

_WORDS = {
    "created": "to create",
    "updated": "to update",
    "moved": "to move",
    "reordered": "parents to reorder",
    "associated": "associations to make",
    "dissociated": "associations to remove",
    "attached": "files to attach",
    "unchanged": "unchanged",
    "kept": "kept as edited by others",
    "gone": "not in the document any more",
    "pruned": "to prune",
}


def as_text(plan: Plan, limit: int) -> str:
    """Return the plan in lines, at most `limit` of each kind."""
    lines = [_title(plan)]
    for _, things, say in _groups(plan):
        lines += [line for thing in islice(things, limit) for line in say(thing)][
            :limit
        ]
        if len(things) > limit > 0:
            lines.append(f"  … and {len(things) - limit} more")
    return "\n".join(lines)


def as_markdown(plan: Plan, limit: int) -> str:
    """Return the plan as Markdown: a table for each kind of step."""
    lines = [f"**{_escaped(_title(plan))}**"]
    if plan.creates:
        lines += ["", "| new item | name | below |", "| --- | --- | --- |"]
        lines += _rows(
            (
                (create.key, create.name, _spot(create.parent))
                for create in plan.creates
            ),
            len(plan.creates),
            limit,
        )
    changes = [(update, change) for update in plan.updates for change in update.changes]
    if changes:
        lines += ["", "| item | field | is | will be |", "| --- | --- | --- | --- |"]
        lines += _rows(
            ((_name(update), *_shown(plan, change)) for update, change in changes),
            len(changes),
            limit,
        )
    for title, things, say in _groups(plan):
        if title and things:
            lines += ["", f"{title}:", ""]
            said = [line for thing in islice(things, limit) for line in say(thing)]
            lines += [f"- {_escaped(line[2:])}" for line in said]
            if len(things) > limit:
                lines.append(f"- … and {len(things) - limit} more")
    return "\n".join(lines) + "\n"


Group = tuple[str, Sequence[Any], Callable[[Any], Iterable[str]]]


def _groups(plan: Plan) -> Iterator[Group]:
    """Yield kinds of steps; those without a title are tables in Markdown."""
    yield "", plan.creates, lambda create: [_created(create)]
    yield "", plan.updates, lambda update: _updated(plan, update)
    yield (
        "Moved",
        plan.moves,
        lambda move: [f"> {move.key} (item {move.item_id}) moves"],
    )
    yield (
        "Sorted",
        plan.reorders,
        lambda step: [f"= order below {_spot(step.parent)}"],
    )
    yield (
        "Linked",
        plan.associates,
        lambda step: [f"+ {_linked(step)}"],
    )
    yield (
        "No longer linked",
        plan.dissociates,
        lambda step: [f"- {_linked(step)}"],
    )
    yield (
        "Attached",
        plan.attaches,
        lambda step: [f"{'+' if step.number is None else '~'} {_attached(step)}"],
    )
    yield (
        "To the trash",
        plan.discards,
        lambda one: [f"- {one.key} (item {one.item_id}) to the trash"],
    )
    yield "Left alone", plan.warnings, lambda line: [f"! {line}"]
    yield "Read besides the items", plan.costs, lambda line: [f"i {line}"]


def _title(plan: Plan) -> str:
    counts = ", ".join(
        f"{count} {_WORDS[word]}" for word, count in plan.counts.items() if count
    )
    title = f"Tracker {plan.snapshot.tracker_id}: {counts or 'nothing'}"
    return title if plan.is_empty else f"{title}; {plan.requests} requests"


def _created(create: Create) -> str:
    return f"+ {create.key}: {create.name!r} below {_spot(create.parent)}"


def _updated(plan: Plan, update: Update) -> list[str]:
    lines = []
    for change in update.changes:
        name, before, after = _shown(plan, change)
        lines.append(f"~ {_name(update)}: {name} {before} → {after}")
    return lines


def _shown(plan: Plan, change: Change) -> tuple[str, str, str]:
    shape = plan.snapshot.wishes.shapes[change.field_id]
    stages: tuple[Value, ...] = change.stages
    return shape.name, shape.show(change.before), " → ".join(map(shape.show, stages))


def _name(update: Update) -> str:
    if isinstance(update.item_id, str):
        return f"{update.key} (new)"
    return f"{update.key or 'item'} (item {update.item_id})"


def _linked(step: Associate | Dissociate) -> str:
    return f"{step.key}: {step.type} {key_of(step.target) or step.target}"


def _attached(step: Attach) -> str:
    return f"{step.key}: {step.name!r}, {step.size} bytes"


def _spot(spot: int | str | None) -> str:
    if spot is None:
        return "the top"
    return f"item {spot}" if isinstance(spot, int) else spot


def _rows(rows: Iterable[Iterable[str]], count: int, limit: int) -> Iterator[str]:
    for row in islice(rows, limit):
        yield "| " + " | ".join(_escaped(cell) for cell in row) + " |"
    if count > limit:
        yield f"| … and {count - limit} more |"


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    plain = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in plain)
