"""Judging: what a request has to pass before its operation sees it, in order.

The order is data (`order.json`), because it is itself a claim about Codebeamer.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.clock import WorldClock
from airflow_codebeamer.emulator.contract import Contract, Operation, Unclaimed
from airflow_codebeamer.emulator.nearest import near_field, nearest, nearest_text
from airflow_codebeamer.emulator.reading import (
    known_user,
    read_body,
    read_path,
    read_query,
)
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.step import Step
from airflow_codebeamer.emulator.throttle import Throttle
from airflow_codebeamer.emulator.world import User, World

__all__ = ["Bench", "orders"]

_WHERE = "GET /emulator/differences tells what it has and where it differs."


@functools.cache
def orders() -> dict[str, tuple[str, ...]]:
    """Return the two orders in which a request may be judged, by their name."""
    text = resources.files(__package__).joinpath("order.json").read_text("utf-8")
    return {name: tuple(steps) for name, steps in json.loads(text)["orders"].items()}


@dataclass
class Bench:
    """What is needed to judge requests of one emulator."""

    contract: Contract
    api: str
    clock: WorldClock
    throttle: Throttle

    def judge(self, step: Step, world: World) -> None:
        """Complete a step, up to the call that its operation gets.

        Raises:
            RefusedError: The request goes no further.
        """
        user = known_user(world, step.asked.authorization)
        step.entry["user"] = user.name if user is not None else None
        self._judge(step, world, user, orders()[world.assumptions["judged_first"]])

    def judge_actor(self, step: Step, world: World, user: User | None) -> None:
        """Complete the step of a second actor, who needs no password and no budget.

        Raises:
            RefusedError: The request goes no further.
        """
        self._judge(step, world, user, ("operation", "account", "shape"))

    def _judge(
        self, step: Step, world: World, user: User | None, names: tuple[str, ...]
    ) -> None:
        case = _Case(self, step, world, user, self._find(step))
        for name in names:
            _JUDGES[name](case)
        if user is not None:
            step.call = Call(
                world,
                self.clock,
                user,
                case.where,
                case.query,
                case.body,
                423 in self.contract.has_status,
            )

    def _find(self, step: Step) -> tuple[Any, list[str], list[str]]:
        """Look an operation up, and note it for the journal and the faults."""
        asked = step.asked
        path = asked.path[len(self.api) :]
        if not asked.path.startswith(f"{self.api}/"):
            path = ""
        found, values, methods = self.contract.find(asked.method, path)
        if found is not None:
            step.entry["operation"] = found.id
        if isinstance(found, Operation):
            step.operation = found
        return found, values, methods


class _Case:
    """One request before the bench."""

    def __init__(
        self,
        bench: Bench,
        step: Step,
        world: World,
        user: User | None,
        found: tuple[Operation | Unclaimed | None, list[str], list[str]],
    ) -> None:
        self.bench = bench
        self.step = step
        self.world = world
        self.user = user
        self.found, self.values, self.methods = found
        self.where: dict[str, Any] = {}
        self.query: dict[str, Any] = {}
        self.body: Any = None


def _operation(case: _Case) -> None:
    asked, contract = case.step.asked, case.bench.contract
    if isinstance(case.found, Operation):
        return
    if isinstance(case.found, Unclaimed):
        raise RefusedError(
            501,
            f"The emulator does not have {case.found.id}, which release"
            f" {contract.release} declares. {_WHERE}",
        )
    near = nearest(contract, asked.method, asked.path.removeprefix(case.bench.api))
    case.step.entry["near"] = near
    if case.methods:
        raise RefusedError(
            405, f"{asked.path} knows {', '.join(case.methods)}, not {asked.method}."
        )
    raise RefusedError(404, f"There is nothing at {asked.path}. {nearest_text(near)}")


def _shape(case: _Case) -> None:
    operation, asked = case.step.operation, case.step.asked
    if operation is None:
        return
    try:
        case.where = read_path(operation, case.values)
        case.query = read_query(operation, asked.query)
        case.body = read_body(operation, asked.body, asked.content_type)
    except RefusedError as refusal:
        names = case.bench.contract.names_in_request(operation.id)
        case.step.entry["near"] = near_field(operation, names, refusal.message)
        raise


def _account(case: _Case) -> None:
    if case.user is None:
        raise RefusedError(401, "Authentication is required.")


def _rest_access(case: _Case) -> None:
    if case.user is not None and not case.user.rest_access:
        raise RefusedError(403, "The user has no access to the REST API.")


def _maintenance(case: _Case) -> None:
    mode = case.world.maintenance
    if mode["systemMode"] == "NORMAL" or case.user is None or case.user.system_admin:
        return
    text = mode.get("properties", {}).get("loginErrorText")
    raise RefusedError(403, text or "The server is under maintenance.")


def _rate(case: _Case) -> None:
    if case.user is None:
        return
    whose = case.user.id if case.world.assumptions["throttle_scope"] == "user" else 0
    now = case.bench.clock.now().timestamp()
    wait = case.bench.throttle.wait(whose, now)
    if wait:
        raise RefusedError(429, "Too many requests", {"retryAfterSecond": wait})


_JUDGES: dict[str, Callable[[_Case], None]] = {
    "operation": _operation,
    "shape": _shape,
    "account": _account,
    "rest_access": _rest_access,
    "maintenance": _maintenance,
    "rate": _rate,
}
