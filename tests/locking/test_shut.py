"""A tracker that looks locked is not locked again: its rights would be lost."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import LockRefusedError
from airflow_codebeamer.locking import LockState, Salvage, find_escrows
from airflow_codebeamer.settings import StoreSettings

SAYS = "no record explains it"


def lose_store(bench: Any) -> None:
    bench.database.close()
    url = bench.database.address.replace("store0", "another")
    bench.database = Database(StoreSettings(url=url), clock=bench.clock)


def refused(bench: Any, owner: Any, **more: Any) -> LockRefusedError:
    before = bench.permissions()
    bench.server.clear_calls()
    with pytest.raises(LockRefusedError, match=SAYS) as caught:
        bench.engine().acquire(bench.tracker, owner=owner, **more)
    assert bench.permissions() == before
    assert "updatePermission" not in bench.operations()
    found = bench.engine().parts.store.find(bench.server.url, bench.tracker)
    assert found.state is LockState.FREE
    return caught.value


@pytest.mark.trap("T1", "T25")
@pytest.mark.parametrize("mode", ["exclusive", "freeze"])
@pytest.mark.parametrize("after", ["exclusive", "freeze"])
def test_a_lost_store_is_found_out_without_any_notice(
    bench, owner, other, mode: str, after: str
) -> None:
    before = bench.permissions()
    bench.engine().acquire(bench.tracker, owner=owner, mode=mode)
    lose_store(bench)
    error = refused(bench, other, mode=after)
    for way in ("restore --from-escrow LOG", "lock accept 2001"):
        assert way in str(error)
    [escrow] = find_escrows("\n".join(bench.escrow), "the log")
    Salvage(bench.engine().parts, escrow).run(by="ann")
    assert bench.permissions() == before
    engine = bench.engine()
    assert engine.acquire(bench.tracker, owner=other, mode=after).is_mine
    engine.release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == before


def test_what_is_meant_is_accepted_once(make_bench, owner, other) -> None:
    bench = make_bench(writing=0, reading=2)
    before = bench.permissions()
    # A store that has never heard of the tracker says it in the dry run too.
    assert SAYS in " ".join(bench.engine().preflight(bench.tracker).findings)
    refused(bench, owner)
    engine = bench.engine()
    assert engine.preflight(bench.tracker).findings
    assert engine.accept_permissions(bench.tracker, by="ann", reason="an archive")
    for strategy in ("advisory", "role_permissions", "advisory", "role_permissions"):
        engine.acquire(bench.tracker, owner=other, strategy=strategy)
        engine.release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == before
    events = engine.parts.history.list_events(bench.server.url, bench.tracker)
    [accepted] = [event for event in events if event.kind == "accepted"]
    assert (accepted.who, accepted.detail["reason"]) == ("ann", "an archive")


def test_a_role_that_comes_later_and_only_reads_asks_nobody(make_bench, owner) -> None:
    bench = make_bench(writing=0, reading=2)
    bench.grant("Reader 2", [])
    engine = bench.engine()
    engine.accept_permissions(bench.tracker, by="ann", reason="an archive")
    engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key)
    bench.grant("Reader 2", [0, 2])
    engine.acquire(bench.tracker, owner=owner)


@pytest.mark.trap("T1")
def test_what_was_accepted_does_not_explain_what_comes_later(
    make_bench, owner, other
) -> None:
    """Somebody wrote again under a lock since, so the next time it is asked again."""
    bench = make_bench(writing=1, reading=1)
    writes = bench.rights("Writer 1")
    bench.grant("Writer 1", [0, 2])
    engine = bench.engine()
    engine.accept_permissions(bench.tracker, by="ann", reason="closed")
    bench.grant("Writer 1", writes)
    engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key)
    bench.grant("Writer 1", [0, 2])
    refused(bench, other)


@pytest.mark.trap("T1")
def test_one_writing_role_is_enough_to_lose(make_bench, owner, other) -> None:
    bench = make_bench(writing=1, reading=0, project_admin=True)
    bench.engine().acquire(bench.tracker, owner=owner)
    lose_store(bench)
    refused(bench, other)


@pytest.mark.parametrize("strategy", ["advisory", "item_locks"])
def test_who_takes_no_rights_is_not_asked(make_bench, owner, strategy: str) -> None:
    bench = make_bench(writing=0, items=1)
    engine = bench.engine()
    [item, _] = bench.client().items.query(f"tracker.id IN ({bench.tracker})")
    options = {"items": [item.id]} if strategy == "item_locks" else {}
    assert engine.acquire(
        bench.tracker, owner=owner, strategy=strategy, options=options
    ).is_mine


def test_nobody_else_there_is_nobody_to_lose(make_bench, owner) -> None:
    bench = make_bench(writing=0, reading=0)
    bench.engine().acquire(bench.tracker, owner=owner)
