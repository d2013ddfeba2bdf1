from __future__ import annotations

import datetime
import json

import pytest

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton import load_document
from airflow_codebeamer.skeleton.values import Html, Plain, Wiki

HEAD = "schema: 1\nowner: test\ntarget: {project: BRK, tracker: SYSREQ}\n"


def keys(document) -> list[tuple[str, str | None]]:
    return [(wanted.item.key, wanted.parent) for wanted in document.list_wanted()]


def load(**more):
    return load_document(
        {"owner": "test", "target": {"tracker": 1}, "items": [], **more}
    )


def item(**more):
    return {"key": "k", "name": "n", **more}


def test_a_whole_document_in_yaml(tmp_path):
    path = tmp_path / "document.yaml"
    path.write_text(
        HEAD
        + """
source: {system: capella, revision: 3f2c1ab}
identity: {field: External ID, prefix: "capella:"}
policy: {foreign_edit: keep, order: append, prune: {mode: report}}
defaults: {Verification Method: Test}
items:
  - key: A
    name: Folder
    type: Folder
    children:
      - key: B
        name: Below
        description: {wiki: "!1 Title"}
        fields: {ASIL: D, Cycle Time: 10, Factor: 0.5, Signed: true, Rest: null}
        seed: {Due: 2026-01-31, Text: {plain: "[x]"}, More: {html: <b>}, Many: [a, b]}
""",
        encoding="utf-8",
    )

    document = load_document(path)

    assert keys(document) == [("A", None), ("B", "A")]
    below = document.items[0].children[0]
    assert below.fields == {
        "ASIL": "D",
        "Cycle Time": 10,
        "Factor": 0.5,
        "Signed": True,
        "Rest": None,
    }
    assert below.seed == {
        "Due": "2026-01-31",
        "Text": Plain(plain="[x]"),
        "More": Html(html="<b>"),
        "Many": ("a", "b"),
    }
    assert below.description == Wiki(wiki="!1 Title")
    assert below.has_description
    assert not document.items[0].has_description
    assert load_document(str(path)) == document


def test_text_json_mapping_and_model_are_the_same_document():
    mapping = {"owner": "test", "target": {"tracker": 1}, "items": [item()]}

    document = load_document(mapping)

    assert load_document(json.dumps(mapping)) == document
    assert load_document(
        "owner: test\ntarget: {tracker: 1}\nitems: [{key: k, name: n}]"
    )
    assert load_document(document) is document
    dumped = document.model_dump(by_alias=True, exclude_unset=True)
    assert load_document(dumped) == document


def test_flat_items_name_their_parent_in_any_order():
    document = load(
        items=[
            {"key": "c", "name": "c", "parent": "b"},
            {"key": "a", "name": "a", "children": [{"key": "a1", "name": "a1"}]},
            {"key": "b", "name": "b", "parent": "a1"},
            {"key": "d", "name": "d", "parent": "b"},
            {"key": "a2", "name": "a2", "parent": "a"},
        ]
    )

    assert keys(document) == [
        ("a", None),
        ("a1", "a"),
        ("b", "a1"),
        ("c", "b"),
        ("d", "b"),
        ("a2", "a"),
    ]


def test_a_date_object_is_a_date():
    day = datetime.date(2026, 1, 31)
    assert (
        load(items=[item(fields={"Due": day})]).items[0].fields["Due"] == "2026-01-31"
    )


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (
            "items:\n  - {key: 0x120, name: n}",
            "items[0].key",
            "must be text, found the number 288; put it in quotes (line 5)",
        ),
        (
            "items:\n  - {key: k, name: n,\n     fields: {0x120: 1}}",
            "items[0].fields",
            "the key 0x120 is not text but the value 288; put it in quotes (line 6)",
        ),
        (
            "items:\n  - {key: k, name: n, key: l}",
            "items[0].key",
            "is written twice (line 5)",
        ),
        (
            "items:\n  - {key: k, nmae: n}",
            "items[0].nmae",
            "there is no property 'nmae'; did you mean 'name'? (line 5)"
            " (and 1 more problem(s))",
        ),
        ("items: []\n<<: {a: b}", "", "merge keys (<<) are not supported (line 5)"),
        (
            "items: [}",
            "",
            "this is not YAML in line 4: did not find expected node content",
        ),
        ("items: &a [*a]", "items[0]", "this part contains itself (line 4)"),
    ],
)
def test_what_yaml_would_misread_is_refused_with_its_line(text, path, problem):
    with pytest.raises(DocumentError) as caught:
        load_document(HEAD + text)
    assert (caught.value.path, caught.value.problem) == (path, problem)


def test_json_that_names_a_property_twice_is_refused():
    with pytest.raises(DocumentError, match="'owner' is written twice"):
        load_document('{"owner": "a", "owner": "b"}')


def test_files_that_cannot_be_read_are_named(tmp_path):
    missing = tmp_path / "missing.yaml"
    with pytest.raises(DocumentError, match=r"missing\.yaml cannot be read: No such"):
        load_document(missing)
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="is not UTF-8"):
        load_document(broken)


def test_aliases_are_read_and_cannot_explode():
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    with pytest.raises(DocumentError, match="no property"):
        load_document("\n".join(lines))


@pytest.mark.parametrize(
    ("more", "path", "problem"),
    [
        ({"owner": "A B"}, "owner", "'A B' does not fit: lower-case letters, digits"),
        ({"schema": 2}, "schema", "is 2, must be 1"),
        ({"kind": "update"}, "items", "there is no property 'items'"),
        ({"kind": "skelton"}, "kind", "is 'skelton', must be 'skeleton' or 'update'"),
        ({"polici": {}}, "polici", "no property 'polici'; did you mean 'policy'?"),
        ({"target": {}}, "target.tracker", "the property 'tracker' is missing"),
        ({"target": {"tracker": True}}, "target.tracker", "found the truth value true"),
        ({"target": {"tracker": 1, "root": 1.5}}, "target.root", "found the number"),
        ({"target": {"tracker": 1, "projct": 1}}, "target.projct", "mean 'project'?"),
        ({"identity": {"fild": "x"}}, "identity.fild", "did you mean 'field'?"),
        (
            {"policy": {"foreign_edit": "no"}},
            "policy.foreign_edit",
            "'fail', 'keep' or",
        ),
        (
            {"policy": {"prune": {"mode": "bin"}}},
            "policy.prune.mode",
            "must be 'report'",
        ),
        (
            {"policy": {"prune": {"max_items": -1}}},
            "policy.prune.max_items",
            "greater than or equal to 0",
        ),
        (
            {"policy": {"prune": {"max_percent": 101}}},
            "policy.prune.max_percent",
            "less than or equal to 100",
        ),
        ({"items": {}}, "items", "must be a list, found a mapping"),
        ({"items": ["x"]}, "items[0]", "found the text 'x'"),
        ({"items": [item(key="")]}, "items[0].key", "must not be empty"),
        ({"items": [item(key="x" * 256)]}, "items[0].key", "longer than 255"),
        ({"items": [item(name="x" * 256)]}, "items[0].name", "255 characters (256)"),
        ({"items": [item(key=" a")]}, "items[0].key", "begins or ends with a blank"),
        ({"items": [item(key="a\tb")]}, "items[0].key", "cannot be printed"),
        ({"items": [item(name="a\nb")]}, "items[0].name", "must be one line of text"),
        ({"items": [item(name="  ")]}, "items[0].name", "must be one line of text"),
        ({"items": [item(name=7)]}, "items[0].name", "found the number 7"),
        ({"items": [item(tables=[])]}, "items[0].tables", "valid dictionary"),
        (
            {"items": [item(tables={"T": [{"A": {"b": 1}}]})]},
            "items[0].tables.T[0].A",
            "must be one of {wiki: …}",
        ),
        (
            {"items": [item(steps=[{"expected": "a"}])]},
            "items[0].steps[0].action",
            "the property 'action' is missing",
        ),
        (
            {"items": [item(steps=[{"action": "a", "expect": "b"}])]},
            "items[0].steps[0].expect",
            "did you mean 'expected'?",
        ),
        (
            {"items": [item(fields={"Owner": {"user": 7}})]},
            "items[0].fields.Owner",
            "user must be text, found the number 7",
        ),
        (
            {"items": [item(fields={"X": {"tracker": "T"}})]},
            "items[0].fields.X",
            "{tracker: …, key: …}",
        ),
        (
            {"items": [item(fields={"X": [{"item": "7"}]})]},
            "items[0].fields.X",
            "item must be a number, found the text '7'",
        ),
        (
            {"items": [item(fields={"Start Bit": {"wikki": "x"}})]},
            'items[0].fields["Start Bit"]',
            "must be one of {wiki: …}, {html: …}, {plain: …}",
        ),
        (
            {"items": [item(fields={"X": {"wiki": 1}})]},
            "items[0].fields.X",
            "wiki must be text, found the number 1",
        ),
        (
            {"items": [item(fields={"X": [1]})]},
            "items[0].fields.X",
            "names of options or pointers like {ref: …}, found the number 1",
        ),
        (
            {"items": [item(fields={"X": object()})]},
            "items[0].fields.X",
            "a value of type object has no place here",
        ),
        (
            {"items": [item(fields={"X": 1}, seed={"X": 2})]},
            "items[0].seed.X",
            "'X' is both owned (fields) and seeded",
        ),
        (
            {"items": [item(children=[item()])]},
            "items[0].children[0].key",
            "the key 'k' is used already by items[0]",
        ),
        (
            {"items": [item(), item(key="l", parent="m")]},
            "items[1].parent",
            "no item has the key 'm'",
        ),
        (
            {"items": [item(key="Folder"), item(key="l", parent="folder")]},
            "items[1].parent",
            "no item has the key 'folder'; did you mean 'Folder'?",
        ),
        (
            {"items": [item(children=[item(key="l", parent="k")])]},
            "items[0].children[0].parent",
            "has its parent already",
        ),
        (
            {"items": [item(key="a", parent="b"), item(key="b", parent="a")]},
            "items[0].parent",
            "a → b → a form a circle",
        ),
        ({"items": [item(parent="k")]}, "items[0].parent", "k → k form a circle"),
        (
            {"items": [item(key="x" * 250)], "identity": {"prefix": "123456"}},
            "items[0].key",
            "longer than 255 characters with its prefix",
        ),
    ],
)
def test_every_error_names_its_place_and_what_to_write(more, path, problem):
    with pytest.raises(DocumentError) as caught:
        load(**more)
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "path", "problem"),
    [
        ({}, "set", "name at least one field here, or under rows"),
        ({"rows": [{"fields": {"A": 1}}]}, "rows[0]", "either the item's number or"),
        (
            {"rows": [{"item": 1, "key": "a", "fields": {"A": 1}}]},
            "rows[0]",
            "either the item's number or its key",
        ),
        (
            {"rows": [{"item": 1, "fields": {}}, {"item": 1, "fields": {}}]},
            "rows[1]",
            "the same item as rows[0]",
        ),
        ({"rows": [{"item": 1, "feilds": {}}]}, "rows[0].feilds", "'fields'"),
        ({"set": {"A": 1}, "items": []}, "items", "there is no property 'items'"),
        ({"set": {"A": 1}, "where": ""}, "where", "must not be empty"),
        (
            {"set": {"A": 1}, "target": {"tracker": 1, "root": 2}},
            "target.root",
            "use `where` instead",
        ),
    ],
)
def test_updates_that_say_nothing_or_too_much(more, path, problem):
    head = {"kind": "update", "owner": "test", "target": {"tracker": 1}}
    with pytest.raises(DocumentError) as caught:
        load_document({**head, **more})
    assert caught.value.path == path
    assert problem in caught.value.problem


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\nmore"])
def test_a_document_is_a_mapping(text):
    with pytest.raises(DocumentError, match=r"must be a mapping|cannot be read"):
        load_document(text)


def test_deep_trees_are_read():
    deep: dict = item(key="0")
    for n in range(1, 100):
        deep = item(key=str(n), children=[deep])
    assert len(load(items=[deep]).list_wanted()) == 100
