"""A request of ours that landed after its lock was free: found, and put back.

A process that stops between its check and the sending for longer than the lock
delay, or a server that holds a request back for so long, reduces a role that has
been given back already. No clock excludes that, so it is looked for: while a
request of the last lock may still be under way, and is younger than a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from airflow_codebeamer.errors import NotFoundError
from airflow_codebeamer.ids import Lineage, RoleId
from airflow_codebeamer.journal import Entry
from airflow_codebeamer.locking.ledger import REDUCE, explaining
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.restoring import Restoring
from airflow_codebeamer.locking.roles import Phase

__all__ = ["Echo", "find_echo", "heal"]

#: How long a request without an answer is looked out for, by store time.
_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Echo:
    """What late requests of the last lock made of a free tracker.

    `requests` are the numbers of the intents that explain it.
    """

    seen: Lock
    owner: Owner
    lineage: Lineage
    roles: tuple[str, ...]
    requests: tuple[int, ...]


def find_echo(parts: Parts, seen: Lock) -> Echo | None:
    """Return what late requests did to a free tracker, None if nothing.

    One request if a reduction of its last lock is unsettled and younger than a
    day, none otherwise. A request lands once: one that explained an earlier echo
    explains no other, so a person who takes the same rights away is undone once.
    """
    if not seen.fingerprint:
        return None
    # A reservation that was given back left its own lineage in the record.
    lineage = Lineage(seen.fingerprint["lineage"])
    unsettled = _unsettled(parts, lineage)
    if not unsettled:
        return None
    try:
        now = parts.read(seen.tracker_id)
    except NotFoundError:
        return None
    entries = parts.ledger.list_roles(lineage)
    landed: dict[RoleId, int] = {}
    for role_id, entry in entries.items():
        intents = explaining(unsettled, entry, now.of_role(role_id))
        # What the last restore left is known of roles that it saw to the end only.
        if intents and entry.phase is Phase.RESTORED:
            landed[role_id] = intents[0].number
    if not landed:
        return None
    snapshot = parts.history.find_event(lineage, "snapshot")
    return Echo(
        seen,
        Owner(snapshot.who if snapshot is not None else "recovery"),
        lineage,
        roles=tuple(entries[role_id].name for role_id in landed),
        requests=tuple(landed.values()),
    )


def heal(parts: Parts, echo: Echo, by: str) -> ReleaseReport | None:
    """Take the free record under a new epoch and restore; None if it moved on.

    Raises:
        RestorePendingError: not all is back yet; recovery goes on with it.
        LockLostError: somebody else took it over from us.
    """
    lock = parts.store.heal(
        echo.seen,
        echo.owner,
        lineage=echo.lineage,
        ttl=parts.settings.ttl,
        detail={"roles": list(echo.roles), "requests": list(echo.requests)},
        by=by,
    )
    if lock is None:
        return None
    report = Restoring(parts, lock, by=by).run()
    parts.history.record(lock, "echo_healed", {"roles": list(report.restored)}, who=by)
    return report


def _unsettled(parts: Parts, lineage: Lineage) -> list[Entry]:
    oldest = parts.store.now() - _AGE
    young = [
        intent
        for intent in parts.ledger.list_unsettled(lineage)
        if intent.kind == REDUCE and intent.begun_at > oldest
    ]
    if not young:
        return []
    landed = {
        number
        for event in parts.history.list_lineage(lineage, "heal")
        for number in event.detail["requests"]
    }
    return [intent for intent in young if intent.number not in landed]
