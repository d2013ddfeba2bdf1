from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import (
    BadRequestError,
    ConfigurationError,
    DocumentError,
    ForbiddenError,
    GeneratorFailedError,
    LockLostError,
    ServerError,
    VerificationError,
)
from airflow_codebeamer.generator import RunSummary
from airflow_codebeamer.ids import RunId, TrackerId
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.skeleton import Progress
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
Items = Iterator[dict[str, Any]]
CREATE = "createTrackerItem"


def signals(count: int = 3, unit: str = "bar") -> Items:
    yield {"key": "frame", "name": "Frame", "type": "Folder"}
    for number in range(count):
        yield {
            "key": f"frame/{number}",
            "name": f"Signal {number}",
            "parent": "frame",
            "fields": {"Unit": unit},
        }


@pytest.fixture
def lock(codebeamer: Codebeamer) -> Lock:
    return codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"), reason="test")


def apply(
    codebeamer: Codebeamer,
    lock: Lock,
    generator: Callable[..., Any] = signals,
    progress: Callable[[Progress], None] | None = None,
    **args: Any,
) -> RunSummary:
    runner = codebeamer.runner_with(progress)
    return runner.apply(generator, args, TRACKER, lock, run_key="dag/run")


def outline(server: Emulator) -> list[tuple[str, Any]]:
    items = server.items(DEMO_TRACKER_ID)
    return [(item["name"], unit_of(item)) for item in items]


def unit_of(item: dict[str, Any]) -> Any:
    for value in item.get("customFields", ()):
        if value["name"] == "Unit":
            return value.get("value")
    return None


FULL = [("Frame", None), *((f"Signal {n}", "bar") for n in range(3))]


def test_a_plan_reads_only(server: Emulator, codebeamer: Codebeamer) -> None:
    document, plan = codebeamer.runner.plan(signals, {"count": 2}, TRACKER)
    assert plan.counts["created"] == 3
    assert len(document.items) == 3
    assert len(server.calls()) == 2  # the schema and one page of items


def test_several_documents_are_no_matter_of_one_lock(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    document, _ = codebeamer.runner.plan(signals, {"count": 2}, TRACKER)
    several, before = (document, document), len(server.calls())
    with pytest.raises(ConfigurationError, match="it describes 2 documents"):
        codebeamer.runner.plan(several, {}, TRACKER)
    with pytest.raises(ConfigurationError, match="lock all of their trackers"):
        codebeamer.runner.apply(several, {}, TRACKER, lock, run_key="dag/run")
    assert server.calls()[before:] == []


def test_a_run_writes_verifies_and_tells_what_it_did(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    seen: list[Progress] = []
    before = len(server.calls())
    summary = apply(codebeamer, lock, progress=seen.append)
    assert outline(server) == FULL
    assert (summary.created, summary.updated, summary.unchanged) == (4, 0, 0)
    assert summary.requests == len(server.calls()) - before
    assert summary.warnings == ()
    assert max(one.done for one in seen) == 4
    run = codebeamer.runs.find_run(RunId(summary.run_id))
    assert run is not None
    assert run.state is RunState.DONE
    assert run.owner == "dag/run"
    assert summary.to_json()["created"] == 4


def test_a_second_run_has_nothing_to_write(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    apply(codebeamer, lock)
    server.clear_calls()
    summary = apply(codebeamer, lock)
    assert (summary.created, summary.unchanged, summary.run_id) == (0, 4, "")
    assert len(server.calls()) == 2


def test_a_changed_description_updates_and_reports_what_is_gone(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    apply(codebeamer, lock)
    summary = apply(codebeamer, lock, count=2, unit="psi")
    assert (summary.created, summary.updated) == (0, 2)
    assert "frame/2" in summary.warnings[0]
    assert outline(server)[1:] == [
        ("Signal 0", "psi"),
        ("Signal 1", "psi"),
        ("Signal 2", "bar"),
    ]


def test_a_generator_that_raises_half_way_has_written_nothing(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    def half_way() -> Items:
        yield from signals()
        raise ValueError("the source broke off")

    server.clear_calls()
    with pytest.raises(GeneratorFailedError, match="the source broke off"):
        apply(codebeamer, lock, half_way)
    assert server.calls() == []
    assert open_runs(codebeamer) == []


def test_a_document_that_does_not_fit_the_tracker_has_written_nothing(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    def misspelt() -> Items:
        yield {"key": "a", "name": "A", "fields": {"Unti": "bar"}}

    with pytest.raises(DocumentError, match="Unit"):
        apply(codebeamer, lock, misspelt)
    assert outline(server) == []
    assert open_runs(codebeamer) == []


@pytest.mark.parametrize(
    ("status", "error", "nth"),
    [(400, BadRequestError, 1), (400, BadRequestError, 3), (403, ForbiddenError, 4)],
)
def test_a_refusal_half_way_is_rolled_back_under_the_lock(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    status: int,
    error: type[Exception],
    nth: int,
) -> None:
    server.add_fault(
        {"operation": CREATE, "nth": nth, "kind": "status", "status": status}
    )
    with pytest.raises(error) as caught:
        apply(codebeamer, lock)
    assert outline(server) == []
    assert any("rolled back" in note for note in caught.value.__notes__)
    assert any("nothing is left" in note for note in caught.value.__notes__)
    assert open_runs(codebeamer) == []
    codebeamer.engine.guard(lock)


def test_a_server_that_goes_on_failing_is_rolled_back(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    server.add_fault({"operation": CREATE, "nth": 1, "kind": "delay", "seconds": 0.0})
    for nth in range(2, 5):
        server.add_fault(
            {"operation": CREATE, "nth": nth, "kind": "status", "status": 500}
        )
    with pytest.raises(ServerError):
        apply(codebeamer, lock)
    assert outline(server) == []


def test_a_failed_update_gives_old_values_back(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    apply(codebeamer, lock)
    before = outline(server)
    server.add_fault(
        {
            "operation": "*",
            "method": "PATCH",
            "kind": "status",
            "status": 400,
            "times": 1,
        }
    )

    def reordered() -> Items:
        yield {"key": "new", "name": "New"}
        frame, first, *rest = signals(unit="psi")
        yield frame
        yield from reversed(rest)
        yield {**first, "parent": "new"}

    with pytest.raises(BadRequestError):
        apply(codebeamer, lock, reordered)
    assert outline(server) == before
    assert apply(codebeamer, lock, reordered).moved == 1


def test_whoever_listens_to_progress_may_stop_a_run(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    class Stopped(BaseException):
        pass

    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        apply(codebeamer, lock, progress=stop)
    assert outline(server) == []


def test_what_does_not_verify_is_rolled_back(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    def meddle(progress: Progress) -> None:
        if progress.done < progress.total:
            return
        item = server.items(DEMO_TRACKER_ID)[1]["id"]
        body = {
            "fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": "Mine"}]
        }
        assert server.act("bond", "PUT", f"/v3/items/{item}/fields", body) == 200

    with pytest.raises(VerificationError, match="should be"):
        apply(codebeamer, lock, progress=meddle)
    assert [name for name, _ in outline(server)] in ([], ["Mine"])
    assert open_runs(codebeamer) == []


@pytest.mark.trap("T31")
def test_a_lost_lock_stops_writing_and_leaves_the_run_to_recovery(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    open_codebeamer: Callable[[], Codebeamer],
) -> None:
    other = open_codebeamer()
    calls: list[int] = []

    def break_it(progress: Progress) -> None:
        if progress.done == 2:
            seen = other.status.find(lock.server, TRACKER)
            assert seen is not None
            other.engine.parts.store.set_breaking(seen, by="boss", reason="test")
            codebeamer.engine.parts.deadlines.drop(lock)
            calls.append(len(server.calls()))

    with pytest.raises(LockLostError) as caught:
        apply(codebeamer, lock, progress=break_it)
    assert not hasattr(caught.value, "__notes__")  # no rollback was tried
    assert len(server.calls()) <= calls[0] + 1
    assert len(outline(server)) >= 2
    (run,) = open_runs(codebeamer)
    assert run.state is RunState.APPLYING

    report = other.engine.break_lock(
        TRACKER, expect_epoch=lock.epoch, by="boss", reason="test"
    )
    assert report.released
    assert len(report.undone) >= 2
    assert outline(server) == []
    assert open_runs(codebeamer) == []


def test_what_could_not_be_undone_at_once_is_undone_by_the_release(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
    server.add_fault({"operation": CREATE, "nth": 3, "kind": "status", "status": 400})
    stuck = server.add_fault(
        {"operation": "*", "method": "DELETE", "kind": "status", "status": 401}
    )
    assert stuck
    with pytest.raises(BadRequestError) as caught:
        apply(codebeamer, lock)
    assert any("not undone yet" in note for note in caught.value.__notes__)
    assert len(open_runs(codebeamer)) == 1
    assert outline(server) != []
    server.clear_faults()
    report = codebeamer.engine.release(TRACKER, owner_key="dag/run")
    assert report.released
    assert report.undone
    assert outline(server) == []
    assert server.permissions(DEMO_TRACKER_ID) == before


def test_a_retry_under_the_same_lock_goes_on_with_the_earlier_try(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    server.add_fault({"operation": CREATE, "nth": 3, "kind": "status", "status": 400})
    server.add_fault(
        {"operation": "*", "method": "DELETE", "kind": "status", "status": 401}
    )
    with pytest.raises(BadRequestError):
        apply(codebeamer, lock)
    left = {item["id"] for item in server.items(DEMO_TRACKER_ID)}
    assert left
    server.clear_faults()
    assert apply(codebeamer, lock).created == 4 - len(left)
    assert outline(server) == FULL
    assert left < {item["id"] for item in server.items(DEMO_TRACKER_ID)}
    assert open_runs(codebeamer) == []


def test_a_document_may_say_that_a_failed_run_is_only_told(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    def told() -> dict[str, Any]:
        policy = {"on_failure": "report"}
        return {"owner": "o", "policy": policy, "items": list(signals())}

    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
    server.add_fault({"operation": CREATE, "nth": 4, "kind": "status", "status": 400})
    with pytest.raises(BadRequestError) as caught:
        apply(codebeamer, lock, told)
    notes = [note for note in caught.value.__notes__ if "not undone" in note]
    assert len(notes) == 3
    assert len(outline(server)) == 3
    assert open_runs(codebeamer) == []


def test_a_document_may_say_that_a_failed_run_stays(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    def keeps() -> dict[str, Any]:
        return {
            "owner": "o",
            "policy": {"on_failure": "keep"},
            "items": list(signals()),
        }

    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
    server.add_fault({"operation": CREATE, "nth": 4, "kind": "status", "status": 400})
    with pytest.raises(BadRequestError) as caught:
        apply(codebeamer, lock, keeps)
    assert any("stays" in note for note in caught.value.__notes__)
    assert codebeamer.engine.release(TRACKER, owner_key="dag/run").undone == ()
    assert len(outline(server)) == 3


def test_a_run_that_stays_is_not_undone_by_the_release_either(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    def keeps() -> dict[str, Any]:
        return {
            "owner": "o",
            "policy": {"on_failure": "keep"},
            "items": list(signals()),
        }

    def lose(progress: Progress) -> None:
        if progress.done == 2:
            raise LockLostError(TRACKER, expected=1, found=2, why="test")

    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
    with pytest.raises(LockLostError):
        apply(codebeamer, lock, keeps, progress=lose)
    assert len(open_runs(codebeamer)) == 1
    assert codebeamer.engine.release(TRACKER, owner_key="dag/run").undone == ()
    assert len(outline(server)) >= 2
    assert open_runs(codebeamer) == []


def test_a_done_run_can_be_rolled_back_later(
    server: Emulator, codebeamer: Codebeamer, lock: Lock
) -> None:
    summary = apply(codebeamer, lock)
    run = codebeamer.runs.find_run(RunId(summary.run_id))
    assert run is not None
    report = codebeamer.runner.roll_back(run, lock)
    assert len(report.undone) == 4
    assert outline(server) == []
    codebeamer.engine.guard(lock)


def open_runs(codebeamer: Codebeamer) -> list[Any]:
    return codebeamer.runs.list_open(codebeamer.settings.server.base, TRACKER)
