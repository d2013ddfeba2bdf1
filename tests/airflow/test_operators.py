"""The operators one by one, where a whole run would hide what each does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from structlog.testing import capture_logs

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import (
    ConfigurationError,
    GeneratorFailedError,
    LockHeldError,
    RestorePendingError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RecoverLocksOperator,
    ReserveTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
)
from airflow_codebeamer.operators.codebeamer import json_of, one_tracker
from airflow_codebeamer.operators.handle import read_handle
from airflow_codebeamer.triggers import LockEvent
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
RUN = "fill/manual/1"
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}


def items() -> Iterator[dict[str, Any]]:
    for number in range(5):
        yield {"key": f"k{number}", "name": f"Item {number}"}


def lock(**arguments: Any) -> LockTrackerOperator:
    return LockTrackerOperator(task_id="lock", tracker_id=TRACKER, **arguments)


def unlock(**arguments: Any) -> UnlockTrackerOperator:
    return UnlockTrackerOperator(task_id="unlock", **arguments)


@pytest.mark.parametrize("value", [7, "7", [7], ["7"], "[7]", (7,)])
def test_one_tracker_in_every_form(value: Any) -> None:
    assert one_tracker(value) == 7


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ([7, 8], "2 trackers are given: say which one"),
        ("[7, 8]", "2 trackers are given: say which one"),
        ([], "0 trackers"),
        ("SYSREQ", "tracker's number"),
        (None, "tracker's number"),
        (True, "tracker's number"),
        (0, "tracker's number"),
        (7.5, "tracker's number"),
    ],
)
def test_what_is_not_one_tracker(value: Any, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        one_tracker(value)


def test_rendered_values() -> None:
    assert json_of('{"a": 1}') == {"a": 1}
    assert json_of("{'a': None}") == {"a": None}
    assert json_of("{oops") == "{oops"
    assert json_of("word") == "word"


@pytest.mark.parametrize("value", ["", "x", 3, {}, {"owner": "a"}, {"locks": [1]}])
def test_what_is_no_handle(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="unchanged"):
        read_handle(value)


def test_parameters_that_are_wrong_at_once() -> None:
    with pytest.raises(ConfigurationError, match="apply or plan"):
        RunGeneratorOperator(task_id="g", generator="a:b", mode="destroy")


def told(work: Callable[[], Any]) -> list[tuple[str, str]]:
    """Return level and text of each line that a task logged meanwhile."""
    with capture_logs() as lines:
        work()
    return [
        (line["log_level"], line["event"] % given if given else line["event"])
        for line in lines
        for given in [line.get("positional_args", ())]
        if line["log_level"] != "debug"
        and "outside of the Task Runner" not in line["event"]
        and "Skipping masking" not in line["event"]
    ]


def test_tasks_say_in_their_logs_what_they_did(here: Any) -> None:
    def last(operator: Any) -> str:
        lines = told(lambda: operator.execute(CONTEXT))
        assert {level for level, _ in lines} == {"info"}
        return lines[-1][1]

    reserve = ReserveTrackerOperator(
        task_id="reserve", tracker_id=TRACKER, reason="new model"
    )
    assert f"Tracker {TRACKER} is reserved for {RUN} until 20" in last(reserve)
    locked = re.compile(
        rf"Tracker {TRACKER} is locked for {RUN} until 20\S+, for: new model; reduced: "
        "Project Admin, Developer, Tester; may still write: Generator"
    )
    assert locked.fullmatch(last(lock(reason="new model")))
    here.server.clear_calls()
    assert locked.fullmatch(last(lock()))
    assert here.server.calls() == []
    handle = lock().execute(CONTEXT)
    generate = RunGeneratorOperator(task_id="g", generator=items, lock=handle)
    totals = r"Tracker 2001: {} unchanged; \d+ requests in \d+\.\d s; {}\."
    first = totals.format(
        "5 created, 0 updated, 0 moved, 0", "verified by reading back"
    )
    assert re.fullmatch(first, last(generate))
    second = totals.format("0 created, 0 updated, 0 moved, 5", "nothing was written")
    assert re.fullmatch(second, last(generate))
    # A server that leaves a project administrator his minimum is no warning.
    assert "had not taken away: role Project Admin kept" in last(unlock())


def test_second_try_gets_the_same_lock(here: Any) -> None:
    first, second = lock().execute(CONTEXT), lock().execute(CONTEXT)
    assert first["owner"] == second["owner"] == RUN
    assert first["locks"][0]["lock"]["epoch"] == second["locks"][0]["lock"]["epoch"]
    assert here.owners() == {TRACKER: RUN}


def test_several_trackers_are_one_lock(here: Any, elsewhere: Codebeamer) -> None:
    both = [int(TRACKER) + 1, int(TRACKER)]
    before = [here.server.permissions(number) for number in both]
    reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=both)
    assert [one["state"] for one in reserve.execute(CONTEXT)["locks"]] == [
        "granted",
        "granted",
    ]
    # As a template renders it.
    operator = LockTrackerOperator(task_id="lock", tracker_id=str(both))
    handle = operator.execute(CONTEXT)
    assert [one["tracker_id"] for one in handle["locks"]] == sorted(both)
    assert {one["state"] for one in handle["locks"]} == {"held"}
    assert here.owners() == dict.fromkeys(both, RUN)
    generate = RunGeneratorOperator(task_id="g", generator=items, lock=handle)
    with pytest.raises(AirflowFailException, match="which one the generator fills"):
        generate.execute(CONTEXT)
    generate = RunGeneratorOperator(
        task_id="g", generator=items, lock=handle, tracker_id=TRACKER
    )
    elsewhere.engine.release_all(owner_key=RUN)
    summary = generate.execute(CONTEXT)
    assert summary["created"] == 5
    assert here.owners() == dict.fromkeys(both, RUN), "a retry takes all again"
    with pytest.raises(AirflowFailException, match="release it, then take all"):
        lock().execute(CONTEXT)
    released = unlock(lock=handle).execute(CONTEXT)["released"]
    assert [one["tracker_id"] for one in released] == sorted(both)
    assert [here.server.permissions(number) for number in both] == before


def test_a_set_of_which_one_is_taken(here: Any, elsewhere: Codebeamer) -> None:
    both = [int(TRACKER), int(TRACKER) + 1]
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=both)
    handle = reserve.execute(CONTEXT)
    assert [one["state"] for one in handle["locks"]] == ["waiting", "waiting"]
    operator = LockTrackerOperator(
        task_id="lock",
        tracker_id=both,
        wait_for=timedelta(seconds=30),
        deferrable=True,
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(CONTEXT)
    assert here.owners() == {TRACKER: "alice"}
    trigger: Any = deferred.value.trigger
    assert trigger.tracker_id == both
    assert unlock(lock=handle).execute(CONTEXT)["released"] == []


def test_runs_that_freeze_share_the_tracker(here: Any) -> None:
    before = here.server.permissions(int(TRACKER))
    other: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/2", map_index=-1)}
    first = lock(mode="freeze").execute(CONTEXT)
    second = lock(mode="freeze").execute(other)
    assert first["locks"][0]["state"] == second["locks"][0]["state"] == "held"
    assert (first["owner"], second["owner"]) == (RUN, "fill/manual/2")
    with pytest.raises(LockHeldError):
        lock().execute({"ti": SimpleNamespace(dag_id="x", run_id="1", map_index=-1)})
    (left,) = unlock(lock=first).execute(CONTEXT)["released"]
    assert (left["released"], left["why"]) == (False, "others keep it frozen")
    assert here.server.permissions(int(TRACKER)) != before
    (last,) = unlock().execute(other)["released"]
    assert last["released"]
    assert here.server.permissions(int(TRACKER)) == before


def test_a_lock_by_another_strategy(here: Any) -> None:
    before = here.server.permissions(int(TRACKER))
    handle = lock(strategy="advisory").execute(CONTEXT)
    assert handle["locks"][0]["lock"]["strategy"] == "advisory"
    generate = RunGeneratorOperator(task_id="g", generator=items, lock=handle)
    assert generate.execute(CONTEXT)["created"] == 5
    assert here.server.permissions(int(TRACKER)) == before
    assert unlock(lock=handle).execute(CONTEXT)["released"][0]["released"]
    number = here.server.items(int(TRACKER))[0]["id"]
    # As a template renders it.
    options = f'{{"items": [{number}]}}'
    handle = lock(strategy="item_locks", strategy_options=options).execute(CONTEXT)
    (report,) = unlock(lock=handle).execute(CONTEXT)["released"]
    assert report["restored"] == [f"item {number}"]
    with pytest.raises(AirflowFailException, match="strategy_options"):
        lock(strategy="item_locks").execute(CONTEXT)


def test_mapped_tasks_are_other_owners(here: Any) -> None:
    ti = SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=4)
    lock().execute({"ti": ti})
    assert here.owners() == {TRACKER: f"{RUN}[4]"}
    with pytest.raises(LockHeldError):
        lock().execute(CONTEXT)


def test_reserve_touches_no_server(here: Any, elsewhere: Codebeamer) -> None:
    reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=TRACKER)
    assert reserve.execute(CONTEXT)["locks"][0]["state"] == "granted"
    assert here.server.calls() == []
    unlock().execute(CONTEXT)
    assert here.server.calls() == []
    assert here.owners() == {}
    elsewhere.engine.reserve(TRACKER, owner=Owner.here("alice"), reason="")
    waiting = reserve.execute(CONTEXT)
    assert waiting["locks"] == [
        {"lock": None, "tracker_id": TRACKER, "state": "waiting"}
    ]
    assert waiting["deadline"] is None
    unlock().execute(CONTEXT)
    assert here.owners() == {TRACKER: "alice"}


def test_no_retry_where_it_cannot_help(here: Any) -> None:
    with pytest.raises(AirflowFailException, match="there is no role Robot"):
        lock(exclusive_role="Robot").execute(CONTEXT)
    missing = LockTrackerOperator(task_id="lock", tracker_id=999)
    with pytest.raises(AirflowFailException, match="does not exist"):
        missing.execute(CONTEXT)


def test_deferring_keeps_its_deadline(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    waiting = lock(deferrable=True, wait_for=timedelta(seconds=30))
    with pytest.raises(TaskDeferred) as caught:
        waiting.execute(CONTEXT)
    deadline = caught.value.trigger.serialize()[1]["deadline"]
    again = LockEvent(status="error", tracker_id=TRACKER, retry=True, deadline=deadline)
    elsewhere.engine.release(TRACKER, owner_key="alice")
    handle = waiting.execute_complete(CONTEXT, again.payload())
    assert handle["locks"][0]["state"] == "held"


def test_deferred_lock_keeps_its_ticket_and_has_its_turn(
    here: Any, elsewhere: Codebeamer
) -> None:
    """The tracker is kept for it: whoever else asks meanwhile waits behind it."""
    alice, bob = Owner.here("alice"), Owner.here("bob")
    elsewhere.engine.acquire(TRACKER, owner=alice)
    waiting = lock(deferrable=True, wait_for=timedelta(seconds=30), priority=2)
    for _ in range(2):
        with pytest.raises(TaskDeferred) as caught:
            waiting.execute(CONTEXT)
    (ticket,) = elsewhere.queue.list_tickets()
    assert (ticket.owner.key, ticket.priority, ticket.is_live) == (RUN, 2, True)
    _, arguments = caught.value.trigger.serialize()
    assert arguments["ticket"] == ticket.number
    elsewhere.engine.release(TRACKER, owner_key="alice")
    with pytest.raises(LockHeldError, match="is free, and kept for fill/manual/1"):
        elsewhere.engine.acquire(TRACKER, owner=bob)
    reserved = ReserveTrackerOperator(task_id="r", tracker_id=TRACKER).execute(
        {"ti": SimpleNamespace(dag_id="fill", run_id="manual/2", map_index=-1)}
    )
    assert reserved["locks"][0]["state"] == "waiting"
    seen = LockEvent(
        status="reached",
        tracker_id=TRACKER,
        deadline=datetime.now(UTC) + timedelta(seconds=30),
    )
    assert waiting.execute_complete(CONTEXT, seen.payload())["owner"] == RUN
    assert elsewhere.queue.list_tickets() == []


def test_unlock_ends_the_wait_of_a_run(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    with pytest.raises(TaskDeferred):
        lock(deferrable=True, wait_for=timedelta(seconds=30)).execute(CONTEXT)
    elsewhere.engine.release(TRACKER, owner_key=RUN)
    assert elsewhere.queue.list_tickets() == []
    assert here.owners() == {TRACKER: "alice"}


def test_lock_that_is_skipped_where_others_are(
    here: Any, elsewhere: Codebeamer
) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    with pytest.raises(AirflowSkipException, match="locked by alice"):
        lock(skip_if_locked=True).execute(CONTEXT)
    with pytest.raises(LockHeldError):
        lock(priority="-3").execute(CONTEXT)
    with pytest.raises(AirflowFailException, match="priority"):
        lock(priority="urgent").execute(CONTEXT)
    over = LockEvent(status="timeout", tracker_id=TRACKER, deadline=datetime.now(UTC))
    waiting = lock(skip_if_locked=True, deferrable=True, wait_for=timedelta(seconds=30))
    with pytest.raises(AirflowSkipException):
        waiting.execute_complete(CONTEXT, over.payload())
    assert here.owners() == {TRACKER: "alice"}


def test_deferred_freeze_waits_in_its_own_name(
    here: Any, elsewhere: Codebeamer
) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    waiting = lock(mode="freeze", deferrable=True, wait_for=timedelta(seconds=30))
    with pytest.raises(TaskDeferred):
        waiting.execute(CONTEXT)
    assert len(elsewhere.queue.list_tickets()) == 1
    elsewhere.engine.release(TRACKER, owner_key="alice")
    seen = LockEvent(
        status="reached",
        tracker_id=TRACKER,
        deadline=datetime.now(UTC) + timedelta(seconds=5),
    )
    handle = waiting.execute_complete(CONTEXT, seen.payload())
    assert handle["locks"][0]["state"] == "held"
    assert elsewhere.queue.list_tickets() == []
    unlock(lock=handle).execute(CONTEXT)


def test_unlock_ends_the_wait_for_a_freeze(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    with pytest.raises(TaskDeferred):
        lock(mode="freeze", deferrable=True, wait_for=timedelta(seconds=30)).execute(
            CONTEXT
        )
    unlock(tracker_id=TRACKER).execute(CONTEXT)
    assert elsewhere.queue.list_tickets() == []


def test_deferred_lock_takes_a_dead_holders_place(
    here: Any, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {"ttl": 2, "bridge": 2, "beat": 0.2, "margin": 0.2, "lock_delay": 0.2}
    for name, seconds in short.items():
        option = f"AIRFLOW__CODEBEAMER__{name.upper()}_SECONDS"
        monkeypatch.setenv(option, str(seconds))
    spans = {name: timedelta(seconds=seconds) for name, seconds in short.items()}
    with Codebeamer(site.settings(**spans)) as dying:
        dying.engine.acquire(TRACKER, owner=Owner.here("dead/run"))
    time.sleep(2.4)
    seen = LockEvent(
        status="reached",
        tracker_id=TRACKER,
        deadline=datetime.now(UTC) + timedelta(seconds=30),
    )
    waiting = lock(deferrable=True, wait_for=timedelta(seconds=60))
    handle = waiting.execute_complete(CONTEXT, seen.payload())
    assert handle["owner"] == RUN
    assert here.owners() == {TRACKER: RUN}


def test_deferred_lock_that_came_too_late(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    waiting = lock(deferrable=True, wait_for=timedelta(seconds=30))
    over = LockEvent(
        status="timeout", tracker_id=TRACKER, deadline=datetime.now(UTC)
    ).payload()
    with pytest.raises(LockHeldError, match="locked by alice"):
        waiting.execute_complete(CONTEXT, over)
    with pytest.raises(AirflowFailException, match="no such extra"):
        waiting.execute_complete(
            CONTEXT,
            LockEvent(
                status="error", tracker_id=TRACKER, message="there is no such extra"
            ).payload(),
        )


@pytest.mark.trap("T26")
def test_killed_generator_stops_and_releases_nothing(here: Any) -> None:
    handle = lock().execute(CONTEXT)
    before = here.server.items(TRACKER)

    def killing() -> Iterator[dict[str, Any]]:
        generate.on_kill()
        yield from items()

    generate = RunGeneratorOperator(task_id="g", generator=killing, lock=handle)
    with pytest.raises(GeneratorFailedError, match="told to stop"):
        generate.execute(CONTEXT)
    assert here.server.items(TRACKER) == before
    assert here.owners() == {TRACKER: RUN}


@pytest.mark.parametrize(
    ("state", "is_kept"),
    [("running", True), ("None", True), ("failed", False), ("skipped", False)],
)
def test_lock_that_comes_too_late_is_given_back(
    here: Any, state: str, is_kept: bool
) -> None:
    """Airflow ended the task while it waited, and its teardown has run already."""
    before = here.server.permissions(TRACKER)
    ti = SimpleNamespace(
        dag_id="fill",
        run_id="manual/1",
        map_index=-1,
        get_task_states=lambda **_: {"manual/1": {"lock": state}},
    )
    if is_kept:
        lock().execute({"ti": ti})
        assert here.owners() == {TRACKER: RUN}
        return
    with pytest.raises(AirflowFailException, match=f"was marked {state} while"):
        lock().execute({"ti": ti})
    assert here.owners() == {}
    assert here.server.permissions(TRACKER) == before


def test_retry_takes_a_restored_lock_again(here: Any) -> None:
    handle = lock(reason="nightly").execute(CONTEXT)
    unlock().execute(CONTEXT)
    assert here.owners() == {}
    generate = RunGeneratorOperator(task_id="g", generator=items, lock=handle)
    assert generate.execute(CONTEXT)["created"] == 5
    assert here.owners() == {TRACKER: RUN}


def test_retry_that_finds_somebody_else(here: Any, elsewhere: Codebeamer) -> None:
    handle = lock().execute(CONTEXT)
    unlock().execute(CONTEXT)
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    generate = RunGeneratorOperator(task_id="g", generator=items, lock=handle)
    with pytest.raises(LockHeldError, match="locked by alice"):
        generate.execute(CONTEXT)


def test_generator_leaves_the_lease_that_the_lock_task_gave(
    here: Any, elsewhere: Codebeamer
) -> None:
    """What follows the generator in the run counts on it."""
    handle = lock(lease=timedelta(hours=3)).execute(CONTEXT)
    RunGeneratorOperator(task_id="g", generator=items, lock=handle).execute(CONTEXT)
    found = elsewhere.status.find(here.server.url, TRACKER)
    assert found is not None
    assert found.lease_until is not None
    left = found.lease_until - datetime.now(UTC)
    assert timedelta(hours=2, minutes=55) < left <= timedelta(hours=3)


def test_generator_refuses_the_handle_of_another_tracker(here: Any) -> None:
    handle = lock().execute(CONTEXT)
    generate = RunGeneratorOperator(
        task_id="g", generator=items, lock=handle, tracker_id=TRACKER + 1
    )
    with pytest.raises(AirflowFailException, match="so lock tracker 2002 as well"):
        generate.execute(CONTEXT)
    assert here.owners() == {TRACKER: RUN}


def test_unlock_by_handle_leaves_the_run_s_other_trackers(here: Any) -> None:
    handle = lock().execute(CONTEXT)
    other = TrackerId(TRACKER + 1)
    second = LockTrackerOperator(task_id="second", tracker_id=other).execute(CONTEXT)
    unlock(lock=handle).execute(CONTEXT)
    assert here.owners() == {other: RUN}
    verify = VerifyUnlockedOperator(task_id="verify", lock=handle)
    assert verify.execute(CONTEXT) == {"owed": []}
    with pytest.raises(RestorePendingError, match="2002"):
        VerifyUnlockedOperator(task_id="v", lock=second).execute(CONTEXT)
    unlock().execute(CONTEXT)
    assert here.owners() == {}


def test_arguments_that_are_no_object(here: Any) -> None:
    generate = RunGeneratorOperator(
        task_id="g",
        generator=items,
        generator_args="[1]",
        tracker_id=TRACKER,
        mode="plan",
    )
    with pytest.raises(AirflowFailException, match="JSON object"):
        generate.execute(CONTEXT)


def test_plan_does_not_skip_what_the_run_still_holds(here: Any) -> None:
    """A cleared run: everything is there, and so is the lock of its first try."""
    handle = lock().execute(CONTEXT)
    RunGeneratorOperator(task_id="g", generator=items, lock=handle).execute(CONTEXT)
    plan = RunGeneratorOperator(
        task_id="p", generator=items, tracker_id=TRACKER, mode="plan"
    )
    summary = plan.execute(CONTEXT)
    assert summary["is_empty"] is True
    assert here.owners() == {TRACKER: RUN}


def test_unlock_twice(here: Any) -> None:
    handle = lock().execute(CONTEXT)
    first = unlock(lock=handle).execute(CONTEXT)
    here.server.clear_calls()
    second = unlock(lock=str(handle)).execute(CONTEXT)
    assert len(first["released"]) == 1
    assert second == {"owner": RUN, "released": []}
    assert here.server.calls() == []


@pytest.mark.trap("T32")
def test_pending_restore_fails_unlock_and_verify(here: Any) -> None:
    before = here.server.permissions(TRACKER)
    lock().execute(CONTEXT)
    locked = here.server.permissions(TRACKER)
    refuse = {"kind": "status", "status": 403, "method": "PUT", "times": 1}
    here.server.add_fault(refuse)
    with pytest.raises(RestorePendingError):
        unlock().execute(CONTEXT)
    verify = VerifyUnlockedOperator(task_id="verify")
    with pytest.raises(
        RestorePendingError, match=f"{RUN} left it restoring, owed: "
    ) as caught:
        verify.execute(CONTEXT)
    assert "Tester" in str(caught.value)
    assert here.server.permissions(TRACKER) == locked != before
    unlock().execute(CONTEXT)
    assert verify.execute(CONTEXT) == {"owed": []}
    assert here.server.permissions(TRACKER) == before


def test_verify_looks_at_its_own_run_only(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("fill/manual/10"))
    verify = VerifyUnlockedOperator(task_id="verify")
    assert verify.execute(CONTEXT) == {"owed": []}


def test_janitor_leaves_the_living_and_calls_for_help(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recover = RecoverLocksOperator(task_id="recover")
    lock().execute(CONTEXT)
    assert recover.execute(CONTEXT) == []
    assert here.owners() == {TRACKER: RUN}
    short = {"ttl": 1, "bridge": 1, "beat": 0.2, "margin": 0.2, "lock_delay": 0.2}
    for name, seconds in short.items():
        option = f"AIRFLOW__CODEBEAMER__{name.upper()}_SECONDS"
        monkeypatch.setenv(option, str(seconds))
    lock(lease=timedelta(seconds=1)).execute(CONTEXT)
    here.server.add_fault({"kind": "status", "status": 403, "method": "PUT"})

    def swept() -> list[dict[str, Any]]:
        """Return what the first round finds for which a lease is long enough over."""
        until = time.monotonic() + 20
        while not (found := recover.execute(CONTEXT)) and time.monotonic() < until:
            time.sleep(0.2)
        return found

    with pytest.raises(AirflowFailException, match="A person is needed: tracker"):
        swept()
    here.server.clear_faults()
    assert [one["action"] for one in swept()] == ["recovered"]
    assert here.owners() == {}


@pytest.mark.parametrize("policy", ["off", "warn", "fail"])
def test_unlock_tells_what_others_changed(
    here: Any, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__CERTIFICATE", policy)
    before = here.server.permissions(TRACKER)
    lock().execute(CONTEXT)
    assert here.server.act("bond", "POST", f"/v3/trackers/{TRACKER}/items", NEW) == 200
    if policy == "fail":
        with pytest.raises(AirflowFailException, match="1 change\\(s\\) by others"):
            unlock().execute(CONTEXT)
    else:
        (report,) = unlock().execute(CONTEXT)["released"]
        told = report["certificate"]
        assert (told is None) == (policy == "off")
        assert told is None or told["changes"][0]["by"] == "bond"
    assert here.server.permissions(TRACKER) == before


NEW = {"name": "By an administrator"}
