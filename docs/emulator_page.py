"""The page about the emulator: what it claims, assumes, and does not know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from reading import cell

from airflow_codebeamer.emulator import (
    CONTROL_ROUTES,
    ITEMS,
    PERMISSION_SETS,
    PERMISSIONS,
    RELEASE,
    RELEASES,
    access_data,
    coverage,
    differences,
)

__all__ = ["emulator_page"]


def emulator_page() -> Iterator[str]:
    """Everything that the emulator says about itself."""
    yield from _coverage()
    yield from _access()
    yield from _control()
    entries = differences()
    for about, title, note in _LISTS:
        yield f"## {title}\n\n{note}\n\n"
        chosen = [entry for entry in entries if entry["about"] == about]
        yield from _questions(chosen, about)
    yield from _switches(entries)


_LISTS = (
    (
        "order",
        "The order in which a request is judged",
        "Each step answers for all that follow it: a request that is wrong in two ways "
        "gets the status of the earlier one.",
    ),
    (
        "behaviour",
        "What we had to choose",
        "No public document says how a server behaves here, or it can be read in two "
        "ways. Whoever has a server can answer these questions.",
    ),
    (
        "release",
        "Releases",
        f"`--release` takes {', '.join(RELEASES)}; without it the emulator behaves "
        f"like {RELEASE}.",
    ),
    (
        "description",
        "Where our description differs from the vendor's",
        "`airflow-codebeamer emulator compare` holds the emulator's description "
        "against a file, a live server or what is known of a release, and fails at "
        "every difference that is not in this list.",
    ),
)


def _coverage() -> Iterator[str]:
    known = [entry for entry in coverage() if entry["level"] != "absent"]
    absent = len(coverage()) - len(known)
    yield "# What the emulator covers, and where it differs\n\n"
    yield f"{len(known)} operations; the other {absent} of the vendor's {RELEASE} "
    yield "description answer 501 and say their name. No operation is *verified*: "
    yield "nobody has run the same test against a licensed server yet.\n\n"
    yield "| operation | path | level |\n| --- | --- | --- |\n"
    for entry in known:
        yield (
            f"| `{entry['operation']}` | {entry['method']} "
            f"`{entry['path']}` | {entry['level']} |\n"
        )
    yield "\n"


def _access() -> Iterator[str]:
    data = access_data()
    yield "## Who may do what\n\nTracker permissions by their "
    yield "ids; *owner* is whoever submitted an item, is assigned to it or owns it, "
    yield "*author* whoever wrote a comment or a file. A test walks every cell: each "
    yield f"of {len(PERMISSION_SETS)} sets of permissions, {len(data['actors'])} "
    yield f"actors, {len(data['actions'])} actions and {len(ITEMS)} kinds of items, "
    yield "over HTTP.\n\n| right | permission |\n| --- | --- |\n"
    for right, ways in data["rights"].items():
        told = [
            f"{PERMISSIONS[way[0]][1] or PERMISSIONS[way[0]][0]} ({way[0]})"
            + (f" as {way[1]}" if len(way) > 1 else "")
            for way in ways
        ]
        yield f"| {right} | {', or '.join(told) or 'not by tracker permissions'} |\n"
    yield "\n| action | operation | rights | source | level |\n|" + " --- |" * 5 + "\n"
    for one in data["actions"]:
        rights = ", ".join(one["rights"])
        yield f"| {one['action']} | `{one['operation']}` | {rights} "
        yield f"| {cell(one['source'])} | {one['level']} |\n"
    yield "\n| actor | has | in any case | source | level |\n|" + " --- |" * 5 + "\n"
    for one in data["actors"]:
        always = ", ".join(one["always"]) or "-"
        yield f"| {one['actor']} | {one['has']} | {always} "
        yield f"| {cell(one['source'])} | {one['level']} |\n"
    yield "\n"


def _control() -> Iterator[str]:
    yield "## Commands over HTTP\n\nBelow `/emulator/` at the root of the server, "
    yield "JSON, without a password. A request without this prefix never gets here.\n\n"
    yield "| request | does |\n| --- | --- |\n"
    for (method, name), told in CONTROL_ROUTES.items():
        yield f"| {method} `{name}` | {cell(told)} |\n"
    yield "\n"


def _questions(entries: Iterable[dict[str, Any]], about: str) -> Iterator[str]:
    extra = {"order": "status", "release": "releases"}.get(about, "")
    head = ["question", "what we chose", "what it changes", "source", "level"]
    columns = ["question", "chosen", "changes", "source", "level"]
    if extra:
        head, columns = (
            [extra, *head],
            [{"status": "statuses"}.get(extra, extra), *columns],
        )
    yield f"| {' | '.join(head)} |\n|{' --- |' * len(head)}\n"
    for entry in entries:
        cells = [_told(entry[name]) for name in columns]
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def _told(said: Any) -> str:
    if isinstance(said, list):
        return ", ".join(map(str, said))
    return cell(str(said))


def _switches(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "## Switches\n\nWhere both answers are plausible, a switch chooses: a key of "
    yield "`assumptions` in a world, or `Emulator.assume(...)`. "
    yield "The first value is what we chose.\n\n"
    yield "| switch | values | question |\n| --- | --- | --- |\n"
    for entry in entries:
        if "switch" in entry:
            values = [entry["default"]]
            values += [one for one in entry["options"] if one != entry["default"]]
            shown = ", ".join(f"`{json.dumps(one)}`" for one in values)
            yield f"| `{entry['switch']}` | {shown} | {cell(entry['question'])} |\n"
