"""RunGeneratorOperator: make the tracker what a generator describes, or leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.bases.skipmixin import SkipMixin

from airflow_codebeamer.errors import ConfigurationError, GeneratorFailedError
from airflow_codebeamer.hooks.owner import owner_key, owner_of
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.operators.codebeamer import (
    CodebeamerOperator,
    json_of,
    one_tracker,
)
from airflow_codebeamer.operators.handle import Held, read_handle
from airflow_codebeamer.operators.lock import LockTrackerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.ids import TrackerId
    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.skeleton import Plan, Progress
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["RunGeneratorOperator"]


class RunGeneratorOperator(CodebeamerOperator, SkipMixin):
    """Run a generator for a tracker, under the lock that this run holds.

    In the mode `apply` the items are written while the lock is renewed, read
    back, and all undone if anything fails. A retry whose lock was restored in
    the meantime takes it again. In the mode `plan` nothing is written and no
    lock is needed; when there is nothing to do, everything downstream is
    skipped, teardowns included, and the run succeeds.

    Killing the task stops its writing and releases nothing; that is what the
    teardown is for.

    :param generator: "package.module:name", the name of an entry point, or a
        callable.
    :param generator_args: its arguments, a mapping or a JSON object.
    :param tracker_id: the tracker; that of the lock if not given.
    :param lock: the handle that a lock task returned; that of the lock task
        upstream if not given.
    :param mode: `apply`, or `plan` to say what apply would do.
    :param wait_for: how long a retry waits for a tracker that somebody else
        took in the meantime.
    """

    template_fields: Sequence[str] = (
        "generator",
        "generator_args",
        "tracker_id",
        "lock",
        "codebeamer_conn_id",
    )
    template_fields_renderers = {"generator_args": "json", "lock": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        generator: str | Callable[..., Any],
        generator_args: Mapping[str, Any] | str | None = None,
        tracker_id: int | str | None = None,
        lock: Mapping[str, Any] | str | None = None,
        mode: Literal["apply", "plan"] = "apply",
        wait_for: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("apply", "plan"):
            raise ConfigurationError("mode", f"say apply or plan, not {mode!r}")
        self.generator = generator
        self.generator_args = generator_args
        self.tracker_id = tracker_id
        self.lock = lock
        self.mode = mode
        self.wait_for = wait_for
        self.is_stopped = False
        self._told = ("", 0)

    def on_kill(self) -> None:
        """Stop writing at the next step; the teardown restores, not we."""
        self.is_stopped = True

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Plan or apply; return the numbers."""
        if self.mode == "plan":
            return self._plan(context, codebeamer)
        return self._apply(context, codebeamer)

    def _plan(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        tracker_id = one_tracker(self.tracker_id)
        self.heading_for(codebeamer, tracker_id)
        _, wanted = codebeamer.runner.plan(self.generator, self._args(), tracker_id)
        summary = _plan_summary(wanted, codebeamer)
        self.log.info("%s", wanted.text())
        if wanted.is_empty and not self._holds(context, codebeamer, tracker_id):
            self.log.info("Nothing to do: tracker %s is not locked.", tracker_id)
            ti = context["ti"]
            ti.xcom_push(key="return_value", value=summary)
            downstream = context["task"].get_flat_relatives(upstream=False)
            self.skip(ti, downstream)
        return summary

    def _apply(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        held = read_handle(self.lock or self._upstream_handle(context))
        tracker_id = one_tracker(
            self.tracker_id or [lock.tracker_id for lock in held.locks]
        )
        self.heading_for(codebeamer, tracker_id)
        lock = self._lock(context, codebeamer, tracker_id, held)
        runner = codebeamer.runner_with(progress=self._progress)
        summary = runner.apply(
            self.generator, self._args(), tracker_id, lock, run_key=lock.owner.key
        )
        return summary.to_json()

    def _lock(
        self,
        context: Context,
        codebeamer: Codebeamer,
        tracker_id: TrackerId,
        held: Held,
    ) -> Lock:
        """Return the lock in force; a retry may have to take it again."""
        before = next((one for one in held.locks if one.tracker_id == tracker_id), None)
        lock = codebeamer.engine.acquire(
            tracker_id,
            owner=replace(owner_of(context), key=held.owner),
            reason=before.reason if before else "",
            wait_for=self.wait_for,
            exclusive_role=(before.exclusive_role if before else "") or None,
        )
        if before is None or before.epoch != lock.epoch:
            self.log.warning(
                "%s did not hold tracker %s any more: the lock was taken again.",
                held.owner,
                tracker_id,
            )
        return lock

    def _upstream_handle(self, context: Context) -> Any:
        task, ti = context["task"], context["ti"]
        for other in task.get_flat_relatives(upstream=True):
            if isinstance(other, LockTrackerOperator):
                for index in (ti.map_index, -1):
                    found = ti.xcom_pull(task_ids=other.task_id, map_indexes=index)
                    if found:
                        return found
        raise ConfigurationError(
            "lock", "put a LockTrackerOperator upstream, or give the handle of one"
        )

    def _holds(
        self, context: Context, codebeamer: Codebeamer, tracker_id: TrackerId
    ) -> bool:
        """Say whether an earlier try of this run left a lock that is still owed."""
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
        if self.is_stopped:
            raise GeneratorFailedError(
                str(self.generator),
                "the task was told to stop; what it wrote is undone",
                may_retry=True,
            )
        tenth = 10 * progress.done // max(progress.total, 1)
        if (progress.phase, tenth) != self._told:
            self._told = (progress.phase, tenth)
            self.log.info("%s: %s of %s", progress.phase, progress.done, progress.total)


def _plan_summary(wanted: Plan, codebeamer: Codebeamer) -> dict[str, Any]:
    server = codebeamer.settings.server
    pace = server.requests_per_second, server.requests_per_minute
    return {
        **wanted.counts,
        "is_empty": wanted.is_empty,
        "warnings": list(wanted.warnings),
        "requests": wanted.requests,
        "seconds": round(wanted.seconds(*pace), 1),
    }
