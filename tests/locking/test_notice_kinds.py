"""Notices of sets, of freezes, and of strategies that take no rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import LockRefusedError
from airflow_codebeamer.locking import (
    LockState,
    Owner,
    Salvage,
    find_unexplained,
    read_escrow,
)
from airflow_codebeamer.settings import StoreSettings


@dataclass
class Board:
    """A bench whose last tracker is that of the notices."""

    bench: Any

    @property
    def where(self) -> int:
        return int(self.bench.place.trackers[-1]) + 1

    def engine(self, *, on: object = True, **more: Any) -> Any:
        client = self.bench.client(notice_tracker=self.where if on else None)
        return self.bench.engine(client=client, **more)

    def texts(self) -> dict[str, str]:
        found = self.bench.client().items.query(f"tracker.id IN ({self.where})")
        return {item.name: item.description for item in found}

    def states(self) -> dict[str, str]:
        return {
            name.rpartition(" ")[2]: text.partition(":")[0]
            for name, text in self.texts().items()
        }

    def all_permissions(self) -> list[str]:
        server, place = self.bench.server, self.bench.place
        return [server.permissions(number) for number in place.trackers]

    def count(self, act: Any) -> int:
        self.bench.server.clear_calls()
        act()
        return len(self.bench.server.calls())

    def lose_store(self) -> None:
        bench = self.bench
        bench.database.close()
        url = bench.database.address.replace("store0", "another")
        bench.database = Database(StoreSettings(url=url), clock=bench.clock)


@pytest.fixture
def board(make_bench: Any) -> Board:
    return Board(make_bench(notices=True, trackers=2, items=1))


def cost(board: Board, owner: Owner, **given: Any) -> tuple[int, int]:
    """Return what a lock and its release cost more with notices, the second time."""
    off, on = (whole(board, board.engine(on=on), owner, **given) for on in (0, 1))
    return on[0] - off[0], on[1] - off[1]


def whole(board: Board, engine: Any, owner: Owner, **given: Any) -> tuple[int, int]:
    engine.acquire_all(owner=owner, **given)
    engine.release_all(owner_key=owner.key)
    return (
        board.count(lambda: engine.acquire_all(owner=owner, **given)),
        board.count(lambda: engine.release_all(owner_key=owner.key)),
    )


def test_each_tracker_of_a_set_has_its_own(board, owner) -> None:
    """Who is refused on one of them looks for that one; a set is no item of its own."""
    one, trackers = board.engine(), board.bench.place.trackers
    one.acquire_all(trackers, owner=owner)
    assert board.states() == {"2001": "LOCKED", "2002": "LOCKED"}
    texts = board.texts()
    assert "In one lock with: 2002" in texts["Lock notice of tracker 2001"]
    assert "In one lock with: 2001" in texts["Lock notice of tracker 2002"]
    one.release_all(owner_key=owner.key)
    assert board.states() == {"2001": "FREE", "2002": "FREE"}


def test_what_a_set_costs(board, owner) -> None:
    assert cost(board, owner, tracker_ids=board.bench.place.trackers) == (6, 2)


def test_a_set_that_is_refused_half_way_says_that_all_are_free(board, owner) -> None:
    before = board.all_permissions()
    # The first tracker has two roles to reduce; the third PUT is the second's first.
    fault = {"kind": "status", "status": 403, "operation": "updatePermission"}
    board.bench.server.add_fault({**fault, "nth": 3})
    with pytest.raises(LockRefusedError):
        board.engine().acquire_all(board.bench.place.trackers, owner=owner)
    assert board.states() == {"2001": "FREE", "2002": "FREE"}
    assert board.all_permissions() == before


@pytest.mark.trap("T25")
def test_every_tracker_of_a_lost_set_is_found_and_given_back(board, owner) -> None:
    before = board.all_permissions()
    board.engine().acquire_all(board.bench.place.trackers, owner=owner)
    board.lose_store()
    parts = board.engine().parts
    for number in board.bench.place.trackers:
        assert "--from-notice" in find_unexplained(parts, number).findings[0]
        [escrow] = read_escrow(parts, number)
        Salvage(parts, escrow).run(by="ann")
    assert board.all_permissions() == before
    assert board.states() == {"2001": "FREE", "2002": "FREE"}


def test_a_freeze_says_that_nobody_writes_until_the_last_has_left(
    board, owner, other
) -> None:
    bench, one = board.bench, board.engine()
    one.acquire(bench.tracker, owner=owner, mode="freeze", reason="review")
    text = board.texts()["Lock notice of tracker 2001"]
    assert "nobody writes to tracker 2001 now, it is frozen. dag/run 1 began" in text
    assert "only" not in text.splitlines()[0]
    assert "Why: review" in text
    # To join costs nothing that has to do with it, and changes nothing of it.
    one.acquire(bench.tracker, owner=other, mode="freeze")
    assert board.texts()["Lock notice of tracker 2001"] == text
    one.release(bench.tracker, owner_key=owner.key)
    assert board.states() == {"2001": "LOCKED"}
    one.release(bench.tracker, owner_key=other.key)
    assert board.states() == {"2001": "FREE"}


def test_what_a_freeze_costs(board, owner) -> None:
    trackers = [board.bench.tracker]
    assert cost(board, owner, tracker_ids=trackers, mode="freeze") == (3, 1)


@pytest.mark.trap("T25")
def test_a_lost_freeze_is_given_back_from_its_notice(board, owner) -> None:
    bench, before = board.bench, board.all_permissions()
    board.engine().acquire(bench.tracker, owner=owner, mode="freeze")
    board.lose_store()
    [escrow] = read_escrow(board.engine().parts, bench.tracker)
    Salvage(board.engine().parts, escrow).run(by="ann")
    assert board.all_permissions() == before


def how(board: Board, strategy: str) -> dict[str, Any]:
    bench = board.bench
    query = f"tracker.id IN ({bench.tracker})"
    items = [item.id for item in bench.client().items.query(query)]
    options = {"items": items} if strategy == "item_locks" else {}
    return {"strategy": strategy, "options": options}


@pytest.mark.parametrize("strategy", ["item_locks", "advisory"])
def test_who_takes_no_rights_writes_none(board, owner, strategy: str) -> None:
    """Nothing has to come back, and the server says itself who locked an item.

    Its notice is read all the same: the tracker may be a lost lock's.
    """
    bench, one = board.bench, board.engine()
    for _ in range(2):
        one.acquire(bench.tracker, owner=owner, **how(board, strategy))
        one.release(bench.tracker, owner_key=owner.key)
    assert board.texts() == {}
    trackers = [bench.tracker]
    assert cost(board, owner, tracker_ids=trackers, **how(board, strategy)) == (1, 0)


@pytest.mark.trap("T25")
@pytest.mark.parametrize("strategy", ["item_locks", "advisory"])
def test_a_lost_lock_stops_those_too(board, owner, other, strategy: str) -> None:
    board.engine().acquire(board.bench.tracker, owner=owner)
    board.lose_store()
    with pytest.raises(LockRefusedError, match="--from-notice"):
        board.engine().acquire(board.bench.tracker, owner=other, **how(board, strategy))
    assert board.states() == {"2001": "LOCKED"}


def test_strategies_one_after_the_other_leave_the_notice_true(board, owner) -> None:
    bench, one = board.bench, board.engine()
    for strategy in ("role_permissions", "advisory", "item_locks", "role_permissions"):
        given = {} if strategy == "role_permissions" else how(board, strategy)
        lock = one.acquire(bench.tracker, owner=owner, **given)
        held = "LOCKED" if strategy == "role_permissions" else "FREE"
        assert board.states() == {"2001": held}
        assert lock.state is LockState.HELD
        one.release(bench.tracker, owner_key=owner.key)
        assert board.states() == {"2001": "FREE"}
