"""Every commit and every request of a lock and its release, disturbed in turn."""

from __future__ import annotations

import random

import pytest

PUT = "updatePermission"


@pytest.mark.parametrize("writing", [2, 3])
@pytest.mark.trap("T2", "T3", "T26")
def test_a_crash_anywhere_and_then_recovery(ring, writing):
    ring.load(writing=writing)
    points = ring.points(ring.lock_and_release)
    ring.check_free_and_equal(why="nothing happened")
    assert points.count("before PUT") == 2 * writing
    for at, name in enumerate(points):
        ring.renew()
        assert ring.disturbed(at).dead
        ring.recover()
        ring.check_free_and_equal(why=f"crash at point {at}, {name}")


@pytest.mark.trap("T1")
def test_a_crash_anywhere_and_then_the_same_owner_tries_again(ring):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        ring.renew()
        ring.disturbed(at)
        again = ring.disturbed(-1)
        assert not again.dead
        ring.check_free_and_equal(why=f"crash at point {at}, {name}")


def test_a_crash_anywhere_and_the_same_owner_only_releases(ring):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        ring.renew()
        ring.disturbed(at)
        ring.release()
        ring.check_free_and_equal(why=f"crash at point {at}, {name}")


def test_a_second_crash_in_the_recovery_of_the_first(ring):
    ring.load()
    points = ring.points(ring.lock_and_release)
    for at in range(1, len(points), 5):
        ring.renew()
        ring.disturbed(at)
        second = 0
        while True:
            fuse = ring.disturbed(second, act=ring.recover)
            if not fuse.dead:
                break
            second += 3
        ring.check_free_and_equal(why=f"crashes at point {at} and in recoveries")


@pytest.mark.parametrize("first", range(4))
def test_a_second_crash_after_each_sampled_first(ring, first):
    ring.load()
    points = ring.points(ring.lock_and_release)
    for at in range(5 + first, len(points), 12):
        second = first
        while True:
            ring.renew()
            ring.disturbed(at)
            fuse = ring.disturbed(second, act=ring.recover)
            if fuse.dead:
                ring.recover()
            ring.check_free_and_equal(why=f"crashes at {at}, then at {second}")
            if not fuse.dead:
                break
            second += 4


@pytest.mark.trap("T6")
def test_the_answer_to_any_commit_is_lost(ring):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name != "after commit":
            continue
        ring.renew()
        assert ring.disturbed(at, "lost commit").blown
        ring.disturbed(-1)
        ring.check_free_and_equal(why=f"commit {at} was not answered")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_answer"},
        {"kind": "reset"},
        {"kind": "garbage"},
        {"kind": "truncate"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "phase": "after"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
@pytest.mark.trap("T6")
def test_the_answer_to_any_permission_request_is_lost(ring, fault):
    ring.load()
    for nth in range(1, 5):
        ring.renew()
        ring.server.add_fault({**fault, "operation": PUT, "nth": nth})
        ring.disturbed(-1)
        ring.check_free_and_equal(why=f"request {nth} was not answered")
        assert ring.server.faults()[0]["met"] == 1


@pytest.mark.trap("T5")
def test_a_request_lands_after_everything_else(ring):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name != "before PUT":
            continue
        ring.renew()
        assert ring.disturbed(at, "late").blown
        ring.clock.advance(60)
        ring.check_free_and_equal(why=f"request at point {at} landed late")


@pytest.mark.parametrize("retry", ["recovery", "same owner"])
@pytest.mark.trap("T5")
def test_a_request_of_the_dead_lands_after_everything_else(ring, retry):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name != "before PUT":
            continue
        ring.renew()
        assert ring.disturbed(at, "late crash").dead
        if retry == "recovery":
            ring.recover()
        else:
            ring.disturbed(-1)
        ring.clock.advance(60)
        ring.check_free_and_equal(why=f"request at point {at} landed late")


@pytest.mark.trap("T7")
def test_an_edit_of_an_administrator_survives_a_crash_anywhere(ring):
    ring.load()
    first, second = ring.roles
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name not in ("after commit", "after PUT", "after list_permissions"):
            continue
        ring.renew()
        ring.disturbed(at)
        has = ring.rights().get(str(first), set())
        ring.granted = {str(first): {21, 25}}
        # He adds export and view of associations, and revokes the history.
        ring.edit(first, sorted((has | {21, 25}) - {8}))
        ring.recover()
        ring.check_free(why=f"crash at point {at}, {name}")
        assert ring.rights()[str(first)] == (ring.originals[str(first)] | {21, 25}) - {
            8
        }, name
        assert ring.rights()[str(second)] == ring.originals[str(second)]


@pytest.mark.trap("T4")
def test_one_that_wakes_up_under_somebody_elses_lock_sends_nothing(ring):
    ring.load()
    points = ring.points(ring.lock_and_release)
    for at, name in enumerate(points):
        ring.renew()
        seen = []

        def meanwhile(seen=seen):
            ring.other_holds()
            ring.server.clear_calls()
            seen.append(ring.server.permissions(ring.tracker))

        ring.disturbed(at, "pause", meanwhile=meanwhile)
        writes = [c for c in ring.server.calls() if c["operation"] == PUT]
        assert writes == [], f"a zombie wrote after point {at}, {name}"
        assert ring.server.permissions(ring.tracker) == seen[0]
        ring.other_releases()
        ring.check_free_and_equal(why=f"paused at point {at}, {name}")


def test_one_that_wakes_up_under_somebody_elses_lock_does_not_hold(ring):
    ring.load()
    held = []

    def acquire(fuse):
        held.append(ring.engine(fuse).acquire(ring.tracker, owner=ring.owner))

    points = ring.points(acquire)
    ring.release()
    # The last one is behind the commit that makes it his: until then it never was.
    for at, name in enumerate(points[:-1]):
        ring.renew()
        held.clear()
        ring.disturbed(at, "pause", act=acquire, meanwhile=ring.other_holds)
        assert held == [], f"paused at point {at}, {name}"
        ring.other_releases()
        ring.check_free_and_equal(why=f"paused at point {at}, {name}")


@pytest.mark.parametrize("kind", ["late", "late crash"])
@pytest.mark.trap("T5")
def test_a_request_lands_when_the_tracker_is_long_free(ring, kind):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name != "before PUT":
            continue
        ring.renew()
        fuse = ring.disturbed(at, kind, delay=10_000)
        assert fuse.points[at] == name
        ring.recover()
        ring.check_free_and_equal(why=f"request at point {at} is under way")
        ring.clock.advance(5_000)
        ring.recover()
        ring.check_free_and_equal(why=f"request at point {at} landed hours late")


def test_one_that_sleeps_between_its_check_and_its_sending(ring):
    ring.load()
    for at, name in enumerate(ring.points(ring.lock_and_release)):
        if name != "before PUT":
            continue
        ring.renew()
        fuse = ring.disturbed(at, "asleep", meanwhile=ring.recover)
        assert fuse.points[at] == name
        ring.recover()
        ring.check_free_and_equal(why=f"woken at point {at}, when it was free")


def test_a_crash_anywhere_in_the_healing(ring):
    ring.load()

    def echo():
        ring.renew()
        # Each round takes hours, and once in a day a preflight takes more steps: not
        # in the lock whose steps are counted.
        ring.points(ring.lock_and_release)
        put = ring.points(ring.lock_and_release).index("before PUT")
        ring.disturbed(put, "late crash", delay=10_000)
        ring.recover()
        ring.clock.advance(5_000)
        assert ring.server.permissions(ring.tracker) != ring.before

    second = 0
    while True:
        echo()
        fuse = ring.disturbed(second, act=ring.recover)
        if not fuse.dead:
            break
        ring.recover()
        ring.check_free_and_equal(why=f"crash at point {second} of the healing")
        second += 1
    assert "before PUT" in fuse.points
    ring.check_free_and_equal(why="nothing happened in the healing")


@pytest.mark.parametrize("seed", range(3))
def test_trouble_upon_trouble_at_random(ring, seed):
    chance = random.Random(seed)  # noqa: S311
    ring.load(writing=3)
    count = len(ring.points(ring.lock_and_release))
    for schedule in range(6):
        ring.renew()
        story = []
        for _ in range(3):
            kind = chance.choice(["crash", "late", "late crash", "lost commit"])
            act = chance.choice([None, None, ring.recover])
            at = chance.randrange(count)
            story.append((kind, at, act is None))
            ring.disturbed(at, kind, act=act)
        ring.recover()
        ring.clock.advance(60)
        ring.check_free_and_equal(why=f"schedule {schedule}: {story}")
