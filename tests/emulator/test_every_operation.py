"""What holds for every claimed operation, shown on one valid request of each."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from airflow_codebeamer.emulator.app import API, Answer, Application, Asked
from airflow_codebeamer.emulator.contract import load_contract
from airflow_codebeamer.emulator.world import World
from tests.emulator.every_operation import STORY, Told, world
from tests.emulator.test_validation import mutations

BOND = "Basic " + base64.b64encode(b"bond:bond").decode()
NOBODY = "Basic " + base64.b64encode(b"nobody:nobody").decode()
# A public page of the vendor, by which a rule can be looked up.
CITED = re.compile(r"(codebeamer\.com/cb/wiki/\d+|support\.ptc\.com/\S+)\Z")


def ask(application: Application, told: Told, user: str = BOND, **how: Any) -> Answer:
    asked = Asked(
        told.method,
        f"{API}/v3{told.path}",
        how.get("query", told.asked),
        user,
        "application/json",
        how.get("body", told.sent),
        told.content_type,
    )
    return application.finish(application.begin(asked))


@pytest.fixture
def application() -> Application:
    return Application(World.load(world()))


def test_the_story_tells_every_operation() -> None:
    assert {told.operation for told in STORY} == load_contract().operations.keys()


def test_each_answers_200_and_only_writes_change_the_world(
    application: Application,
) -> None:
    """The evidence of level *stateful*: what a write does can be found again."""
    operations = load_contract().operations
    for told in STORY:
        before = application.world.dump()
        answer = ask(application, told)
        assert answer.status == 200, (told, answer.body)
        assert application.calls.to_json()[-1]["operation"] == told.operation
        changed = application.world.dump() != before
        assert changed != operations[told.operation].is_read, told


def test_each_has_the_evidence_of_its_level() -> None:
    """The evidence of level *documented* is a public page, of *verified* a date."""
    for operation in load_contract().operations.values():
        if operation.level == "documented":
            assert CITED.match(operation.source), operation
        assert operation.level in ("stateful", "documented"), operation


def test_each_is_refused_to_nobody(application: Application) -> None:
    for told in STORY:
        assert ask(application, told, NOBODY).status == 401, told


def test_no_mutation_of_a_valid_body_gets_through(application: Application) -> None:
    for told in STORY:
        if told.body is not None:
            before = application.world.dump()
            for worse in mutations(told.body):
                answer = ask(application, told, body=json.dumps(worse).encode())
                assert answer.status == 400, (told, worse, answer.body)
            assert application.world.dump() == before, told
        assert ask(application, told).status == 200, told


def test_no_mutation_of_a_form_gets_through(application: Application) -> None:
    for told in STORY:
        if told.form is not None:
            name = next(iter(told.form), told.file)
            quoted = f'name="{name}"'.encode()
            for worse in (
                b"",
                told.sent.replace(b"--line--\r\n", b""),
                told.sent.replace(b"--line", b"--other"),
                told.sent.replace(quoted, b'name="nobodyKnowsThis"', 1),
                told.sent.replace(quoted, b"", 1),
                told.sent.replace(
                    b"--line--",
                    b"--line\r\nContent-Disposition: form-data"
                    b'; name="nobodyKnowsThis"\r\n\r\nx\r\n--line--',
                ),
            ):
                answer = ask(application, told, body=worse)
                assert answer.status == 400, (told, worse, answer.body)
        assert ask(application, told).status == 200, told


def test_no_mutation_of_an_envelope_gets_through(application: Application) -> None:
    operations = load_contract().operations
    for told in STORY:
        query = f"{told.asked}&" if told.asked else ""
        wrong = [f"{query}nobodyKnowsThis=1"]
        for name, parameter in operations[told.operation].in_query.items():
            if parameter.schema["type"] != "string" or "enum" in parameter.schema:
                wrong.append(f"{query}{name}=wrong")
        for one in wrong:
            assert ask(application, told, query=one).status == 400, (told, one)
        if told.body is None and told.form is None:
            assert ask(application, told, body=b"{}").status == 400, told
        else:
            assert ask(application, told, body=b"").status == 400, told
        assert ask(application, told).status == 200, told
