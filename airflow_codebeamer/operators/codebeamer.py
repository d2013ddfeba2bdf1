"""CodebeamerOperator: what our operators share."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator, BaseOperatorLink

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.hooks.metrics import Facts
from airflow_codebeamer.hooks.verdict import airflow_verdict
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.spans import span

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskInstanceKey
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.wiring import Codebeamer

__all__ = [
    "CodebeamerOperator",
    "HolderLink",
    "TrackerLink",
    "is_a",
    "json_of",
    "one_tracker",
    "some_span",
    "some_trackers",
    "whole_number",
    "yes_or_no",
]


#: States of a task that has no more work to do, whatever its process does.
_ENDED = ("failed", "success", "skipped", "removed")


class TrackerLink(BaseOperatorLink):
    """A button on the task that opens its tracker in Codebeamer."""

    name = "Codebeamer tracker"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the tracker's address; empty when the task came to no tracker."""
        return getattr(operator, "tracker_url", "")


class HolderLink(BaseOperatorLink):
    """A button on the task that opens the run which holds the lock, or held it."""

    name = "Holder of the lock"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the run's address; empty when nobody, or no run, held it."""
        return getattr(operator, "holder_url", "")


class CodebeamerOperator(BaseOperator):
    """Open the connection, do the work, let each error say whether to retry.

    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    """

    template_fields: Sequence[str] = ("codebeamer_conn_id",)
    operator_extra_links = (TrackerLink(), HolderLink())
    ui_color = "#dbeafe"

    def __init__(
        self,
        *,
        codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.codebeamer_conn_id = codebeamer_conn_id
        self.tracker_url = ""
        self.holder_url = ""
        self.facts = Facts()

    def execute(self, context: Context) -> Any:
        """Do what the class says, with the engines of the connection."""
        self.facts = Facts()
        with airflow_verdict(), self.hook.codebeamer(say=self.log.info) as codebeamer:
            return self.work(context, codebeamer)

    def work(self, context: Context, codebeamer: Codebeamer) -> Any:
        """Do the work; what it returns goes to XCom."""
        raise NotImplementedError

    @property
    def hook(self) -> CodebeamerHook:
        """The connection, read anew: templates may have changed its id."""
        return CodebeamerHook(self.codebeamer_conn_id)

    def heading_for(self, codebeamer: Codebeamer, tracker_id: TrackerId) -> None:
        """Note which tracker the task works on, for the button on its page."""
        self.tracker_url = f"{codebeamer.settings.server.base}/tracker/{tracker_id}"

    def show_holder(self, context: Context, lock: Lock) -> None:
        """Note who has the lock, since and until when, and why: a button, an XCom."""
        self.holder_url = lock.owner.link
        since, until = lock.acquired_at, lock.lease_until
        holder = {
            "tracker_id": int(lock.tracker_id),
            "state": lock.state.value,
            "owner": lock.owner.key,
            "since": since.isoformat(timespec="seconds") if since else None,
            "until": until.isoformat(timespec="seconds") if until else None,
            "reason": lock.reason,
            "link": lock.owner.link,
        }
        self.show(context["ti"], "holder", holder)

    def keep_if_wanted(
        self, context: Context, codebeamer: Codebeamer, *locks: Lock
    ) -> None:
        """Give locks back that came too late: Airflow has ended this task meanwhile.

        A task that somebody marks lives on for some seconds, and its teardown may
        have run before it got the lock. Who cannot be asked is taken to agree.

        Raises:
            AirflowFailException: the task is over, and its locks are given back.
        """
        state = self._state(context)
        if state not in _ENDED:
            return
        for lock in codebeamer.runs.newest_first(locks):
            codebeamer.engine.release(
                lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch, judge=False
            )
        trackers = ", ".join(str(lock.tracker_id) for lock in locks)
        raise AirflowFailException(
            f"The task was marked {state} while it took tracker {trackers}, "
            "which is given back."
        )

    def _state(self, context: Context) -> str | None:
        ti: Any = context["ti"]
        try:
            states = ti.get_task_states(
                dag_id=ti.dag_id,
                run_ids=[ti.run_id],
                task_ids=[self.task_id],
                map_index=ti.map_index if ti.map_index >= 0 else None,
            )
            (state,) = states[ti.run_id].values()
        except Exception as error:
            self.log.debug("Airflow does not say how this task is: %s", error)
            return None
        return str(state)

    def show(self, ti: Any, key: str, value: Any) -> None:
        """Leave an XCom for people; what cannot be shown stops nobody's work."""
        try:
            ti.xcom_push(key=key, value=value)
        except Exception as error:
            self.log.debug("XCom %s is not left: %s", key, error)


def is_a(task: Any, kind: type) -> bool:
    """Say whether a task is one of these, mapped or not."""
    found = getattr(task, "operator_class", type(task))
    return isinstance(found, type) and issubclass(found, kind)


def one_tracker(value: Any) -> TrackerId:
    """Return the one tracker that a parameter names.

    Raises:
        ConfigurationError: none, several, or no number.
    """
    found = some_trackers(value)
    if len(found) != 1:
        raise ConfigurationError(
            "tracker_id", f"{len(found)} trackers are given: say which one is meant"
        )
    return found[0]


def some_trackers(value: Any) -> tuple[TrackerId, ...]:
    """Return the trackers that a parameter names, one or a list, in ascending order.

    Raises:
        ConfigurationError: none, or no numbers.
    """
    found = json_of(value) if isinstance(value, str) else value
    if not isinstance(found, list | tuple):
        found = [found]
    if not found:
        raise ConfigurationError("tracker_id", "0 trackers are given: say one at least")
    return tuple(sorted({_number(json_of(one), value) for one in found}))


def _number(found: Any, given: Any) -> TrackerId:
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ConfigurationError(
            "tracker_id", f"say the tracker's number, not {given!r}"
        )
    return TrackerId(found)


def whole_number(value: Any, name: str) -> int:
    """Return the number that a parameter says, as itself or as a template left it.

    Raises:
        ConfigurationError: it is none.
    """
    found = json_of(value)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ConfigurationError(name, f"say a whole number, not {value!r}")
    return found


def some_span(value: Any, name: str) -> timedelta | None:
    """Return the span that a parameter says; None if it says nothing.

    Raises:
        ConfigurationError: it is none.
    """
    if value is None or isinstance(value, timedelta):
        return value
    text = str(value).strip()
    return None if text in ("", "None") else span(text, option=name)


def yes_or_no(value: Any, name: str) -> bool:
    """Return what a parameter says, as itself or as a template left it.

    Raises:
        ConfigurationError: it is neither.
    """
    found = {"true": True, "false": False}.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(name, f"say true or false, not {value!r}")
    return found


def json_of(value: Any) -> Any:
    """Read what a template rendered: JSON, the text of a Python value, or a word."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        pass
    if value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, SyntaxError):
            return ast.literal_eval(value.strip())
    return value
