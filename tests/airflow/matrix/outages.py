"""Rows with a Codebeamer server or a lock store that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text

from airflow_codebeamer.database import event_table, journal_table, lock_table
from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

_TABLES = tuple(table.name for table in (lock_table, journal_table, event_table))

#: What a server does whose disk is full, and one that is very slow.
_FULL = "RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device'"  # noqa: E501
_SLOW = "PERFORM pg_sleep(1.5); RETURN NEW"


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
        time.sleep(scene.site.away_seconds)
        scene.hurt()
        scene.mend(number)

    return fault


def store_frozen(phase: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        with scene.site.store_frozen():
            time.sleep(scene.site.away_seconds)
        scene.hurt()

    return fault


def store_stopped(phase: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        scene.site.store_server.stop()
        time.sleep(scene.site.away_seconds)
        scene.site.store_server.start()
        scene.hurt()

    return fault


def store_locked(phase: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        engine = create_engine(scene.site.store_url)
        with engine.begin() as connection:
            # Somebody's transaction that does not end.
            connection.execute(text(f'LOCK TABLE "{lock_table.name}"'))
            time.sleep(scene.site.away_seconds)
        engine.dispose()
        scene.hurt()

    return fault


def store_hindered(
    phase: Callable[[Scene], None], body: str
) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        phase(scene)
        with _trigger(scene.site.store_url, body):
            time.sleep(scene.site.away_seconds)
        scene.hurt()

    return fault


@contextmanager
def _trigger(url: str, body: str) -> Iterator[None]:
    """Let every write of ours to the store end in this."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql "
                f"AS $$ BEGIN {body}; END $$"
            )
        )
        for name in _TABLES:
            connection.execute(
                text(
                    f'CREATE TRIGGER hinder BEFORE INSERT OR UPDATE ON "{name}" '
                    "FOR EACH ROW EXECUTE FUNCTION hinder()"
                )
            )
    try:
        yield
    finally:
        with engine.begin() as connection:
            for name in _TABLES:
                connection.execute(text(f'DROP TRIGGER hinder ON "{name}"'))
        engine.dispose()


_PHASES = (
    ("a", "`lock`", _while_locking),
    ("b", "the writing", _while_writing),
    ("c", "`unlock`", _while_unlocking),
)
_LIMIT = LEASE_SECONDS + 4 + 60 + 20


def _rows(
    number: int,
    what: str,
    fault: Callable[[Any], Any],
    means: str,
    letters: str = "abc",
    **more: Any,
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
        if letter in letters
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
        "Whoever is at work waits, in growing steps, for two minutes in all.",
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
    *_rows(
        65,
        "somebody's transaction locks the store for 20 s",
        store_locked,
        "As a store that does not answer.",
        letters="b",
        alone=True,
    ),
    *_rows(
        66,
        "the lock store is full for 20 s",
        lambda phase: store_hindered(phase, _FULL),
        "The error says so; what was begun is finished afterwards.",
        letters="bc",
        alone=True,
    ),
    *_rows(
        67,
        "the lock store takes 1.5 s for each write, for 20 s",
        lambda phase: store_hindered(phase, _SLOW),
        "Everything takes longer, nothing else happens.",
        letters="a",
        alone=True,
    ),
)
