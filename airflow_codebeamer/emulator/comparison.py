"""Comparison: our description against the vendor's, or a live server's.

Every place where they differ is found; the ones that we know are explained in
`explained.json`, and one that is not explained there is a fault of ours.
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp

from airflow_codebeamer.emulator.contract import Contract
from airflow_codebeamer.emulator.describe import openapi
from airflow_codebeamer.emulator.facts import facts_of
from airflow_codebeamer.emulator.releases import RELEASE

__all__ = ["Difference", "compare", "read_description", "stale"]

_PLACES = ("/api-docs/v3.json", "/api/docs/v3/api-docs")
_SECONDS = 60.0
_OPERATION = re.compile(r"(?:GET|PUT|POST|PATCH|DELETE) \S+")


@dataclass(frozen=True)
class Difference:
    """A place where two descriptions differ; empty is "says nothing".

    `explained` is the id of the explanation, empty where there is none.
    """

    place: str
    ours: str
    theirs: str
    explained: str = ""

    @property
    def kind(self) -> str:
        """Who says it: `ours`, `theirs`, or both and differently: `changed`."""
        if not self.theirs:
            return "ours"
        return "changed" if self.ours else "theirs"


@functools.cache
def _explanations() -> list[dict[str, Any]]:
    text = resources.files(__package__).joinpath("explained.json").read_text("utf-8")
    entries: list[dict[str, Any]] = json.loads(text)
    return entries


def compare(contract: Contract, theirs: Mapping[str, str]) -> list[Difference]:
    """Return every difference, the explained ones too.

    Operations that the emulator does not claim are compared by their place and
    name, and their shapes not at all.
    """
    ours = facts_of(openapi(contract, ""))
    unclaimed = {
        f"{known.method} {known.path}": known.id
        for known in contract.unclaimed.values()
    }
    shapes = {_owner(place) for place in ours}
    ours |= unclaimed
    found = []
    for place in sorted({*ours, *theirs}):
        owner = _owner(place)
        if owner in unclaimed and place != owner:
            continue
        if owner not in shapes and _OPERATION.match(place) is None:
            continue
        one = Difference(place, ours.get(place, ""), theirs.get(place, ""))
        if one.ours != one.theirs:
            found.append(one)
    return [_explain(one, contract.release) for one in found]


def stale(differences: list[Difference], release: str) -> list[str]:
    """Return the explanations of a release that explain nothing."""
    used = {one.explained for one in differences}
    return [
        entry["id"]
        for entry in _explanations()
        if release in entry.get("releases", (RELEASE,)) and entry["id"] not in used
    ]


def _owner(place: str) -> str:
    """Return the operation or the shape that a place belongs to."""
    operation = _OPERATION.match(place)
    if operation is not None:
        return operation.group()
    return re.split(r"[. ]", place, maxsplit=1)[0]


def _explain(one: Difference, release: str) -> Difference:
    for entry in _explanations():
        if (
            one.kind in entry["kinds"]
            and release in entry.get("releases", (release,))
            and any(fnmatch.fnmatchcase(one.place, it) for it in entry["places"])
            and fnmatch.fnmatchcase(one.ours, entry.get("ours", "*"))
            and fnmatch.fnmatchcase(one.theirs, entry.get("theirs", "*"))
        ):
            return replace(one, explained=entry["id"])
    return one


def read_description(source: str) -> dict[str, Any]:
    """Read an OpenAPI document: a file, its address, or the address of a server.

    Raises:
        ValueError: There is none, or it cannot be read.
    """
    try:
        if not source.startswith(("http://", "https://")):
            return _checked(source, Path(source).read_text("utf-8"))
        return _checked(source, asyncio.run(_fetch(source.rstrip("/"))))
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise ValueError(f"{source} cannot be read: {error}") from error


async def _fetch(url: str) -> str:
    """Get a document, from where servers since 10.1, then 10.0, serve their own."""
    places = [url] if url.endswith(".json") else [f"{url}{end}" for end in _PLACES]
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for place in places:
            async with session.get(place) as answer:
                if answer.status == 200:
                    return await answer.text()
    raise OSError(f"nothing at {' or '.join(places)}")


def _checked(source: str, text: str) -> dict[str, Any]:
    document = json.loads(text)
    if not isinstance(document, dict) or not {"paths", "components"} <= set(document):
        raise ValueError(f"{source} is no OpenAPI document.")
    return document
