"""RunGeneratorOperator: make the tracker what a generator describes, or leave it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, SkipMixin
from airflow.sdk import literal

from airflow_codebeamer.errors import (
    ConfigurationError,
    GeneratorSkippedError,
)
from airflow_codebeamer.hooks.owner import owner_key, owner_of
from airflow_codebeamer.operators.codebeamer import (
    CodebeamerOperator,
    is_a,
    json_of,
    some_span,
    some_trackers,
)
from airflow_codebeamer.operators.handle import Held, read_handle
from airflow_codebeamer.operators.lock import LockTrackerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.generator import Program, Runner, RunSummary, TimeLeft, What
    from airflow_codebeamer.ids import TrackerId
    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.skeleton import PlanSet, Progress
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["RunGeneratorOperator"]


class RunGeneratorOperator(CodebeamerOperator, SkipMixin):
    """Run a generator for a tracker, under the lock that this run holds.

    In the mode `apply` the items are written while the lock is renewed, read
    back, and all undone if anything fails. A retry whose lock was restored in
    the meantime takes it again. In the mode `plan` nothing is written and no
    lock is needed; when there is nothing to do, everything downstream is
    skipped, teardowns included, and the run succeeds.

    Killing the task, or the process that watches over it, stops its writing and
    releases nothing; that is what the teardown is for.

    A handle of several locks is for a generator that describes a document for each
    of their trackers: all of them are written, or none.

    :param generator: "package.module:name", the name of an entry point, a
        callable, or a `Program`, as one or as a mapping.
    :param generator_args: its arguments, a mapping or a JSON object.
    :param tracker_id: the tracker, or a list of several; those of the lock if not
        given. The mode `plan` needs it.
    :param lock: the handle that a lock task returned; that of the lock task
        upstream if not given.
    :param mode: `apply`, or `plan` to say what apply would do.
    :param wait_for: how long a retry waits for a tracker that somebody else
        took in the meantime; a timedelta, or a text like `30m`.
    :return: in the mode `apply` the numbers created, updated, moved, unchanged,
        pruned, requests and seconds, the list `warnings`, and the `run_id` that
        `airflow-codebeamer rollback` takes. In the mode `plan` also reordered,
        kept, gone and is_empty, no `run_id`, and of requests and seconds what
        applying would take.
    """

    template_fields: Sequence[str] = (
        "generator",
        "generator_args",
        "tracker_id",
        "lock",
        "wait_for",
        "codebeamer_conn_id",
    )
    template_fields_renderers = {"generator_args": "json", "lock": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        generator: str | Callable[..., Any] | Program | Mapping[str, Any],
        generator_args: Mapping[str, Any] | str | None = None,
        tracker_id: int | str | Sequence[int | str] | None = None,
        lock: Mapping[str, Any] | str | None = None,
        mode: Literal["apply", "plan"] = "apply",
        wait_for: timedelta | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("apply", "plan"):
            raise ConfigurationError("mode", f"say apply or plan, not {mode!r}")
        # Airflow calls a callable in a template field, with its own arguments.
        self.generator: Any = literal(generator) if callable(generator) else generator
        self.generator_args = generator_args
        self.tracker_id = tracker_id
        self.lock = lock
        self.mode = mode
        self.wait_for = wait_for
        self.is_stopped = False
        # Made when the work begins: Airflow copies operators, and no event can be.
        self._stop: threading.Event | None = None
        self._told = ("", 0)
        self._time_left: TimeLeft | None = None
        self._ti: Any = None

    def on_kill(self) -> None:
        """End a program, and stop writing; the teardown restores, not we."""
        self.is_stopped = True
        if self._stop is not None:
            self._stop.set()

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Plan or apply; return the numbers."""
        from airflow_codebeamer.generator import TimeLeft  # engines, when it runs

        self._stop = _StopWord()
        self._time_left = TimeLeft(codebeamer.clock)
        self._ti = context.get("ti")
        if self.is_stopped:
            self._stop.set()
        if self.mode == "plan":
            return self._plan(context, codebeamer)
        return self._apply(context, codebeamer)

    def _plan(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        tracker_ids = some_trackers(self.tracker_id)
        tracker_id = tracker_ids[0]
        self.heading_for(codebeamer, tracker_id)
        runner = codebeamer.runner_with(self._progress, self._stop)
        if runner.writes_itself(self.what(tracker_id)):
            self.log.info("The program writes itself: there is no plan of it.")
            return {"is_empty": False, "warnings": []}
        try:
            wanted = runner.plan_all(self.what(tracker_id), self._args(), tracker_id)
        except GeneratorSkippedError as said:
            self.log.info("%s", said)
            summary: dict[str, Any] = {"is_empty": True, "warnings": [str(said)]}
            self._skip_the_rest(context, codebeamer, tracker_ids, summary)
            return summary
        summary = _plan_summary(wanted, codebeamer)
        self.log.info("%s", wanted.text())
        if wanted.is_empty:
            planned = wanted.targets.tracker_ids
            self._skip_the_rest(context, codebeamer, planned, summary)
        return summary

    def _skip_the_rest(
        self,
        context: Context,
        codebeamer: Codebeamer,
        tracker_ids: Sequence[TrackerId],
        summary: dict[str, Any],
    ) -> None:
        """Skip what is downstream, unless an earlier try left a lock to release."""
        if any(self._holds(context, codebeamer, one) for one in tracker_ids):
            return
        names = ", ".join(map(str, tracker_ids))
        self.log.info("Nothing to do: tracker %s is not locked.", names)
        ti = context["ti"]
        ti.xcom_push(key="return_value", value=summary)
        downstream = context["task"].get_flat_relatives(upstream=False)
        self.skip(ti, downstream)

    def _apply(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        held = self._held(context)
        tracker_ids = self._wanted() or sorted(held.tracker_ids)
        self.heading_for(codebeamer, tracker_ids[0])
        every = self._locks(context, codebeamer, tracker_ids[0], held)
        self.keep_if_wanted(context, codebeamer, *every)
        locks = [lock for lock in every if lock.tracker_id in tracker_ids]
        self.show_holder(context, locks[0])
        runner = codebeamer.runner_with(self._progress, self._stop)
        try:
            summary = self._run(runner, locks)
        except GeneratorSkippedError as said:
            raise AirflowSkipException(str(said)) from said
        for lock in locks if held.lease is not None else ():
            # Whatever follows in the run was promised this, not the default.
            for one in codebeamer.engine.find_set(lock):
                codebeamer.engine.renew(one, lease=held.lease)
        for name in ("created", "updated", "moved", "pruned"):
            self.facts.counts[f"items.{name}"] = getattr(summary, name)
        self.facts.counts["requests"] = summary.requests
        names = ", ".join(map(str, tracker_ids))
        self.log.info("Tracker %s: %s.", names, _totals(summary))
        return summary.to_json()

    def _run(self, runner: Runner, locks: Sequence[Lock]) -> RunSummary:
        first, *others = locks
        what, args = self.what(first.tracker_id), self._args()
        if others:
            return runner.apply_all(what, args, locks, run_key=first.owner.key)
        return runner.apply(
            what, args, first.tracker_id, first, run_key=first.owner.key
        )

    def _wanted(self) -> list[TrackerId]:
        """Return the trackers that the task was given, ascending; none if none."""
        return (
            [] if self.tracker_id in (None, "") else [*some_trackers(self.tracker_id)]
        )

    def _locks(
        self,
        context: Context,
        codebeamer: Codebeamer,
        tracker_id: TrackerId,
        held: Held,
    ) -> tuple[Lock, ...]:
        """Return the locks in force; a retry may have to take them again."""
        before = next((one for one in held.locks if one.tracker_id == tracker_id), None)
        locks = codebeamer.engine.acquire_all(
            held.tracker_ids,
            owner=replace(owner_of(context), key=held.owner),
            reason=before.reason if before else "",
            lease=held.lease,
            wait_for=some_span(self.wait_for, "wait_for"),
            exclusive_role=(before.exclusive_role if before else "") or None,
            restore_policy=before.restore_policy if before else None,
            strategy=before.strategy if before else "",
            options=before.options if before else None,
        )
        lock = next(one for one in locks if one.tracker_id == tracker_id)
        if before is None or before.epoch != lock.epoch:
            self.log.warning(
                "%s did not hold tracker %s any more: the lock was taken again.",
                held.owner,
                tracker_id,
            )
        return locks

    def _held(self, context: Context) -> Held:
        """Return the handle given, or the one of the nearest fitting lock task.

        Raises:
            ConfigurationError: there is none, or none for this tracker.
        """
        wanted = set(self._wanted())
        others: set[TrackerId] = set()
        for handle in [self.lock] if self.lock else self._upstream_handles(context):
            held = read_handle(handle)
            if wanted <= held.tracker_ids:
                return held
            others |= held.tracker_ids
        if others:
            locked = ", ".join(str(one) for one in sorted(others))
            missing = ", ".join(str(one) for one in sorted(wanted - others))
            raise ConfigurationError(
                "lock", f"it is of tracker {locked}, so lock tracker {missing} as well"
            )
        raise ConfigurationError(
            "lock", "put a LockTrackerOperator upstream, or give the handle of one"
        )

    def _upstream_handles(self, context: Context) -> Iterator[Any]:
        """Return the handles of the lock tasks upstream, the nearest first."""
        ti = context["ti"]
        level: list[Any] = [context["task"]]
        seen: set[str] = set()
        while level:
            above = {one.task_id: one for task in level for one in task.upstream_list}
            level = [above[name] for name in sorted(above) if name not in seen]
            seen |= set(above)
            for other in (one for one in level if is_a(one, LockTrackerOperator)):
                for index in (ti.map_index, -1):
                    found = ti.xcom_pull(task_ids=other.task_id, map_indexes=index)
                    if found:
                        yield found
                        break

    def what(self, tracker_id: TrackerId) -> What:
        """Return what describes the items of a tracker: the generator, rendered."""
        is_kept = isinstance(self.generator, type(literal("")))
        given: What = self.generator.value if is_kept else self.generator
        return given

    def _holds(
        self, context: Context, codebeamer: Codebeamer, tracker_id: TrackerId
    ) -> bool:
        """Say whether an earlier try of this run left a lock that is still owed."""
        from airflow_codebeamer.locking import LockState

        lock = codebeamer.status.find(codebeamer.settings.server.base, tracker_id)
        if lock is None or lock.state is LockState.FREE:
            return False
        ti = context["ti"]
        return lock.owner.key == owner_key(ti.dag_id, ti.run_id, ti.map_index)

    def _args(self) -> dict[str, Any]:
        found = json_of(self.generator_args) or {}
        if not isinstance(found, Mapping):
            raise ConfigurationError(
                "generator_args", 'write a JSON object, like {"dbc": "net.dbc"}'
            )
        return dict(found)

    def _progress(self, progress: Progress) -> None:
        tenth = 10 * progress.done // max(progress.total, 1)
        line = "" if self._time_left is None else self._time_left.tell(progress)
        if (progress.phase, tenth) == self._told:
            return
        self._told = (progress.phase, tenth)
        self.log.info("%s", line)
        if self._ti is not None:
            # An API server that is away for a moment must not undo a long run.
            self.show(self._ti, "progress", line)


class _StopWord(threading.Event):
    """The word to stop: given by `on_kill`, or by the end of the supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self._supervisor = os.getppid()

    def is_set(self) -> bool:
        """Whether it was given."""
        return super().is_set() or os.getppid() != self._supervisor


def _totals(summary: RunSummary) -> str:
    # A run without a number wrote nothing: reading for the plan was enough.
    verified = "verified by reading back" if summary.run_id else "nothing was written"
    return (
        f"{summary.created} created, {summary.updated} updated, {summary.moved} moved, "
        f"{summary.unchanged} unchanged; {summary.requests} requests in "
        f"{summary.seconds:.1f} s; {verified}"
    )


def _plan_summary(wanted: PlanSet, codebeamer: Codebeamer) -> dict[str, Any]:
    server = codebeamer.settings.server
    pace = server.requests_per_second, server.requests_per_minute
    return {
        **wanted.counts,
        "is_empty": wanted.is_empty,
        "warnings": list(wanted.warnings),
        "requests": wanted.requests,
        "seconds": round(wanted.seconds(*pace), 1),
    }
