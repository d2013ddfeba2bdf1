"""Rows 29 to 31: lock and unlock fail themselves, with half of it done."""

from __future__ import annotations

from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, RUN_ID, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

_PUT = "updatePermission"
_SLOWLY = 2.0


def lock_refused(scene: Scene) -> None:
    # The first role is reduced by then.
    number = scene.fault("status", operation=_PUT, nth=2, status=400)
    scene.begin()
    scene.until("refused", lambda: scene.met(number))
    scene.hurt()


def lock_unanswered(scene: Scene) -> None:
    number = scene.fault("drop_answer", operation=_PUT, nth=2)
    scene.begin()
    scene.until("unanswered", lambda: scene.met(number))
    scene.hurt()


def lock_killed(scene: Scene) -> None:
    number = scene.fault("delay", operation=_PUT, seconds=_SLOWLY)
    scene.begin()
    scene.until_locking()
    scene.kill("lock")
    scene.mend(number)


def lock_marked(scene: Scene) -> None:
    number = scene.fault("delay", operation=_PUT, seconds=_SLOWLY)
    scene.begin()
    scene.until_locking()
    scene.hurt()
    scene.rest.mark_task(scene.row.dag_id, RUN_ID, "lock", "failed")
    scene.mend(number)


def lock_run_marked(scene: Scene) -> None:
    number = scene.fault("delay", operation=_PUT, seconds=_SLOWLY)
    scene.begin()
    scene.until_locking()
    scene.hurt()
    scene.rest.mark_run(scene.row.dag_id, RUN_ID, "failed")
    scene.mend(number)


def unlock_refused(scene: Scene) -> None:
    scene.begin(create_seconds=0.1)
    scene.until_writing(1)
    number = scene.fault("status", operation=_PUT, status=403)
    scene.until_task("unlock", "failed", seconds=200)
    scene.until("the run's end", lambda: scene.run().is_finished)
    scene.notes.append(f"the run was {scene.run().state} while the rights were missing")
    scene.hurt()
    scene.mend(number)


def unlock_killed(scene: Scene) -> None:
    scene.begin(create_seconds=0.1)
    scene.until_writing(1)
    number = scene.fault("delay", operation=_PUT, seconds=_SLOWLY)
    scene.until_task("unlock", "running")
    scene.kill("unlock")
    scene.mend(number)


ROWS = (
    Row(
        "29",
        "`lock` is refused when half of the roles are reduced",
        lock_refused,
        "It gives back what it took before it fails.",
    ),
    Row(
        "29b",
        "`lock` gets no answer to a change that took effect",
        lock_unanswered,
        "It looks before it writes again; the run goes on.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        since="the lost answer",
    ),
    Row(
        "30",
        "SIGKILL of `lock`, half-way",
        lock_killed,
        "The teardown belongs to `reserve`, which went well, so it runs.",
    ),
    Row(
        "30b",
        "`lock` is marked failed half-way",
        lock_marked,
        "The same; the old process may take nothing away any more.",
    ),
    Row(
        "30c",
        "the run is marked failed while `lock` is half-way",
        lock_run_marked,
        "The same. Airflow alone would call the run a success, since all that it "
        "still ran went well; `verify` fails it.",
    ),
    Row(
        "31",
        "`unlock` is refused by the server (403), which no retry can help",
        unlock_refused,
        "`verify` fails the run; callbacks or the janitor release once the server lets "
        "them.",
        items="complete",
        run=("failed",),
        limit_seconds=LEASE_SECONDS + 4 + 60 + 20,
        since="the server's return",
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "31b",
        "SIGKILL of `unlock`, half-way",
        unlock_killed,
        "Its next try goes on from the journal.",
        items="complete",
        run=("success",),
    ),
)
