"""A restore that waits for a person: nobody sends or takes anything meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import LockHeldError, RestorePendingError
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.settings import LockSettings

PUT = "updatePermission"
WRITER = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]
EDITED = [0, 2, 5, 8, 21]
MERGED = sorted({*WRITER, 5} - {10})
QUESTION = (
    "role Writer 1 waits for an answer (somebody added issue_mass_edit and removed "
    "issue_attachment_view)"
)


def _record(bench):
    return bench.engine().parts.store.find(bench.server.url, bench.tracker)


def _ask(bench, owner, *, policy="ask", edit=None):
    """Let a lock end with an open question of the role Writer 1."""
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, restore_policy=policy)
    if edit is None:
        bench.grant("Writer 1", EDITED)
    else:
        edit()
    with pytest.raises(RestorePendingError) as caught:
        engine.release(bench.tracker, owner_key=owner.key)
    assert caught.value.wants_an_answer
    bench.server.clear_calls()
    return caught.value


def _answer(bench, take, role="Writer 1"):
    bench.engine().answer(bench.tracker, role, take=take, by="carol", reason="meant")


def _change(bench, edit):
    world = bench.server.world()
    edit(world, bench.place.roles["Writer 1"])
    bench.server.load_world(world)


def _delete(world, role):
    """Let a role be deleted."""
    world["roles"] = [one for one in world["roles"] if one["id"] != role]
    del world["trackers"][0]["permissions"][str(role)]
    for project in world["projects"]:
        for roles in project["members"].values():
            roles[:] = [one for one in roles if one != role]


def _reuse(world, role, rights=(0, 1)):
    """Let a role be deleted, and another one be made with its number."""
    (known,) = [one for one in world["roles"] if one["id"] == role]
    _delete(world, role)
    world["roles"].append({**known, "name": "Auditor"})
    world["trackers"][0]["permissions"][str(role)] = list(rights)


def _rename(world, role):
    (known,) = [one for one in world["roles"] if one["id"] == role]
    known["name"] = "Author"


def _add(world, role):
    (like,) = [one for one in world["roles"] if one["id"] == role]
    world["roles"].append({**like, "id": 4999, "name": "Auditor"})
    world["trackers"][0]["permissions"]["4999"] = [0, 1]


@pytest.mark.parametrize("who", ["release", "acquire", "other", "break", "recover"])
def test_nobody_goes_on_while_a_question_is_open(bench, owner, other, who):
    asked = _ask(bench, owner)
    epoch = _record(bench).epoch
    engine = bench.engine()
    ways = {
        "release": lambda: engine.release(bench.tracker, owner_key=owner.key),
        "acquire": lambda: engine.acquire(bench.tracker, owner=owner),
        "other": lambda: engine.acquire(bench.tracker, owner=other),
        "break": lambda: engine.break_lock(
            bench.tracker, expect_epoch=epoch, by="carol", reason="now", at_once=True
        ),
    }
    for _ in range(3):
        bench.pass_time(minutes=5)
        if who == "recover":
            (done,) = bench.recovery().recover()
            assert done.needs_a_person
            told = done.error
        else:
            with pytest.raises((RestorePendingError, LockHeldError)) as caught:
                ways[who]()
            told = str(caught.value)
            assert caught.value.answers == asked.answers
        assert (
            f"`airflow-codebeamer lock answer {bench.tracker} --role 'Writer 1' --take "
            "merge|exact|keep --reason TEXT`" in told
        )
        assert "somebody who decides about its permissions" in told or who == "other"
        assert QUESTION in told or who == "other"
    assert bench.operations() == []
    record = _record(bench)
    assert (record.epoch, record.breaking) == (epoch, None)


def test_who_waits_waits_through_the_question_and_takes_the_tracker_after_it(
    bench, owner, other
):
    _ask(bench, owner)
    epoch = _record(bench).epoch
    engine = bench.engine()
    looks = []
    sleep = bench.clock.sleep

    class Watched:
        """A clock on which a person answers at the third look."""

        def __getattr__(self, name):
            return getattr(bench.clock, name)

        def sleep(self, seconds):
            looks.append((bench.operations(), _record(bench).epoch))
            if len(looks) == 3:
                _answer(bench, "merge")
            sleep(seconds)

    engine = bench.engine(clock=Watched())
    lock = engine.acquire(bench.tracker, owner=other, wait_for=timedelta(hours=1))
    assert lock.owner == other
    assert looks == [([], epoch)] * 3
    assert len([line for line in bench.said if QUESTION in line]) == 1
    engine.release(bench.tracker, owner_key=other.key)
    assert bench.rights("Writer 1") == MERGED


def test_no_offer_is_made_while_a_question_is_open(bench, owner, other):
    _ask(bench, owner)
    bench.pass_time(minutes=5)
    engine = bench.engine()
    ticket = engine.enqueue(bench.tracker, owner=other)
    queue, settings = engine.parts.store.queue, LockSettings()
    server = bench.server.url
    assert queue.attend(server, [ticket.number], settings) == {ticket.number: False}
    _answer(bench, "keep")
    assert queue.attend(server, [ticket.number], settings) == {ticket.number: True}


def test_what_was_answered_is_done_though_another_question_is_open(bench, owner):
    def edit():
        bench.grant("Writer 1", EDITED)
        bench.grant("Writer 2", [0])

    _ask(bench, owner, edit=edit)
    _answer(bench, "exact")
    (done,) = bench.recovery().recover()
    assert done.needs_a_person
    assert "role Writer 2" in done.error
    assert "role Writer 1" not in done.error
    assert bench.rights("Writer 1") == WRITER
    bench.server.clear_calls()
    epoch = _record(bench).epoch
    assert bench.recovery().recover()[0].needs_a_person
    assert bench.operations() == []
    assert _record(bench).epoch == epoch


def test_an_answer_to_keep_is_settled_though_another_question_is_open(bench, owner):
    """Nothing is sent for it, and still it is not asked for again and again."""

    def edit():
        bench.grant("Writer 1", EDITED)
        bench.grant("Writer 2", [0])

    _ask(bench, owner, edit=edit)
    _answer(bench, "keep")
    bench.recovery().recover()
    bench.server.clear_calls()
    assert bench.recovery().recover()[0].needs_a_person
    assert bench.operations() == []


@pytest.mark.parametrize("when", ["before the question", "after it"])
def test_a_role_that_was_deleted_is_gone_when_it_is_merged(bench, owner, when):
    if when == "after it":
        _ask(bench, owner)
        _change(bench, _delete)
    else:
        asked = _ask(bench, owner, edit=lambda: _change(bench, _delete))
        assert "has no rights any more, or does not exist" in str(asked)
    _answer(bench, "merge")
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert "role Writer 1 does not exist any more" in done.report.drift
    assert _record(bench).state is LockState.FREE


def test_a_role_that_was_deleted_is_not_asked_for_under_keep(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner, restore_policy="keep")
    _change(bench, _delete)
    bench.server.clear_calls()
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert report.drift == ("role Writer 1 has no rights any more, or does not exist",)
    assert len(bench.operations(PUT)) == 1


@pytest.mark.parametrize("policy", ["ask", "keep", "merge", "exact"])
def test_a_role_that_was_added_is_told_and_never_written(bench, owner, policy):
    if policy == "ask":

        def edit():
            bench.grant("Writer 1", EDITED)
            _change(bench, _add)

        _ask(bench, owner, edit=edit)
        _answer(bench, "merge")
        (done,) = bench.recovery().recover()
        report = done.report
    else:
        bench.engine().acquire(bench.tracker, owner=owner, restore_policy=policy)
        _change(bench, _add)
        report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Auditor") == [0, 1]
    assert any("role Auditor: somebody added" in line for line in report.drift)
    paths = [call["path"] for call in bench.server.calls() if call["method"] == "PUT"]
    assert not any("/4999/" in path for path in paths)


@pytest.mark.parametrize("policy", ["merge", "exact", "ask"])
def test_another_role_with_the_same_number_is_asked_for_under_each_policy(
    bench, owner, policy
):
    """A merge would give the new role what the deleted one could do."""
    asked = _ask(bench, owner, policy=policy, edit=lambda: _change(bench, _reuse))
    assert "it is called Auditor now: is it the same role?" in str(asked)
    assert bench.rights("Auditor") == [0, 1]
    _answer(bench, "keep")
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.rights("Auditor") == [0, 1]
    assert bench.rights("Writer 2") == sorted([*WRITER[:-1], 22])


def test_another_role_with_the_same_number_stays_as_it_is_under_keep(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner, restore_policy="keep")
    _change(bench, _reuse)
    assert bench.engine().release(bench.tracker, owner_key=owner.key).released
    assert bench.rights("Auditor") == [0, 1]


def test_an_answer_does_not_go_for_a_role_that_came_after_it(bench, owner):
    _ask(bench, owner)
    _answer(bench, "merge")
    _change(bench, _reuse)
    (done,) = bench.recovery().recover()
    assert done.needs_a_person
    assert "it is called Auditor now" in done.error
    assert bench.rights("Auditor") == [0, 1]
    bench.server.clear_calls()
    assert bench.recovery().recover()[0].needs_a_person
    assert bench.operations() == []
    # Now that the name is known, the answer goes for it.
    _answer(bench, "merge")
    assert bench.recovery().recover()[0].action == "recovered"
    assert bench.rights("Auditor") != [0, 1]


def test_an_untouched_role_with_another_name_is_left_alone_under_exact(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner, restore_policy="exact")
    reader = bench.place.roles["Reader 1"]
    _change(bench, lambda world, _: _reuse(world, reader))
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Auditor") == [0, 1]
    assert report.drift


@pytest.mark.parametrize("policy", ["merge", "exact", "keep", "ask"])
def test_a_role_that_was_only_renamed_gets_everything_back(bench, owner, policy):
    bench.engine().acquire(bench.tracker, owner=owner, restore_policy=policy)
    _change(bench, _rename)
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert bench.rights("Author") == WRITER


def test_the_same_question_is_written_down_once(bench, owner):
    _ask(bench, owner)
    _answer(bench, "merge")
    fault = {"kind": "status", "status": 403, "operation": PUT}
    bench.server.add_fault(fault)
    assert bench.recovery().recover()[0].needs_a_person
    history = bench.engine().parts.history
    events = history.list_events(bench.server.url, bench.tracker)
    assert [event.kind for event in events].count("waiting") == 1


def test_a_freeze_asks_like_any_other_lock(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, restore_policy="ask", mode="freeze")
    bench.grant("Writer 1", EDITED)
    for _ in range(2):
        with pytest.raises(RestorePendingError, match="lock answer"):
            engine.release(bench.tracker, owner_key=owner.key)
        bench.server.clear_calls()
    assert _record(bench).owner == Owner.as_freezer(owner)
