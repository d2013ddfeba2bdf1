"""Requests of ours without an answer, of any lock: what they may have done.

A process that stops between its check and the sending for longer than the lock
delay, or a server that holds a request back for so long, reduces a role that has
been given back already, or that a newer lock has. No clock excludes that, so what
such a request takes away is remembered for a day, over all locks of a tracker. So
is what it gives: with two accounts that write in turn a lock grants, and a grant that
lands late lets the account write whose turn is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from airflow_codebeamer.ids import Lineage, PermissionId, TrackerId
from airflow_codebeamer.journal import Entry
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import NOTHING, Rights
from airflow_codebeamer.locking.records.ledger import GRANT, REDUCE, value_of
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["explaining", "given_late", "granting", "list_late", "taken_late"]

#: How long a request without an answer is looked out for, by store time.
AGE = timedelta(days=1)


def list_late(
    parts: Parts,
    tracker_id: TrackerId,
    lineage: Lineage | None,
    *,
    with_healed: bool = False,
) -> list[Entry]:
    """Return the requests for a tracker that may have landed late, or may yet.

    Reductions, and the grants of two accounts in turn; no restores.

    Asks the store only. Left out are those older than a day, those from before
    somebody accepted the permissions as they were, and, unless `with_healed`, those
    whose effect was found once (a request lands once). `lineage` is looked at even
    if nothing happened under it for a day.
    """
    oldest = parts.store.now() - AGE
    history, server = parts.history, parts.server
    scopes = history.list_lineages(server, tracker_id, oldest)
    if lineage:
        scopes.add(lineage)
    accepted = oldest
    landed: set[int] = set()
    for event in history.list_recent(server, tracker_id, oldest, "heal", "accepted"):
        if event.kind == "heal" and not with_healed:
            landed.update(event.detail["requests"])
        if event.kind == "accepted":
            accepted = event.at
    return [
        intent
        for intent in parts.ledger.list_unsettled(*scopes, kind=(REDUCE, GRANT))
        if intent.begun_at > oldest
        and intent.begun_at >= accepted
        and intent.number not in landed
    ]


def taken_late(intents: Iterable[Entry], entry: RoleEntry, now: Rights) -> Rights:
    """Return what a role lacks that late requests take, if they landed.

    Somebody may have taken more away on top of it; that is not in here.
    """
    missing = entry.left - now
    taken = NOTHING
    for intent in _of_role(intents, entry, REDUCE):
        taken |= missing & _taken_by(intent, entry.left)
    return taken


def explaining(intents: Iterable[Entry], entry: RoleEntry, now: Rights) -> list[Entry]:
    """Return the requests each of which explains all that a role lacks.

    What is missing is compared and not the whole value, since somebody may have
    granted something on top of a late request.
    """
    missing = entry.left - now
    return [
        intent
        for intent in _of_role(intents, entry, REDUCE)
        if missing and missing <= _taken_by(intent, entry.left)
    ]


def given_late(intents: Iterable[Entry], entry: RoleEntry, now: Rights) -> Rights:
    """Return what a role has beyond what was left to it that late grants give."""
    given = NOTHING
    for intent in _of_role(intents, entry, GRANT):
        given |= value_of(intent)
    return given & (now - entry.left)


def granting(intents: Iterable[Entry], entry: RoleEntry, now: Rights) -> list[Entry]:
    """Return the grants all of which a role has although nothing of it was left."""
    return [
        intent
        for intent in _of_role(intents, entry, GRANT)
        if value_of(intent) - entry.left and value_of(intent) <= now
    ]


def _of_role(intents: Iterable[Entry], entry: RoleEntry, kind: str) -> list[Entry]:
    ours = kind, str(entry.role_id)
    return [intent for intent in intents if (intent.kind, intent.key) == ours]


def _taken_by(intent: Entry, before: Rights) -> frozenset[PermissionId]:
    return before - value_of(intent)
