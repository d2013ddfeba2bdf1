"""A slice of the schedules: every single disturbance, a sample of those in twos."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator

import pytest

from airflow_codebeamer.locking import Owner
from airflow_codebeamer.models import TrackerPermission
from tests.schedules.acts import FORMS, janitor, run
from tests.schedules.ground import BadError, Ground
from tests.schedules.nightly import MEASURED, PAGE, Result, memory, page
from tests.schedules.play import Tally, end, explore, firsts, play
from tests.schedules.process import Process
from tests.schedules.seeded import CHOSEN

OWNER = Owner("dag/run 1")


@pytest.fixture
def make_ground() -> Iterator[Callable[..., Ground]]:
    made: list[Ground] = []
    with memory() as place:

        def make(writing: int, **more: str) -> Ground:
            made.append(Ground(place, writing, **more))
            return made[-1]

        # Collecting the garbage of so many statements takes a fifth of the time.
        gc.freeze()
        yield make
        gc.unfreeze()
        for ground in made:
            ground.close()


@pytest.fixture
def ground(make_ground):
    return make_ground(1)


@pytest.mark.parametrize(("writing", "every"), [(1, 2), (2, 5)])
@pytest.mark.trap("T1", "T2", "T3", "T5", "T6", "T7")
def test_every_single_disturbance(make_ground, writing, every):
    ground, tally = make_ground(writing), Tally()
    for first in firsts(ground)[::every]:
        explore(ground, first, tally, alone=True)
    assert tally.told == []
    assert sum(tally.schedules.values()) > 180 / every
    assert {"crash", "edit", "lost answer"} <= set(tally.schedules)


def test_a_sample_of_disturbances_in_twos_and_threes(make_ground):
    ground, tally = make_ground(2), Tally()
    for first in firsts(ground)[5::150]:
        explore(ground, first, tally)
    assert tally.told == []
    assert sum(tally.schedules.values()) > 50


#: What the first undisturbed playing of a form sends.
FORMS_SEND = {
    "exact": 2,
    "keep": 2,
    "relock": 3,
    "rotation": 4,
    "two trackers": 4,
}


@pytest.mark.parametrize("form", FORMS_SEND)
def test_a_sample_of_each_other_form(make_ground, form):
    ground, tally = make_ground(1, form=form), Tally()
    before = ground.rights()
    played = play(ground, ground.start, FORMS[form].act)
    assert played.process.operations.count("PUT") == FORMS_SEND[form]
    assert ground.state() == "free"
    assert (ground.rights() == before) is (form != "relock")
    for first in firsts(ground)[::31]:
        explore(ground, first, tally, alone=True)
    assert tally.told == []
    assert tally.schedules["crash"] > 0


def test_the_judge_of_a_policy_wants_a_word_for_each_difference(make_ground):
    ground = make_ground(1, form="exact")
    assert ground.edit("revoke reading")
    run(ground, Process())
    ground.truth.wanted[ground.writers[0]] = ground.truth.original[ground.writers[0]]
    with pytest.raises(BadError, match=r"role \d+ has .* nobody was told"):
        ground.check_end()


@pytest.mark.postgres
def test_single_disturbances_on_postgres(make_ground, postgres_url):
    ground, tally = make_ground(1, postgres=postgres_url), Tally()
    for first in firsts(ground)[::9]:
        explore(ground, first, tally, alone=True)
    assert tally.told == []
    assert sum(tally.schedules.values()) > 20


# The judge itself


def test_a_run_that_nothing_disturbs_leaves_all_as_it_was(ground):
    before = ground.rights()
    played = play(ground, ground.start, run, keep=True)
    assert ground.rights() == before
    assert len(played.images) == len(played.process.operations)
    assert played.process.operations.count("PUT") == 2
    end(ground)


def test_a_world_put_back_is_the_world_of_that_moment(ground):
    played = play(ground, ground.start, run, keep=True)
    for image in played.images:
        ground.restore(image)
        assert ground.image() == image
    with pytest.raises(BadError, match="L1: the tracker is restoring"):
        ground.check_end()


def test_a_request_without_an_intent_is_bad(ground):
    engine = ground.engine(Process())
    rights = [TrackerPermission(id=0)]
    with pytest.raises(BadError, match="S4"):
        engine.parts.client.trackers.set_role_permissions(
            ground.tracker, ground.writers[0], rights
        )
    with pytest.raises(BadError, match="S9"):
        engine.parts.client.trackers.set_role_permissions(
            ground.tracker, ground.exempt, rights
        )


def test_rights_that_nobody_gave_are_bad(ground):
    ground.truth.ever[ground.writers[0]] = frozenset({0})
    with pytest.raises(BadError, match="S5"):
        run(ground, Process())


def test_a_right_that_does_not_come_back_is_bad(ground):
    run(ground, Process())
    world = ground.rights()
    assert ground.edit("revoke reading")
    ground.check_end()
    ground.truth.wanted = dict(world)
    with pytest.raises(BadError, match=r"E1: role \d+ has"):
        ground.check_end()


def test_somebody_else_who_writes_under_the_lock_is_bad(ground):
    ground.engine(Process()).acquire(ground.tracker, owner=OWNER)
    assert ground.edit("grant writing")
    ground.check_held()
    ground.process.view = ground.truth.edits
    with pytest.raises(BadError, match="S2"):
        ground.check_held()


def test_an_edit_between_a_look_and_a_request_is_set_aside(ground):
    played = play(ground, ground.start, run)
    put = played.process.operations.index("PUT")
    play(ground, ground.start, run, {put: "edit grant reading"})
    assert ground.truth.overwritten == {ground.writers[0]}
    end(ground)


def test_a_revocation_that_is_undone_without_a_word_is_bad(ground):
    played = play(ground, ground.start, run)
    put = played.process.operations.index("PUT")
    play(ground, ground.start, run, {put: "crash"})
    assert ground.edit("revoke writing")
    janitor(ground, Process())
    assert 7 in ground.rights()[ground.writers[0]]
    ground.check_end()
    ground.store.ask("DELETE FROM codebeamer_event WHERE kind = 'doubt'")
    with pytest.raises(BadError, match=r"has \[7\] again, nobody was told"):
        ground.check_end()


def test_a_late_request_lands_when_its_time_has_come(ground):
    played = play(ground, ground.start, run)
    put = played.process.operations.index("PUT")
    play(ground, ground.start, run, {put: "late crash 10000"})
    assert ground.has_late
    janitor(ground, Process())
    assert ground.rights() == {r: w for r, w in ground.truth.wanted.items() if w}
    ground.land_all()
    assert ground.rights() != {r: w for r, w in ground.truth.wanted.items() if w}
    end(ground)


def test_no_store_is_left_behind() -> None:
    with memory() as place:
        Ground(place, 1).close()
    assert not place.exists()


# The page


def _kept() -> Result:
    return Result(**json.loads(MEASURED.read_text()))


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text() == page(_kept())


def test_nothing_that_was_played_was_bad_but_with_a_seeded_bug() -> None:
    kept = _kept()
    assert kept.bad == 0
    assert kept.schedules >= 100_000
    assert set(kept.by_roles) == {"1", "2", "3", "4"}
    assert kept.schedules > sum(kept.played.values())
    assert set(kept.seeded) == set(CHOSEN)
    assert all(bad > 0 for _, bad in kept.seeded.values())
