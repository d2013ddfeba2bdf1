from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from airflow_codebeamer.emulator import (
    RELEASES,
    Emulator,
    compare,
    differences,
    facts_of,
    load_contract,
    read_description,
    vendor_facts,
)
from airflow_codebeamer.emulator.comparison import Difference, stale
from airflow_codebeamer.emulator.describe import openapi

#: A folder with the vendor's own files, for who has them.
FOLDER = os.environ.get("CODEBEAMER_API_FILES", "")


@pytest.mark.parametrize("release", RELEASES)
def test_every_difference_from_the_vendor_is_explained(release: str) -> None:
    found = compare(load_contract(release), vendor_facts(release))
    assert [one for one in found if not one.explained] == []
    assert stale(found, release) == []
    assert len(found) > 100


@pytest.mark.skipif(not FOLDER, reason="CODEBEAMER_API_FILES names no folder")
@pytest.mark.parametrize("release", RELEASES[:-1])
def test_the_facts_are_those_of_the_vendors_files(release: str) -> None:
    file = Path(FOLDER) / f"openapi-{release}.json"
    assert facts_of(read_description(str(file))) == vendor_facts(release)


def test_explanations_are_among_the_differences() -> None:
    known = {entry["id"] for entry in differences() if entry["about"] == "description"}
    found = compare(load_contract(), vendor_facts("22.10"))
    assert {one.explained for one in found} <= known


ITEM = "GET /v3/items/{itemId}"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (f"{ITEM} query colour", "string"),
        (f"{ITEM} query version", "string"),
        (f"{ITEM} status 418", "yes"),
        (f"{ITEM} answer", "application/json Item"),
        (ITEM, "readItem"),
        ("TrackerItem.colour", "string"),
        ("TrackerItem.name", "integer int32"),
        ("TrackerItem.name required", "yes"),
        ("GET /v3/moons", "getMoons"),
        ("GET /v3/wikipages/{wikiId}", None),
        (f"{ITEM} query baselineId", None),
        ("TrackerItem.version", None),
        ("BoolFieldValue.type required", None),
    ],
)
def test_what_nobody_explained_is_found(place: str, said: str | None) -> None:
    theirs = {**vendor_facts("22.10")}
    theirs.pop(place, None)
    if said is not None:
        theirs[place] = said
    found = [one for one in compare(load_contract(), theirs) if not one.explained]
    ours = facts_of(openapi(load_contract(), ""))
    ours["GET /v3/wikipages/{wikiId}"] = "getWikiPage"
    assert found == [Difference(place, ours.get(place, ""), said or "")]


def test_our_own_description_says_what_we_say(tmp_path: Path) -> None:
    with Emulator() as server:
        document = read_description(server.url)
        assert document == read_description(f"{server.url}/api-docs/v3.json")
    kept = tmp_path / "ours.json"
    kept.write_text(json.dumps(document))
    theirs = facts_of(read_description(str(kept)))
    found = compare(load_contract(), theirs)
    # Operations that we only name are not in it.
    kinds = Counter((one.kind, one.explained) for one in found)
    assert kinds == {("ours", ""): len(load_contract().unclaimed)}


def test_a_description_that_cannot_be_read(tmp_path: Path) -> None:
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.json", '{"paths": 1}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=r"."):
            read_description(str(tmp_path / name))
    with pytest.raises(ValueError, match="cannot be read"):
        read_description(str(tmp_path / "none.json"))
    with Emulator() as server:
        url = server.url
        with pytest.raises(ValueError, match=r"nothing at .*api-docs/v3.json or"):
            read_description(f"{server.url}/elsewhere")
    with pytest.raises(ValueError, match="cannot be read"):
        read_description(url)
