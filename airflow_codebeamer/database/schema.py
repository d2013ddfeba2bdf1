"""Every table of the lock store, on one page.

Times are seconds since 1970 as doubles, and always the store's own time (see
`Database.now`). `JsonText` holds what `json` reads back unchanged, on SQLite and
PostgreSQL alike; None is NULL. No column is a place for a secret: owners,
intents and summaries must not carry one.

Rows of `codebeamer_lock` are never deleted, those of `codebeamer_event` only
added, and one of `codebeamer_journal` is changed once, when its outcome is known.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from airflow_codebeamer.database.jsontext import JsonText

__all__ = [
    "event_table",
    "freeze_table",
    "host_table",
    "journal_table",
    "lock_table",
    "membership_table",
    "metadata",
    "queue_table",
    "queue_tracker_table",
    "role_journal_table",
    "run_table",
    "schema_table",
]

metadata = MetaData()

# SQLite numbers rows by itself only where the column type is exactly INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=text("''"))


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


#: One row for each migration step that was applied; the highest is the version.
schema_table = Table(
    "codebeamer_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", Double, nullable=False),
)

#: The one machine that may use a SQLite store. Empty on PostgreSQL.
host_table = Table(
    "codebeamer_host",
    metadata,
    Column("name", Text, primary_key=True),
    _text("boot"),
    Column("since", Double, nullable=False),
)

#: Who holds a tracker. `epoch` is the fencing token: it only grows.
lock_table = Table(
    "codebeamer_lock",
    metadata,
    Column("server", Text, primary_key=True),
    Column("tracker_id", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True, server_default=text("'tracker'")),
    _count("epoch"),
    Column("state", Text, nullable=False, server_default=text("'free'")),
    _text("owner_key"),
    Column("owner", JsonText),
    _text("reason"),
    Column("lineage", Text),
    Column("acquired_at", Double),
    Column("lease_until", Double),
    _count("lease_seq"),
    Column("hold_until", Double),
    Column("breaking_by", Text),
    Column("breaking_reason", Text),
    Column("breaking_since", Double),
    # Until then the holder may put everything back by himself.
    Column("breaking_until", Double),
    # A request without an answer may still take effect until then.
    Column("dirty_put_until", Double),
    Column("owner_died", Boolean, nullable=False, server_default=false()),
    Column("fingerprint", JsonText),
    _text("exclusive_role"),
    # Every tracker that was taken in one lock with this one; NULL if it is alone.
    Column("members", JsonText),
    _text("restore_policy"),
    # How others are kept from writing; role permissions without a name.
    _text("strategy"),
    Column("options", JsonText),
    # "freeze" if several owners share it; exclusive without a word.
    _text("mode"),
    _text("created_host"),
    Column("created_at", Double),
    Column("changed_at", Double),
)
Index("codebeamer_lock_owner", lock_table.c.owner_key)

#: What each role of a lineage was, is and shall be.
role_journal_table = Table(
    "codebeamer_role_journal",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("lineage", Text, nullable=False),
    Column("role_id", BigInteger, nullable=False),
    _text("role_name"),
    Column("original", JsonText, nullable=False),
    Column("base", JsonText),
    Column("floor", JsonText),
    Column("touched", Boolean, nullable=False, server_default=false()),
    _text("phase"),
    Column("merged", JsonText),
    Column("observed", JsonText),
    # What others granted while the tracker was held, and the lock took again.
    Column("granted", JsonText),
    # The original before such grants were added to it; NULL if none were.
    Column("first_original", JsonText),
    # What a person said of a role that waits: merge, exact or keep.
    _text("answer"),
    # Grows with each amendment by hand.
    _count("revision"),
    _count("epoch"),
    UniqueConstraint("lineage", "role_id", name="codebeamer_role_journal_role"),
    sqlite_autoincrement=True,
)

#: Intents, written before the deed, and their outcomes, written once after it.
journal_table = Table(
    "codebeamer_journal",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    _count("epoch"),
    Column("intent", JsonText),
    Column("begun_at", Double, nullable=False),
    Column("outcome", JsonText),
    Column("finished_at", Double),
    # Without it SQLite gives the number of a deleted row to the next one.
    sqlite_autoincrement=True,
)
Index("codebeamer_journal_scope", journal_table.c.scope, journal_table.c.number)

#: Applications of a document to a tracker.
run_table = Table(
    "codebeamer_run",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("server", Text, nullable=False),
    Column("tracker_id", BigInteger, nullable=False),
    _text("lineage"),
    _count("epoch"),
    _text("owner_key"),
    Column("state", Text, nullable=False),
    _text("digest"),
    Column("summary", JsonText),
    Column("opened_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    # Runs that are done, and undone, as one; empty for one that is alone.
    _text("set_id"),
)
Index("codebeamer_run_tracker", run_table.c.server, run_table.c.tracker_id)

#: The history that people read.
event_table = Table(
    "codebeamer_event",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("server", Text, nullable=False),
    Column("tracker_id", BigInteger, nullable=False),
    _count("epoch"),
    Column("lineage", Text),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    _text("who"),
    Column("detail", JsonText),
    sqlite_autoincrement=True,
)
Index(
    "codebeamer_event_tracker",
    event_table.c.server,
    event_table.c.tracker_id,
    event_table.c.number,
)

#: Who else was in the exclusive role when it was last looked at.
membership_table = Table(
    "codebeamer_membership",
    metadata,
    Column("server", Text, primary_key=True),
    Column("project_id", BigInteger, primary_key=True, autoincrement=False),
    Column("role_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),
    Column("checked_at", Double, nullable=False),
    Column("others", JsonText, nullable=False),
)

#: Who shares a freeze. Without a lease: he has left it.
freeze_table = Table(
    "codebeamer_freeze",
    metadata,
    Column("server", Text, primary_key=True),
    Column("tracker_id", BigInteger, primary_key=True, autoincrement=False),
    Column("owner_key", Text, primary_key=True),
    Column("lineage", Text),
    Column("owner", JsonText),
    _text("reason"),
    Column("since", Double),
    Column("lease_until", Double),
)

#: Who waits for which trackers. A ticket goes when its owner is granted them.
queue_table = Table(
    "codebeamer_queue",
    metadata,
    Column("ticket", _Number, primary_key=True),
    Column("server", Text, nullable=False),
    Column("owner_key", Text, nullable=False),
    # Of the trackers: an owner has one ticket for the same ones.
    Column("digest", Text, nullable=False),
    Column("trackers", JsonText, nullable=False),
    Column("owner", JsonText),
    _text("reason"),
    _count("priority"),
    # What its owner asked for; a person may have made another of it.
    _count("asked_priority"),
    # The smallest goes first: when it came, less what its priority is worth.
    Column("place", Double, nullable=False),
    Column("enqueued_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    # Who was not seen until then blocks nobody, and keeps the place.
    Column("live_until", Double, nullable=False),
    Column("offer_until", Double),
    _count("missed"),
    UniqueConstraint("server", "owner_key", "digest", name="codebeamer_queue_owner"),
    sqlite_autoincrement=True,
)
Index(
    "codebeamer_queue_place",
    queue_table.c.server,
    queue_table.c.place,
    queue_table.c.ticket,
)

#: Each tracker that a ticket is for.
queue_tracker_table = Table(
    "codebeamer_queue_tracker",
    metadata,
    Column("ticket", BigInteger, primary_key=True, autoincrement=False),
    Column("tracker_id", BigInteger, primary_key=True, autoincrement=False),
)
Index(
    "codebeamer_queue_tracker_tracker",
    queue_tracker_table.c.tracker_id,
    queue_tracker_table.c.ticket,
)
