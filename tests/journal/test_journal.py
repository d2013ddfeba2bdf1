from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
from datetime import UTC, timedelta

import pytest
from sqlalchemy import insert, update

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database, lock_table
from airflow_codebeamer.errors import DatabaseError, Retry
from airflow_codebeamer.journal import Entry, Journal
from airflow_codebeamer.settings import StoreSettings


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def test_intent_is_kept_before_the_deed(journal: Journal) -> None:
    number = journal.begin("lineage", "put", "7", {"value": [1, 2]}, epoch=3)
    (entry,) = journal.list_entries("lineage")
    assert entry == Entry(
        number=number,
        scope="lineage",
        kind="put",
        key="7",
        epoch=3,
        intent={"value": [1, 2]},
        begun_at=entry.begun_at,
    )
    assert entry.begun_at.tzinfo is UTC


def test_outcome_joins_its_intent(journal: Journal) -> None:
    number = journal.begin("lineage", "put", "7", "intent")
    journal.finish(number, {"answer": 200})
    (entry,) = journal.list_entries("lineage")
    assert entry.outcome == {"answer": 200}
    assert entry.finished_at >= entry.begun_at
    assert entry.intent == "intent"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        0.1,
        1.0,
        5e-324,
        1.7976931348623157e308,
        "",
        "null",
        'quote " backslash \\ slash / tab \t',
        "umlaut ä, astral \U0001f512, separator \u2028, half \ud800",
        "zero \x00 byte",
        [],
        {},
        {"b": 1, "a": {"nested": [None, [], {"": ""}]}},
        [{"id": 1, "name": "Developer"}] * 3,
    ],
)
def test_values_come_back_as_they_were(journal: Journal, value: object) -> None:
    number = journal.begin("lineage", "put", "7", value)
    journal.finish(number, value)
    (entry,) = journal.list_entries("lineage")
    for found in (entry.intent, entry.outcome):
        assert found == value
        assert type(found) is type(value)
        if isinstance(value, dict):
            assert list(found) == list(value)
    assert not entry.is_open


@pytest.mark.parametrize("value", [math.nan, math.inf, {"x": object()}])
def test_what_is_no_json_is_refused_whole(journal: Journal, value: object) -> None:
    with pytest.raises(DatabaseError):
        journal.begin_many("lineage", [("put", "1", "good"), ("put", "2", value)])
    assert journal.list_entries("lineage") == []


def test_many_are_numbered_in_their_order(journal: Journal) -> None:
    wanted = [("create", f"K{n}", {"n": n}) for n in range(1_200)]
    numbers = journal.begin_many("run", wanted, epoch=2)
    assert numbers == sorted(set(numbers))
    found = journal.list_entries("run")
    assert [e.number for e in found] == numbers
    assert [(e.kind, e.key, e.intent) for e in found] == wanted
    journal.finish_many([(number, {"item": number}) for number in numbers])
    done = journal.list_entries("run")
    assert [e.outcome for e in done] == [{"item": number} for number in numbers]


def test_nothing_to_write_is_nothing(journal: Journal) -> None:
    assert journal.begin_many("run", []) == []
    journal.finish_many([])
    assert journal.list_entries("run") == []


def test_entries_are_found_by_scope_kind_and_openness(journal: Journal) -> None:
    first = journal.begin("one", "lock", "1", None)
    second = journal.begin("one", "restore", "1", None)
    third = journal.begin("one", "lock", "2", None)
    journal.begin("other", "lock", "1", None)
    journal.finish(first, None)
    assert [e.number for e in journal.list_entries("one")] == [first, second, third]
    locks = journal.list_entries("one", kind="lock")
    assert [e.number for e in locks] == [first, third]
    open_ones = journal.list_entries("one", open_only=True)
    assert [e.number for e in open_ones] == [second, third]
    both = journal.list_entries("one", kind="lock", open_only=True)
    assert [e.number for e in both] == [third]
    assert journal.list_entries("none") == []


def test_same_outcome_again_is_quiet(journal: Journal) -> None:
    number = journal.begin("lineage", "put", "7", None)
    journal.finish(number, {"answer": 200})
    (before,) = journal.list_entries("lineage")
    journal.finish(number, {"answer": 200})
    assert journal.list_entries("lineage") == [before]


@pytest.mark.parametrize("first", [{"answer": 200}, None])
def test_other_outcome_is_refused(journal: Journal, first: object) -> None:
    number, unfinished = journal.begin_many(
        "lineage", [("put", "7", None), ("put", "8", None)]
    )
    journal.finish(number, first)
    with pytest.raises(DatabaseError, match=f"entry {number}.*put 7") as caught:
        journal.finish_many([(unfinished, "late"), (number, "late")])
    assert caught.value.retry is Retry.NEVER
    done, left = journal.list_entries("lineage")
    assert (done.outcome, left.is_open) == (first, True)


def test_unknown_entry_is_refused(journal: Journal) -> None:
    with pytest.raises(DatabaseError, match="no journal entry 99"):
        journal.finish(99, "done")


def test_only_one_of_two_outcomes_at_once_is_kept(
    store_url: str, journal: Journal
) -> None:
    settings = StoreSettings(url=store_url)
    stores = [Database(settings) for _ in range(4)]
    for attempt in range(5):
        number = journal.begin("lineage", "put", str(attempt), None)
        refused: list[int] = []
        start = threading.Barrier(len(stores))

        def finish(
            name: int,
            store: Database,
            *,
            entry: int,
            errors: list[int],
            gate: threading.Barrier,
        ) -> None:
            gate.wait()
            try:
                Journal(store).finish(entry, name)
            except DatabaseError:
                errors.append(name)

        threads = [
            threading.Thread(
                target=finish,
                args=(name, store),
                kwargs={"entry": number, "errors": refused, "gate": start},
            )
            for name, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcome = journal.list_entries("lineage")[-1].outcome
        assert sorted([*refused, outcome]) == [0, 1, 2, 3]
    for store in stores:
        store.close()


def test_intent_and_condition_are_one_transaction(
    database: Database, journal: Journal
) -> None:
    with database.begin() as connection:
        connection.execute(insert(lock_table).values(server="s", tracker_id=1, epoch=5))
    statement = update(lock_table).where(lock_table.c.epoch == 4).values(reason="mine")

    def act_if_still_ours() -> None:
        with database.begin() as connection:
            journal.begin("lineage", "put", "7", None, within=connection)
            if connection.execute(statement).rowcount != 1:
                raise PermissionError

    with pytest.raises(PermissionError):
        act_if_still_ours()
    assert journal.list_entries("lineage") == []
    with database.begin() as connection:
        first = journal.begin("lineage", "put", "7", None, within=connection)
        journal.begin_many("lineage", [("put", "8", None)], within=connection)
        journal.finish(first, "done", within=connection)
    assert [e.outcome for e in journal.list_entries("lineage")] == ["done", None]


def test_times_are_store_time(store_url: str, clock: ManualClock) -> None:
    database = Database(StoreSettings(url=store_url), clock=clock)
    journal = Journal(database)
    begun = clock.now()
    numbers = journal.begin_many("run", [("a", "1", None), ("a", "2", None)])
    clock.advance(1.5)
    journal.finish(numbers[0], None)
    first, second = journal.list_entries("run")
    assert first.begun_at == second.begun_at == begun
    assert first.finished_at == begun + timedelta(seconds=1.5)
    database.close()


PROGRAM = """
import sys
from airflow_codebeamer.database import Database
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.settings import StoreSettings

journal = Journal(Database(StoreSettings(url=sys.argv[1])))
number = journal.begin("run", "create", "K1", {"name": "first"})
journal.finish(number, {"item": 11})
journal.begin("run", "create", "K2", {"name": "second"})
print("written", flush=True)
sys.stdin.readline()
"""


def test_killed_process_leaves_its_open_intent(
    store_url: str, journal: Journal
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, store_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
    (left,) = journal.list_entries("run", open_only=True)
    assert (left.key, left.intent) == ("K2", {"name": "second"})
    assert len(journal.list_entries("run")) == 2
