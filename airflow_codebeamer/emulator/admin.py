"""The control prefix: health, world, clock, faults and calls, without a password."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.clock import stamp
from airflow_codebeamer.emulator.coverage import coverage
from airflow_codebeamer.emulator.differences import differences
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.seeds import named_world
from airflow_codebeamer.emulator.step import Answer
from airflow_codebeamer.emulator.world import World

__all__ = ["CONTROL", "CONTROL_ROUTES", "Control"]

CONTROL = "/emulator"
"""Below this path, which no Codebeamer has, the emulator itself is asked."""

CONTROL_ROUTES: dict[tuple[str, str], str] = {
    ("GET", "health"): "that it is up: release, number of operations",
    ("POST", "reset"): "back to the world, the time and the empty lists it started"
    " with; answers the numbers of faults that were never met",
    ("GET", "world"): "the whole world as JSON, with the switches (`assumptions`)",
    ("PUT", "world"): 'replace the world by JSON, or by `{"name": "demo"}`',
    ("GET", "clock"): "its own time, and whether it stands still",
    ("POST", "clock"): "`advance_seconds`, `now`, `stopped`: move, set, stop the time",
    ("GET", "faults"): "every fault, and how many calls it fitted and met",
    ("POST", "faults"): "add a fault or a list of faults; answers their numbers",
    ("DELETE", "faults"): 'forget all faults, or one: `{"number": 3}`',
    ("GET", "calls"): "every request: operation, user, status, fault, time, body"
    " without secrets; for a refused one why, and the nearest right one",
    ("DELETE", "calls"): "forget the requests so far",
    ("GET", "differences"): "what is assumed, and where it differs from the vendor",
    ("GET", "coverage"): "every operation of the release, and how far it is known",
}
"""Every request below the prefix with what it does."""


class Control:
    """What can be asked of the emulator itself."""

    def __init__(self, application: Application, world: str) -> None:
        self._application = application
        self._first_world = world
        handlers: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "health"): self._health,
            ("POST", "reset"): self._reset,
            ("GET", "world"): lambda _: application.world.dump(),
            ("PUT", "world"): self._put_world,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._post_clock,
            ("GET", "faults"): lambda _: application.faults.to_json(),
            ("POST", "faults"): self._post_faults,
            ("DELETE", "faults"): self._delete_faults,
            ("GET", "calls"): lambda _: application.calls.to_json(),
            ("DELETE", "calls"): lambda _: application.calls.clear(),
            ("GET", "differences"): lambda _: differences(),
            ("GET", "coverage"): lambda _: coverage(application.contract.release),
        }
        self._routes = {known: handlers[known] for known in CONTROL_ROUTES}

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer one request below the prefix; nothing here is a Codebeamer call."""
        name = path.removeprefix(f"{CONTROL}/")
        try:
            route = self._routes.get((method, name))
            if route is None:
                raise _unknown(method, name, {known for _, known in self._routes})
            result = route(_read(body))
        except RefusedError as refusal:
            text = json.dumps(refusal.body(path))
            return Answer(status=refusal.status, body=text.encode())
        return Answer(body=json.dumps({} if result is None else result).encode())

    def load(self, world: str | dict[str, Any]) -> None:
        """Replace the world by a named one, or by JSON.

        Raises:
            RefusedError: No such world, or not a world.
        """
        data = named_world(world) if isinstance(world, str) else world
        self._application.replace_world(World.load(data))

    def _health(self, _: Any) -> Any:
        contract = self._application.contract
        return {
            "status": "ok",
            "release": contract.release,
            "operations": len(contract.operations),
        }

    def _reset(self, _: Any) -> Any:
        unmet = [fault.number for fault in self._application.faults.unmet()]
        self._application.replace_world(World.parse(self._first_world))
        self._application.faults.clear()
        self._application.calls.clear()
        self._application.clock.reset()
        self._application.changed("clock", self._application.clock.dump())
        return {"unmet_faults": unmet}

    def _put_world(self, body: Any) -> Any:
        if isinstance(body, dict) and body.keys() == {"name"}:
            self.load(str(body["name"]))
        elif isinstance(body, dict):
            self.load(body)
        else:
            raise RefusedError(400, 'Send a world, or {"name": "demo"}.')

    def _clock(self, _: Any) -> Any:
        clock = self._application.clock
        return {"now": stamp(clock.now()) + "Z", "stopped": clock.is_stopped}

    def _post_clock(self, body: Any) -> Any:
        clock = self._application.clock
        known = {"advance_seconds", "now", "stopped"}
        if not isinstance(body, dict) or not body or not body.keys() <= known:
            raise RefusedError(400, f"A clock takes {', '.join(sorted(known))}.")
        if body.get("stopped"):
            clock.stop()
        try:
            if "now" in body:
                clock.set(datetime.fromisoformat(body["now"]))
            if "advance_seconds" in body:
                clock.advance(float(body["advance_seconds"]))
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedError(400, f"This is not a time: {error}") from error
        if body.get("stopped") is False:
            clock.start()
        self._application.changed("clock", clock.dump())
        return self._clock(None)

    def _post_faults(self, body: Any) -> Any:
        entries = body if isinstance(body, list) else [body]
        if not all(isinstance(entry, dict) for entry in entries):
            raise RefusedError(400, "Send a fault or a list of faults.")
        return [self._application.faults.add(entry).number for entry in entries]

    def _delete_faults(self, body: Any) -> Any:
        faults = self._application.faults
        if body is None:
            faults.clear()
        elif isinstance(body, dict) and body.keys() == {"number"}:
            faults.remove(body["number"])
        else:
            raise RefusedError(400, 'Send nothing, or {"number": 3}.')


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError as error:
        raise RefusedError(400, f"JSON parse error: {error}") from error


def _unknown(method: str, name: str, known: set[str]) -> RefusedError:
    if name in known:
        return RefusedError(405, f"{name} does not take {method}.")
    return RefusedError(
        404, f"There is no {name}; there are {', '.join(sorted(known))}."
    )
