"""Firing: generate, send, judge, count; what is wrong is collected, once a kind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from airflow_codebeamer.emulator import Emulator
from tests.fuzz.aiming import Aim
from tests.fuzz.descriptions import NOT_EMULATED

#: After so many requests the world is a fresh one: deletes leave little to find.
FRESH_AFTER = 40
PEOPLE = ("bond", "generator", "alice", "generator", "bob", "bond", "nobody")


@dataclass
class Fired:
    """What one run against one description did and found."""

    requests: int = 0
    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)

    def found(self, operation: str, kind: str, text: str) -> None:
        """Note one thing that is wrong, the first of its kind."""
        self.findings.setdefault((operation, kind), text)


def fire(
    server: Emulator, document: dict[str, Any], *, at_least: int, seeded: int = 1
) -> Fired:
    """Send at least so many requests, as many valid as broken ones to each operation.

    Each operation gets the same share. The same seed sends the same requests.
    """
    fired = Fired()
    config = schemathesis.Config()
    config.projects.default.generation.with_security_parameters = False
    schema = schemathesis.openapi.from_dict(document, config=config)
    operations = [found.ok() for found in schema.get_all_operations()]
    fired.operations = len(operations)
    world = server.world()
    rounds = 0
    with requests.Session() as session:
        gun = _Gun(server, session, world, fired, seeded)
        while fired.requests < at_least:
            share = (at_least - fired.requests) // (2 * len(operations)) + 1
            for number, operation in enumerate(operations):
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    gun.barrage(operation, mode, share, seeded + 1000 * rounds + number)
            rounds += 1
    return fired


class _Gun:
    """One session at one emulator, with an aim."""

    def __init__(
        self,
        server: Emulator,
        session: requests.Session,
        world: dict[str, Any],
        fired: Fired,
        seeded: int,
    ) -> None:
        self._server = server
        self._session = session
        self._world = world
        self._fired = fired
        self._aim = Aim(world, seeded)

    def barrage(
        self, operation: Any, mode: GenerationMode, examples: int, number: int
    ) -> None:
        """Send that many requests to one operation."""

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def shoot(case: Case) -> None:
            self._shoot(case, mode)

        try:
            shoot()
        except Unsatisfiable:
            # Nothing about this operation can be broken, such as one without input.
            return

    def _shoot(self, case: Case, mode: GenerationMode) -> None:
        fired = self._fired
        if fired.requests % FRESH_AFTER == 0:
            self._server.load_world(self._world)
            self._server.clear_calls()
        person = PEOPLE[fired.requests % len(PEOPLE)]
        checks = [
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ]
        if mode is GenerationMode.POSITIVE:
            self._aim.parameters(case.path_parameters)
            self._aim.parameters(case.query)
            case.body = self._aim.body(case.body)
        else:
            checks.append(negative_data_rejection)
        fired.requests += 1
        answer = case.call(
            base_url=f"{self._server.url}/api",
            session=self._session,
            auth=(person, person),
            headers={"Accept": "application/json"},
            timeout=20,
        )
        fired.statuses[answer.status_code] += 1
        name = str(case.operation.definition.raw.get("operationId"))
        try:
            case.validate_response(answer, checks=_fitting(case, answer, checks))
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = type(failure).__name__
                if kind == "AcceptedNegativeData" and "became null" in str(failure):
                    # In a request null says "nothing", whatever a field's type is.
                    continue
                fired.found(name, kind, _told(case, person, answer, failure))


def _fitting(case: Case, answer: Any, checks: list[Any]) -> list[Any]:
    """Leave out what does not concern this answer.

    A 501 says that something is not emulated, which is no failure of a server. A
    200 without a body is described in words where it stands beside a body.
    """
    if answer.status_code == NOT_EMULATED:
        return [one for one in checks if one is not not_a_server_error]
    described = case.operation.definition.raw["responses"]
    words = described.get(str(answer.status_code), {}).get("description", "")
    if not answer.content and "empty response" in words:
        about_bodies = (content_type_conformance, response_schema_conformance)
        return [one for one in checks if one not in about_bodies]
    return checks


def _told(case: Case, person: str, answer: Any, failure: BaseException) -> str:
    body = json.dumps(case.body, default=str)[:600] if case.body else ""
    return (
        f"{person}: {case.method} {case.formatted_path} {case.query} {body}\n"
        f"  -> {answer.status_code} {answer.text[:400]}\n  {str(failure)[:600]}"
    )


def lines(fired: Fired) -> Iterator[str]:
    """Yield every finding as people read it."""
    for (operation, kind), text in sorted(fired.findings.items()):
        yield f"{operation}: {kind}\n{text}"
