"""generator_dag: a whole DAG that fills a tracker under its lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)
from airflow.version import version as airflow_version
from packaging.version import Version

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.notifications import ReleaseLocksNotifier
from airflow_codebeamer.operators import RunGeneratorOperator
from airflow_codebeamer.template.form import Form
from airflow_codebeamer.template.frame import Wanted, frame

__all__ = ["generator_dag"]


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
    priority: int = 0,
    skip_if_locked: bool = False,
    deferrable: bool | None = None,
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

    Tracker, generator, arguments, reason, priority, how long to wait and whether to
    skip are the fields of the form of an on-demand run; what is given here is what
    the form begins with, and what scheduled runs have.

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
    :param priority: who waits with a higher one goes first: say it in the form of an
        urgent run. Each point makes up for five minutes (setting `ageing`) that
        another has waited longer.
    :param skip_if_locked: skip the rest of the run, instead of failing it, when
        somebody else still has the tracker then.
    :param deferrable: wait in the triggerer, without a worker; Airflow's
        `[operators] default_deferrable` if not given.
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
    default_args = dag_args.pop("default_args", {})
    form = Form(
        tracker_id,
        generator,
        generator_args,
        reason,
        wait_for,
        priority=default_args.get("priority", priority),
        skip_if_locked=default_args.get("skip_if_locked", skip_if_locked),
    )
    with _TestableDag(
        dag_id=dag_id,
        schedule=schedule,
        params={**form.params(), **dag_args.pop("params", {})},
        catchup=dag_args.pop("catchup", False),
        tags=dag_args.pop("tags", {"codebeamer"}),
        default_args={
            "owner": "codebeamer",
            "codebeamer_conn_id": codebeamer_conn_id,
            "retries": retries,
            "retry_delay": retry_delay,
            **default_args,
        },
        on_failure_callback=[notifier, *_listed(dag_args, "on_failure_callback")],
        deadline=_deadline(deadline, codebeamer_conn_id),
        **dag_args,
    ) as dag:
        wanted = Wanted(
            tracker_id=_all_of("{{ params.tracker_id }}", also_lock),
            exclusive_role=exclusive_role,
            lease=lease,
            deferrable=deferrable,
            **form.templates,
        )
        _chain(notifier, wanted, generator)
    return dag


def _chain(
    notifier: ReleaseLocksNotifier, wanted: Wanted, generator: str | Callable[..., Any]
) -> None:
    """Put the work and the frame around it into the DAG that is being made."""
    work: dict[str, Any] = {
        "generator": generator if callable(generator) else "{{ params.generator }}",
        "generator_args": "{{ params.arguments | tojson }}",
        "tracker_id": "{{ params.tracker_id }}",
    }
    plan = RunGeneratorOperator(task_id="plan", mode="plan", **work)
    generate = RunGeneratorOperator(
        task_id="generate",
        wait_for=wanted.wait_for,
        on_failure_callback=notifier,
        **work,
    )
    reserve, lock, unlock, verify = frame(notifier, wanted)
    plan >> reserve >> lock >> generate >> unlock >> verify


def _all_of(tracker_id: str, also: Sequence[int]) -> str:
    """Return the template of a list of trackers, or of the one."""
    more = ", ".join(str(int(number)) for number in also)
    return f"[{tracker_id}, {more}]" if more else tracker_id


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
