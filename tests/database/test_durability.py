from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from airflow_codebeamer.database.durability import replica_finding
from airflow_codebeamer.errors import DatabaseUnsafeError, Retry


@pytest.fixture
def switch(postgres_server: Any) -> Iterator[Any]:
    """Return a function that changes a setting of the whole server for one test."""
    changed: list[str] = []

    def to(name: str, value: str) -> None:
        changed.append(name)
        postgres_server.run(f"ALTER SYSTEM SET {name} = '{value}'")
        reload(postgres_server, name, value)

    yield to
    for name in changed:
        postgres_server.run(f"ALTER SYSTEM RESET {name}")
    postgres_server.run("SELECT pg_reload_conf()")


def reload(server: Any, name: str, value: str) -> None:
    """Let the server read its settings again, and wait until it has."""
    server.run("SELECT pg_reload_conf()")
    engine = create_engine(server.url)
    shown = ""
    while shown != value:
        with engine.connect() as connection:
            shown = str(connection.scalar(text(f"SHOW {name}")))
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.trap("T24")
@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_server_that_can_forget_is_refused(
    postgres_url: str, open_store, switch, name: str
) -> None:
    switch(name, "off")
    for use in ("ensure", "migrate", "check"):
        with pytest.raises(DatabaseUnsafeError, match=f"{name} is off") as caught:
            getattr(open_store(postgres_url), use)()
    assert caught.value.retry is Retry.NEVER
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.scalar(text(tables)) == 0
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.trap("T25")
def test_server_without_replicas_says_nothing_of_them(
    postgres_url: str, open_store
) -> None:
    store = open_store(postgres_url)
    store.ensure()
    assert "replica" not in "\n".join(store.check())


@pytest.mark.postgres
@pytest.mark.trap("T25")
def test_replica_that_is_waited_for_and_missing_is_told(
    postgres_url: str, open_store, switch
) -> None:
    """What a real server says; nothing is written, it would wait for ever."""
    store = open_store(postgres_url)
    store.ensure()
    switch("synchronous_standby_names", "other_site")
    told = "\n".join(store.check())
    assert "commits wait for a replica (other_site), and none is connected" in told


@pytest.mark.trap("T25")
@pytest.mark.parametrize(
    ("names", "states", "words"),
    [
        ("", [], ""),
        ("", ["async"], "warning: the replicas (1) are asynchronous"),
        ("", ["async", "async"], "warning: the replicas (2) are asynchronous"),
        ("", [None], "warning: the replicas (1) are asynchronous"),
        ("a", ["potential"], "warning: the replicas (1) are asynchronous"),
        ("a", ["sync"], "replicas: 1, commits wait for 1 of them"),
        ("a", ["async", "sync"], "replicas: 2, commits wait for 1 of them"),
        ("ANY 1 (*)", ["quorum", "quorum"], "commits wait for 2 of them"),
        ("a", [None], "this account may not see"),
        ("a", [], "none is connected"),
    ],
)
def test_replicas_are_judged_by_what_a_commit_waits_for(
    names: str, states: list[str | None], words: str
) -> None:
    found = replica_finding(names, states)
    assert words in found
    assert bool(found) == bool(words)
