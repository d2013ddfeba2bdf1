"""A process of its own that locks a tracker: told what to do, says what happened.

Reads one line before each step and writes one line of JSON after it.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import LockHeldError, LockLostError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import Heartbeat, LockEngine, LockStore, Owner
from airflow_codebeamer.settings import LockSettings, ServerSettings, StoreSettings


def _say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _build(url: str, store: str) -> LockEngine:
    server = ServerSettings(
        url=url,
        login="generator",
        password="generator",
        requests_per_second=None,
        requests_per_minute=None,
    )
    settings = LockSettings(
        bridge=timedelta(seconds=3),
        ttl=timedelta(seconds=3),
        beat=timedelta(seconds=0.5),
        margin=timedelta(seconds=1),
        lock_delay=timedelta(seconds=1),
    )
    database = Database(StoreSettings(url=store))
    return LockEngine(
        LockStore(database),
        Journal(database),
        Client(server),
        settings,
        clock=SystemClock(),
        exclusive_role="Generator",
    )


def main() -> None:
    """Acquire, hold, and try to go on when told."""
    url, store, tracker, key = sys.argv[1:5]
    engine = _build(url, store)
    number = TrackerId(int(tracker))
    _say(ready=True)
    sys.stdin.readline()
    try:
        lock = engine.acquire(number, owner=Owner.here(key), reason=f"work of {key}")
    except LockHeldError as error:
        _say(
            held_by=error.owner,
            since=str(error.since),
            until=str(error.deadline),
            why=error.reason,
        )
        return
    heartbeat = Heartbeat(engine, lock)
    heartbeat.__enter__()
    _say(held=lock.epoch)
    sys.stdin.readline()
    try:
        heartbeat.guard()
        _say(guard="good")
    except LockLostError as error:
        _say(guard=error.why)
    report = engine.release(number, owner_key=key, epoch=lock.epoch)
    _say(released=report.released, why=report.why)


main()
