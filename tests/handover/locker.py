"""One process of the hand-over run: takes the tracker, holds it, gives it back, again.

Told by one line of JSON; writes a line of JSON after each step. All times are of the
machine's one monotonic clock, which every process here reads alike.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta
from typing import Any

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import LockLostError, OutcomeUnknownError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Heartbeat, Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.wiring import Codebeamer, connect


def _say(**facts: object) -> None:
    sys.stdout.write(json.dumps({**facts, "at": time.monotonic()}) + "\n")
    sys.stdout.flush()


def _connect(told: dict[str, Any]) -> Codebeamer:
    login = told["login"]
    server = ServerSettings(
        url=told["url"],
        login=login,
        password=login,
        requests_per_second=None,
        requests_per_minute=None,
        exclusive_role=told["role"],
    )
    spans = {name: timedelta(seconds=value) for name, value in told["timing"].items()}
    lock = LockSettings.model_validate(spans)
    store = StoreSettings(url=told["store"])
    settings = Settings(server=server, store=store, lock=lock)
    return connect(settings, clock=SystemClock())


def _round(codebeamer: Codebeamer, told: dict[str, Any], number: int) -> None:
    tracker = TrackerId(told["tracker"])
    owner = Owner.here(f"{told['login']} round {number}")
    engine = codebeamer.engine
    lock = engine.acquire(tracker, owner=owner, wait_for=timedelta(minutes=10))
    _say(step="held", round=number, epoch=int(lock.epoch))
    with Heartbeat(engine, lock) as heartbeat:
        time.sleep(random.uniform(0, told["hold_seconds"]))  # noqa: S311
        heartbeat.guard()
    _say(step="releasing", round=number, epoch=int(lock.epoch))
    report = engine.release(tracker, owner_key=owner.key, epoch=lock.epoch)
    _say(
        step="released" if report.released else "lost",
        round=number,
        epoch=int(lock.epoch),
        drift=list(report.drift),
    )


def main() -> None:
    """Do the rounds that are told, or what is left of them."""
    told = json.loads(sys.stdin.readline())
    with _connect(told) as codebeamer:
        for number in range(told["first"], told["rounds"]):
            try:
                _round(codebeamer, told, number)
            except (LockLostError, OutcomeUnknownError) as error:
                # Too slow for its lease: somebody else has put everything back.
                _say(step="lost", round=number, why=str(error))


main()
