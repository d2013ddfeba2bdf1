"""A lock tells in Codebeamer who has the tracker, and leaves its escrow there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import EscrowError, LockRefusedError
from airflow_codebeamer.locking import (
    LockState,
    Notice,
    Owner,
    RoleWatch,
    Salvage,
    read_escrow,
)
from airflow_codebeamer.locking.escrow.noticing import renew_escrow
from airflow_codebeamer.settings import LockSettings, StoreSettings

NOTICES = 2002
CREATE, UPLOAD = "createTrackerItem", "uploadTrackerItemAttachment"
REPLACE = "updateAttachmentOfTrackerItem"
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
        "Until: it is released. The lock is renewed while its run lives",
        f"since this was written, at {lock.lease_until:%Y-%m-%d %H:%M} UTC",
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


def test_it_tells_no_end_that_a_renewal_makes_untrue(board, owner) -> None:
    """Whatever was renewed since: a lease after the last sign of life it is over."""
    settings = LockSettings(hold_limit=timedelta(hours=8))
    one = engine(board, settings=settings)
    lock = one.acquire(board.tracker, owner=owner, lease=timedelta(minutes=2))
    said = notice(board).description
    assert "runs out 30 minutes after the last sign of life" in said
    assert "It is held for 480 minutes at most." in said
    for _ in range(30):
        board.pass_time(seconds=50)
        assert counted(board, lambda: one.renew(lock)) == 0
    renewed = one.renew(lock, lease=settings.bridge)
    assert renewed.lease_until - board.engine().parts.store.now() == settings.bridge


@pytest.mark.trap("T9", "T25")
def test_an_amendment_is_in_its_file(board, owner) -> None:
    """Or a restore from it would bring back what somebody revoked."""
    before = set(board.rights("Writer 1"))
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    # Whoever amends need not know of notices: the record tells where this one is.
    by_hand = engine(board, tracker=None)

    def amend(**more: Any) -> int:
        return counted(
            board,
            lambda: by_hand.amend(
                board.tracker, "Writer 1", by="ann", reason="audit", **more
            ),
        )

    assert amend(remove=["issue_add"]) == 1
    assert board.operations() == [REPLACE]
    [escrow] = read_escrow(one.parts, board.tracker)
    assert escrow.line() == board.escrow[-1]
    forget_store(board)
    Salvage(engine(board).parts, escrow).run(by="ann")
    assert board.rights("Writer 1")
    assert len(before - set(board.rights("Writer 1"))) == 1


@pytest.mark.trap("T9", "T25")
def test_what_is_taken_again_is_in_its_file(board, owner) -> None:
    one = engine(board, settings=LockSettings(on_drift="relock"))
    lock = one.acquire(board.tracker, owner=owner)
    watch = RoleWatch(one.parts, lock, lambda error: None)
    for known in (False, True):
        board.grant("Reader 1", [0, 2, 8, 10, 25, 3])
        board.server.clear_calls()
        assert watch.look() == ["Reader 1"]
        # The second time the original has it already.
        assert (REPLACE in board.operations()) is not known
    forget_store(board)
    [escrow] = read_escrow(engine(board).parts, board.tracker)
    Salvage(engine(board).parts, escrow).run(by="ann")
    assert 3 in board.rights("Reader 1")


def test_a_file_that_cannot_be_renewed_is_told_and_stops_nobody(board, owner) -> None:
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    board.server.add_fault({"kind": "status", "status": 403, "operation": REPLACE})
    amend = partial(one.amend, board.tracker, "Writer 1", by="ann", reason="audit")
    amend(remove=["issue_add"])
    assert "its notice is not up to date" in board.said[-1]
    board.server.clear_faults()
    amend(remove=["issue_edit"])
    [escrow] = read_escrow(one.parts, board.tracker)
    assert escrow.line() == board.escrow[-1]


def test_a_lock_that_is_over_renews_no_file(board, owner) -> None:
    """Whoever amends may be slow; the next lock's file is not his."""
    one = engine(board)
    lock = one.acquire(board.tracker, owner=owner)
    [escrow] = read_escrow(one.parts, board.tracker)
    one.release(board.tracker, owner_key=owner.key)
    one.acquire(board.tracker, owner=owner)
    other_escrow = replace(escrow, roles=())
    assert counted(board, lambda: renew_escrow(one.parts, lock, other_escrow)) == 0
    [now] = read_escrow(one.parts, board.tracker)
    assert now.line() == board.escrow[-1]


@pytest.mark.trap("T25")
def test_the_file_of_a_lock_that_is_over_is_not_restored(board, owner) -> None:
    """What an administrator took away since would come back."""
    one = engine(board)
    whole(board, one, owner)
    forget_store(board)
    with pytest.raises(EscrowError, match="the lock with epoch 1 is over"):
        read_escrow(engine(board).parts, board.tracker)


@pytest.mark.trap("T25")
def test_the_file_of_an_older_lock_is_not_taken_for_this_one(board, owner) -> None:
    one = engine(board)
    whole(board, one, owner)
    board.server.add_fault({"kind": "status", "status": 403, "operation": REPLACE})
    assert one.acquire(board.tracker, owner=owner).state is LockState.HELD
    assert "LOCKED" in notice(board).description
    with pytest.raises(EscrowError, match="of an older lock than the one with epoch 2"):
        read_escrow(one.parts, board.tracker)
