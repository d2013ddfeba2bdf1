"""The wiring that no failure escapes: a whole DAG, or around tasks of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, XComArg
from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)
from airflow.version import version as airflow_version
from packaging.version import Version

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.notifications import ReleaseLocksNotifier, answer_for
from airflow_codebeamer.operators import (
    UNLOCK_RETRIES,
    LeaseKeeper,
    LockTrackerOperator,
    ReserveTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
)
from airflow_codebeamer.operators.codebeamer import is_a

__all__ = ["exclusive_tracker", "generator_dag"]

_VERIFY_RETRIES = 2


class _TestableDag(DAG):
    """A DAG whose deadline does not break `dag.test()` and `airflow dags test`.

    Airflow 3.3 looks a deserialized deadline up as if it were a row's id, so a
    test run of any DAG with a deadline ends in an error when it succeeds. No
    deadline can fire in a test run anyway.
    """

    def test(self, *args: Any, **kwargs: Any) -> Any:
        deadline, self.deadline = self.deadline, None
        try:
            return super().test(*args, **kwargs)
        finally:
            self.deadline = deadline


def generator_dag(
    dag_id: str,
    *,
    generator: str | Callable[..., Any],
    tracker_id: int | None = None,
    also_lock: Sequence[int] = (),
    generator_args: Mapping[str, Any] | None = None,
    reason: str = "",
    schedule: Any = None,
    codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
    exclusive_role: str | None = None,
    lease: timedelta = timedelta(minutes=30),
    wait_for: timedelta | None = timedelta(minutes=10),
    retries: int = 1,
    retry_delay: timedelta = timedelta(seconds=30),
    deadline: timedelta | None = timedelta(hours=12),
    **dag_args: Any,
) -> DAG:
    """Return a DAG that fills a tracker under its exclusive lock.

    `plan >> reserve >> lock >> generate >> unlock >> verify`, the last two as
    teardowns of `reserve`. A plan with nothing to do skips the rest. Whatever
    fails, and wherever, the tracker is given back: by the teardown, by a
    callback of task, DAG or deadline, or by the janitor DAG.

    Tracker, generator, arguments and reason are the fields of the form of an
    on-demand run; what is given here is what the form begins with.

    :param dag_id: the DAG's id.
    :param generator: "package.module:name", the name of an entry point, or a
        callable (which then has no field in the form).
    :param tracker_id: the tracker; without it every run has to say one.
    :param also_lock: trackers that are locked in one with it, all or none, for a
        generator that reads or writes there as well.
    :param generator_args: the generator's arguments, as JSON would have them.
    :param reason: what for; shown to everybody who meets the lock.
    :param schedule: as of a DAG; needs `tracker_id`.
    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    :param exclusive_role: the role that keeps write access; the connection's
        extra if not given.
    :param lease: how long the lock is kept between two tasks of the run.
    :param wait_for: how long to wait for somebody else's lock; None does not.
    :param retries: of plan, reserve, lock and generate; unlock has 12, verify 2.
    :param retry_delay: between two tries of every task.
    :param deadline: a run that is not over by then, counted from when it was
        queued, is taken for dead and loses its lock; needs a triggerer. None
        leaves that to lease and janitor.
    :param dag_args: whatever else `DAG` takes.
    :return: the DAG, with the tasks plan, reserve, lock, generate, unlock, verify.

    Raises:
        ConfigurationError: a schedule without a tracker.
    """
    if schedule is not None and tracker_id is None:
        raise ConfigurationError(
            "tracker_id", f"say the tracker: the DAG {dag_id} has a schedule"
        )
    notifier = ReleaseLocksNotifier(codebeamer_conn_id=codebeamer_conn_id)
    form = _form(tracker_id, generator, generator_args, reason)
    with _TestableDag(
        dag_id=dag_id,
        schedule=schedule,
        params={**form, **dag_args.pop("params", {})},
        catchup=dag_args.pop("catchup", False),
        tags=dag_args.pop("tags", {"codebeamer"}),
        default_args={
            "owner": "codebeamer",
            "codebeamer_conn_id": codebeamer_conn_id,
            "retries": retries,
            "retry_delay": retry_delay,
            **dag_args.pop("default_args", {}),
        },
        on_failure_callback=[notifier, *_listed(dag_args, "on_failure_callback")],
        deadline=_deadline(deadline, codebeamer_conn_id),
        **dag_args,
    ) as dag:
        work: dict[str, Any] = {
            "generator": generator if callable(generator) else "{{ params.generator }}",
            "generator_args": "{{ params.arguments | tojson }}",
            "tracker_id": "{{ params.tracker_id }}",
        }
        plan = RunGeneratorOperator(task_id="plan", mode="plan", **work)
        generate = RunGeneratorOperator(
            task_id="generate",
            wait_for=wait_for,
            on_failure_callback=notifier,
            **work,
        )
        reserve, lock, unlock, verify = _frame(
            notifier,
            tracker_id=_all_of("{{ params.tracker_id }}", also_lock),
            reason="{{ params.reason }}",
            exclusive_role=exclusive_role,
            lease=lease,
            wait_for=wait_for,
        )
        plan >> reserve >> lock >> generate >> unlock >> verify
    return dag


@contextmanager
def exclusive_tracker(
    tracker_id: int | str | Sequence[int | str] | XComArg,
    *,
    group_id: str = "exclusive_tracker",
    codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
    exclusive_role: str | None = None,
    reason: str = "",
    lease: timedelta = timedelta(minutes=30),
    wait_for: timedelta | None = timedelta(minutes=10),
) -> Iterator[LockTrackerOperator]:
    """Put the tasks of a `with` block between lock and unlock of a tracker.

        with exclusive_tracker(2001, reason="import"):
            first() >> second()

    The block becomes a task group with `reserve` and `lock` in front of its
    first tasks, `unlock` and `verify` behind its last ones. The DAG gets
    `release_locks` as `on_failure_callback`, unless it has it: some failures
    reach no task. Each of your tasks begins only while the lock is good, renews
    the lease from its own process while it runs, and is stopped when the lock is
    lost. To fill several trackers one by one, use it in a mapped task group, or
    several times with a `group_id` each; to have several at once, give a list.

    Not promised: that anybody renews while a task is deferred or waits to be
    rescheduled. Make the lease longer than that. Nor that what follows the group
    waits for the unlock: Airflow leaves teardowns out there.

    :param tracker_id: the tracker's number, a template of it, what another task
        returned, or a list of numbers: one lock of all, which are taken or none.
    :param group_id: the id of the task group.
    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    :param exclusive_role: the role that keeps write access; the connection's
        extra if not given.
    :param reason: what for; shown to everybody who meets the lock.
    :param lease: how long the lock is kept between two tasks, and while one is
        deferred.
    :param wait_for: how long to wait for somebody else's lock; None does not.
    :return: a context manager that gives the lock task.
    """
    notifier = ReleaseLocksNotifier(
        codebeamer_conn_id=codebeamer_conn_id, tracker_id=tracker_id
    )
    ours = {"codebeamer_conn_id": codebeamer_conn_id}
    with TaskGroup(group_id, default_args=ours) as group:  # type: ignore[arg-type]
        reserve, lock, unlock, verify = _frame(
            notifier,
            tracker_id=tracker_id,
            reason=reason,
            exclusive_role=exclusive_role,
            lease=lease,
            wait_for=wait_for,
            is_alone=False,
        )
        yield lock
        frame = {reserve.task_id, lock.task_id, unlock.task_id, verify.task_id}
        tasks = [one for one in group.iter_tasks() if one.task_id not in frame]
        inside = {task.task_id for task in tasks}
        answer_for(lock.get_dag())
        for task in tasks:
            _keep(task, lock)
        reserve >> lock
        for task in tasks:
            if not task.upstream_task_ids & inside:
                lock >> task
            if not task.downstream_task_ids & inside:
                task >> unlock
        if not tasks:
            lock >> unlock
        unlock >> verify


def _keep(task: Any, lock: LockTrackerOperator) -> None:
    """Let a task work under the lock only; a generator of its nearest lock does so."""
    if task.is_teardown:
        return
    is_nearest = not getattr(task, "is_framed", False)
    if is_a(task, RunGeneratorOperator) and is_nearest:
        task.is_framed = True
        return
    given = getattr(task, "partial_kwargs", None)
    before = task._pre_execute_hook if given is None else given.get("pre_execute")
    keeper = LeaseKeeper(lock.task_id, lock.codebeamer_conn_id, before)
    if given is None:
        task._pre_execute_hook = keeper
    else:
        given["pre_execute"] = keeper


def _frame(
    notifier: ReleaseLocksNotifier,
    *,
    tracker_id: Any,
    reason: str,
    exclusive_role: str | None,
    lease: timedelta,
    wait_for: timedelta | None,
    is_alone: bool = True,
) -> tuple[
    ReserveTrackerOperator,
    LockTrackerOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
]:
    """Return the four tasks around the work; both teardowns belong to `reserve`.

    `reserve` is the setup because it has no side effect: a lock task that dies
    half-way is owed a release as well. Only `verify` may fail the run, else a
    failed generator would be hidden behind a teardown that went well. A frame
    that `is_alone` in its DAG gives back whatever the run holds, else its own.
    """
    reserve = ReserveTrackerOperator(
        task_id="reserve", tracker_id=tracker_id, reason=reason, lease=lease
    )
    lock = LockTrackerOperator(
        task_id="lock",
        tracker_id=tracker_id,
        exclusive_role=exclusive_role,
        reason=reason,
        lease=lease,
        wait_for=wait_for,
        on_failure_callback=notifier,
    )
    mine: Any = None if is_alone else reserve.output
    unlock = UnlockTrackerOperator(
        task_id="unlock",
        lock=mine,
        retries=UNLOCK_RETRIES,
        on_failure_callback=notifier,
    )
    verify = VerifyUnlockedOperator(
        task_id="verify", lock=mine, retries=_VERIFY_RETRIES
    )
    unlock.as_teardown(setups=reserve)
    verify.as_teardown(setups=reserve, on_failure_fail_dagrun=True)
    return reserve, lock, unlock, verify


def _all_of(tracker_id: str, also: Sequence[int]) -> str:
    """Return the template of a list of trackers, or of the one."""
    more = ", ".join(str(int(number)) for number in also)
    return f"[{tracker_id}, {more}]" if more else tracker_id


def _form(
    tracker_id: int | None,
    generator: str | Callable[..., Any],
    generator_args: Mapping[str, Any] | None,
    reason: str,
) -> dict[str, Param]:
    # The form shows them in this order.
    form = {
        # Not required by the form: for a Param without a default `dag.test()` of a
        # run that fails ends in an error. The plan task refuses a missing tracker.
        "tracker_id": Param(
            tracker_id,
            type=["integer", "null"],
            minimum=1,
            title="Tracker",
            description="Number of the tracker to fill; it is locked meanwhile.",
        )
    }
    if not callable(generator):
        form["generator"] = Param(
            generator,
            type="string",
            minLength=1,
            title="Generator",
            description='"package.module:function", or the name of an entry point.',
        )
    form["arguments"] = Param(
        dict(generator_args or {}),
        type="object",
        title="Arguments",
        description="What the generator is given, one JSON object.",
    )
    form["reason"] = Param(
        reason,
        type=["string", "null"],
        maxLength=500,
        title="Reason",
        description="Shown to everybody who meets the lock.",
    )
    return form


def _deadline(span: timedelta | None, conn_id: str) -> DeadlineAlert | None:
    if span is None:
        return None
    # Airflow before 3.3 wants a timedelta; 3.3.2 with one in it answers 500 to
    # everybody who clears a task or run of the DAG, and takes seconds.
    wants_span = Version(airflow_version) < Version("3.3")
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=span if wants_span else span.total_seconds(),  # type: ignore[arg-type]
        callback=AsyncCallback(
            ReleaseLocksNotifier, kwargs={"codebeamer_conn_id": conn_id}
        ),
    )


def _listed(args: dict[str, Any], name: str) -> list[Any]:
    found = args.pop(name, None)
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]
