"""Plays rounds: on each ground one after the other, on all grounds at once."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_codebeamer.errors import CodebeamerError, DemoError
from tests.airflow.rounds.faults import FAULTS, Fault, MissedError, Target
from tests.airflow.rounds.ground import TASKS, Ground

__all__ = ["Played", "Round", "draw", "play_all"]

#: A run is over by then, lease and janitor included.
_RUN_SECONDS = 200.0
_FREE_SECONDS = 150.0
_LIVE = frozenset({"running", "deferred"})
_GONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: How often each task is hurt: those with a middle more often.
_TASK_WEIGHTS = (1, 1, 4, 6, 4, 1)


@dataclass(frozen=True)
class Round:
    """What is to be done: so many runs, and one fault at a moment of the first."""

    number: int
    fault: str
    task_id: str
    after_seconds: float
    runs: int

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs; items are named after them."""
        return tuple(f"round-{self.number}{'abc'[i]}" for i in range(self.runs))


@dataclass(frozen=True)
class Played:
    """What came of a round; `findings` is empty if all is as it must be."""

    round: Round
    ground: str
    missed: str = ""
    free_seconds: float | None = None
    took_seconds: float = 0.0
    states: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return asdict(self)


@dataclass
class _Notes:
    said: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def draw(seed: int, number: int) -> Round:
    """Return the round of that number: the same for the same seed, always."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 -- nothing secret
    fault = dice.choices(FAULTS, [one.weight for one in FAULTS])[0]
    return Round(
        number=number,
        fault=fault.name,
        task_id=dice.choices(TASKS, _TASK_WEIGHTS)[0],
        after_seconds=round(dice.uniform(0.0, 1.5), 2),
        runs=dice.choices((1, 2, 3), (6, 3, 1))[0],
    )


def play_all(
    grounds: Sequence[Ground],
    rounds: Iterable[Round],
    done: Callable[[Played], None] = lambda played: None,
    *,
    until: float = float("inf"),
) -> list[Played]:
    """Play rounds on whichever ground is idle; begin none after `until`."""
    todo, guard = iter(rounds), threading.Lock()

    def on(ground: Ground) -> list[Played]:
        return list(_on(ground))

    def _on(ground: Ground) -> Iterator[Played]:
        while time.monotonic() < until:
            with guard:
                one = next(todo, None)
            if one is None:
                return
            played = play(ground, one)
            done(played)
            yield played

    with ThreadPoolExecutor(max_workers=len(grounds)) as pool:
        return [played for some in pool.map(on, grounds) for played in some]


def play(ground: Ground, one: Round) -> Played:
    """Play a round; whatever goes wrong is a finding, not an error."""
    began, notes = time.monotonic(), _Notes()
    played = Played(one, ground.row.number)
    try:
        for run_id in one.run_ids:
            ground.begin(run_id)
        played = replace(played, missed=_hurt(ground, one, notes))
        hurt = time.monotonic()
        _wait_for_runs(ground, one, notes)
        ground.until("free", ground.is_free, _FREE_SECONDS)
        played = replace(played, free_seconds=round(time.monotonic() - hurt, 1))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).partition("\n")[0][:200]
        notes.findings.append(f"{said} ({last.name}:{last.lineno})")
    if not ground.is_as_before:
        notes.findings.append("PERMISSIONS ARE NOT BACK")
    with suppress(CodebeamerError):
        if (lock := ground.find_lock()) is not None:
            notes.findings.append(f"the lock is {lock.state.value} by {lock.owner.key}")
    return replace(
        played,
        took_seconds=round(time.monotonic() - began, 1),
        states=tuple(_state(ground, run_id) for run_id in one.run_ids),
        notes=tuple(notes.said),
        findings=tuple(notes.findings),
    )


def _hurt(ground: Ground, one: Round, notes: _Notes) -> str:
    """Do the fault when its moment has come; say why if it could not be done."""
    fault = next(known for known in FAULTS if known.name == one.fault)
    target = Target(ground, one.run_ids[0], one.task_id)

    def has_come() -> bool:
        state = ground.run(target.run_id).tasks.get(one.task_id, "none")
        return state in _LIVE | _GONE

    ground.until(f"{one.task_id} running", has_come, 150)
    time.sleep(one.after_seconds)
    return _done(fault, target)


def _done(fault: Fault, target: Target) -> str:
    try:
        fault.act(target)
    except MissedError as missed:
        return str(missed)
    except DemoError as error:
        # Airflow may refuse what comes too late, or be hurt by another round.
        return str(error).partition("\n")[0][:120]
    return ""


def _wait_for_runs(ground: Ground, one: Round, notes: _Notes) -> None:
    for run_id in one.run_ids:
        try:
            ground.until(
                f"over: {run_id}", lambda r=run_id: ground.is_over(r), _RUN_SECONDS
            )
        except DemoError:
            run = ground.run(run_id)
            notes.said.append(f"{run_id} was {run.state} after {_RUN_SECONDS:.0f} s")
            with suppress(DemoError):
                ground.rest.mark_run(ground.row.dag_id, run_id, "failed")


def _state(ground: Ground, run_id: str) -> str:
    try:
        return ground.run(run_id).state
    except DemoError:
        return "unknown"
