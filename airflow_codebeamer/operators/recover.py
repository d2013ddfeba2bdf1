"""RecoverLocksOperator: finish what crashed runs left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_codebeamer.operators.codebeamer import CodebeamerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Recovered
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["RecoverLocksOperator"]


class RecoverLocksOperator(CodebeamerOperator):
    """Finish every expired or half-done lock of the connection's server.

    Restores permissions and undoes unfinished runs, lock by lock: one that
    cannot be finished does not keep the others waiting. Locks that are held and
    alive are left alone. Fails when something needs a person.

    :return: for each lock that was not in order what it was, what was done
        (`action`), and the report of its release; as XCom `recovered` when the
        task fails.
    """

    def work(self, context: Context, codebeamer: Codebeamer) -> list[dict[str, Any]]:
        """Recover; return a line for each lock that was not in order.

        Raises:
            AirflowFailException: something needs a person.
        """
        found = codebeamer.recovery.recover()
        self._count(codebeamer, found)
        for one in found:
            self.log.info("%s", _line(one))
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
