"""Which layer gave the tracker back, as the logs of Airflow's processes tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.airflow.matrix.logs import lines_of, logs_of_run
from tests.airflow.matrix.scene import Scene

__all__ = ["Trace", "find_traces", "who_released"]


@dataclass(frozen=True)
class Trace:
    """A line in which somebody says that he gave this row's tracker back."""

    at: float
    layer: str
    text: str


def find_traces(scene: Scene) -> list[Trace]:
    """Return what all layers say about this row's tracker, in order of time."""
    tracker = scene.plot.tracker_id
    wanted = re.compile(
        rf"Tracker {tracker}: permissions are back"
        rf"|Tracker {tracker} of {scene.row.dag_id}/\S+: released"
        rf"|tracker {tracker}, .*: recovered"
    )
    found = [
        Trace(at, layer, text)
        for path, layer in _logs(scene)
        for at, text in lines_of(path)
        if wanted.search(text)
    ]
    found += _in_dag_processor(scene, wanted)
    for at, report in scene.outside:
        found += [
            Trace(at, "recover, outside Airflow", one["action"])
            for one in report.get("recovered", ())
            if one["action"] == "recovered"
        ]
    return sorted(found, key=lambda trace: trace.at)


def who_released(scene: Scene) -> tuple[str, ...]:
    """Return the layers that gave the tracker back since the fault, the first first."""
    since = scene.hurt_at or 0.0
    names = [one.layer for one in find_traces(scene) if one.at >= since - 1.0]
    return tuple(dict.fromkeys(names))


def _logs(scene: Scene) -> Iterator[tuple[Path, str]]:
    folder = scene.site.airflow.logs
    for path in logs_of_run(scene.site, scene.row).rglob("*.log"):
        task_id = path.parent.name.removeprefix("task_id=").rpartition(".")[2]
        yield path, _TASKS.get(task_id, f"task {task_id}")
    for path in (folder / "tasks" / "dag_id=codebeamer_lock_janitor").rglob("*.log"):
        yield path, "janitor DAG"
    yield folder / "triggerer.log", "deadline"


def _in_dag_processor(scene: Scene, wanted: re.Pattern[str]) -> Iterator[Trace]:
    """Find releases by callbacks there; the line before says of what they are."""
    # Today's folder, not the link to it, else every line would come twice.
    for folder in (scene.site.airflow.logs / "dag-files").iterdir():
        if folder.is_symlink():
            continue
        for path in folder.rglob(f"{scene.row.dag_id}.py.log"):
            layer = "callback in the DAG processor"
            for at, text in lines_of(path):
                if "Executing on_failure dag callback" in text:
                    layer = "DAG callback"
                elif "Executing Task callback" in text:
                    layer = "task callback in the DAG processor"
                elif wanted.search(text):
                    yield Trace(at, layer, text)


_TASKS = {
    "unlock": "teardown",
    "generate": "task callback",
    "lock": "task callback of lock",
}
