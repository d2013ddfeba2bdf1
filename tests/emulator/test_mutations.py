"""Every request broken in every way: none gets through (M2).

For each claimed operation a valid request is made from its shapes, then one
thing at a time is made wrong: a field nobody knows, a value of another type, a
missing field, another tag, a parameter, the method, the path, the body itself.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_codebeamer.emulator import demo_world
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.contract import load_contract
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.emulator.world import World

DATA = load_contract().data
SHAPES = DATA["shapes"]
ENTRIES = {entry["id"]: entry for entry in DATA["operations"]}
WITH_JSON = [
    entry["id"]
    for entry in ENTRIES.values()
    if "request" in entry and "request_media" not in entry
]
BOND = "Basic " + base64.b64encode(b"bond:bond").decode()
DEEP = 3

Mutant = tuple[str, Any]


def shape_of(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = SHAPES[schema["$ref"]]
    return schema


def valid(schema: dict[str, Any]) -> Any:
    """Return the smallest value that a schema takes."""
    schema = shape_of(schema)
    if "tagged" in schema:
        return valid({"$ref": schema["tagged"][0]})
    kind = schema.get("type")
    if kind == "object":
        names = set(schema.get("required", ()))
        names |= {"type"} & schema.get("properties", {}).keys()
        return {name: valid(schema["properties"][name]) for name in sorted(names)}
    if kind == "array":
        return [valid(schema["items"])]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00"
    plain: dict[Any, Any] = {"integer": schema.get("minimum", 1), "number": 1.5}
    return {**plain, "boolean": True}.get(kind, "text")


def wrong_values(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield values that are not of a schema's type."""
    schema = shape_of(schema)
    kind = schema.get("type", "object")
    samples = {
        "string": "text",
        "integer": 7,
        "number": 1.5,
        "boolean": True,
        "array": [],
        "object": {},
    }
    for other, sample in samples.items():
        if other != kind and not (kind == "number" and other == "integer"):
            yield sample
    if "enum" in schema or schema.get("format") == "date-time":
        yield "nonsense"
    if kind == "integer":
        limit = 2**31 if schema.get("format") == "int32" else 2**63
        yield from (limit, -limit - 1)


def mutants(schema: dict[str, Any], good: Any, depth: int = 0) -> Iterator[Mutant]:
    """Yield what was done and the broken value, one thing at a time."""
    schema = shape_of(schema)
    for wrong in wrong_values(schema):
        if not ("tagged" in schema and wrong == good):
            yield f"is {wrong!r}", wrong
    if depth >= DEEP:
        return
    if "tagged" in schema:
        yield from _of_family(schema["tagged"], good, depth)
    elif schema.get("type") == "array":
        inner = schema["items"]
        yield from ((f"[0] {t}", [b]) for t, b in mutants(inner, valid(inner), depth))
    elif schema.get("type") == "object":
        yield from _of_object(schema, good, depth)


def _of_family(members: list[str], good: Any, depth: int) -> Iterator[Mutant]:
    yield "has another tag", {**good, "type": "NoSuchThing"}
    yield "has no tag", {k: v for k, v in good.items() if k != "type"}
    for name in members:
        shape = {"$ref": name}
        for told, broken in mutants(shape, valid(shape), depth + 1):
            if isinstance(broken, dict) and broken.get("type") == name:
                yield f"as {name} {told}", broken


def _of_object(schema: dict[str, Any], good: Any, depth: int) -> Iterator[Mutant]:
    yield "has a field nobody knows", {**good, "nobodyKnows": 1}
    for name in schema.get("required", ()):
        yield f"lacks {name}", {k: v for k, v in good.items() if k != name}
    for name, inner in schema.get("properties", {}).items():
        for told, broken in mutants(inner, valid(inner), depth + 1):
            yield f".{name} {told}", {**good, name: broken}


def application() -> Application:
    return Application(World.load(demo_world()))


def send(
    to: Application, method: str, path: str, body: Any = None, query: str = ""
) -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = Asked(
        method,
        f"/cb/api{path}",
        query,
        BOND,
        "application/json",
        b"" if body is None else text,
        "application/json" if body is not None else "",
    )
    return to.finish(to.begin(asked))


IDS = {"trackerId": "2002", "itemId": "10001", "projectId": "101", "roleId": "1"}


def path_of(entry: dict[str, Any], **others: str) -> str:
    values = {
        given["name"]: IDS.get(given["name"], "1")
        for given in entry.get("parameters", ())
        if given["in"] == "path"
    }
    return str(entry["path"]).format(**{**values, **others})


def refused(answer: Answer) -> bool:
    """Refused as not well formed, in the documented shape."""
    body = json.loads(answer.body)
    return answer.status == 400 and {"message", "resourceUri"} <= body.keys()


def required_query(entry: dict[str, Any]) -> str:
    return "&".join(
        f"{given['name']}={str(valid(given['schema'])).lower()}"
        for given in entry.get("parameters", ())
        if given["in"] == "query" and given.get("required")
    )


@pytest.mark.parametrize("operation", WITH_JSON)
def test_no_broken_body_gets_through(operation: str) -> None:
    entry, server = ENTRIES[operation], application()
    path, query = path_of(entry), required_query(entry)
    good = valid(entry["request"])
    before = server.world.dump()
    tried = 0
    for told, broken in mutants(entry["request"], copy.deepcopy(good)):
        answer = send(server, entry["method"], path, broken, query)
        assert refused(answer), (told, broken, answer)
        tried += 1
    for broken_text in (b"{", b"\xff", b"nothing", b"", b"[]]"):
        answer = send(server, entry["method"], path, broken_text, query)
        assert refused(answer), (broken_text, answer)
    assert tried > 5
    assert server.world.dump() == before


def test_the_mutants_are_many_and_their_origin_is_well_formed() -> None:
    total = 0
    for operation in WITH_JSON:
        entry = ENTRIES[operation]
        total += sum(1 for _ in mutants(entry["request"], valid(entry["request"])))
        # What is broken below was whole before: no field, type or tag is wrong.
        check = load_contract().operations[operation].check_request
        assert check is not None
        assert check(valid(entry["request"])) is None, operation
    assert total > 2000


@pytest.mark.parametrize("operation", sorted(ENTRIES))
def test_no_broken_parameter_gets_through(operation: str) -> None:
    entry, server = ENTRIES[operation], application()
    path, query = path_of(entry), required_query(entry)
    body = valid(entry["request"]) if operation in WITH_JSON else None
    unknown = f"{query}&nobodyKnows=1".lstrip("&")
    assert refused(send(server, entry["method"], path, body, unknown))
    for given in entry.get("parameters", ()):
        kind = given["schema"].get("type")
        if kind not in ("integer", "boolean") and "enum" not in given["schema"]:
            continue
        name = given["name"]
        for wrong in ("x", "1.5", "1e3", " 1", "9" * 30):
            if given["in"] == "query":
                rest = "&".join(p for p in query.split("&") if not p.startswith(name))
                text = f"{rest}&{name}={wrong.replace(' ', '%20')}".lstrip("&")
                answer = send(server, entry["method"], path, body, text)
                assert refused(answer), (name, wrong, answer)
            else:
                other = path_of(entry, **{name: wrong})
                answer = send(server, entry["method"], other, body, query)
                assert refused(answer) or answer.status == 404, (wrong, answer)


def test_no_other_method_and_no_longer_path_gets_through() -> None:
    server = application()
    declared: dict[str, set[str]] = {}
    contract = load_contract()
    for one in (*contract.operations.values(), *contract.unclaimed.values()):
        declared.setdefault(path_of({"path": one.path, **_parameters(one.path)}), set())
        declared[path_of({"path": one.path, **_parameters(one.path)})].add(one.method)
    for path, methods in declared.items():
        for method in {"GET", "PUT", "POST", "PATCH", "DELETE", "BREW"} - methods:
            found, _, _ = contract.find(method, path)
            if found is None:
                assert send(server, method, path).status == 405, (method, path)
        assert send(server, "GET", f"{path}/more/still").status in (404, 405, 501)


def _parameters(path: str) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return {"parameters": [{"name": name, "in": "path"} for name in names]}


@pytest.mark.parametrize(
    "operation", [e["id"] for e in ENTRIES.values() if "request_media" in e]
)
def test_no_broken_form_gets_through(operation: str) -> None:
    entry, server = ENTRIES[operation], application()
    path = path_of(entry)
    for media in ("application/json", "text/plain", "", "multipart/form-data"):
        asked = Asked(
            entry["method"], f"/cb/api{path}", "", BOND, "", b'{"comment": "x"}', media
        )
        assert refused(server.finish(server.begin(asked))), media
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n--x--\r\n'
    for name in (b"nobodyKnows", b""):
        asked = Asked(
            entry["method"],
            f"/cb/api{path}",
            authorization=BOND,
            body=part % name,
            content_type="multipart/form-data; boundary=x",
        )
        assert refused(server.finish(server.begin(asked))), name
