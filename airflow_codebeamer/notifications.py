"""Release by callback: of a task, of a DAG, of a missed deadline.

Each covers failures that the others do not see, so all three are wired and any
of them may come second: what is released already is left alone.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.hooks.metrics import Facts, tell
from airflow_codebeamer.hooks.owner import list_owed, run_of

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["ReleaseLocksNotifier", "answer_for", "release_locks"]

log = logging.getLogger(__name__)

#: Airflow ends a task's process 20 s after its end, callbacks included, and a
#: DAG file processor after 50 s. A restore cut off there is finished by the
#: teardown or the janitor; one that ends in time needs neither.
_IN_TASK_SECONDS = 15.0
_ELSEWHERE_SECONDS = 40.0


@dataclass(frozen=True)
class _Run:
    """The run that failed, as far as its callback's context tells."""

    dag_id: str
    run_id: str
    map_index: int | None
    is_in_task: bool
    #: What the notifier was given: a number, several, or the text of either.
    trackers: Any = None

    @classmethod
    def of(cls, context: Mapping[str, Any], trackers: Any = None) -> _Run | None:
        found = run_of(context)
        if found is None:
            return None
        whole_run = "reason" in context or "deadline" in context
        index = None if whole_run else getattr(context.get("ti"), "map_index", None)
        # Only in the process of the task itself is there an exception to show.
        return cls(*found, index, "exception" in context, trackers)

    def means(self, tracker_id: int) -> bool:
        """Whether a tracker is among those to be given back; all without any."""
        wanted = re.findall(r"\d+", str(self.trackers or ""))
        return not wanted or str(tracker_id) in wanted

    @property
    def seconds(self) -> float:
        """How long a release may take there."""
        return _IN_TASK_SECONDS if self.is_in_task else _ELSEWHERE_SECONDS


class ReleaseLocksNotifier(BaseNotifier):
    """Give back every tracker that the failed run still holds.

    For `on_failure_callback` of a task or a DAG, and as an `AsyncCallback` of a
    `DeadlineAlert`. It finds the locks by DAG id and run id, so it needs neither
    a task instance nor XCom; it never raises, and it takes a bounded time: what
    is not done by then is finished by the teardown or the janitor.

    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    :param limit: how long it may take; by default what Airflow grants there.
    :param tracker_id: give back this tracker only, or these, where a run has several.
    """

    template_fields: Sequence[str] = ("codebeamer_conn_id", "tracker_id")

    def __init__(
        self,
        codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
        limit: timedelta | None = None,
        context: Context | None = None,
        tracker_id: int | str | Sequence[int | str] | XComArg | None = None,
    ) -> None:
        super().__init__(context=context)
        self.codebeamer_conn_id = codebeamer_conn_id
        self.limit = limit
        self.tracker_id: Any = tracker_id

    def notify(self, context: Context) -> None:
        """Release what the run of this context holds; log one line about it."""
        _release([self.codebeamer_conn_id], context, self.limit, self.tracker_id)

    async def async_notify(self, context: Context) -> None:
        """Do the same beside the triggerer's event loop."""
        from asgiref.sync import sync_to_async

        in_thread = sync_to_async(_release, thread_sensitive=False)
        await in_thread([self.codebeamer_conn_id], context, self.limit, self.tracker_id)


def release_locks(context: Context) -> None:
    """Release what the failed run holds, by the connections that its DAG uses.

    The notifier as a plain function: `on_failure_callback=release_locks`.
    """
    _release(_connections(context), context)


def answer_for(dag: Any) -> None:
    """Give a DAG `release_locks` as `on_failure_callback`, unless it releases already.

    A run that times out, or loses a task instance, fails without any task.
    """
    given = dag.on_failure_callback or []
    known = list(given) if isinstance(given, list | tuple) else [given]
    if not any(
        one is release_locks or isinstance(one, ReleaseLocksNotifier) for one in known
    ):
        dag.on_failure_callback = [*known, release_locks]
        dag.has_on_failure_callback = True


def _is_left_to_teardown(context: Mapping[str, Any]) -> bool:
    """Say whether a failed task's own process should keep its hands off.

    When Airflow told it to stop, or the lock was lost to a release, the teardown
    is at work already, and Airflow kills this process within seconds: a release
    begun here would take the lock away from the teardown and end half-way.
    """
    error = context.get("exception")
    if not isinstance(error, BaseException):
        return False
    is_lost = any(isinstance(e, LockLostError) for e in (error, error.__cause__))
    return is_lost or bool(getattr(context.get("task"), "is_stopped", False))


def _connections(context: Mapping[str, Any]) -> list[str]:
    dag = context.get("dag")
    found = {
        conn_id
        for task in getattr(dag, "tasks", ())
        if isinstance(conn_id := getattr(task, "codebeamer_conn_id", None), str)
        and "{" not in conn_id
    }
    return sorted(found) or [CodebeamerHook.default_conn_name]


def _release(
    conn_ids: Sequence[str],
    context: Mapping[str, Any],
    limit: timedelta | None = None,
    trackers: Any = None,
) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    run = _Run.of(context, trackers)
    if run is None:
        log.error("No run in the callback's context: its locks are left to recover")
        return
    if _is_left_to_teardown(context):
        log.warning("Somebody else has the release in hand, it is left to the teardown")
        return
    seconds = limit.total_seconds() if limit else run.seconds
    for conn_id in conn_ids:
        try:
            # Read here and not in the thread: the first connection that a DAG
            # processor or triggerer reads can take it many seconds.
            hook = CodebeamerHook(conn_id)
            hook.settings  # noqa: B018 - kept by the hook
            worker = threading.Thread(
                target=_release_run, args=(hook, run), daemon=True
            )
            worker.start()
            worker.join(max(seconds - (clock.monotonic() - began), 1.0))
        except Exception as error:
            log.error("Locks are left to teardown and janitor: %s", error)
            continue
        if worker.is_alive():
            log.error(
                "The locks of %s/%s are not all back after %.0f s: teardown or "
                "janitor go on with them",
                run.dag_id,
                run.run_id,
                clock.monotonic() - began,
            )


def _release_run(hook: CodebeamerHook, run: _Run) -> None:
    try:
        with hook.codebeamer(say=log.info) as codebeamer:
            _release_all(codebeamer, run)
    except Exception as error:
        log.error(
            "Locks of %s/%s are left to teardown and janitor: %s",
            run.dag_id,
            run.run_id,
            error,
        )


def _release_all(codebeamer: Codebeamer, run: _Run) -> None:
    owed = [
        lock
        for lock in list_owed(codebeamer, run.dag_id, run.run_id, run.map_index)
        if run.means(lock.tracker_id)
    ]
    for lock in owed:
        # An error leaves the others to teardown and janitor, as time does.
        report = codebeamer.engine.release(
            lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch, judge=False
        )
        tell(
            Facts(counts={"lock.released_by_callback": int(report.released)}),
            {"dag_id": run.dag_id},
            in_task=run.is_in_task,
        )
        log.info(
            "Tracker %s of %s: %s",
            lock.tracker_id,
            lock.owner.key,
            "released" if report.released else report.why,
        )
    if not owed:
        log.info("%s/%s holds no lock", run.dag_id, run.run_id)
