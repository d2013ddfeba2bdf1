"""Rows 14 to 24 and 28: what people do in the pages, and what time does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from airflow_codebeamer.errors import DemoError
from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, RUN_ID, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

#: With the lease, the lock delay and a janitor that comes once a minute.
_JANITOR_SECONDS = LEASE_SECONDS + 4 + 60 + 20


def task_marked(state: str) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        scene.begin()
        scene.until_writing()
        scene.hurt()
        scene.rest.mark_task(scene.row.dag_id, RUN_ID, "generate", state)

    return fault


def run_marked(state: str) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        scene.begin()
        scene.until_writing()
        scene.hurt()
        scene.rest.mark_run(scene.row.dag_id, RUN_ID, state)

    return fault


def task_cleared(scene: Scene) -> None:
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    scene.hurt()
    scene.rest.clear_task(scene.row.dag_id, RUN_ID, "generate")
    scene.until_task("generate", "success")


def run_cleared(scene: Scene) -> None:
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    scene.hurt()
    scene.rest.clear_run(scene.row.dag_id, RUN_ID)
    scene.until_task("generate", "success")


def failed_falsely(scene: Scene) -> None:
    """Do what the failure callback does, for a task that is alive."""
    scene.otherwise = FALSE
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    lock = scene.find_held()
    assert lock is not None
    scene.hurt()
    with scene.site.codebeamer(scene.plot) as codebeamer:
        # The task may notice it at once, and its own callback go on with it.
        codebeamer.engine.release(
            lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch
        )
    scene.until_task("generate", "failed", "success", "up_for_retry")


def task_deleted(scene: Scene) -> None:
    scene.begin()
    scene.until_writing()
    scene.hurt()
    scene.rest.delete_task(scene.row.dag_id, RUN_ID, "generate")


def deletion_refused(scene: Scene) -> None:
    scene.begin(create_seconds=0.1)
    scene.until_writing(1)
    try:
        scene.rest.delete_dag(scene.row.dag_id)
    except DemoError as error:
        if "with 409" not in str(error):
            raise
        scene.notes.append("Airflow refuses it with 409")
    scene.hurt()


def dag_deleted(scene: Scene) -> None:
    scene.begin(create_seconds=0.1)
    scene.until_writing(1)
    scene.rest.pause(scene.row.dag_id)
    scene.until_task("generate", "success")
    scene.hurt()
    scene.rest.delete_dag(scene.row.dag_id)


def dag_deleted_and_recovered(scene: Scene) -> None:
    with scene.outside_janitor():
        dag_deleted(scene)
        scene.until("released", scene.is_released, scene.row.limit_seconds)


def paused(scene: Scene) -> None:
    scene.begin(create_seconds=0.1)
    scene.until_writing(1)
    scene.hurt()
    scene.rest.pause(scene.row.dag_id)
    scene.until_task("generate", "success")


def paused_and_resumed(scene: Scene) -> None:
    paused(scene)
    scene.until("released", scene.is_released, scene.row.limit_seconds)
    scene.rest.unpause(scene.row.dag_id)


def too_long(scene: Scene) -> None:
    scene.begin(create_seconds=2.0)
    scene.until_writing(2)
    scene.until("timed out", lambda: scene.run().state == "failed")
    scene.hurt()


def file_removed(scene: Scene) -> None:
    scene.begin(create_seconds=0.2)
    scene.until_writing(1)
    scene.hurt()
    scene.site.dag_file(scene.row).unlink()
    scene.until("released", scene.is_released, scene.row.limit_seconds)


def file_broken(scene: Scene) -> None:
    path = scene.site.dag_file(scene.row)
    good = path.read_text("utf-8")
    scene.begin(create_seconds=0.2)
    scene.until_writing(1)
    scene.hurt()
    path.write_text("this is no Python\n", "utf-8")
    scene.until("released", scene.is_released, scene.row.limit_seconds)
    path.write_text(good, "utf-8")


FALSE = "the callback, for a living task"

_AS_14 = (
    "The teardown runs at once. The process may live on for ten seconds and finds that "
    "the lock is not its own any more."
)
_DEADLINE = {"deadline": timedelta(seconds=35)}

ROWS = (
    Row("14", "the task is marked failed", task_marked("failed"), _AS_14),
    Row("15", "the run is marked failed", run_marked("failed"), _AS_14),
    Row(
        "16",
        "the task is marked success",
        task_marked("success"),
        "The run goes on as if; what was half written is undone.",
        run=("success",),
    ),
    Row(
        "17",
        "the run is marked success",
        run_marked("success"),
        "As a task that is marked success.",
        run=("success",),
    ),
    Row(
        "18",
        "the task is marked skipped",
        task_marked("skipped"),
        "As a task that is marked success.",
        run=("success",),
    ),
    Row(
        "19",
        "the running task is cleared",
        task_cleared,
        "The new try waits until the old process gave up or lost the lock.",
        items="complete",
        run=("success",),
        limit_seconds=150,
        since="the clearing",
    ),
    Row(
        "19b",
        "the whole run is cleared while it writes",
        run_cleared,
        "As a task that is cleared; the run begins again under the same name.",
        items="complete",
        run=("success",),
        limit_seconds=150,
        since="the clearing",
    ),
    Row(
        "53",
        "a false failure: the callback runs although the task is alive",
        failed_falsely,
        "The tracker is given back, what was written is undone, and the task's next "
        "write is not sent: it fails, without a retry.",
        by=(FALSE, *AT_ONCE),
    ),
    Row(
        "20",
        "the running task is deleted",
        task_deleted,
        "The run ends without teardown; the DAG callback releases.",
    ),
    Row(
        "21",
        "the DAG is to be deleted while a task runs",
        deletion_refused,
        "Nothing happens.",
        items="complete",
        run=("success",),
    ),
    Row(
        "22",
        "the DAG is deleted while it is paused between two tasks",
        dag_deleted,
        "Airflow forgets the run; lease and janitor release.",
        items="complete",
        run=("gone",),
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
    Row(
        "22b",
        "the same, with `recover` from outside",
        dag_deleted_and_recovered,
        "The command needs no Airflow.",
        items="complete",
        run=("gone",),
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
    Row(
        "23",
        "the DAG is paused while it writes",
        paused,
        "The generator ends well, nothing follows; the deadline releases.",
        items="complete",
        run=("running",),
        options=_DEADLINE,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
    Row(
        "23b",
        "the same without a deadline, and resumed later",
        paused_and_resumed,
        "The lease ends and the janitor releases; resumed, the run ends well.",
        items="complete",
        run=("success",),
        options={"deadline": None},
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
    Row(
        "24",
        "`dagrun_timeout`",
        too_long,
        "Airflow skips the teardowns; the DAG callback releases.",
        options={"dagrun_timeout": timedelta(seconds=25)},
    ),
    Row(
        "28",
        "the DAG file is removed while the run writes",
        file_removed,
        "The generator ends well, nothing follows; the deadline releases.",
        items="complete",
        run=("running", "failed"),
        options=_DEADLINE,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
    Row(
        "28b",
        "the DAG file is broken for a while",
        file_broken,
        "As a file that is removed; once it is whole again the run goes on.",
        items="complete",
        run=("success", "failed", "running"),
        options=_DEADLINE,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_THE_LATEST,
    ),
)
