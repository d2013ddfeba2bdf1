"""What editors are given: the schema, and a document to begin with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton import (
    document_schema,
    load_document,
    starting_document,
)


def test_the_schema_knows_both_kinds_and_every_property():
    schema = document_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    parts = schema["$defs"]
    assert {"Skeleton", "FieldUpdate", "DocumentItem", "Row", "Prune"} <= set(parts)
    assert set(parts["DocumentItem"]["properties"]) >= {"key", "name", "fields", "seed"}
    assert "schema" in parts["Skeleton"]["properties"]
    value = json.dumps(parts["DocumentItem"]["properties"]["fields"])
    for form in ("wiki", "user", "role", "ref", "tracker"):
        assert f'"{form}"' in value


def test_a_starting_document_changes_nothing_as_it_is(rig):
    tree = [
        {"key": f"k{n}", "name": f"N{n}", **({"parent": "k0"} if n % 3 else {})}
        for n in range(30)
    ]
    rig.apply(rig.document(*tree, identity={"prefix": "x:"}))
    text = starting_document(rig.client, rig.tracker_id, prefix="x:")
    document = load_document(text)
    assert rig.plan(document).is_empty
    assert len(document.items) > 10
    assert '#   "ASIL": "QM" | "A" | "B"' in text
    assert '#   "Assigned to": [{user: alice}, {role: Tester}]' in text
    assert 'External ID":' not in text


def test_an_empty_tracker_gives_a_document_to_fill(rig):
    text = starting_document(rig.client, rig.tracker_id)
    assert load_document(text).items == ()
    assert "#   - key: PUMP" in text


def write(path: Any, *lines: Any) -> Any:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_json_lines_are_the_same_document(rig, tmp_path):
    head = {"owner": "test", "target": {"tracker": 2001}}
    items = [
        {"key": "a", "name": "A"},
        {"key": "b", "name": "B", "parent": "a", "fields": {"Unit": "m"}},
    ]
    path = write(tmp_path / "d.jsonl", head, *items)
    assert load_document(path) == load_document({**head, "items": items})
    assert load_document(str(path)) == load_document(path)
    rows = [{"item": 7, "fields": {"Unit": "m"}}]
    update = {**head, "kind": "update"}
    path = write(tmp_path / "u.ndjson", update, *rows)
    assert load_document(path) == load_document({**update, "rows": rows})


HEAD = b'{"owner": "test", "target": {"tracker": 1}}\n'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is empty"),
        (
            HEAD + b'{"key": "a"}\n',
            "items[0].name: the property 'name' is missing (line 2",
        ),
        (HEAD + b'\n{"key": "a", "nmae": "b"}', "did you mean 'name'?"),
        (HEAD + b'{"key": "a", "name": "b"\n', "line 2 is not JSON: Expecting"),
        (HEAD + b'{"key": "\xff"}\n', "line 2 is not UTF-8 text"),
        (HEAD + b"[1]\n", "line 2 must be a mapping, found a list"),
        (HEAD + b'{"key": "a", "key": "b"}', "'key' is written twice"),
        (HEAD + b"[" * 100_000, "line 2 is nested too deeply"),
        (
            b'{"owner": "t", "target": {"tracker": 1}, "items": []}\n',
            "items: belongs into the lines after the first, one each (line 1)",
        ),
        (
            HEAD + b'{"key": "a", "name": "A", "parent": "z"}\n',
            "items[0].parent: no item has the key 'z'",
        ),
    ],
)
def test_a_broken_line_is_told_by_its_number(tmp_path, body, problem):
    path = tmp_path / "d.jsonl"
    path.write_bytes(body)
    with pytest.raises(DocumentError) as caught:
        load_document(path)
    assert problem in str(caught.value)


def nested(depth: int) -> dict[str, Any]:
    item: dict[str, Any] = {"key": "0", "name": "n"}
    for level in range(1, depth):
        item = {"key": str(level), "name": "n", "children": [item]}
    return {"owner": "t", "target": {"tracker": 1}, "items": [item]}


def test_a_hundred_levels_of_nesting_are_read():
    assert len(load_document(nested(100)).list_wanted()) == 100


@pytest.mark.parametrize("depth", [300, 3000])
@pytest.mark.parametrize("form", ["mapping", "json", "yaml"])
def test_more_is_refused_in_one_short_sentence(depth, form, tmp_path):
    document: Any = nested(depth)
    if form != "mapping":
        text = deep_text(depth)
        document = tmp_path / "d.yaml"
        document.write_text(text if form == "json" else "# YAML\n" + text)
    with pytest.raises(DocumentError, match="nested too deeply") as caught:
        load_document(document)
    assert len(str(caught.value)) < 200


def deep_text(depth: int) -> str:
    head = '{"owner": "t", "target": {"tracker": 1}, "items": ['
    opened = "".join(
        f'{{"key": "{level}", "name": "n", "children": [' for level in range(depth)
    )
    return head + opened + "]}" * depth + "]}"


def test_300_levels_can_be_applied_when_they_are_written_flat(rig):
    items = [
        {"key": str(n), "name": "n", **({"parent": str(n - 1)} if n else {})}
        for n in range(300)
    ]
    document = rig.document(*items)
    rig.apply(document)
    assert rig.tree()[-1] == "  " * 299 + "n"
    assert rig.plan(document).is_empty


def test_10_megabytes_of_text_are_written_and_compared(rig):
    text = "word " * 2_000_000
    document = rig.document({"key": "a", "name": "A", "description": text})
    rig.apply(document)
    assert rig.plan(document).is_empty
