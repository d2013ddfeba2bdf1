"""Strategies: found by name, kept in the record, and what each of them does."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    LockHeldError,
    LockLostError,
    LockRefusedError,
)
from airflow_codebeamer.locking import Heartbeat, LockState, Owner, Recovery
from airflow_codebeamer.locking.strategies import find_strategy, list_strategies
from airflow_codebeamer.settings import LockSettings

LOCK, UNLOCK = "lockTrackerItem", "unlockTrackerItem"
FREE, HELD = LockState.FREE, LockState.HELD


@pytest.fixture
def bench(make_bench):
    """Return a server whose only writing account beside ours is alice."""
    return make_bench(items=4)


def items(bench: Any) -> list[int]:
    return [one["id"] for one in bench.server.items(bench.tracker)]


def holders(bench: Any) -> dict[int, str]:
    """Return who has locked which item, as the server says."""
    client = bench.client()
    found = {number: client.items.find_lock(number) for number in items(bench)}
    return {n: one.user.name for n, one in found.items() if one is not None}


def rename(bench: Any, item: int, *, user: str = "alice") -> int:
    path = f"/v3/items/{item}/fields"
    value = {"fieldId": 3, "type": "TextFieldValue", "name": "Summary", "value": "new"}
    return int(bench.server.act(user, "PUT", path, {"fieldValues": [value]}))


def state(bench: Any) -> Any:
    return bench.engine().parts.store.find(bench.server.url, bench.tracker).state


def test_the_usual_strategy_is_the_one_that_there_was(bench, owner):
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    assert lock.strategy == "role_permissions"
    assert bench.engine().verify(lock) == ()
    bench.grant("Writer 1", [0, 1, 2])
    assert bench.engine().verify(lock) == ("role Writer 1 has issue_edit_not_own",)


def test_unknown_names_and_options_stop_before_anything_is_done(bench, owner):
    engine = bench.engine()
    with pytest.raises(ConfigurationError, match="say one of: role_permissions, item"):
        engine.acquire(bench.tracker, owner=owner, strategy="magic")
    for name, options in (
        ("role_permissions", {"items": [1]}),
        ("advisory", {"x": 1}),
        ("item_locks", {}),
        ("item_locks", {"items": [1], "under": 2}),
        ("item_locks", {"items": ["1"]}),
        ("item_locks", {"query": 5}),
        ("item_locks", {"items": [1], "minutes": 0}),
        ("item_locks", {"item": [1]}),
    ):
        with pytest.raises(ConfigurationError, match="strategy_options"):
            engine.acquire(bench.tracker, owner=owner, strategy=name, options=options)
    assert bench.operations() == []
    assert engine.parts.store.find(bench.server.url, bench.tracker) is None


def test_what_is_held_by_one_is_not_taken_by_another(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    with pytest.raises(ConfigurationError, match="by advisory: say that one"):
        engine.acquire(bench.tracker, owner=owner)


def test_advisory_needs_no_rights_and_changes_nothing(bench, owner, other):
    before = bench.permissions()
    engine = bench.engine(login="alice", settings=LockSettings(certificate="warn"))
    found = engine.preflight(bench.tracker, strategy="advisory").require()
    assert "nothing is changed on the server" in found.notes[0]
    bench.server.clear_calls()
    lock = engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    assert (lock.state, lock.strategy) == (HELD, "advisory")
    with pytest.raises(LockHeldError):
        bench.engine().acquire(bench.tracker, owner=other)
    assert rename(bench, items(bench)[0], user="generator") == 200
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert report.certificate is not None
    assert report.certificate.foreign == 1
    assert bench.operations("updatePermission") == []
    assert bench.permissions() == before
    assert state(bench) is FREE


def test_advisory_costs_one_request(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.operations() == ["getTracker"]


def test_the_connection_says_what_is_usual(bench, owner):
    engine = bench.engine(client=bench.client(strategy="advisory"))
    assert engine.acquire(bench.tracker, owner=owner).strategy == "advisory"


def test_a_reservation_leaves_the_strategy_to_the_lock(bench, owner):
    engine = bench.engine()
    engine.reserve(bench.tracker, owner=owner, reason="")
    lock = engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    assert lock.strategy == "advisory"
    assert bench.operations("updatePermission") == []


def test_what_an_older_lock_left_is_still_compared_after_an_advisory_one(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key)
    find = engine.parts.store.find
    before = find(bench.server.url, bench.tracker).fingerprint
    engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    engine.release(bench.tracker, owner_key=owner.key)
    assert find(bench.server.url, bench.tracker).fingerprint == before


def locked(bench: Any, owner: Owner, engine: Any = None, **options: Any) -> Any:
    return (engine or bench.engine()).acquire(
        bench.tracker, owner=owner, strategy="item_locks", options=options
    )


def test_chosen_items_are_kept_from_others_and_given_back(bench, owner):
    before = bench.permissions()
    chosen, rest = items(bench)[:2], items(bench)[2:]
    lock = locked(bench, owner, items=chosen)
    assert lock.state is HELD
    assert holders(bench) == dict.fromkeys(chosen, "generator")
    assert bench.engine().verify(lock) == ()
    assert [rename(bench, number) for number in chosen] == [423, 423]
    assert [rename(bench, number) for number in rest] == [200, 200, 200]
    assert rename(bench, chosen[0], user="generator") == 200
    bench.server.clear_calls()
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert report.restored == tuple(f"item {number}" for number in chosen)
    assert len(bench.operations()) == 2 * len(chosen)
    assert holders(bench) == {}
    assert bench.permissions() == before
    assert state(bench) is FREE


def test_items_cost_one_request_each_beside_tracker_and_list(bench, owner):
    locked(bench, owner, items=items(bench)[:3])
    assert len(bench.operations()) == 1 + 1 + 3
    assert len(bench.operations(LOCK)) == 3


def test_a_subtree_and_a_query(make_bench, owner):
    bench = make_bench(items=4, nested=True)
    numbers = items(bench)
    locked(bench, owner, under=numbers[1])
    assert sorted(holders(bench)) == numbers[1:]
    bench.engine().release(bench.tracker, owner_key=owner.key)
    locked(bench, owner, query="name = 'Item 2'")
    assert sorted(holders(bench)) == [numbers[2]]


def test_an_item_of_another_tracker_or_none_is_refused(make_bench, owner):
    bench = make_bench(trackers=2)
    foreign = bench.server.items(bench.place.trackers[1])[0]["id"]
    for options in ({"items": [foreign]}, {"items": [99999]}, {"query": "id = 0"}):
        with pytest.raises(LockRefusedError):
            locked(bench, owner, **options)
    assert bench.operations(LOCK) == []
    assert state(bench) is FREE


def test_one_that_somebody_edits_refuses_all_and_names_him(bench, owner):
    chosen = items(bench)[:3]
    path = f"/v3/items/{chosen[2]}/lock"
    assert bench.server.act("alice", "PUT", path, {"hard": False}) == 200
    with pytest.raises(LockRefusedError, match=f"item {chosen[2]} is locked by alice"):
        locked(bench, owner, items=chosen)
    assert holders(bench) == {chosen[2]: "alice"}
    assert state(bench) is FREE


def test_the_server_lets_them_expire_by_itself(bench, owner):
    chosen = items(bench)[:1]
    locked(bench, owner, items=chosen, minutes=10)
    assert rename(bench, chosen[0]) == 423
    bench.server.advance(601)
    assert rename(bench, chosen[0]) == 200
    assert holders(bench) == {}


@pytest.mark.parametrize("renews", [True, False])
def test_they_are_renewed_at_a_third_of_their_time(bench, owner, renews):
    bench.server.assume(item_lock_renews=renews)
    chosen = items(bench)[:2]
    engine = bench.engine()
    lock = locked(bench, owner, engine, items=chosen, minutes=30)
    for _ in range(6):
        bench.pass_time(minutes=5)
        bench.server.advance(300)
        lock = engine.renew(lock, lease=timedelta(minutes=30))
    assert holders(bench) == dict.fromkeys(chosen, "generator")
    took = len(bench.operations(LOCK))
    assert took == 2 + (3 * 2 if renews else 2 * 3 * 2)
    # The first in a process, then one at each ten minutes.


def test_a_heartbeat_that_loses_an_item_says_so(bench, owner):
    chosen = items(bench)[:1]
    quick = LockSettings(
        beat=timedelta(milliseconds=20),
        ttl=timedelta(seconds=60),
    )
    engine = bench.engine(settings=quick)
    lock = locked(bench, owner, engine, items=chosen)
    path = f"/v3/items/{chosen[0]}/lock"
    client = bench.client()
    client.items.unlock(chosen[0])
    assert bench.server.act("alice", "PUT", path, {"hard": True}) == 200
    with pytest.raises(LockLostError, match="alice has locked item"):
        engine.renew(lock)
    lost: list[LockLostError] = []
    with Heartbeat(engine, lock, on_lost=lost.append) as heartbeat:
        heartbeat._keeping.join(10)
        assert heartbeat.is_lost
    report = bench.engine().release(bench.tracker, owner_key=owner.key)
    assert "alice has locked it meanwhile" in report.drift[0]
    assert holders(bench) == {chosen[0]: "alice"}


class Died(BaseException):
    """The process is gone."""


class Dying:
    """A client's items that die at the nth request of a kind, before it or after."""

    def __init__(self, operations: Any, kind: str, left: int, *, after: bool) -> None:
        self._operations = operations
        self._kind = kind
        self._left = left
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._operations, name)
        if name != self._kind:
            return found

        def counted(*given: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == -1 and not self._after:
                raise Died
            answer = found(*given, **more)
            if self._left == -1:
                raise Died
            return answer

        return counted


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("kind", "at"), [("query", 0), ("lock", 0), ("lock", 1), ("unlock", 0)]
)
@pytest.mark.parametrize("by", ["recovery", "the same owner"])
def test_a_crash_anywhere_is_recovered_and_only_ours_is_unlocked(
    bench, owner, kind, at, after, by
):
    chosen, hers = items(bench)[:2], items(bench)[3]
    path = f"/v3/items/{hers}/lock"
    assert bench.server.act("alice", "PUT", path, {"hard": True}) == 200
    client = bench.client()
    client.items = Dying(client.items, kind, at, after=after)
    engine = bench.engine(client=client)
    with pytest.raises(Died):  # noqa: PT012 -- either of the two
        locked(bench, owner, engine, items=chosen)
        engine.release(bench.tracker, owner_key=owner.key)
    if by == "recovery":
        bench.pass_time(minutes=50)
        assert {one.action for one in Recovery(bench.engine()).recover()} == {
            "recovered"
        }
    else:
        bench.pass_time(seconds=20)
        assert locked(bench, owner, items=chosen).state is HELD
        assert holders(bench) == {**dict.fromkeys(chosen, "generator"), hers: "alice"}
        bench.engine().release(bench.tracker, owner_key=owner.key)
    assert holders(bench) == {hers: "alice"}
    assert state(bench) is FREE


@pytest.mark.parametrize("kind", ["drop_answer", "reset"])
def test_an_answer_that_gets_lost_is_looked_for(bench, owner, kind):
    chosen = items(bench)[:2]
    bench.server.add_fault({"kind": kind, "operation": LOCK, "nth": 1})
    locked(bench, owner, items=chosen)
    assert holders(bench) == dict.fromkeys(chosen, "generator")
    bench.server.clear_faults()
    bench.server.add_fault({"kind": kind, "operation": UNLOCK, "nth": 1})
    assert bench.engine().release(bench.tracker, owner_key=owner.key).released
    assert holders(bench) == {}


THEIRS = '''
from airflow_codebeamer.locking.strategies import Advisory


class Whispering(Advisory):
    """Says what it does, and does nothing else."""

    name = "whisper"
    promise = "nobody hears it"

    def enter(self, parts, lock, wish, notice):
        parts.say("psst")
        return super().enter(parts, lock, wish, notice)
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a place with somebody else's distribution that brings a strategy."""
    place = tmp_path / "site"
    (place / "whisper-1.0.dist-info").mkdir(parents=True)
    (place / "whispering.py").write_text(THEIRS)
    (place / "whisper-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: whisper\nVersion: 1.0\n"
    )
    (place / "whisper-1.0.dist-info" / "entry_points.txt").write_text(
        "[airflow_codebeamer.strategies]\n"
        "whisper = whispering:Whispering\n"
        "broken = whispering:Nothing\n"
        "misnamed = whispering:Whispering\n"
        "advisory = whispering:Whispering\n"
    )
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, "whispering", raising=False)
    return place


def test_another_distribution_brings_a_strategy(bench, owner, installed, monkeypatch):
    assert list_strategies() == [
        *("role_permissions", "item_locks", "advisory"),
        *("broken", "misnamed", "whisper"),
    ]
    lock = bench.engine().acquire(bench.tracker, owner=owner, strategy="whisper")
    assert lock.strategy == "whisper"
    assert bench.said == ["psst"]
    assert type(find_strategy("advisory")).__name__ == "Advisory", "ours stay ours"
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        find_strategy("broken")
    with pytest.raises(ConfigurationError, match="no strategy of the name misnamed"):
        find_strategy("misnamed")
    bench.pass_time(hours=1)
    sys.path.remove(str(installed))
    (failed,) = Recovery(bench.engine()).recover()
    assert failed.action == "failed"
    assert "install the distribution" in failed.error
    assert state(bench) is HELD, "nothing was done without it"
    monkeypatch.syspath_prepend(str(installed))
    (done,) = Recovery(bench.engine()).recover()
    assert done.action == "recovered"
    assert state(bench) is FREE
