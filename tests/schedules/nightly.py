"""Play every schedule, on two processes, and say what came of it.

`--write` puts the figures into `docs/explanation/schedules.md`. `--minutes` stops after
so long and keeps what was done; the next call goes on there.
`--every N` plays one of N first disturbances, `--alone` nothing after them.
"""

from __future__ import annotations

import argparse
import gc
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

from tests.schedules.ground import Ground
from tests.schedules.play import Tally, explore, firsts
from tests.schedules.seeded import measure

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "explanation" / "schedules.md"
KEPT = ROOT / "build" / "schedules.json"
WRITING = (1, 2, 3, 4)

#: What this process plays on, by the number of writing roles.
_grounds: dict[int, Ground] = {}

Task = tuple[int, int, str, int]


@dataclass
class Result:
    """What was played so far; `seconds` are those of all processes together."""

    by_roles: dict[str, dict[str, int]] = field(default_factory=dict)
    played: dict[str, int] = field(default_factory=dict)
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

    def add(self, writing: int, tally: Tally, seconds: float) -> None:
        """Add what one task played."""
        kinds = Counter(self.by_roles.get(str(writing), {}))
        kinds.update(tally.schedules)
        self.by_roles[str(writing)] = dict(sorted(kinds.items()))
        self.played[str(writing)] = self.played.get(str(writing), 0) + tally.played
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


def _prepare(place: Path, roles: Sequence[int]) -> None:
    # The library looks through all of it for proxies before each request.
    os.environ.clear()
    gc.set_threshold(50_000, 20, 100)
    own = place / str(os.getpid())
    own.mkdir()
    _grounds.update({writing: Ground(own, writing) for writing in roles})
    gc.freeze()


def _work(task: Task, *, alone: bool) -> tuple[Task, Tally, float]:
    writing, at, deed, weight = task
    began, tally = time.process_time(), Tally()
    explore(_grounds[writing], (at, deed, weight), tally, alone=alone)
    return task, tally, time.process_time() - began


def tasks_of(writing: Iterable[int], place: Path) -> list[Task]:
    """Return every first disturbance for each number of roles."""
    found: list[Task] = []
    for number in writing:
        ground = Ground(place, number)
        found += [(number, *first) for first in firsts(ground)]
        ground.close()
    # Whatever is done by a time is every crash with one role, and a sample of the rest.
    random.Random(1).shuffle(found)  # noqa: S311
    return sorted(found, key=lambda task: (task[0], task[2]) != (1, "crash"))


def played(
    tasks: Sequence[Task], workers: int, place: Path, *, alone: bool
) -> Iterator[tuple[Task, Tally, float]]:
    """Yield what came of each task, in whichever order."""
    roles = sorted({task[0] for task in tasks})
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _prepare, (place, roles)) as pool:
        yield from pool.imap_unordered(partial(_work, alone=alone), tasks)


def table(result: Result) -> str:
    """Return the page's part that was measured."""
    kinds = sorted({kind for found in result.by_roles.values() for kind in found})
    numbers = sorted(result.by_roles)
    lines = [
        f"| disturbed by | {' | '.join(f'{n} role(s)' for n in numbers)} |",
        f"| --- |{' ---: |' * len(numbers)}",
    ]
    for kind in kinds:
        counts = [f"{result.by_roles[n].get(kind, 0):,}" for n in numbers]
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    sums = [f"{sum(result.by_roles[n].values()):,}" for n in numbers]
    lines.append(f"| all | {' | '.join(sums)} |")
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
    if result.seeded:
        lines += ["", "| seeded bug | played | bad |", "| --- | ---: | ---: |"]
    for name, (schedules, bad) in result.seeded.items():
        lines.append(f"| {name} | {schedules:,} | {bad:,} |")
    return "\n".join(lines)


def page(result: Result) -> str:
    """Return the whole page, its prose as it stands and its table as measured."""
    head, _, rest = PAGE.read_text().partition("<!-- table -->")
    tail = rest.partition("<!-- end of table -->")[2]
    return f"{head}<!-- table -->\n\n{table(result)}\n\n<!-- end of table -->{tail}"


def _kept() -> tuple[Result, set[Task]]:
    if not KEPT.exists():
        return Result(), set()
    known = json.loads(KEPT.read_text())
    return Result(**known["result"]), {tuple(task) for task in known["done"]}


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
    options = parser.parse_args(arguments)
    result, done = _kept() if options.minutes else (Result(), set())
    end = time.monotonic() + options.minutes * 60
    with memory() as place:
        tasks = tasks_of(options.roles, place)[:: options.every]
        result.firsts = len(tasks)
        tasks = [task for task in tasks if task not in done]
        left = len(tasks)
        results = played(tasks, options.workers, place, alone=options.alone)
        for task, tally, seconds in results:
            result.add(task[0], tally, seconds)
            done.add(task)
            result.explored += 1
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
