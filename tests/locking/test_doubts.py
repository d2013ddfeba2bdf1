"""What somebody may have revoked although it is given back: told, with its reason."""

from __future__ import annotations

import pytest

from airflow_codebeamer.errors import CodebeamerError, RestorePendingError
from airflow_codebeamer.locking import LockStatus
from airflow_codebeamer.locking.rights.doubts import taken_in_part

PUT = "updatePermission"
READ = "getTrackerPermissionsWithRoles"
FULL = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]
REDUCED = [0, 2, 8, 10, 21]
LESS = [right for right in FULL if right != 7]
WORDS = "role Writer 1: somebody may have revoked issue_delete; it was given back"


@pytest.fixture
def doubts(bench):
    """Return a question: what the history doubts."""

    def ask():
        history = bench.engine().parts.history
        events = history.list_events(bench.server.url, bench.tracker)
        return [event for event in events if event.kind == "doubt"]

    return ask


@pytest.fixture
def half(bench, owner):
    """Return a maker of a lock whose first reduction was never answered."""

    def make(kind="reset"):
        _lose(bench, kind)
        with pytest.raises(CodebeamerError):
            bench.engine().acquire(bench.tracker, owner=owner)
        bench.server.clear_faults()

    return make


def _lose(bench, kind):
    """Let the next change of permissions have no answer, and no read after it."""
    bench.server.add_fault({"kind": kind, "operation": PUT})
    for nth in range(2, 12):
        bench.server.add_fault({"kind": "reset", "operation": READ, "nth": nth})


def _recover(bench):
    bench.pass_time(hours=2)
    (done,) = bench.recovery().recover()
    return done.report


def test_a_right_revoked_while_a_request_is_open_comes_back_and_is_told(
    bench, half, doubts
):
    half()
    assert bench.rights("Writer 1") == FULL
    bench.grant("Writer 1", LESS)
    report = _recover(bench)
    assert bench.rights("Writer 1") == FULL
    (told,) = report.drift
    assert told.startswith(WORDS)
    (event,) = doubts()
    assert event.detail["rights"] == [{"id": 7, "name": "issue_delete"}]
    status = LockStatus(bench.engine().parts.store)
    (one,) = status.list_takings(bench.server.url, bench.tracker, "Writer 1", "")
    assert [note for note in one.notes if WORDS in note]
    last = bench.engine().parts.history.find_last(
        bench.server.url, bench.tracker, "restored_verified"
    )
    assert last.detail["drift"] == [told]


def test_the_other_past_of_the_same_state_is_told_alike(bench, half, doubts):
    half("drop_answer")
    assert bench.rights("Writer 1") == REDUCED
    bench.grant("Writer 1", LESS)
    assert _recover(bench).drift[0].startswith(WORDS)


@pytest.mark.parametrize("kind", ["reset", "drop_answer"])
def test_a_request_that_nobody_interfered_with_is_no_doubt(bench, half, doubts, kind):
    half(kind)
    assert _recover(bench).drift == ()
    assert doubts() == []


def test_all_that_a_request_takes_is_taken_for_its_doing(bench, half, doubts):
    half()
    bench.grant("Writer 1", REDUCED)
    assert _recover(bench).drift == ()
    assert bench.rights("Writer 1") == FULL


def test_the_same_run_that_goes_on_writes_it_down_before_it_takes_the_rest(
    bench, half, owner, doubts
):
    half()
    bench.grant("Writer 1", LESS)
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert len(doubts()) == 1
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == FULL
    assert [text for text in report.drift if text.startswith(WORDS)] == [*report.drift]


def test_a_right_revoked_after_a_restore_that_nobody_saw(bench, owner, doubts):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    _lose(bench, "drop_answer")
    with pytest.raises(RestorePendingError):
        engine.release(bench.tracker, owner_key=owner.key)
    bench.server.clear_faults()
    assert bench.rights("Writer 1") == FULL
    bench.grant("Writer 1", LESS)
    assert _recover(bench).drift[0].startswith(WORDS)
    assert bench.rights("Writer 1") == FULL


def test_what_was_seen_reduced_can_only_have_been_granted(bench, owner, doubts):
    bench.server.add_fault({"kind": "drop_answer", "operation": PUT, "nth": 1})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    bench.grant("Writer 1", [*REDUCED, 5, 6])
    bench.grant("Writer 2", [*bench.rights("Writer 2"), 6])
    (told,) = engine.release(bench.tracker, owner_key=owner.key).drift
    assert told.startswith("role Writer 1: somebody added")
    assert doubts() == []


def test_an_echo_in_part_is_put_back_and_told(bench, owner, doubts):
    bench.server.add_fault({"kind": "reset", "operation": PUT, "nth": 1})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    engine.release(bench.tracker, owner_key=owner.key)
    bench.grant("Writer 1", LESS)
    (done,) = bench.recovery().recover()
    assert done.action == "healed"
    assert done.report.drift[0].startswith(WORDS)
    assert bench.rights("Writer 1") == FULL
    assert len(doubts()) == 1


def test_it_is_written_once_however_often_its_restore_is_tried(bench, half, doubts):
    half()
    bench.grant("Writer 1", LESS)
    bench.pass_time(hours=2)
    for _ in range(2):
        bench.server.add_fault({"kind": "status", "status": 403, "operation": PUT})
        assert bench.recovery().recover()[0].action == "failed"
        bench.pass_time(hours=2)
    bench.server.clear_faults()
    assert len(_recover(bench).drift) == 1
    assert len(doubts()) == 1


def test_it_costs_no_request(bench, half):
    half()
    bench.pass_time(hours=2)
    bench.server.clear_calls()
    bench.recovery().recover()
    plain = bench.operations()
    assert plain.count(PUT) == 0
    assert plain.count(READ) == 2


def test_one_request_that_took_all_explains_what_another_took_in_part():
    missing, now = frozenset({1, 2}), frozenset({0, 3})
    in_part, whole = frozenset({1, 2, 3}), frozenset({1, 2})
    assert taken_in_part([in_part], missing, now) == missing
    assert taken_in_part([whole], missing, now) == frozenset()
    assert taken_in_part([in_part, whole], missing, now) == frozenset()
    assert taken_in_part([in_part, frozenset({1})], missing, now) == frozenset({2})
