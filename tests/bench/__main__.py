"""The benchmarks: requests, seconds here, and seconds at the default throttle.

Everything runs against the emulator on this machine without a throttle, ours
and the naive script in one run. The last column is arithmetic: what the same
requests take at 3 a second and 120 a minute, which is what a server allows
unless somebody changed it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from airflow_codebeamer.emulator import (
    ALL_PERMISSIONS,
    DEMO_TRACKER_ID,
    READ_ONLY,
    Emulator,
    WorldBuilder,
)
from airflow_codebeamer.generators.can import requirements
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.bench.scripts import Naive
from tests.bench.speeds import Speed, speeds

TRACKER = TrackerId(DEMO_TRACKER_ID)


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    task: str
    who: str
    requests: int
    seconds: float

    @property
    def throttled_seconds(self) -> float:
        """Seconds at 3 requests a second and 120 a minute, buckets full at first."""
        return max(self.requests / 3, (self.requests - 120) / 2, 0.0)


def ours(server: Emulator, folder: str) -> Codebeamer:
    """Return our engines for the emulator, without a pace of our own."""
    return connect(
        Settings(
            server=ServerSettings.model_validate(
                {
                    "url": server.url,
                    "login": "generator",
                    "password": "generator",
                    "exclusive_role": "Generator",
                    "requests_per_second": None,
                    "requests_per_minute": None,
                }
            ),
            store=StoreSettings.model_validate({"url": f"sqlite:///{folder}/locks.db"}),
        )
    )


def measure(
    task: str, who: str, sent: Callable[[], int], work: Callable[[], object]
) -> Measured:
    """Run the work once; return its requests and seconds."""
    before, began = sent(), time.perf_counter()
    work()
    return Measured(task, who, sent() - before, round(time.perf_counter() - began, 3))


def creating() -> list[Measured]:
    """Fill a tracker from a CAN database, and run again."""
    measured = []
    items = [dict(item) for item in list(requirements("vw_mqb.dbc"))[1:]]
    task, again = f"create {len(items)} items", "run again, nothing changed"
    with (
        TemporaryDirectory() as folder,
        Emulator(world="demo") as server,
        ours(server, folder) as codebeamer,
    ):

        def fill() -> None:
            owner = Owner.here("bench")
            lock = codebeamer.engine.acquire(TRACKER, owner=owner, reason="bench")
            codebeamer.runner.apply(requirements, {}, TRACKER, lock, run_key="bench")
            codebeamer.engine.release(TRACKER, owner_key=owner.key)

        def look() -> None:
            _, plan = codebeamer.runner.plan(requirements, {}, TRACKER)
            if not plan.is_empty:
                raise SystemExit("the second run found something to do")

        sent = lambda: codebeamer.client.requests_made  # noqa: E731
        measured.append(measure(f"{task}, lock and release", "ours", sent, fill))
        measured.append(measure(again, "ours", sent, look))
    with Emulator(world="demo") as server:
        naive = Naive(server.url, "generator")
        schema = naive.send("GET", f"/trackers/{TRACKER}/schema")
        key_field = next(f["id"] for f in schema if f["name"] == "External ID")
        sent = lambda: naive.sent  # noqa: E731
        measured.append(
            measure(
                f"{task}, no lock, order left to chance",
                "naive",
                sent,
                lambda: naive.create_all(TRACKER, items, key_field),
            )
        )
        measured.append(measure(again, "naive", sent, lambda: naive.read_all(TRACKER)))
    return measured


def locking() -> list[Measured]:
    """Lock and release a tracker with 12 roles, 6 of which may write."""
    builder = WorldBuilder()
    project = builder.project("Bench", "BENCH")
    account = builder.user("generator")
    exclusive = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, exclusive)
    rights = {exclusive: list(ALL_PERMISSIONS)}
    for number in range(11):
        role = builder.role(project, f"Role {number}")
        rights[role] = list(ALL_PERMISSIONS if number < 6 else READ_ONLY)
    tracker = TrackerId(builder.tracker(project, "T", "T", permissions=rights))
    with TemporaryDirectory() as folder, Emulator(world=builder.build()) as server:
        before = server.permissions(tracker)
        with ours(server, folder) as codebeamer:
            owner = Owner.here("bench")

            def cycle() -> None:
                codebeamer.engine.acquire(tracker, owner=owner, reason="bench")
                codebeamer.engine.release(tracker, owner_key=owner.key)

            sent = lambda: codebeamer.client.requests_made  # noqa: E731
            task = "lock and release, 12 roles, 6 may write"
            measured = [
                measure(f"{task}, first of the day", "ours", sent, cycle),
                measure(task, "ours", sent, cycle),
            ]
        if server.permissions(tracker) != before:
            raise SystemExit("permissions differ after the release")
    return measured


#: What a DAG file needs of Airflow itself, and what it needs of us.
_BARE = "from airflow.sdk import DAG, BaseHook, BaseNotifier, BaseOperator, Param"
_OURS = "import airflow_codebeamer.template"
_TIMES = 7


def importing() -> list[Measured]:
    """Import what a DAG file needs of us, over what it needs of Airflow anyway."""
    program = (
        f"import time; {_BARE}; began = time.perf_counter(); {_OURS}; "
        "print(time.perf_counter() - began)"
    )
    with TemporaryDirectory() as folder:
        seconds = [
            float(
                subprocess.run(
                    [sys.executable, "-c", program],
                    env={**os.environ, "AIRFLOW_HOME": folder},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.splitlines()[-1]
            )
            for _ in range(_TIMES)
        ]
    task = f"import for a DAG file, median of {_TIMES}"
    return [Measured(task, "ours", 0, round(statistics.median(seconds), 3))]


def _speeds(measured: list[Speed]) -> Table:
    table = Table("the emulator itself", "measured", "wanted", "")
    for one in measured:
        shown = f"{one.measured:,} {one.unit}"
        said = "yes" if one.is_enough else "NO"
        table.add_row(one.what, shown, one.wanted, said)
    return table


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    fast = speeds()
    Console(width=120).print(_speeds(fast))
    rows = creating() + locking() + importing()
    table = Table("task", "who", "requests", "seconds here", "seconds at 3/s, 120/m")
    for row in rows:
        table.add_row(
            row.task,
            row.who,
            str(row.requests),
            f"{row.seconds:.3f}" if row.seconds < 0.1 else f"{row.seconds:.2f}",
            f"{row.throttled_seconds:.0f}",
        )
    Console(width=120).print(table)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        report: list[dict[str, Any]] = [
            {**asdict(row), "throttled_seconds": row.throttled_seconds} for row in rows
        ]
        report += [asdict(one) for one in fast]
        given.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
