"""Rows with a Codebeamer server or a lock store that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

_AWAY_SECONDS = 20.0


def _while_locking(scene: Scene) -> None:
    number = scene.fault("delay", operation="updatePermission", seconds=1.0)
    scene.begin()
    scene.until_locking()
    scene.mend(number)


def _while_writing(scene: Scene) -> None:
    scene.begin(create_seconds=0.2)
    scene.until_writing()


def _while_unlocking(scene: Scene) -> None:
    number = scene.fault("delay", operation="updatePermission", seconds=0.5)
    scene.begin(create_seconds=0.05)
    scene.until_writing(1)
    scene.until_task("unlock", "running", "queued", "scheduled")
    scene.mend(number)


def server_away(
    phase: Callable[[Scene], None], kind: str, **parts: Any
) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        number = scene.fault(kind, **parts)
        time.sleep(_AWAY_SECONDS)
        scene.hurt()
        scene.mend(number)

    return fault


def store_frozen(phase: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        with scene.site.store_frozen():
            time.sleep(_AWAY_SECONDS)
        scene.hurt()

    return fault


def store_stopped(phase: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        scene.site.store_server.stop()
        time.sleep(_AWAY_SECONDS)
        scene.site.store_server.start()
        scene.hurt()

    return fault


_PHASES = (
    ("a", "`lock`", _while_locking),
    ("b", "the writing", _while_writing),
    ("c", "`unlock`", _while_unlocking),
)
_LIMIT = LEASE_SECONDS + 4 + 60 + 20


def _rows(
    number: int, what: str, fault: Callable[[Any], Any], means: str, **more: Any
) -> tuple[Row, ...]:
    return tuple(
        Row(
            f"{number}{letter}",
            f"{what}, during {where}",
            fault(phase),
            means,
            items="either",
            run=("success", "failed"),
            limit_seconds=_LIMIT,
            since="its return",
            by=AT_ONCE + AT_THE_LATEST,
            **more,
        )
        for letter, where, phase in _PHASES
    )


_LATER = "Whoever is at work tries again; teardown retries or janitor finish."

ROWS = (
    *_rows(
        60,
        "no connection to the server for 20 s",
        lambda phase: server_away(phase, "reset"),
        _LATER,
    ),
    *_rows(
        61,
        "the server answers 503 for 20 s",
        lambda phase: server_away(phase, "status", status=503),
        _LATER,
    ),
    *_rows(
        62,
        "the server answers 429 for 20 s",
        lambda phase: server_away(phase, "status", status=429),
        "This 429 does not say how long to wait: the task gives up after some "
        "tries, and its retry, if it has one, goes on.",
    ),
    *_rows(
        63,
        "the lock store does not answer for 20 s",
        store_frozen,
        "Whoever cannot renew stops writing; the lock is finished afterwards.",
        alone=True,
    ),
    *_rows(
        64,
        "the lock store is stopped for 20 s",
        store_stopped,
        "As a store that does not answer, but noticed at once.",
        alone=True,
    ),
)
