"""Plays rows, and says of each what came of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil

from airflow_codebeamer.demo import DagRun
from airflow_codebeamer.errors import CodebeamerError
from tests.airflow.matrix.generators import COUNT
from tests.airflow.matrix.layers import who_released
from tests.airflow.matrix.row import RUN_ID, Outcome, Row
from tests.airflow.matrix.scene import Scene
from tests.airflow.matrix.site import Site

__all__ = ["play", "play_all"]

_OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_RUN_SECONDS = 75.0
_GENERATOR_SECONDS = 30.0
_LATE_SECONDS = 2.0


def play_all(
    site: Site,
    rows: Sequence[Row],
    *,
    at_once: int = 4,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Play rows: those that hurt nobody else at the same time, then the others."""

    def one(row: Row) -> Outcome:
        outcome = play(site, row)
        done(outcome)
        return outcome

    shared = [row for row in rows if not row.alone]
    pool = ThreadPoolExecutor(max_workers=at_once)
    try:
        outcomes = list(pool.map(one, shared))
        return outcomes + [one(row) for row in rows if row.alone]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def play(site: Site, row: Row) -> Outcome:
    """Play one row; whatever goes wrong is a finding, not an error."""
    began = time.time()
    scene = Scene(site, row)
    findings: list[str] = []
    with scene.watcher:
        for step in (row.fault, _wait_for_release, _wait_for_run, _wait_for_generator):
            try:
                step(scene)
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                said = str(error).partition("\n")[0][:200]
                findings.append(f"{said} ({last.name}:{last.lineno})")
        # What a process sent at the last moment would be there by now.
        time.sleep(_LATE_SECONDS)
        outcome = _judge(scene, findings, time.time() - began)
    scene.close()
    return outcome


def _wait_for_release(scene: Scene) -> None:
    since = scene.hurt_at or time.time()
    left = max(since + scene.row.limit_seconds - time.time(), 1.0)
    scene.until("released", scene.is_released, left)


def _wait_for_run(scene: Scene) -> None:
    if "gone" in scene.row.run or "running" in scene.row.run:
        return
    with suppress(CodebeamerError):
        scene.until("run over", lambda: _is_over(scene.run()), _RUN_SECONDS)


def _is_over(run: DagRun) -> bool:
    # A run that a hand ended counts as finished before its teardowns ran.
    states = set(run.tasks.values())
    return run.is_finished and states <= _OVER | {"none"}


def _wait_for_generator(scene: Scene) -> None:
    """Wait until the process of the generator is gone, if there is one."""
    row = scene.row
    with suppress(CodebeamerError):
        pid = scene.rest.find_pid(row.dag_id, RUN_ID, row.task_id("generate"))
        if pid is not None:
            scene.until("dead", lambda: not _lives(pid), _GENERATOR_SECONDS)


def _lives(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any(
            "airflow" in part for part in process.cmdline()
        )
    except psutil.Error:
        return False


def _judge(scene: Scene, findings: list[str], took: float) -> Outcome:
    row, watcher = scene.row, scene.watcher
    run, tasks = _run_of(scene)
    if not watcher.is_as_before:
        findings.append("PERMISSIONS ARE NOT BACK")
    if (lock := scene.find_lock()) is not None:
        findings.append(f"the lock is {lock.state.value} by {lock.owner.key}")
    restored = watcher.restored_at()
    seconds = None
    if scene.hurt_at and restored and watcher.was_reduced:
        seconds = round(max(restored - scene.hurt_at, 0.0), 1)
    items = _items(scene)
    is_right = (
        items in ("as before", "complete")
        if row.items == "either"
        else (items == row.items)
    )
    if not is_right:
        findings.append(f"items are {items}, not {row.items}")
    if run not in row.run:
        findings.append(f"the run is {run}, not {' or '.join(row.run)}")
    if seconds is not None and seconds > row.limit_seconds:
        findings.append(f"{seconds} s, more than {row.limit_seconds:.0f}")
    layers = who_released(scene) or ((scene.otherwise,) if seconds else ())
    if layers and layers[0] not in row.by:
        findings.append(f"{layers[0]} was the first to release")
    return Outcome(
        row,
        seconds=seconds,
        layers=layers,
        run=run,
        tasks=tasks,
        items=items,
        permissions="as before" if watcher.is_as_before else "REDUCED",
        took_seconds=round(took, 1),
        findings=tuple(findings),
        notes=tuple(scene.notes),
    )


def _run_of(scene: Scene) -> tuple[str, dict[str, str]]:
    for _ in range(3):
        try:
            run = scene.run()
        except CodebeamerError as error:
            if "with 404" in str(error):
                return "gone", {}
            time.sleep(1.0)
        else:
            return run.state, dict(run.tasks)
    return "unknown", {}


def _items(scene: Scene) -> str:
    now = scene.site.emulator.items(scene.plot.tracker_id)
    if now == scene.items_before:
        return "as before"
    if len(now) - len(scene.items_before) == COUNT:
        return "complete"
    return f"{len(now) - len(scene.items_before):+d}"
