"""What roles get back that others changed: merge, exact, keep, or as a person says."""

from __future__ import annotations

from itertools import chain, combinations, product
from types import SimpleNamespace

import pytest

from airflow_codebeamer.errors import ConfigurationError, RestorePendingError
from airflow_codebeamer.ids import PermissionId, RoleId
from airflow_codebeamer.locking import LockState, RoleWatch
from airflow_codebeamer.locking.rights.policies import wanted_of
from airflow_codebeamer.locking.roles import Phase, RoleEntry
from airflow_codebeamer.settings import LockSettings

PUT = "updatePermission"
WRITER = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]
READER = [0, 2, 8, 10, 25]
#: A right more (5, to edit many) and one less (10, to see attachments).
EDITED = [0, 2, 5, 8, 21]


@pytest.fixture
def make_held(bench, owner):
    """Return a maker of held locks with a restore policy."""

    def make(policy, **settings):
        before = bench.permissions()
        engine = bench.engine(settings=LockSettings(**settings))
        lock = engine.acquire(bench.tracker, owner=owner, restore_policy=policy)
        bench.server.clear_calls()
        watch = RoleWatch(engine.parts, lock, lambda error: None)
        return SimpleNamespace(engine=engine, lock=lock, before=before, watch=watch)

    return make


def _release(bench, owner):
    """Release in another process, which knows nothing of the policy."""
    return bench.engine().release(bench.tracker, owner_key=owner.key)


@pytest.mark.parametrize("policy", ["merge", "exact", "keep", "ask"])
def test_without_drift_every_policy_gives_everything_back(
    bench, make_held, owner, policy
):
    held = make_held(policy)
    report = _release(bench, owner)
    assert report.drift == ()
    assert bench.permissions() == held.before
    assert report.requests == 2 + 2


def test_exact_puts_the_original_back_and_tells(bench, make_held, owner):
    held = make_held("exact")
    bench.grant("Writer 1", EDITED)
    report = _release(bench, owner)
    assert bench.permissions() == held.before
    assert report.drift == (
        "role Writer 1: somebody added issue_mass_edit and removed "
        "issue_attachment_view; it has its original again",
    )


def test_exact_also_puts_back_a_role_that_was_not_reduced(bench, make_held, owner):
    held = make_held("exact")
    bench.grant("Reader 1", [0, 1])
    report = _release(bench, owner)
    assert bench.permissions() == held.before
    assert "role Reader 1: somebody added issue_edit_not_own" in report.drift[0]


def test_exact_does_not_write_the_exclusive_role(bench, make_held, owner):
    make_held("exact")
    bench.grant("Generator", [0, 1])
    _release(bench, owner)
    assert bench.rights("Generator") == [0, 1]


def test_exact_forgets_what_the_watch_took_again(bench, make_held, owner):
    held = make_held("exact")
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    held.watch.look()
    report = _release(bench, owner)
    assert bench.permissions() == held.before
    assert report.drift[0].endswith("taken away again)")


def test_keep_leaves_a_changed_role_and_gives_the_others_back(bench, make_held, owner):
    make_held("keep")
    bench.grant("Writer 1", EDITED)
    bench.server.clear_calls()
    report = _release(bench, owner)
    assert bench.rights("Writer 1") == EDITED
    assert bench.rights("Writer 2") == sorted([*WRITER[:-1], 22])
    assert report.restored == ("Writer 2",)
    assert report.drift == ("role Writer 1 stays as somebody left it",)
    assert len(bench.operations(PUT)) == 1


def test_keep_gives_back_what_the_watch_took_again(bench, make_held, owner):
    held = make_held("keep")
    bench.grant("Writer 1", EDITED)
    held.watch.look()
    assert bench.rights("Writer 1") == [0, 2, 8, 21]
    _release(bench, owner)
    assert bench.rights("Writer 1") == EDITED


@pytest.mark.parametrize("kind", ["reset", "drop_answer"])
@pytest.mark.parametrize("policy", ["keep", "ask"])
def test_a_lost_answer_is_not_taken_for_somebodys_change(bench, owner, policy, kind):
    before = bench.permissions()
    bench.server.add_fault({"kind": kind, "operation": PUT, "nth": 1})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, restore_policy=policy)
    assert engine.release(bench.tracker, owner_key=owner.key).drift == ()
    assert bench.permissions() == before


@pytest.mark.parametrize("policy", ["exact", "keep", "ask"])
def test_a_lock_that_was_never_held_is_merged(bench, owner, policy):
    before = bench.permissions()
    engine = bench.engine()
    # The second role is refused: the first is reduced already.
    fault = {"kind": "status", "status": 403, "operation": PUT, "nth": 2}
    bench.server.add_fault(fault)
    with pytest.raises(Exception, match="may not set permissions"):
        engine.acquire(bench.tracker, owner=owner, restore_policy=policy)
    assert bench.permissions() == before


@pytest.mark.parametrize("policy", ["merge", "exact", "keep", "ask"])
def test_recovery_uses_the_policy_of_the_lock(bench, make_held, policy):
    held = make_held(policy)
    bench.grant("Writer 1", EDITED)
    bench.pass_time(hours=1)
    (done,) = bench.recovery().recover()
    rights = bench.rights("Writer 1")
    merged = sorted({*WRITER, 5} - {10})
    wanted = {"merge": merged, "exact": WRITER, "keep": EDITED, "ask": EDITED}
    assert rights == wanted[policy]
    assert done.needs_a_person == (policy == "ask")
    assert (bench.permissions() == held.before) == (policy == "exact")


@pytest.mark.parametrize("policy", ["merge", "exact", "keep"])
def test_a_role_that_is_gone_is_told(bench, make_held, owner, policy):
    make_held(policy)
    _without(bench, "Writer 1")
    report = _release(bench, owner)
    assert report.released
    # Under `keep` nothing is sent for it, so nobody learns that it is gone.
    told = "does not exist any more"
    if policy == "keep":
        told = "has no rights any more, or does not exist"
    assert f"role Writer 1 {told}" in report.drift
    assert bench.rights("Writer 2") == sorted([*WRITER[:-1], 22])


@pytest.mark.parametrize("policy", ["merge", "exact", "keep"])
def test_a_role_that_was_made_again_is_another_and_not_written(
    bench, make_held, owner, policy
):
    make_held(policy)
    _without(bench, "Writer 1", again=4999)
    bench.server.clear_calls()
    report = _release(bench, owner)
    assert bench.rights("Writer 1") == [0, 1]
    assert any(
        line.startswith("role Writer 1: somebody added") for line in report.drift
    )
    paths = [call["path"] for call in bench.server.calls() if call["method"] == "PUT"]
    assert not any("4999" in path for path in paths)


@pytest.mark.parametrize("policy", ["merge", "exact", "keep", "ask"])
def test_a_new_role_is_never_written_at_release(bench, make_held, owner, policy):
    make_held(policy)
    _change(bench, lambda world: _add_role(bench, world, "Auditor", 4999, [0, 1]))
    report = _release(bench, owner)
    assert bench.rights("Auditor") == [0, 1]
    assert report.drift[0].startswith("role Auditor: somebody added issue_")


def _answer(bench, role, take):
    bench.engine().answer(bench.tracker, role, take=take, by="carol", reason="meant")


@pytest.mark.parametrize(
    ("take", "rights"),
    [
        ("merge", sorted({*WRITER, 5} - {10})),
        ("exact", WRITER),
        ("keep", EDITED),
    ],
)
def test_ask_waits_for_a_person_who_says_what_becomes_of_it(
    bench, make_held, owner, take, rights
):
    make_held("ask")
    bench.grant("Writer 1", EDITED)
    with pytest.raises(RestorePendingError) as caught:
        _release(bench, owner)
    assert caught.value.wants_an_answer
    assert "role Writer 1 waits for an answer (somebody added issue_mass_edit" in str(
        caught.value
    )
    assert f"lock answer {bench.tracker} --role" in str(caught.value)
    # Everything else is back, and the lock says that it is not over.
    assert bench.rights("Writer 2") == sorted([*WRITER[:-1], 22])
    assert bench.rights("Writer 1") == EDITED
    record = bench.engine().parts.store.find(bench.server.url, bench.tracker)
    assert record.state is LockState.RESTORING
    _answer(bench, "writer 1", take)
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.rights("Writer 1") == rights
    assert len(done.report.drift) == 1
    kinds = [
        (event.kind, event.who)
        for event in bench.engine().parts.history.list_events(
            bench.server.url, bench.tracker
        )
    ]
    assert ("waiting", owner.key) in kinds
    assert ("answered", "carol") in kinds


def test_each_policy_means_the_same_on_each_store(stored, make_held, owner):
    left = {"merge": sorted({*WRITER, 5} - {10}), "exact": WRITER, "keep": EDITED}
    for policy, rights in left.items():
        make_held(policy)
        stored.grant("Writer 1", EDITED)
        assert _release(stored, owner).released
        assert stored.rights("Writer 1") == rights
        stored.grant("Writer 1", WRITER)
        stored.engine().accept_permissions(stored.tracker, by="carol", reason="reset")
    make_held("ask")
    stored.grant("Writer 1", EDITED)
    with pytest.raises(RestorePendingError):
        _release(stored, owner)
    assert stored.rights("Writer 1") == EDITED
    _answer(stored, "Writer 1", "exact")
    assert _release(stored, owner).released
    assert stored.rights("Writer 1") == WRITER


def test_who_waits_for_a_person_costs_no_request(bench, make_held, owner):
    make_held("ask")
    bench.grant("Writer 1", EDITED)
    with pytest.raises(RestorePendingError):
        _release(bench, owner)
    bench.server.clear_calls()
    epoch = bench.engine().parts.store.find(bench.server.url, bench.tracker).epoch
    for _ in range(3):
        (done,) = bench.recovery().recover()
        assert (done.action, done.needs_a_person) == ("failed", True)
        assert "role Writer 1 waits for an answer" in done.error
    assert bench.operations() == []
    now = bench.engine().parts.store.find(bench.server.url, bench.tracker)
    assert now.epoch == epoch


def test_two_roles_wait_and_are_answered_one_by_one(bench, make_held, owner):
    held = make_held("ask")
    bench.grant("Writer 1", EDITED)
    bench.grant("Writer 2", [0])
    with pytest.raises(RestorePendingError):
        _release(bench, owner)
    _answer(bench, "Writer 1", "exact")
    (done,) = bench.recovery().recover()
    assert done.needs_a_person
    assert "role Writer 2" in done.error
    _answer(bench, str(bench.place.roles["Writer 2"]), "exact")
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.permissions() == held.before


def test_an_answer_that_nobody_asked_for_is_refused(bench, make_held, owner):
    held = make_held("ask")
    with pytest.raises(ConfigurationError, match="nothing waits"):
        _answer(bench, "Writer 1", "merge")
    bench.grant("Writer 1", EDITED)
    with pytest.raises(RestorePendingError):
        _release(bench, owner)
    for role, take, words in (
        ("Writer 2", "merge", "does not wait"),
        ("Nobody", "merge", "say one of"),
        ("Writer 1", "ask", "say merge, exact, keep"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            _answer(bench, role, take)
    entry = held.engine.parts.ledger.list_roles(held.lock.lineage)
    assert {one.answer for one in entry.values()} == {""}


def test_every_policy_changes_nothing_when_it_is_applied_again():
    """Over four rights, every original, base and current set."""
    rights = [PermissionId(number) for number in range(4)]
    sets = [
        frozenset(some)
        for some in chain.from_iterable(combinations(rights, n) for n in range(5))
    ]
    count = 0
    for original, base, now in product(sets, repeat=3):
        entry = RoleEntry(
            RoleId(1), "r", original, base=base, touched=True, phase=Phase.REDUCED
        )
        for policy in ("merge", "exact", "keep", "ask"):
            wanted = wanted_of(entry, now, policy)
            assert wanted_of(entry, wanted, policy) == wanted
            assert original & now <= wanted | (now if policy == "ask" else wanted)
            count += 1
    assert count == 16**3 * 4


def _change(bench, edit):
    world = bench.server.world()
    edit(world)
    bench.server.load_world(world)


def _add_role(bench, world, name, number, rights):
    reader = bench.place.roles["Reader 1"]
    (like,) = [role for role in world["roles"] if role["id"] == reader]
    world["roles"].append({**like, "id": number, "name": name})
    world["trackers"][0]["permissions"][str(number)] = rights


def _without(bench, name, again=None):
    """Let a role be deleted, and perhaps made again with another number."""
    gone = bench.place.roles[name]

    def edit(world):
        world["roles"] = [role for role in world["roles"] if role["id"] != gone]
        del world["trackers"][0]["permissions"][str(gone)]
        for project in world["projects"]:
            for roles in project["members"].values():
                roles[:] = [role for role in roles if role != gone]
        if again:
            _add_role(bench, world, name, again, [0, 1])

    _change(bench, edit)
