"""LeaseKeeper: a task of anybody's works under the lock, and only under it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.errors import ConfigurationError, DatabaseError, LockLostError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.hooks.verdict import airflow_verdict
from airflow_codebeamer.operators.handle import Held, read_handle

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["LeaseKeeper"]

log = logging.getLogger(__name__)


class LeaseKeeper:
    """As `pre_execute` of a task: refuse to begin without the lock, then renew it.

    A thread of the task's own process renews the whole lease at each beat, so
    that the lock outlives the task by that lease: time for a retry or for what
    follows. When the lock is lost meanwhile, the task is told to stop by its
    `on_kill`, and its main thread gets an error that no retry follows. With the
    setting `watch` it is looked, as while a generator runs, whether others got their
    rights back, and `on_drift` at "fail" stops the task in the same way.

    Not promised: renewal while the task is deferred or waits to be rescheduled;
    there is no process then. Nor that code which catches every exception, or
    sits in a call to C, stops at once.

    :param lock_task_id: the lock task, whose handle says what is to be kept.
    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    :param before: another `pre_execute`, called first.
    """

    def __init__(
        self,
        lock_task_id: str,
        codebeamer_conn_id: str,
        before: Callable[[Any], None] | None = None,
    ) -> None:
        self.lock_task_id = lock_task_id
        self.codebeamer_conn_id = codebeamer_conn_id
        self.before = before

    def __call__(self, context: Context) -> None:
        """Look the lock up, renew it, and go on doing so.

        Raises:
            AirflowFailException: the run does not hold the lock any more.
        """
        if self.before is not None:
            self.before(context)
        with airflow_verdict():
            codebeamer = CodebeamerHook(self.codebeamer_conn_id).codebeamer(
                say=log.info
            )
            held = self._handle(context)
            lease = held.lease or codebeamer.settings.lock.bridge
            locks = [_current(codebeamer, lock) for lock in held.locks]
            for lock in locks:
                codebeamer.engine.renew(lock, lease=lease)
        _Keeping(codebeamer, locks, lease, context).start()

    def _handle(self, context: Context) -> Held:
        ti = context["ti"]
        for index in (ti.map_index, -1):
            found = ti.xcom_pull(task_ids=self.lock_task_id, map_indexes=index)
            if found:
                return read_handle(found)
        raise ConfigurationError(
            "lock",
            f"the task {self.lock_task_id} left no handle in this run: clear it, so "
            "that it takes the lock again, with what follows it",
        )


def _current(codebeamer: Codebeamer, given: Lock) -> Lock:
    """Return the lock as it is now: a generator's retry may have taken it again."""
    found = codebeamer.status.find(given.server, given.tracker_id)
    if found is not None and given.group and found.lineage == given.lineage:
        return given
    if found is None or found.owner.key != given.owner.key:
        who = found.owner.key if found is not None and found.owner.key else "nobody"
        raise LockLostError(
            given.tracker_id,
            expected=given.epoch,
            found=found.epoch if found else None,
            why=f"its holder is {who} now",
        )
    return found


class _Keeping:
    """Locks renewed, and watched if that is asked for, while one task lives."""

    def __init__(
        self,
        codebeamer: Codebeamer,
        locks: Sequence[Lock],
        lease: timedelta,
        context: Context,
    ) -> None:
        self._codebeamer = codebeamer
        self._locks = locks
        self._lease = lease
        self._ti: Any = context["ti"]
        self._task: Any = context["task"]
        self._mutex = threading.Lock()
        self._lost: LockLostError | None = None

    def start(self) -> None:
        """Begin to renew; errors come to the main thread as a signal."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self._interrupt)
        threading.Thread(target=self._run, name="lock-keeper", daemon=True).start()
        for lock in self._locks:
            self._codebeamer.engine.look_out(
                lock, self._stop, lease=self._lease, is_wanted=self._is_alive
            )

    def _run(self) -> None:
        beat = self._codebeamer.settings.lock.beat.total_seconds()
        never = threading.Event()
        while not never.wait(beat) and self._is_alive():
            try:
                for lock in self._locks:
                    self._renew(lock)
            except LockLostError as error:
                self._stop(error)
                return

    def _renew(self, lock: Lock) -> None:
        try:
            self._codebeamer.engine.renew(lock, lease=self._lease)
        except DatabaseError as error:
            log.warning("The lease is not renewed: %s", error)
            # Says that it is lost when our own time for it is over.
            self._codebeamer.engine.guard(lock)

    def _stop(self, error: LockLostError) -> None:
        with self._mutex:
            if self._lost is not None or not self._is_alive():
                return
            self._lost = error
        log.error("%s The task is stopped.", error)
        try:
            self._task.on_kill()
        except Exception as failed:
            log.warning("on_kill: %s: %s", type(failed).__name__, failed)
        if (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, signal.SIGUSR1)

    def _interrupt(self, *_: object) -> None:
        if self._lost is not None and self._is_alive():
            raise AirflowFailException(str(self._lost)) from self._lost

    def _is_alive(self) -> bool:
        """Say whether the task still runs; Airflow notes its end in the instance."""
        state = getattr(self._ti, "state", None)
        return state is None or str(getattr(state, "value", state)) == "running"
