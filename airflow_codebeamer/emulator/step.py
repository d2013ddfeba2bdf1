"""Step: a request as it came, how far it was understood, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.contract import Operation
from airflow_codebeamer.emulator.faults import Fault
from airflow_codebeamer.emulator.refusal import RefusedError

__all__ = ["JSON", "Answer", "Asked", "Step"]

JSON = "application/json"


@dataclass(frozen=True)
class Asked:
    """A request as it came: `path` is the whole path, `query` the raw text."""

    method: str
    path: str
    query: str = ""
    authorization: str = ""
    accept: str = ""
    body: bytes = b""
    content_type: str = ""


@dataclass
class Answer:
    """What goes back; `spoiled` names what a fault does to it on the wire."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    spoiled: str = ""
    stall_seconds: float = 0.0


@dataclass
class Step:
    """A request that was understood so far, with the faults that await it."""

    asked: Asked
    entry: dict[str, Any]
    operation: Operation | None = None
    call: Call | None = None
    refusal: RefusedError | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def delay(self) -> float:
        """Seconds to wait before anything happens."""
        return self._seconds("delay", late=False)

    @property
    def late_delay(self) -> float:
        """Seconds to wait between the effect and the answer."""
        return self._seconds("delay", late=True)

    @property
    def is_reset(self) -> bool:
        """Tell whether the connection ends before any effect."""
        return any(fault.kind == "reset" for fault in self.faults if not fault.is_late)

    @property
    def stall(self) -> Fault | None:
        """The fault that keeps the request waiting before any effect, if any."""
        for fault in self.faults:
            if fault.kind == "stall" and not fault.is_late:
                return fault
        return None

    def _seconds(self, kind: str, *, late: bool) -> float:
        return sum(
            fault.seconds
            for fault in self.faults
            if fault.kind == kind and fault.is_late == late
        )
