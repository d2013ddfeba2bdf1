"""Play every schedule, on two processes, and say what came of it.

`--write` puts the figures into `docs/explanation/schedules.md`. `--minutes` stops after
so long and keeps what was done; the next call goes on there, unless the code changed.
`--every N` plays one of N first disturbances, `--alone` nothing after them, `--forms`
only these of the other forms of a lock (none if none is named).
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.schedules.acts import FORMS
from tests.schedules.ground import Ground
from tests.schedules.play import Tally, explore, firsts
from tests.schedules.seeded import measure

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "explanation" / "schedules.md"
KEPT = ROOT / "build" / "schedules.json"
WRITING = (1, 2, 3, 4)

#: The forms of a lock of which only first disturbances are played, with one role.
OTHERS = tuple(form for form in FORMS if form)

#: What this process plays on, by the form and the number of writing roles.
_grounds: dict[tuple[str, int], Ground] = {}

#: Form, writing roles, and the first disturbance.
Task = tuple[str, int, int, str, int]


@dataclass
class Result:
    """What was played so far; `seconds` are those of all processes together."""

    by_roles: dict[str, dict[str, int]] = field(default_factory=dict)
    played: dict[str, int] = field(default_factory=dict)
    #: How many there were by form and kind, each of them played.
    forms: dict[str, dict[str, int]] = field(default_factory=dict)
    #: What the code was; "" if it changed meanwhile.
    code: str = ""
    aside: int = 0
    bad: int = 0
    seconds: float = 0.0
    told: list[str] = field(default_factory=list)
    #: Of how many first disturbances so many were played with all that follows.
    firsts: int = 0
    explored: int = 0
    #: How many schedules were bad, of how many, with a bug in our code.
    seeded: dict[str, list[int]] = field(default_factory=dict)

    @property
    def schedules(self) -> int:
        """How many schedules there were."""
        return sum(sum(kinds.values()) for kinds in self.by_roles.values())

    def add(self, task: Task, tally: Tally, seconds: float) -> None:
        """Add what one task played."""
        form, writing = task[0], str(task[1])
        into, key = (self.forms, form) if form else (self.by_roles, writing)
        kinds = Counter(into.get(key, {}))
        kinds.update(tally.schedules)
        into[key] = dict(sorted(kinds.items()))
        if not form:
            self.played[writing] = self.played.get(writing, 0) + tally.played
            self.aside += tally.aside
        self.bad += tally.bad
        self.seconds += seconds
        self.told += tally.told


@contextmanager
def memory() -> Iterator[Path]:
    """Yield a folder in memory, where the system has such a place."""
    shared = Path("/dev/shm")  # noqa: S108
    place = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="schedules", dir=place) as folder:
        yield Path(folder)


def _prepare(place: Path, which: Sequence[tuple[str, int]]) -> None:
    # The library looks through all of it for proxies before each request.
    os.environ.clear()
    gc.set_threshold(50_000, 20, 100)
    own = place / str(os.getpid())
    own.mkdir()
    for form, writing in which:
        _grounds[form, writing] = Ground(own, writing, form=form)
    gc.freeze()


def _work(task: Task, *, alone: bool) -> tuple[Task, Tally, float]:
    form, writing, at, deed, weight = task
    began, tally = time.process_time(), Tally()
    ground = _grounds[form, writing]
    explore(ground, (at, deed, weight), tally, alone=alone or bool(form))
    return task, tally, time.process_time() - began


def tasks_of(
    writing: Iterable[int], place: Path, forms: Iterable[str] = ()
) -> list[Task]:
    """Return every first disturbance for each number of roles, and each form."""
    found: list[Task] = []
    which = [("", number) for number in writing] + [(form, 1) for form in forms]
    for form, number in which:
        ground = Ground(place, number, form=form)
        found += [(form, number, *first) for first in firsts(ground)]
        ground.close()
    # Whatever is done by a time is every crash with one role, and a sample of the rest.
    random.Random(1).shuffle(found)  # noqa: S311
    return sorted(found, key=lambda task: (*task[:2], task[3]) != ("", 1, "crash"))


def played(
    tasks: Sequence[Task], workers: int, place: Path, *, alone: bool
) -> Iterator[tuple[Task, Tally, float]]:
    """Yield what came of each task, in whichever order."""
    which = sorted({task[:2] for task in tasks})
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _prepare, (place, which)) as pool:
        yield from pool.imap_unordered(partial(_work, alone=alone), tasks)


def table(result: Result) -> str:
    """Return the page's part that was measured."""
    numbers = sorted(result.by_roles)
    lines = _counts(result.by_roles, {n: f"{n} role(s)" for n in numbers})
    lines.append(
        f"| of these played | {' | '.join(f'{result.played[n]:,}' for n in numbers)} |"
    )
    played = sum(result.played.values())
    rate = played / result.seconds if result.seconds else 0.0
    lines += [
        "",
        f"**{result.schedules:,} schedules, {result.bad} bad**; {played:,} of them "
        f"played, {rate:.0f} a second of processor time. In {result.aside:,} of those "
        "played, an edit fell between a look of ours and what became of the request "
        f"after it. {result.explored:,} of {result.firsts:,} first disturbances were "
        "played with all that follows.",
    ]
    if not result.code:
        lines += [
            "",
            "These figures were collected in pieces while the code changed, not in one "
            "run on the last of it.",
        ]
    if result.forms:
        alone = sum(sum(kinds.values()) for kinds in result.forms.values())
        lines += [
            "",
            f"Other forms of a lock, each disturbed once, with one role: {alone:,} "
            "schedules.",
            "",
            *_counts(result.forms, {form: form for form in sorted(result.forms)}),
        ]
    if result.seeded:
        lines += ["", "| seeded bug | played | bad |", "| --- | ---: | ---: |"]
    for name, (schedules, bad) in result.seeded.items():
        lines.append(f"| {name} | {schedules:,} | {bad:,} |")
    return "\n".join(lines)


def _counts(found: dict[str, dict[str, int]], columns: dict[str, str]) -> list[str]:
    """Return the lines of a table of counts by kind, with their sums."""
    kinds = sorted({kind for one in found.values() for kind in one})
    lines = [
        f"| disturbed by | {' | '.join(columns.values())} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    for kind in kinds:
        counts = [f"{found[key].get(kind, 0):,}" for key in columns]
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    sums = [f"{sum(found[key].values()):,}" for key in columns]
    return [*lines, f"| all | {' | '.join(sums)} |"]


def page(result: Result) -> str:
    """Return the whole page, its prose as it stands and its table as measured."""
    head, _, rest = PAGE.read_text().partition("<!-- table -->")
    tail = rest.partition("<!-- end of table -->")[2]
    return f"{head}<!-- table -->\n\n{table(result)}\n\n<!-- end of table -->{tail}"


def code() -> str:
    """Return a digest of the code that is played, and of what plays it."""
    digest = hashlib.sha256()
    for folder in (ROOT / "airflow_codebeamer", Path(__file__).parent):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _kept() -> tuple[Result, set[Task]]:
    """Return what was played of this code, and which tasks those were."""
    now = code()
    if KEPT.exists():
        known = json.loads(KEPT.read_text())
        if known["result"].get("code") == now:
            return Result(**known["result"]), {tuple(task) for task in known["done"]}
        sys.stdout.write("the code changed: everything is played again\n")
    return Result(code=now), set()


def _keep(result: Result, done: set[Task]) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    kept: dict[str, Any] = {"result": asdict(result), "done": sorted(done)}
    KEPT.write_text(json.dumps(kept))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return 1 if a schedule was bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--figures", action="store_true")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--roles", type=int, nargs="+", default=list(WRITING))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--forms", nargs="*", choices=OTHERS, default=list(OTHERS))
    options = parser.parse_args(arguments)
    result, done = _kept() if options.minutes else (Result(code=code()), set())
    end = time.monotonic() + options.minutes * 60
    with memory() as place:
        tasks = tasks_of(options.roles, place, options.forms)[:: options.every]
        result.firsts = sum(not task[0] for task in tasks)
        tasks = [task for task in tasks if task not in done]
        left = len(tasks)
        results = played(tasks, options.workers, place, alone=options.alone)
        for task, tally, seconds in results:
            result.add(task, tally, seconds)
            done.add(task)
            result.explored += not task[0]
            left -= 1
            if tally.bad:
                sys.stdout.write("\n".join(tally.told) + "\n")
            if options.minutes and time.monotonic() > end:
                break
    if options.minutes:
        _keep(result, done)
    sys.stdout.write(f"{table(result)}\n{left} first disturbances are left\n")
    if options.figures:
        figures = {"schedules": sum(result.played.values()), "bad": result.bad}
        sys.stdout.write(f"{json.dumps(figures)}\n")
    if options.write and not result.bad:
        result.told = []
        result.seeded = {name: list(counts) for name, counts in measure().items()}
        result.seconds = round(result.seconds, 1)
        MEASURED.write_text(json.dumps(asdict(result), indent=1) + "\n")
        PAGE.write_text(page(result))
    return 1 if result.bad else 0
