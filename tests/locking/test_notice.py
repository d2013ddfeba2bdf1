"""A lock tells in Codebeamer who has the tracker, and leaves its escrow there."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import EscrowError, LockRefusedError
from airflow_codebeamer.locking import LockState, Notice, Owner, read_escrow
from airflow_codebeamer.settings import LockSettings, StoreSettings

NOTICES = 2002
CREATE, UPLOAD = "createTrackerItem", "uploadTrackerItemAttachment"
TEXT = "updateCustomFieldTrackerItem"
REQUIRED = LockSettings(notice="required")


@pytest.fixture
def board(make_bench: Any) -> Any:
    return make_bench(notices=True)


def engine(board: Any, *, tracker: int | None = NOTICES, **more: Any) -> Any:
    return board.engine(client=board.client(notice_tracker=tracker), **more)


def items(board: Any) -> list[Any]:
    return board.client().items.query(f"tracker.id IN ({NOTICES})")


def notice(board: Any) -> Any:
    [item] = items(board)
    return item


def counted(board: Any, act: Any) -> int:
    board.server.clear_calls()
    act()
    return len(board.server.calls())


def whole(board: Any, one: Any, owner: Owner) -> tuple[int, int]:
    """Lock and release; return the requests of both."""
    return (
        counted(board, lambda: one.acquire(board.tracker, owner=owner)),
        counted(board, lambda: one.release(board.tracker, owner_key=owner.key)),
    )


def forget_store(board: Any, name: str = "another") -> None:
    board.database.close()
    url = board.database.address.replace("store0", name)
    board.database = Database(StoreSettings(url=url), clock=board.clock)


def test_it_says_who_why_since_until_and_how_to_ask(board) -> None:
    owner = Owner("fill/run 7", link="https://airflow.example.com/runs/7")
    one = engine(board)
    lock = one.acquire(board.tracker, owner=owner, reason="nightly fill")
    item = notice(board)
    assert item.name == "Lock notice of tracker 2001"
    for words in (
        "LOCKED: only fill/run 7 writes to tracker 2001",
        "Why: nightly fill",
        f"Since: {lock.acquired_at:%Y-%m-%d %H:%M} UTC",
        f"until: {lock.lease_until:%Y-%m-%d %H:%M} UTC",
        "Run: https://airflow.example.com/runs/7",
        "airflow-codebeamer lock break 2001 --expect-epoch 1 --reason",
    ):
        assert words in item.description
    one.release(board.tracker, owner_key=owner.key)
    said = notice(board).description
    assert "FREE: tracker 2001 is not locked" in said
    assert "Last lock: fill/run 7" in said


def test_its_file_is_the_escrow(board, owner) -> None:
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    [escrow] = read_escrow(one.parts, board.tracker)
    assert escrow.line() == board.escrow[-1]


def test_one_item_for_all_locks_of_a_tracker(board, owner, other) -> None:
    one = engine(board)
    for who in (owner, other, owner):
        whole(board, one, who)
    item = notice(board)
    assert len(board.client().attachments.list_attachments(item.id)) == 1
    said = [
        change.new["value"].splitlines()[0].split(":")[0]
        for version in board.client().items.list_history(item.id)
        for change in version.changes
        if change.field is not None and change.field.name == "Description"
    ]
    assert sorted(said) == ["FREE"] * 3 + ["LOCKED"] * 2


def test_what_it_costs(board, owner) -> None:
    """3 and 2 requests the first time, 3 and 1 from then on; nothing when off."""
    plain = engine(board, tracker=None)
    whole(board, plain, owner)
    off = whole(board, plain, owner)
    one = engine(board)
    costs = [
        tuple(
            on - without
            for on, without in zip(whole(board, one, owner), off, strict=True)
        )
        for _ in range(3)
    ]
    assert costs == [(3, 2), (3, 1), (3, 1)]


def test_it_is_there_before_the_first_right_is_taken(board, owner) -> None:
    engine(board).acquire(board.tracker, owner=owner)
    done = [call["operation"] for call in board.server.calls()]
    assert done.index(UPLOAD) < done.index("updatePermission")


@pytest.mark.parametrize("operation", [CREATE, UPLOAD])
@pytest.mark.parametrize("kind", ["drop_answer", "reset", "status"])
def test_trouble_is_told_and_tried_again_before_it_is_held(
    board, owner, operation: str, kind: str
) -> None:
    fault = {"kind": kind, "operation": operation, "nth": 1, "status": 403}
    if kind != "status":
        del fault["status"]
    board.server.add_fault(fault)
    lock = engine(board).acquire(board.tracker, owner=owner)
    assert lock.state is LockState.HELD
    assert any("its notice was not written" in line for line in board.said)
    item = notice(board)
    assert "LOCKED" in item.description
    assert len(board.client().attachments.list_attachments(item.id)) == 1


def test_without_any_notice_the_lock_is_as_good(board, owner) -> None:
    before = board.permissions()
    board.server.add_fault(
        {"kind": "status", "status": 403, "operation": "findTrackerItemsByCbQL"}
    )
    one = engine(board)
    assert one.acquire(board.tracker, owner=owner).state is LockState.HELD
    assert one.release(board.tracker, owner_key=owner.key).released
    assert board.permissions() == before


def test_where_it_is_required_nothing_is_locked_without(board, owner) -> None:
    before = board.permissions()
    board.server.add_fault({"kind": "status", "status": 403, "operation": CREATE})
    one = engine(board, settings=REQUIRED)
    with pytest.raises(LockRefusedError, match="notice cannot be written"):
        one.acquire(board.tracker, owner=owner)
    assert board.permissions() == before
    found = one.parts.store.find(board.server.url, board.tracker)
    assert found.state is LockState.FREE
    assert "updatePermission" not in board.operations()


def test_a_release_that_cannot_say_it_is_settled_by_recovery(board, owner) -> None:
    one = engine(board, settings=REQUIRED)
    one.acquire(board.tracker, owner=owner)
    board.server.add_fault({"kind": "status", "status": 403, "operation": TEXT})
    assert one.release(board.tracker, owner_key=owner.key).released
    assert "LOCKED" in notice(board).description
    board.server.clear_faults()
    board.recovery().recover()
    assert "FREE" in notice(board).description
    assert counted(board, lambda: board.recovery().recover()) == 0


def test_recovery_of_a_dead_holder_says_it_too(board, owner) -> None:
    engine(board).acquire(board.tracker, owner=owner)
    board.pass_time(hours=1)
    board.recovery().recover()
    assert "FREE" in notice(board).description


def test_a_notice_that_somebody_deleted_is_made_again(board, owner) -> None:
    one = engine(board)
    whole(board, one, owner)
    board.client().items.delete_item(notice(board).id)
    one.acquire(board.tracker, owner=owner)
    board.client().items.delete_item(notice(board).id)
    assert one.release(board.tracker, owner_key=owner.key).released
    one.acquire(board.tracker, owner=owner)
    assert "LOCKED" in notice(board).description


def test_a_new_store_finds_the_item_and_goes_on_above_its_epoch(
    board, owner, other
) -> None:
    for _ in range(2):
        whole(board, engine(board), owner)
    forget_store(board)
    lock = engine(board).acquire(board.tracker, owner=other)
    assert lock.epoch == 3
    assert Notice.read(notice(board).description).epoch == 3


@pytest.mark.trap("T1", "T25")
def test_a_lock_that_the_store_has_lost_stops_the_next_one(board, owner, other) -> None:
    """Or its reduced rights would become the originals of the next."""
    engine(board).acquire(board.tracker, owner=owner)
    forget_store(board)
    reduced = board.permissions()
    with pytest.raises(LockRefusedError, match="restore 2001 --from-notice"):
        engine(board).acquire(board.tracker, owner=other)
    assert board.permissions() == reduced


@pytest.mark.trap("T25")
def test_a_reserved_tracker_is_found_out_too(board, owner, other) -> None:
    whole(board, engine(board), owner)
    whole(board, engine(board), owner)
    forget_store(board)
    one = engine(board)
    assert one.reserve(board.tracker, owner=other, reason="").epoch == 1
    assert one.acquire(board.tracker, owner=other).epoch == 3


def test_the_tracker_of_the_notices_is_not_locked_with_one(board, owner) -> None:
    with pytest.raises(LockRefusedError, match="tracker of the notices"):
        engine(board, tracker=board.tracker).acquire(board.tracker, owner=owner)


def test_a_tracker_without_notice_has_no_escrow_there(board) -> None:
    with pytest.raises(EscrowError, match="no item with the name"):
        read_escrow(engine(board).parts, board.tracker)
