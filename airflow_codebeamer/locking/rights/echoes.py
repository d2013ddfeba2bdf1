"""A request of ours that landed after its lock was free: found, and put back."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_codebeamer.errors import NotFoundError
from airflow_codebeamer.ids import Lineage
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import spell
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.late import (
    explaining,
    given_late,
    granting,
    list_late,
    taken_late,
)
from airflow_codebeamer.locking.rights.restoring import Restoring
from airflow_codebeamer.locking.roles import Phase

__all__ = ["Echo", "find_echo", "heal"]

#: What the last restore left is known of roles that it saw to the end, or that the
#: last lock had no need to touch.
_KNOWN = (Phase.RESTORED, Phase.UNTOUCHED, Phase.EXCLUSIVE)


@dataclass(frozen=True)
class Echo:
    """What late requests made of a free tracker.

    `requests` are the numbers of the intents that explain it. `unclear` names the
    roles that lack what a request takes in part, or have what it gives in part:
    somebody may have meant it.
    """

    seen: Lock
    owner: Owner
    lineage: Lineage
    roles: tuple[str, ...]
    requests: tuple[int, ...]
    unclear: tuple[str, ...] = ()


def find_echo(parts: Parts, seen: Lock) -> Echo | None:
    """Return what late requests did to a free tracker, None if nothing.

    One request if a reduction or a grant is unsettled and younger than a day, none
    otherwise.
    A request lands once: one that explained an earlier echo explains no other, so a
    person who takes the same rights away is undone once.
    """
    if not seen.fingerprint:
        return None
    # A reservation that was given back left its own lineage in the record.
    lineage = Lineage(seen.fingerprint["lineage"])
    late = list_late(parts, seen.tracker_id, lineage)
    if not late:
        return None
    try:
        now = parts.read(seen.tracker_id)
    except NotFoundError:
        return None
    landed: dict[str, int] = {}
    unclear: list[str] = []
    for role_id, entry in parts.ledger.list_roles(lineage).items():
        rights = now.of_role(role_id)
        if entry.phase not in _KNOWN:
            continue
        names = {**entry.names, **now.names}
        intents = explaining(late, entry, rights) or granting(late, entry, rights)
        if intents:
            landed[entry.name] = intents[0].number
        elif given := given_late(late, entry, rights):
            unclear.append(f"role {entry.name} (has {spell(given, names)} as well)")
        elif taken_late(late, entry, rights):
            lacks = spell(entry.left - rights, names)
            unclear.append(f"role {entry.name} (lacks {lacks})")
    if not landed and not unclear:
        return None
    snapshot = parts.history.find_event(lineage, "snapshot")
    return Echo(
        seen,
        Owner(snapshot.who if snapshot is not None else "recovery"),
        lineage,
        roles=tuple(landed),
        requests=tuple(landed.values()),
        unclear=tuple(unclear),
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
