from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from airflow_codebeamer.errors import LockLostError, NotSentError, SkeletonError
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.skeleton import list_written


def item(key: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", "children": list(children), **more}


def refuse_after(rig, count: int):
    """A guard that lets so many writes pass."""
    allowed = threading.Semaphore(count)

    def guard() -> None:
        if not allowed.acquire(blocking=False):
            raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

    return guard


def before_and_after(rig):
    """Fill the tracker; return the document that changes everything in it."""
    rig.apply(
        rig.document(
            item("P", item("P1"), item("P2"), item("P3"), fields={"Unit": "V"}),
            item("Q", item("M1"), item("M2"), fields={"Length": 3, "ASIL": "A"}),
            item("O1", description="old"),
            item("O2", seed={"Rationale": "theirs"}),
        )
    )
    path = f"/v3/trackers/{rig.tracker_id}/items"
    assert rig.server.act("alice", "POST", path, {"name": "Foreign"}) == 200
    rig.server.clear_calls()
    return rig.document(
        item("O2"),
        item("P", item("P3"), item("New", item("New1", item("M2"))), item("P1")),
        item("Q", item("P2", fields={"Unit": "A"}), fields={"Length": None}),
        item("O1", description="new\ntext"),
        item("M1", type="Folder"),
        item("Last"),
    )


def test_a_whole_run_is_undone_in_every_respect(rig):
    document = before_and_after(rig)
    before = rig.state()
    run = rig.run()
    rig.apply(document, run=run)
    assert rig.state() != before

    report = rig.roll_back(run)

    assert report.left == ()
    assert rig.state() == before
    assert rig.runs.find_run(run.run_id).state is RunState.ROLLED_BACK
    assert any("New1" in line and "trashed" in line for line in report.undone)
    assert any("P2" in line and "moved back" in line for line in report.undone)
    assert any(
        "O1" in line and "put back Description" in line for line in report.undone
    )


@pytest.mark.parametrize("takes_subtree", [True, False])
@pytest.mark.parametrize("count", range(10))
def test_a_run_that_stopped_anywhere_is_undone(rig, count, takes_subtree):
    document = before_and_after(rig)
    rig.server.assume(trash_takes_subtree=takes_subtree)
    before = rig.state()
    run = rig.run()
    guard = refuse_after(rig, count)
    try:
        rig.apply(document, run=run, guard=guard)
        assert count == 9
    except LockLostError:
        assert len(rig.writes()) == count

    assert rig.roll_back(run).left == ()
    assert rig.state() == before


def test_the_number_of_writes_that_these_tests_count_on(rig):
    run = rig.run()
    rig.apply(before_and_after(rig), run=run)
    assert len(rig.writes()) == 9
    assert {method for method, _ in rig.writes()} == {"POST", "PUT", "PATCH"}
    rig.server.clear_calls()
    rig.roll_back(run)
    assert len(rig.writes()) == 8
    assert {method for method, _ in rig.writes()} == {"DELETE", "PUT", "PATCH"}


@pytest.mark.parametrize(("takes_subtree", "writes"), [(True, 8), (False, 9)])
def test_a_rollback_that_stopped_anywhere_can_be_repeated(rig, takes_subtree, writes):
    for count in range(1, writes + 1):
        rig.server.load_world("demo")
        rig.server.assume(trash_takes_subtree=takes_subtree)
        stop_and_repeat(rig, count)


def stop_and_repeat(rig, count):
    document = before_and_after(rig)
    before = rig.state()
    run = rig.run()
    rig.apply(document, run=run)

    with pytest.raises(LockLostError):
        rig.roll_back(run, guard=refuse_after(rig, count - 1))
    assert rig.runs.find_run(run.run_id).state is RunState.APPLYING
    assert rig.roll_back(run).left == ()
    assert rig.state() == before
    rig.server.clear_calls()
    assert rig.roll_back(run).undone == ()
    assert rig.server.calls() == []


@pytest.mark.parametrize("kind", ["drop_answer", "status"])
@pytest.mark.parametrize("nth", range(1, 9))
def test_lost_answers_do_not_disturb_a_rollback(rig, kind, nth):
    document = before_and_after(rig)
    before = rig.state()
    run = rig.run()
    rig.apply(document, run=run)
    rig.server.add_fault(
        {"kind": kind, "operation": "write", "nth": nth, "times": 1, "status": 503}
    )

    report = rig.roll_back(run)

    assert [fault["met"] for fault in rig.server.faults()] == [1]
    assert report.left == ()
    assert rig.state() == before


def test_a_run_that_never_began_has_nothing_to_undo(rig):
    run = rig.run()
    rig.runs.open_run(run)

    assert rig.roll_back(run).undone == ()
    assert rig.server.calls() == []
    assert rig.runs.find_run(run.run_id).state is RunState.ROLLED_BACK


def test_somebody_elses_later_edit_is_left_and_reported(rig):
    rig.apply(rig.document(item("A", fields={"Unit": "V", "Length": 1}), item("B")))
    run = rig.run()
    rig.apply(
        rig.document(item("A", fields={"Unit": "A", "Length": 2}), item("B")), run=run
    )
    number = rig.item("NA")["id"]
    values = [{"fieldId": 10002, "type": "TextFieldValue", "value": "by hand"}]
    path = f"/v3/items/{number}/fields"
    assert rig.server.act("bond", "PUT", path, {"fieldValues": values}) == 200

    report = rig.roll_back(run)

    assert report.left == (f"A (item {number}): Unit was changed later, to 'by hand'",)
    assert rig.custom("NA")["Unit"] == "by hand"
    assert rig.custom("NA")["Length"] == 1
    assert rig.runs.find_run(run.run_id).state is RunState.ROLLBACK_INCOMPLETE
    assert rig.runs.find_run(run.run_id).summary["left"] == list(report.left)


def test_parents_that_were_turned_round_are_turned_back(rig):
    rig.apply(rig.document(item("X", item("Y", item("Z")))))
    before = rig.state()
    run = rig.run()
    rig.apply(rig.document(item("Z", item("Y", item("X")))), run=run)
    assert rig.tree() == ["NZ", "  NY", "    NX"]

    assert rig.roll_back(run).left == ()
    assert rig.state() == before


TREE = item("A", item("B", item("C", item("D"))), item("E"))


def trashed(rig, applied):
    """Return the keys of items that somebody wanted in the trash, in order."""
    keys = {number: key for key, number in applied.created.items()}
    return [
        keys[int(path.rpartition("/")[2])]
        for method, path in rig.writes()
        if method == "DELETE"
    ]


def test_a_created_tree_goes_to_the_trash_with_one_request(rig):
    run = rig.run()
    applied = rig.apply(rig.document(TREE, item("F")), run=run)
    rig.server.clear_calls()

    report = rig.roll_back(run)

    assert set(trashed(rig, applied)) == {"A", "F"}
    # Two looks at the tracker, one at what our account did elsewhere.
    assert len(rig.calls("POST")) == 3
    assert rig.tree() == []
    assert len(report.undone) == 6
    assert report.left == ()


def test_what_does_not_go_along_with_its_tree_goes_one_by_one_from_below(rig):
    run = rig.run()
    applied = rig.apply(rig.document(TREE), run=run)
    rig.server.assume(trash_takes_subtree=False)
    rig.server.clear_calls()

    report = rig.roll_back(run)

    order = trashed(rig, applied)
    assert order[:3] == ["A", "D", "C"]
    assert set(order[3:]) == {"B", "E"}
    # Three looks at the tracker, one at what our account did elsewhere.
    assert len(rig.calls("POST")) == 4
    assert rig.tree() == []
    assert report.left == ()


def test_a_tree_that_the_server_keeps_whole_goes_one_by_one_from_below(rig):
    run = rig.run()
    applied = rig.apply(rig.document(TREE), run=run)
    rig.server.clear_calls()
    fault = {"kind": "status", "status": 400, "method": "DELETE", "times": 1}
    rig.server.add_fault(fault)

    report = rig.roll_back(run)

    order = trashed(rig, applied)
    assert order[:3] == ["A", "D", "C"]
    assert set(order[3:5]) == {"B", "E"}
    assert order[5:] == ["A"]
    assert rig.tree() == []
    assert report.left == ()


def test_a_tree_whose_answer_was_lost_is_asked_for_whole_again(rig):
    run = rig.run()
    applied = rig.apply(rig.document(TREE), run=run)
    rig.server.clear_calls()
    rig.server.add_fault({"kind": "reset", "method": "DELETE", "times": 1})

    report = rig.roll_back(run)

    assert trashed(rig, applied) == ["A", "A"]
    assert rig.tree() == []
    assert report.left == ()


def test_beside_somebody_elses_item_only_whole_trees_of_ours_are_trashed(rig):
    run = rig.run()
    mixed = item("A", item("A1", item("A2")), item("B", item("C")))
    applied = rig.apply(rig.document(mixed), run=run)
    path = f"/v3/trackers/{rig.tracker_id}/items?parentItemId={applied.created['A1']}"
    assert rig.server.act("bond", "POST", path, {"name": "Mine"}) == 200
    rig.server.clear_calls()

    report = rig.roll_back(run)

    assert rig.tree() == ["NA", "  NA1", "    Mine"]
    assert set(trashed(rig, applied)) == {"A2", "B"}
    assert len(report.left) == 2


def test_somebody_elses_later_move_is_left_and_reported(rig):
    rig.apply(rig.document(item("P"), item("Q"), item("M")))
    run = rig.run()
    rig.apply(rig.document(item("P", item("M")), item("Q")), run=run)
    number, other = rig.item("NM")["id"], rig.item("NQ")["id"]
    place = {"itemReference": {"id": number}, "index": 0}
    path = f"/v3/items/{other}/children?mode=INSERT"
    assert rig.server.act("bond", "PATCH", path, place) == 200

    report = rig.roll_back(run)

    assert report.left == (f"M (item {number}) was moved on by somebody else",)
    assert rig.tree() == ["NP", "NQ", "  NM"]


def test_somebody_elses_later_order_is_left_and_reported(rig):
    rig.apply(rig.document(*(item(key) for key in "ABCD")))
    run = rig.run()
    rig.apply(rig.document(*(item(key) for key in "DCBA")), run=run)
    numbers = [rig.item(f"N{key}")["id"] for key in "BDAC"]
    body = {"children": [{"id": number} for number in numbers]}
    path = f"/v3/trackers/{rig.tracker_id}/children"
    assert rig.server.act("bond", "PUT", path, body) == 200

    report = rig.roll_back(run)

    assert report.left == ("the order below the top was changed later",)
    assert rig.tree() == ["NB", "ND", "NA", "NC"]


def test_somebody_elses_item_below_a_created_one_is_not_trashed(rig):
    run = rig.run()
    applied = rig.apply(rig.document(item("A", item("A1")), item("B")), run=run)
    path = f"/v3/trackers/{rig.tracker_id}/items?parentItemId={applied.created['A1']}"
    assert rig.server.act("bond", "POST", path, {"name": "Mine"}) == 200

    report = rig.roll_back(run)

    assert rig.tree() == ["NA", "  NA1", "    Mine"]
    assert len(report.left) == 2
    assert all("somebody else's item" in line for line in report.left)


def test_somebody_elses_item_with_our_key_is_not_trashed(rig):
    run = rig.run()
    with pytest.raises(LockLostError):
        rig.apply(rig.document(item("A")), run=run, guard=refuse_after(rig, 0))
    fields = [{"fieldId": 10001, "type": "TextFieldValue", "value": "A"}]
    path = f"/v3/trackers/{rig.tracker_id}/items"
    body = {"name": "Mine", "customFields": fields}
    assert rig.server.act("bond", "POST", path, body) == 200

    report = rig.roll_back(run)

    assert rig.tree() == ["Mine"]
    assert [line.endswith("created by bond") for line in report.left] == [True]


def test_an_item_that_will_not_move_back_keeps_its_new_parent_alive(rig):
    rig.apply(rig.document(item("A"), item("B", fields={"Unit": "V"})))
    run = rig.run()
    rig.apply(
        rig.document(item("New", item("A")), item("B", fields={"Unit": "A"})), run=run
    )
    number = rig.item("NA")["id"]
    assert (
        rig.server.act("bond", "PUT", f"/v3/items/{number}/lock", {"hard": True}) == 200
    )

    report = rig.roll_back(run)

    assert rig.tree() == ["NNew", "  NA", "NB"]
    assert rig.custom("NB")["Unit"] == "V"
    assert f"A (item {number}) could not be moved back" in report.left
    assert [line for line in report.undone if "moved back" in line] == []


def test_a_locked_item_is_left_and_the_others_are_put_back(rig):
    rig.apply(rig.document(item("A", fields={"Unit": "V"}), item("B")))
    run = rig.run()
    rig.apply(
        rig.document(item("A", fields={"Unit": "A"}), item("B", fields={"Length": 1})),
        run=run,
    )
    number = rig.item("NA")["id"]
    assert (
        rig.server.act("bond", "PUT", f"/v3/items/{number}/lock", {"hard": True}) == 200
    )

    report = rig.roll_back(run)

    assert "Length" not in rig.custom("NB")
    (line,) = report.left
    assert line.startswith(f"A (item {number}): not put back Unit: ")
    assert "locked" in line


def test_an_unreachable_server_leaves_the_run_open(rig):
    run = rig.run()
    rig.apply(rig.document(item("A")), run=run)
    rig.server.__exit__(None, None, None)
    try:
        with pytest.raises(NotSentError):
            rig.roll_back(run)
        assert rig.runs.find_run(run.run_id).state is RunState.APPLYING
    finally:
        rig.server.__enter__()


def test_an_update_that_was_refused_half_way_is_undone(rig):
    rig.apply(rig.document(*(item(f"{n}") for n in range(150))))
    before = rig.state()
    locked = rig.item("N120")["id"]
    assert (
        rig.server.act("bond", "PUT", f"/v3/items/{locked}/lock", {"hard": True}) == 200
    )
    changed = [item(f"{n}", fields={"Unit": "V"}) for n in range(150)]
    run = rig.run()
    with pytest.raises(SkeletonError):
        rig.apply(rig.document(*changed), run=run)

    assert rig.roll_back(run).left == ()
    assert rig.state() == before


KILLED = """
import sys
from airflow_codebeamer.client import Client
from airflow_codebeamer.database import Database
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.settings import ServerSettings, StoreSettings
from airflow_codebeamer.skeleton import (
    apply_plan, load_document, plan, read_snapshot,
)

url, store, tracker, document = sys.argv[1:]
database = Database(StoreSettings(url=store))
settings = ServerSettings(
    url=url, login="generator", password="generator", connections=2,
    requests_per_second=None, requests_per_minute=None,
)
tracker = TrackerId(int(tracker))
wanted = load_document(document)
with Client(settings) as client:
    run = Run(
        run_id=RunId("killed"), server=settings.base, tracker_id=tracker,
        lineage=Lineage("lineage"), epoch=Epoch(1), owner="test",
    )
    apply_plan(
        plan(wanted, read_snapshot(client, tracker, wanted)),
        client, Journal(database), Runs(database), run, lambda: None,
    )
"""


def test_a_killed_process_is_undone_by_another_one_with_the_journal_alone(
    rig, tmp_path
):
    document = before_and_after(rig)
    before = rig.state()
    more = [{"key": f"E{n}", "name": f"E{n}", "parent": "Last"} for n in range(200)]
    text = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    text["items"] += more
    rig.server.add_fault({"kind": "delay", "operation": "write", "seconds": 0.01})
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            KILLED,
            rig.server.url,
            f"sqlite:///{tmp_path / 'store.db'}",
            str(rig.tracker_id),
            json.dumps(text),
        ]
    )
    try:
        deadline = time.monotonic() + 60
        while len(rig.server.items(rig.tracker_id)) < len(before) + 30:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    time.sleep(0.2)
    run = rig.runs.find_run("killed")
    assert run.state is RunState.APPLYING
    assert rig.journal.list_entries("killed", open_only=True)
    assert rig.state() != before

    report = rig.roll_back(run)

    assert report.left == ()
    assert rig.state() == before


def test_what_was_written_can_be_listed_and_undone_later(rig):
    rig.apply(rig.document(item("A", fields={"Unit": "V"})))
    run = rig.run()
    rig.apply(rig.document(item("A", fields={"Unit": "A"}), item("B")), run=run)
    before = rig.state()
    told = list_written(run, rig.client, rig.journal, rig.runs)
    assert rig.state() == before
    assert [line.partition(" (")[0] for line in told.left] == ["B", "A"]
    assert rig.roll_back(run).left == ()
    assert rig.tree() == ["NA"]


def test_what_our_account_did_in_other_trackers_is_told(rig):
    run = rig.run()
    rig.apply(rig.document(item("A")), run=run)
    _write_outside(rig, "Outside")

    report = rig.roll_back(run)

    assert report.left == ()
    (line,) = report.outside
    assert "('Outside') of tracker 2999 was changed meanwhile by our account" in line
    found = rig.runs.find_run(run.run_id)
    assert found.state is RunState.ROLLED_BACK
    assert found.summary["outside"] == [line]


def test_what_was_there_before_the_run_is_no_outside_effect(rig):
    _write_outside(rig, "Before")
    rig.server.advance(5)
    run = rig.run()
    rig.apply(rig.document(item("A")), run=run)
    assert rig.roll_back(run).outside == ()


def _write_outside(rig, name):
    """Have the account write to another tracker, as a workflow action may."""
    world = rig.server.world()
    tracker = next(one for one in world["trackers"] if one["id"] == rig.tracker_id)
    if not any(one["id"] == 2999 for one in world["trackers"]):
        new = {**tracker, "id": 2999, "name": "Other", "key": "OTH", "children": []}
        rig.server.load_world({**world, "trackers": [*world["trackers"], new]})
    path = "/v3/trackers/2999/items"
    assert rig.server.act("generator", "POST", path, {"name": name}) == 200
