"""RecoverLocksOperator: finish what crashed runs left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.operators.codebeamer import CodebeamerOperator
from airflow_codebeamer.operators.patience import Patience

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.ids import TrackerId
    from airflow_codebeamer.locking import Recovered
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["RecoverLocksOperator"]


class RecoverLocksOperator(CodebeamerOperator):
    """Finish every expired or half-done lock of the connection's server.

    Restores permissions and undoes unfinished runs, lock by lock: one that
    cannot be finished does not keep the others waiting. Locks that are held and
    alive are left alone. While the server or the store does not answer, it tries
    again until `patience` is over; what is left then is for the next run, with a
    warning. Fails when something needs a person: a refusal, or an hour of silence.

    :param patience: how long to go on trying what may pass by itself; a little
        less than the time between two runs.
    :return: for each lock that was not in order what it was, what was done
        (`action`), and the report of its release; as XCom `recovered` when the
        task fails.
    """

    def __init__(
        self, *, patience: timedelta = timedelta(seconds=170), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.patience = patience

    def work(self, context: Context, codebeamer: Codebeamer) -> list[dict[str, Any]]:
        """Recover; return a line for each lock that was not in order.

        Raises:
            AirflowFailException: something needs a person.
            DatabaseError: the store did not answer all the time.
        """
        patience = Patience(self.patience, codebeamer.clock, self.log.warning)
        last: dict[TrackerId, Recovered] = {}
        while True:
            # What waited and is not named any more was finished by somebody else.
            last = {key: one for key, one in last.items() if not one.may_pass}
            for one in patience.tried(codebeamer.recovery.recover):
                last[one.tracker_id] = one
                self.log.info("%s", _line(one))
            waiting = [one for one in last.values() if one.may_pass]
            if not waiting or not patience.wait():
                break
        found = list(last.values())
        self._count(codebeamer, found)
        return self._told(context, found)

    def _told(
        self, context: Context, found: Sequence[Recovered]
    ) -> list[dict[str, Any]]:
        for one in found:
            if one.may_pass:
                self.log.warning("The next run goes on with %s", _line(one))
        stuck = [_line(one) for one in found if one.needs_a_person]
        if stuck:
            # A task that fails returns nothing.
            self.show(context["ti"], "recovered", [one.to_json() for one in found])
            raise AirflowFailException("A person is needed: " + "; ".join(stuck))
        if not found:
            self.log.info("Every lock is in order.")
        return [one.to_json() for one in found]

    def _count(self, codebeamer: Codebeamer, found: Sequence[Recovered]) -> None:
        """Note what was done, and how many locks there are now."""
        states = Counter(
            lock.state.value
            for lock in codebeamer.status.list_locks(codebeamer.settings.server.base)
        )
        for state in ("granted", "locking", "held", "restoring"):
            self.facts.gauges[f"locks.{state}"] = states[state]
        self.facts.counts["lock.recovered"] = len(found)
        self.facts.gauges["locks.need_a_person"] = sum(
            one.needs_a_person for one in found
        )


def _line(one: Recovered) -> str:
    found = f"tracker {one.tracker_id}, {one.state.value} by {one.owner}: {one.action}"
    left = one.report.not_undone if one.report else ()
    details = "; ".join((*([one.error] if one.error else []), *left))
    return f"{found} ({details})" if details else found
