"""What a program has around it: who listens, the lock, the server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.generator.launchers.lease import Lease
from airflow_codebeamer.skeleton import Progress

__all__ = ["Access", "Surroundings"]


@dataclass(frozen=True)
class Access:
    """How a `delegate` reaches the server: address, account, pace."""

    url: str
    login: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    project_id: int | None = None
    per_second: float | None = None
    per_minute: float | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a program has around it; all of it may be left out.

    `stop` ends it when it is set; `checkpoint` is what an earlier try left and
    `remember` keeps what this one leaves; `warn` gets what belongs into the report.
    """

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[Progress], None] = lambda _: None
    lease: Lease | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Clock = field(default_factory=SystemClock)
    access: Access | None = None
    checkpoint: Any = None
    remember: Callable[[Any], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None
