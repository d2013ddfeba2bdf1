"""Faults: what goes wrong on purpose, written as data.

A fault names the calls that it meets and what happens to them. Faults before
the effect leave the world alone; `drop_answer`, and whatever has the phase
`after`, happen when the effect is done.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_codebeamer.emulator.contract import Operation
from airflow_codebeamer.emulator.refusal import RefusedError

__all__ = ["KINDS", "LATE", "Fault", "Faults", "UnmetFaultError"]

KINDS = (
    "reset",
    "drop_answer",
    "status",
    "delay",
    "stall",
    "empty",
    "truncate",
    "garbage",
    "actor",
)
"""`reset` closes the connection before any effect. `drop_answer`, `empty`,
`truncate` and `garbage` spoil the answer after the effect. `status` answers with
an error, `delay` waits, `actor` lets somebody else act in between. `stall` sends
half an answer and then nothing while the connection stays open; before the effect
it sends nothing at all. It ends after its `seconds`, 0 is until the client leaves."""

LATE = ("drop_answer", "empty", "truncate", "garbage")
_NUMBERS = ("nth", "every", "times")


@dataclass
class Fault:
    """One fault; `matched` counts calls that it could meet, `met` those it met."""

    kind: str
    operation: str = "*"
    user: str | None = None
    method: str | None = None
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    phase: str | None = None
    status: int = 500
    seconds: float = 0.0
    message: str = "The emulator was told to fail."
    optional: bool = False
    request: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    matched: int = 0
    met: int = 0

    @property
    def is_late(self) -> bool:
        """Tell whether the fault happens after the effect."""
        if self.kind == "stall":
            return self.phase != "before"
        return self.kind in LATE or self.phase == "after"

    def meets(self, operation: Operation, user: str) -> bool:
        """Count a call and tell whether this fault happens to it."""
        if not self._concerns(operation, user):
            return False
        self.matched += 1
        if self.times is not None and self.met >= self.times:
            return False
        if self.nth is not None and self.matched != self.nth:
            return False
        if self.every is not None and self.matched % self.every:
            return False
        self.met += 1
        return True

    def _concerns(self, operation: Operation, user: str) -> bool:
        if self.user is not None and self.user != user:
            return False
        if self.method is not None and self.method.upper() != operation.method:
            return False
        if self.operation in ("read", "write"):
            return operation.is_read == (self.operation == "read")
        return self.operation in ("*", operation.id)


class UnmetFaultError(AssertionError):
    """Faults that no call met: what a test prepared did not happen.

    Remove them, clear them, or add them with `"optional": true`.
    """

    def __init__(self, unmet: list[Fault]) -> None:
        self.unmet = unmet
        told = "; ".join(
            f"{fault.number}: {fault.kind} for {fault.operation}"
            f" ({fault.matched} calls fitted)"
            for fault in unmet
        )
        super().__init__(f"No call met these faults: {told}.")


class Faults:
    """The faults of one emulator, in the order in which they were added."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._faults: list[Fault] = []
        self._next = 1

    def add(self, data: Mapping[str, Any]) -> Fault:
        """Add a fault.

        Raises:
            RefusedError: It is not one (400).
        """
        fault = _fault(data, self._operations)
        fault.number = self._next
        self._next += 1
        self._faults.append(fault)
        return fault

    def remove(self, number: int) -> None:
        """Forget one fault; one that is not there is no error."""
        self._faults = [fault for fault in self._faults if fault.number != number]

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()

    def unmet(self) -> list[Fault]:
        """Return the faults that should have happened and have not."""
        return [fault for fault in self._faults if not fault.met and not fault.optional]

    def to_json(self) -> list[dict[str, Any]]:
        """Return all faults with how often they were met."""
        return [asdict(fault) for fault in self._faults]

    def meeting(self, operation: Operation, user: str) -> list[Fault]:
        """Count a call at every fault, and return those that happen to it."""
        return [fault for fault in self._faults if fault.meets(operation, user)]


def _fault(data: Mapping[str, Any], operations: Collection[str]) -> Fault:
    try:
        fault = Fault(**data)
    except TypeError as error:
        raise RefusedError(400, f"This is not a fault: {error}") from error
    if fault.kind not in KINDS:
        raise RefusedError(400, f"A fault's kind is one of {', '.join(KINDS)}.")
    known = {"*", "read", "write", *operations}
    if fault.operation not in known:
        raise RefusedError(400, f"There is no claimed operation {fault.operation!r}.")
    if fault.phase not in (None, "before", "after"):
        raise RefusedError(400, "A fault's phase is before or after.")
    if fault.phase == "before" and fault.kind in LATE:
        raise RefusedError(
            400, f"{fault.kind} spoils an answer; it has no phase before."
        )
    if not isinstance(fault.optional, bool):
        raise RefusedError(400, "A fault's optional is true or false.")
    _check_numbers(fault)
    return fault


def _check_numbers(fault: Fault) -> None:
    for name in _NUMBERS:
        value = getattr(fault, name)
        if value is not None and (not isinstance(value, int) or value < 1):
            raise RefusedError(400, f"A fault's {name} is a whole number from 1.")
    if not isinstance(fault.status, int) or not 400 <= fault.status <= 599:
        raise RefusedError(400, "A fault's status is from 400 to 599.")
    if not isinstance(fault.seconds, int | float) or not (
        0 <= fault.seconds < math.inf
    ):
        raise RefusedError(400, "A fault's seconds are a number from 0.")
    if fault.kind == "actor" and not {"user", "method", "path"} <= set(fault.request):
        raise RefusedError(400, "An actor's request has a user, a method and a path.")
