"""exclusive_tracker: lock and unlock around tasks of your own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup, XComArg

from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.notifications import ReleaseLocksNotifier, answer_for
from airflow_codebeamer.operators import (
    LeaseKeeper,
    LockTrackerOperator,
    RunGeneratorOperator,
)
from airflow_codebeamer.operators.codebeamer import is_a
from airflow_codebeamer.template.frame import Wanted, frame

__all__ = ["exclusive_tracker"]


@contextmanager
def exclusive_tracker(
    tracker_id: int | str | Sequence[int | str] | XComArg,
    *,
    group_id: str = "exclusive_tracker",
    codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
    exclusive_role: str | None = None,
    reason: str = "",
    lease: timedelta = timedelta(minutes=30),
    wait_for: timedelta | str | None = timedelta(minutes=10),
    priority: int | str = 0,
    skip_if_locked: bool | str = False,
    deferrable: bool | None = None,
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
    :param wait_for: how long to wait for somebody else's lock; None does not. A
        template may leave a text like `90s` or `30m`.
    :param priority: who waits with a higher one goes first; see the lock task's. A
        template of it, as of `skip_if_locked`, can read the form of the DAG.
    :param skip_if_locked: skip the block, instead of failing, when somebody else
        still has the tracker then.
    :param deferrable: wait in the triggerer, without a worker; Airflow's
        `[operators] default_deferrable` if not given.
    :return: a context manager that gives the lock task.
    """
    notifier = ReleaseLocksNotifier(
        codebeamer_conn_id=codebeamer_conn_id, tracker_id=tracker_id
    )
    given = {"codebeamer_conn_id": codebeamer_conn_id}
    with TaskGroup(group_id, default_args=given) as group:  # type: ignore[arg-type]
        wanted = Wanted(
            tracker_id=tracker_id,
            exclusive_role=exclusive_role,
            reason=reason,
            lease=lease,
            wait_for=wait_for,
            priority=priority,
            skip_if_locked=skip_if_locked,
            deferrable=deferrable,
        )
        ours = frame(notifier, wanted, is_alone=False)
        lock = ours[1]
        yield lock
        around = {one.task_id for one in ours}
        tasks = [one for one in group.iter_tasks() if one.task_id not in around]
        answer_for(lock.get_dag())
        for task in tasks:
            _keep(task, lock)
        _chain(ours, tasks)


def _chain(ours: Sequence[Any], tasks: Sequence[Any]) -> None:
    """Put the lock before the first tasks of the block, the unlock after the last."""
    reserve, lock, unlock, verify = ours
    inside = {task.task_id for task in tasks}
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
