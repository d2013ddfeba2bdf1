"""What a lost store, or one from a backup, leaves behind is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from airflow_codebeamer.database import Database
from airflow_codebeamer.locking import (
    LockState,
    Salvage,
    find_escrows,
    find_unexplained,
    list_notices,
    repair_epoch,
)
from airflow_codebeamer.settings import StoreSettings

NOTICES = 2002


@pytest.fixture
def board(make_bench: Any) -> Any:
    return make_bench(notices=True)


def engine(board: Any, *, tracker: int | None = NOTICES) -> Any:
    return board.engine(client=board.client(notice_tracker=tracker))


def found(board: Any, **more: Any) -> str:
    return "; ".join(
        find_unexplained(engine(board, **more).parts, board.tracker).findings
    )


def lose_store(board: Any) -> None:
    board.database.close()
    url = board.database.address.replace("store0", "another")
    board.database = Database(StoreSettings(url=url), clock=board.clock)


def file_of(board: Any) -> str:
    return str(make_url(board.database.address).database)


def back_up(board: Any, to: Path) -> None:
    copied(file_of(board), to)


def put_back(board: Any, copy: Path) -> None:
    board.database.close()
    copied(copy, file_of(board))


def copied(source: str | Path, target: str | Path) -> None:
    old, new = sqlite3.connect(source), sqlite3.connect(target)
    with closing(old), closing(new):
        old.backup(new)


@pytest.mark.trap("T25")
def test_a_tracker_that_only_looks_locked_is_found(board, owner) -> None:
    engine(board, tracker=None).acquire(board.tracker, owner=owner)
    assert found(board, tracker=None) == ""
    lose_store(board)
    said = found(board, tracker=None)
    assert "Reader 1, Writer 1, Writer 2 only read" in said
    assert "lock accept 2001" in said


def test_a_tracker_that_is_as_it_should_be_is_not(board, owner) -> None:
    assert found(board) == ""
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    one.release(board.tracker, owner_key=owner.key)
    assert found(board) == ""


def test_what_somebody_means_is_not_told_again(board) -> None:
    for role in ("Writer 1", "Writer 2"):
        board.grant(role, [0, 2])
    assert "lock accept" in found(board)
    one = engine(board)
    assert one.accept_permissions(board.tracker, by="ann", reason="an archive")
    assert found(board) == ""


def test_what_our_last_lock_found_read_only_is_explained(board, owner) -> None:
    for role in ("Writer 1", "Writer 2"):
        board.grant(role, [0, 2])
    one = engine(board, tracker=None)
    one.accept_permissions(board.tracker, by="ann", reason="an archive")
    one.acquire(board.tracker, owner=owner)
    one.release(board.tracker, owner_key=owner.key)
    assert found(board, tracker=None) == ""


@pytest.mark.trap("T25")
def test_a_notice_tells_it_for_sure_until_it_is_restored(board, owner) -> None:
    before = board.permissions()
    engine(board).acquire(board.tracker, owner=owner)
    lose_store(board)
    assert "restore 2001 --from-notice" in found(board)
    [escrow] = find_escrows("\n".join(board.escrow), "the log")
    Salvage(engine(board).parts, escrow).run(by="ann")
    assert found(board) == ""
    assert board.permissions() == before


@pytest.mark.trap("T25")
def test_a_lock_that_a_backup_brought_back_is_freed_and_its_epoch_not_reused(
    board, owner, other, tmp_path
) -> None:
    before = board.permissions()
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    back_up(board, tmp_path / "backup.db")
    one.release(board.tracker, owner_key=owner.key)
    for _ in range(2):
        one.acquire(board.tracker, owner=other)
        one.release(board.tracker, owner_key=other.key)
    put_back(board, tmp_path / "backup.db")

    seen = engine(board)
    told = find_unexplained(seen.parts, board.tracker)
    assert "the lock store is at epoch 1, and the notice at 3" in told.findings[0]
    assert "recover" in told.findings[1]
    board.pass_time(hours=1)
    board.server.clear_calls()
    [done] = board.recovery().recover()
    assert done.action == "recovered"
    assert "updatePermission" not in board.operations()
    assert board.permissions() == before

    assert repair_epoch(seen.parts, told, by="ann")
    assert not repair_epoch(seen.parts, told, by="ann")
    lock = engine(board, tracker=None).acquire(board.tracker, owner=owner)
    assert lock.epoch == 4


@pytest.mark.trap("T25")
def test_a_holder_under_an_epoch_of_the_backup_is_fenced(
    board, owner, other, tmp_path
) -> None:
    one = engine(board)
    lock = one.acquire(board.tracker, owner=owner)
    back_up(board, tmp_path / "backup.db")
    one.release(board.tracker, owner_key=owner.key)
    one.acquire(board.tracker, owner=other)
    put_back(board, tmp_path / "backup.db")
    told = find_unexplained(engine(board).parts, board.tracker)
    assert repair_epoch(engine(board).parts, told, by="ann")
    assert not one.release(
        board.tracker, owner_key=owner.key, epoch=lock.epoch
    ).released
    record = one.parts.store.find(board.server.url, board.tracker)
    assert (record.state, record.epoch) == (LockState.HELD, 2)


def test_a_notice_that_does_not_say_that_its_lock_is_over_is_found(
    board, owner
) -> None:
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    text = "updateCustomFieldTrackerItem"
    board.server.add_fault({"kind": "status", "status": 403, "operation": text})
    one.release(board.tracker, owner_key=owner.key)
    board.server.clear_faults()
    assert "its notice still says that it is locked" in found(board)
    board.recovery().recover()
    assert found(board) == ""


def test_all_notices_are_one_request(board, owner) -> None:
    one = engine(board)
    one.acquire(board.tracker, owner=owner)
    lose_store(board)
    parts = engine(board).parts
    board.server.clear_calls()
    told = list_notices(parts)
    assert len(board.server.calls()) == 1
    assert list(told) == [board.tracker]
    board.server.clear_calls()
    assert find_unexplained(parts, board.tracker, told).findings
    assert board.server.calls() == []
