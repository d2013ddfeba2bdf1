"""What a database role may is enforced, whatever the command line is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)
QUEUE = ("codebeamer_queue", "codebeamer_queue_tracker", "codebeamer_event")


@pytest.fixture
def as_role(postgres_server: Any, postgres_url: str, commands: Any) -> Iterator[Any]:
    """Return a function: the store's address for somebody who may read, and no more."""
    commands.env["CODEBEAMER_LOCK_STORE"] = postgres_url
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    name = make_url(postgres_url).database
    user = f"onlooker_{name}"
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg2"))

    def run(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    def role(*written: str) -> str:
        run(f"CREATE ROLE {user} LOGIN")
        run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
        for table in written:
            run(f"GRANT INSERT, UPDATE, DELETE ON {table} TO {user}")
        run(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}")
        address: str = postgres_server.address(name, user=user)
        return address

    yield role
    run(f"DROP OWNED BY {user}")
    run(f"DROP ROLE {user}")
    engine.dispose()


@pytest.mark.postgres
def test_who_may_only_read_looks_and_does_nothing_else(
    server: Emulator, commands: Any, writes: Any, as_role: Any
) -> None:
    before = writes()
    store = {"CODEBEAMER_LOCK_STORE": as_role()}
    for words in (
        ("list",),
        ("show", TRACKER),
        ("history", TRACKER),
        ("queue",),
        ("why", TRACKER, "Tester"),
    ):
        ran = commands.run("lock", *words, **store)
        assert ran.code == 0, (words, ran.err)
    for words in (
        ("break", TRACKER, "--reason", "x"),
        (
            "amend",
            TRACKER,
            "--role",
            "Tester",
            "--reason",
            "x",
            "--add",
            "issue_delete",
        ),
        ("release", "--owner", "me"),
        ("reorder", "--owner", "me", "--priority", "1", "--reason", "x"),
    ):
        ran = commands.run("lock", *words, **store)
        assert ran.code != 0, words
    assert commands.json("lock", "show", TRACKER)["state"] == "held"
    assert writes() == before


@pytest.mark.postgres
def test_who_may_write_the_queue_reorders_and_breaks_nothing(
    server: Emulator, commands: Any, writes: Any, as_role: Any
) -> None:
    commands.run("lock", "acquire", TRACKER, "--owner", "late", "--wait", "100ms")
    before = writes()
    store = {"CODEBEAMER_LOCK_STORE": as_role(*QUEUE)}
    ran = commands.run(
        *("lock", "reorder", "--owner", "late", "--priority", "4", "--reason", "now"),
        *("--json", "--by", "carol"),
        **store,
    )
    assert ran.code == 0, ran.err
    (moved,) = ran.document["moved"]
    assert moved["priority"] == 4
    told = commands.run("lock", "history", TRACKER, **store).out
    assert "reordered" in told
    assert "carol (" in told
    ran = commands.run("lock", "break", TRACKER, "--reason", "x", **store)
    assert ran.code == 1
    assert commands.json("lock", "show", TRACKER)["state"] == "held"
    assert writes() == before
