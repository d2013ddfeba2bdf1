"""The page of the docs that the matrix writes, from what was measured last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from tests.airflow.matrix.row import LEASE_SECONDS, Outcome, Row
from tests.airflow.matrix.site import HEARTBEAT_TIMEOUT_SECONDS, TIMES

__all__ = ["MEASURED", "PAGE", "page_of", "write"]

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "explanation" / "failures.md"
MEASURED = HERE / "measured.json"

_TOP = """\
<!-- Written by `python -m tests.airflow.matrix --write`: change the rows, run it. -->
# What happens when something fails

Each row was done to a real Airflow: scheduler, DAG processor, API server and triggerer
as processes, LocalExecutor, PostgreSQL, the template `generator_dag` and the emulator
of Codebeamer, with processes that were really killed. *Back after* is the time from the
failure (or from what the row says) until the tracker's permissions were byte for byte
what they had been. *By* is who gave it back, the first first. Rights are back and the
lock is free at the end of every row, unless it says "Open". A task has no retries
unless the row says so; with one, many of the failed runs would have ended well.

Times are short here, so that a row ends within a minute or two: lease between tasks
{lease} s, `ttl` {ttl} s, beat {beat} s, lock delay {lock_delay} s, a janitor DAG every
minute, `task_instance_heartbeat_timeout` {heartbeat} s. With the defaults (30 min,
60 s, 15 s, 15 s, every three minutes, 300 s) the rows that wait for a lease or a
heartbeat take longer. A janitor that looks anew each time believes that a lease is
over when it has been for the lock delay and for a `ttl`. So a process that died while
it worked is caught at the latest after twice the ttl and one janitor interval, 5 min; a
run that stops between two tasks after lease, ttl and one janitor interval, 34 min.

| # | what fails | back after | by | run ends | items | what it means |
| --- | --- | --- | --- | --- | --- | --- |
"""

_BOTTOM = """
## Who gives back

* **teardown**: the task `unlock`. It runs after nearly everything, also when the run
  was marked by hand.
* **the task itself**: it noticed, and undid what it had begun, before it failed.
* **task callback**: `ReleaseLocksNotifier` in the task's own process, the fastest.
* **DAG callback**: the same notifier, in the DAG processor; the only one where Airflow
  skips the teardowns. *Task callback in the DAG processor*: for a task whose process
  and supervisor are gone.
* **deadline**: the same notifier in the triggerer, for runs in which nothing else runs
  any more.
* **janitor DAG**: finishes leases that are over; the bound of everything above.
* **recover, outside Airflow**: the command, from cron or a systemd timer. The only one
  left when Airflow is gone.

## Not in the table

CeleryExecutor and Kubernetes, two schedulers, MySQL, and a server or store that is away
for longer than 20 s.

"""


def write(outcomes: Iterable[Outcome], rows: Iterable[Row]) -> None:
    """Keep what was measured, and write the page of all that is kept."""
    kept = json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}
    for outcome in outcomes:
        kept[outcome.row.number] = _measured(outcome)
    rows = list(rows)
    kept = {row.number: kept[row.number] for row in rows if row.number in kept}
    MEASURED.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    PAGE.write_text(page_of(kept, rows), "utf-8")


def page_of(kept: dict[str, Any], rows: Iterable[Row]) -> str:
    """Return the page of what was measured."""
    return "".join(_page(kept, rows))


def _measured(outcome: Outcome) -> dict[str, Any]:
    return {
        "seconds": outcome.seconds,
        "layers": list(outcome.layers),
        "run": outcome.run,
        "items": outcome.items,
        "permissions": outcome.permissions,
        "notes": list(outcome.notes),
        "findings": list(outcome.findings),
        "on": date.today().isoformat(),  # noqa: DTZ011 -- a day for people
    }


def _page(kept: dict[str, Any], rows: Iterable[Row]) -> Iterator[str]:
    yield _TOP.format(lease=LEASE_SECONDS, heartbeat=HEARTBEAT_TIMEOUT_SECONDS, **TIMES)
    for row in rows:
        if row.number in kept:
            yield _line(row, kept[row.number])
    yield _BOTTOM
    days = sorted({one["on"] for one in kept.values()})
    yield f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))}, one run a row"
    yield ", on two cores that others used as well: read times as about.\n"


def _line(row: Row, one: dict[str, Any]) -> str:
    seconds = "nothing taken" if one["seconds"] is None else f"{one['seconds']:.1f} s"
    since = "" if row.since == "the fault" else f" since {row.since}"
    means = " ".join((row.means, *(f"({note}.)" for note in one["notes"])))
    means += "".join(f" **Open: {finding}.**" for finding in one["findings"])
    cells = (
        row.number,
        row.failure,
        seconds + (since if one["seconds"] is not None else ""),
        ", then ".join(one["layers"]) or "-",
        one["run"],
        one["items"],
        means,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
