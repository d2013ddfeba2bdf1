"""The page of the docs that the matrix writes, from what was measured last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.airflow.celery.site import QUEUED_SECONDS
from tests.airflow.celery.table import ROWS as CELERY_ROWS
from tests.airflow.matrix.row import LEASE_SECONDS, Outcome, Row
from tests.airflow.matrix.site import HEARTBEAT_TIMEOUT_SECONDS, TIMES
from tests.airflow.matrix.table import ROWS
from tests.airflow.rounds.result import section

__all__ = ["CELERY", "LOCAL", "PAGE", "Table", "page", "write"]

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "explanation" / "failures.md"


@dataclass(frozen=True)
class Table:
    """The rows of one site, and the file with what was measured of them last."""

    rows: tuple[Row, ...]
    measured: Path

    def kept(self) -> dict[str, Any]:
        """Return what was measured, by the number of the row."""
        if not self.measured.exists():
            return {}
        found: dict[str, Any] = json.loads(self.measured.read_text("utf-8"))
        return found


LOCAL = Table(ROWS, HERE / "measured.json")
CELERY = Table(CELERY_ROWS, HERE.parent / "celery" / "measured.json")

_TOP = """\
<!-- Written by `python -m tests.airflow.matrix --write`, and `tests.airflow.celery`:
change the rows, run them. -->
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

"""

_HEAD = """\
| # | what fails | back after | by | run ends | items | what it means |
| --- | --- | --- | --- | --- | --- | --- |
"""

_CELERY = """
## On CeleryExecutor

The same server, stores, times and template, with Redis as the broker and two workers
of three processes each, all on one machine. The worker *as it comes* lets its tasks
finish when it is told to end (SIGTERM, the warm end). The other one has
`REMAP_SIGTERM=SIGQUIT` in its environment and ends at once (the cold end), for hosts
that have no time to wait. A task that no worker has fetched is queued anew after
{queued} s (`task_queued_timeout`, 600 s by default). Each row has both workers for
itself, and what it ended is back for the next one. "Lost with its host" is SIGKILL of
every process of a worker at once, its tasks included.

The start of Celery alone takes half a minute and more, so none of these rows is in
`make test`; all of them are `make matrix-celery`.

"""

_ADVICE = """
What follows for a site with Celery:

* Let the service manager send SIGTERM to the worker's main process only
  (`KillMode=mixed`), and give it longer than a generator takes. Then a deployment
  interrupts nobody.
* Give `generate` a retry, so that whatever ends a worker costs time and no run.
* Keep `visibility_timeout` longer than the longest generator (Airflow's default is 24
  hours): a message that is delivered again after `task_queued_timeout` makes Airflow
  fail the task that still runs.
* Run `airflow-codebeamer recover` from a timer on a machine that is no worker.
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

## How it is done

Whatever a row needs is started in a session of its own and ended with it, orphans
included; what the script finds still running at its end is a failure of the script.

## Not in the table

KubernetesExecutor, two schedulers, MySQL.

## Ten minutes without server or store

Rows 60 to 67 are away for 20 s, so that they end in time; `python -m
tests.airflow.matrix 61c --away 600` plays one for ten minutes. All of them are played
for ten minutes by `make outages`, on a clock of the tests' own, with the real
operators, engines, store and emulator: no connection, 503, 429, 500, answers that get
lost, a store that is down, full, locked by somebody or slow, each while rights are
taken, while items are written and while rights are given back; once with a run that
lives, once with one that was killed, whose tracker the janitor gives back. In each of
the 54 the tracker is given back within 60 s of the return at the latest, with all items
or none, and every error on the way says what does not answer. What gives it back:

* `unlock` waits up to a minute in each of its 13 tries, looking again every 15 s at the
  latest: more than ten minutes, whatever the delay between two tries. After a refusal
  (403) it does not wait, since that does not pass by itself.
* The janitor goes on trying until its next run comes, each lock on its own. It is red
  when a person is needed: after a refusal, or when nobody has answered for an hour.
* Whoever gives up says so in the record, and nobody waits for his lease.
* A generator whose task was not killed has undone its items, or leaves that to them.

"""


def write(outcomes: Iterable[Outcome], table: Table) -> None:
    """Keep what was measured, and write the page of all that is kept."""
    kept = table.kept()
    for outcome in outcomes:
        kept[outcome.row.number] = _measured(outcome)
    kept = {row.number: kept[row.number] for row in table.rows if row.number in kept}
    table.measured.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(), "utf-8")


def page() -> str:
    """Return the page of what was measured."""
    return "".join(_page())


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


def _page() -> Iterator[str]:
    times = {"lease": LEASE_SECONDS, "heartbeat": HEARTBEAT_TIMEOUT_SECONDS, **TIMES}
    yield _TOP.format(**times)
    yield from _lines(LOCAL)
    yield _CELERY.format(queued=QUEUED_SECONDS)
    yield from _lines(CELERY)
    yield _ADVICE
    yield _BOTTOM
    days = sorted(
        one["on"] for table in (LOCAL, CELERY) for one in table.kept().values()
    )
    yield f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))}, one run a row"
    yield ", on two cores that others used as well: read times as about.\n"
    yield section()


def _lines(table: Table) -> Iterator[str]:
    yield _HEAD
    kept = table.kept()
    for row in table.rows:
        if row.number in kept:
            yield _line(row, kept[row.number])
        else:
            yield f"| {row.number} | {row.failure} | **not measured yet** | | | | |\n"


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
