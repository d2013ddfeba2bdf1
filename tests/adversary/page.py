"""The page about the adversary run, from what was measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.adversary.judging import AFTER, BEFORE, HELD

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "explanation" / "adversary.md"

NAMES = {
    "updateCustomFieldTrackerItem": "edit an item",
    "createTrackerItem": "add an item",
    "deleteTrackerItem": "delete an item",
    "commentOnTrackerItem": "comment",
    "patchChildrenOfTracker": "reorder",
    "bulkUpdateTrackerItemFields": "bulk update",
    "uploadTrackerItemAttachment": "attach a file",
    "createAssociation": "associate",
    "addChildToTrackerItem": "move below another item",
    "updatePermission": "give himself his rights back",
}


def tables(found: dict[str, Any]) -> str:
    """Return the page's part that was measured."""
    size = found["size"]
    lines = [
        f"{size['users']} users, {found['requests']:,} writes, tracker held for "
        f"{found['seconds_held']} s, in which the generator wrote "
        f"{found['generated']:,} items in {found['rounds']} runs. Permissions "
        f"{'came back exactly' if found['same'] else 'DID NOT COME BACK'}; "
        f"{len(found['problems'])} writes that should not have been, or were not told.",
        "",
        *_people(found["people"]),
        "",
        *_administrators(found["administrators"]),
        "",
        "Answers by status: "
        + ", ".join(f"{count:,} with {at}" for at, count in found["statuses"].items())
        + f". Their sum, {sum(found['statuses'].values()):,}, is the number of calls "
        "of these users in the emulator's own record, user by user and in one order.",
        "",
        "Entries of the three certificates: "
        + ", ".join(f"{count} {kind}" for kind, count in found["told"].items())
        + ".",
    ]
    return "\n".join(lines)


def _people(rows: list[Any]) -> list[str]:
    counts = {(phase, name, word): count for phase, name, word, count in rows}
    lines = [
        "| ordinary users | written before | refused under the lock | written under "
        "it | written after |",
        "| --- | --- | --- | --- | --- |",
    ]
    total: Counter[int] = Counter()
    for name, label in NAMES.items():
        cells = [
            counts.get((BEFORE, name, "ok"), 0),
            counts.get((HELD, name, "refused"), 0),
            counts.get((HELD, name, "ok"), 0),
            counts.get((AFTER, name, "ok"), 0),
        ]
        if any(cells):
            total.update(dict(enumerate(cells)))
            lines.append(f"| {label} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    summed = " | ".join(f"{total[at]:,}" for at in range(4))
    return [*lines, f"| **all** | {summed} |"]


def _administrators(rows: list[Any]) -> list[str]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, became, count in rows:
        found[name].append(f"{count} {became}")
    lines = [
        "| the two administrators, under the lock | what became of it |",
        "| --- | --- |",
    ]
    for name, label in NAMES.items():
        if name in found:
            lines.append(f"| {label} | {'; '.join(found[name])} |")
    return lines


def page(found: dict[str, Any]) -> str:
    """Return the whole page, its prose as it stands and its tables as measured."""
    head, _, rest = PAGE.read_text().partition("<!-- measured -->")
    tail = rest.partition("<!-- end of measured -->")[2]
    return (
        f"{head}<!-- measured -->\n\n{tables(found)}\n\n<!-- end of measured -->{tail}"
    )
