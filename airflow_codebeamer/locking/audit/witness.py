"""The certificate of one lock: a look when it is held, one before it is restored.

Both looks are events of the lock's history, so whoever releases it can finish the
certificate. Only what the looks leave open is asked for item by item, and only
when the tracker is free again: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import (
    ApiError,
    CodebeamerError,
    ContractError,
    DatabaseError,
    LockRefusedError,
    TransportError,
)
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.journal import Journal, Runs
from airflow_codebeamer.locking.audit.appendix import (
    Appendix,
    compare_hung,
    look_beside,
)
from airflow_codebeamer.locking.audit.glancing import BEGAN, GLANCED, glanced
from airflow_codebeamer.locking.audit.judging import (
    Findings,
    comments_gone,
    compare,
    foreign_comments,
    foreign_versions,
    last_change,
)
from airflow_codebeamer.locking.audit.siblings import Touched
from airflow_codebeamer.locking.audit.sight import (
    Glimpse,
    Sight,
    look_at,
    look_since,
)
from airflow_codebeamer.locking.audit.unseen import list_unseen
from airflow_codebeamer.locking.certificate import Certificate, ForeignChange
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.pulse import Pulse
from airflow_codebeamer.locking.records.history import Event
from airflow_codebeamer.locking.report import ReleaseReport

__all__ = ["BEGAN", "CERTIFIED", "ENDED", "begin_witness", "witnessed"]

#: The events in which a certificate is kept, with `BEGAN`.
ENDED = "witness_ended"
CERTIFIED = "certified"

#: Changes that are kept one by one; the rest is counted.
_MOST_CHANGES = 1000

_ALL_PAGES = 1_000_000

_Unseen = (ApiError, TransportError, ContractError)


def begin_witness(parts: Parts, lock: Lock) -> None:
    """Remember what is in the tracker, right before the lock is held.

    Raises:
        CodebeamerError: it cannot be seen, and the policy is to fail for that.
    """
    policy = parts.settings.certificate
    if policy == "off":
        return
    client = parts.writer_client(lock)
    began = client.requests_made
    settings = parts.settings
    detail: dict[str, Any] = {
        "policy": policy,
        "depth": settings.certificate_depth,
        "most": settings.certificate_files,
        "every": settings.certificate_watch.total_seconds(),
    }
    try:
        user = client.users.find_user(client.settings.login)
        sight, seen = look_at(client, lock.tracker_id, settings.certificate_pages)
    except _Unseen as error:
        if policy == "fail":
            raise
        detail["gap"] = f"the items could not be read at the beginning ({_why(error)})"
    else:
        detail |= {"us": user.id if user is not None else 0, **sight.to_json()}
        if sight.is_complete:
            hung = _look_beside(client, detail, seen)
            if hung.gaps and policy == "fail":
                raise LockRefusedError(lock.tracker_id, hung.gaps)
            detail["hung"] = hung.to_json()
    detail["requests"] = client.requests_made - began
    parts.history.record(lock, BEGAN, detail)


def witnessed(
    parts: Parts, lock: Lock, restore: Callable[[], ReleaseReport]
) -> ReleaseReport:
    """Look before a restore, restore, and certify when the tracker is free.

    A server that does not let us look stops no restore: the certificate says so.
    """
    history = parts.history
    began = history.find_event(lock.lineage, BEGAN)
    is_held = history.find_event(lock.lineage, "hold") is not None
    if began is None or not is_held:
        return restore()
    ended = _end(parts, lock, began)
    report = restore()
    certificate = _certify(parts, lock, began, ended)
    # The tracker is free: no fault of the record may make that look undone.
    try:
        history.record(lock, CERTIFIED, certificate.to_json())
    except DatabaseError as error:
        parts.say(f"Tracker {lock.tracker_id}: the certificate is not kept: {error}")
    return replace(report, certificate=certificate)


def _end(parts: Parts, lock: Lock, began: Event) -> Mapping[str, Any]:
    """Return what is other than at the beginning; an earlier try's word stands."""
    kept = parts.history.find_event(lock.lineage, ENDED)
    if kept is not None:
        return {**kept.detail, "at": kept.at.isoformat()}
    at = parts.store.now().isoformat()
    if "gap" in began.detail:
        return {"gap": began.detail["gap"], "at": at}
    client = parts.writer_client(lock)
    sent = client.requests_made
    pulse = Pulse(parts)
    pulse.start(lock)
    try:
        after, found = _look_again(parts, lock, began)
    except _Unseen as error:
        why = f"the items could not be read at the end ({_why(error)})"
        return {"gap": why, "at": at}
    finally:
        pulse.stop()
    if pulse.lost is not None:
        raise pulse.lost
    detail = {
        "total": after.total,
        "stamp": after.stamp,
        "digest": after.digest,
        "requests": client.requests_made - sent,
        "found": found.to_json(),
    }
    parts.history.record(lock, ENDED, detail)
    return {**detail, "at": at}


def _look_again(parts: Parts, lock: Lock, began: Event) -> tuple[Sight, Findings]:
    before = Sight.from_json(began.detail)
    client = parts.writer_client(lock)
    if before.is_complete:
        # A tracker that has grown past the limit meanwhile is still read whole.
        after, seen = look_at(client, lock.tracker_id, _ALL_PAGES)
    else:
        after, seen = look_since(client, lock.tracker_id, before.stamp)
    us, touched = began.detail["us"], _touched(parts, lock)
    found = compare(before, after, seen, us=us, touched=touched)
    if before.is_complete and after.is_complete and "hung" in began.detail:
        was = Appendix.from_json(began.detail["hung"])
        now = _look_beside(client, began.detail, seen)
        gone = before.versions.keys() - seen.keys()
        changes, links, gaps = compare_hung(was, now, gone, us=us, touched=touched)
        found.changes += changes
        found.links, found.gaps = links, gaps
    glances = parts.history.list_lineage(lock.lineage, GLANCED) if lock.lineage else []
    there = after.versions.keys() if after.is_complete else seen.keys()
    found.changes += glanced(glances, there, before.versions)
    return after, found


def _look_beside(
    client: Client, began: Mapping[str, Any], seen: Mapping[int, Glimpse]
) -> Appendix:
    """Look at what hangs on items, as far as the lock's beginning says."""
    return look_beside(client, seen.values(), began["depth"], began["most"])


def _touched(parts: Parts, lock: Lock) -> Touched:
    """Return the items that runs under this lock were to delete, move and order."""
    if lock.lineage is None:
        return Touched()
    database = parts.store.database
    journal = Journal(database)
    runs = [run.run_id for run in Runs(database).list_lineage(lock.lineage)]

    def intents(kind: str) -> list[Any]:
        return [
            entry.intent
            for run in runs
            for entry in journal.list_entries(run, kind=kind)
        ]

    return Touched(
        {int(step["item"]) for step in intents("discard")},
        {int(step["item"]) for step in intents("move")},
        {_number(step["parent"]) for step in intents("reorder")},
        {int(step["association"]) for step in intents("dissociate")},
    )


def _number(parent: Any) -> int:
    """Return a parent as a number, 0 at the top; a key is of an item that is new."""
    return parent if isinstance(parent, int) else 0 if parent is None else -1


def _certify(
    parts: Parts, lock: Lock, began: Event, ended: Mapping[str, Any]
) -> Certificate:
    start = began.detail
    certificate = Certificate(
        lock.tracker_id,
        start["policy"],
        owner=began.who,
        began=began.at.isoformat(),
        ended=ended["at"],
        stamp_before=start.get("stamp", ""),
        items_before=start.get("total", 0),
        digest_before=start.get("digest", ""),
        requests=start["requests"] + ended.get("requests", 0),
        unseen=list_unseen(start),
    )
    if "gap" in ended:
        return replace(certificate, gaps=(ended["gap"],))
    client = parts.writer_client(lock)
    sent = client.requests_made
    found = Findings.from_json(ended["found"])
    most = parts.settings.certificate_histories
    changes, gaps, histories = _ask(client, start, found, most)
    foreign = sum(change.count for change in changes)
    return replace(
        certificate,
        stamp_after=ended["stamp"],
        items_after=ended["total"],
        digest_after=ended["digest"],
        changed_by_us=found.ours,
        deleted_by_us=found.deleted_by_us,
        histories=histories,
        requests=certificate.requests + client.requests_made - sent,
        foreign=foreign,
        changes=tuple(changes[:_MOST_CHANGES]),
        gaps=tuple(gaps),
    )


def _ask(
    client: Client, start: Mapping[str, Any], found: Findings, most: int
) -> tuple[list[ForeignChange], list[str], int]:
    """Read the histories of what the looks left open, as many as are allowed."""
    us, stamp = start["us"], start["stamp"]
    changes, gaps = list(found.changes), []
    # Those that somebody else wrote last are foreign for sure: they come first.
    suspects = sorted(
        found.suspects, key=lambda s: (s.item.by_id == us, s.item.item_id)
    )
    unread = suspects[most:]
    histories = 0
    for number, suspect in enumerate(suspects[:most]):
        try:
            item_id = ItemId(suspect.item.item_id)
            history = client.items.list_history(item_id)
        except _Unseen as error:
            unread = suspects[number:]
            gaps.append(f"the history of items could not be read ({_why(error)})")
            break
        histories += 1
        foreign = foreign_versions(suspect, history, us=us, stamp=stamp)
        changes += foreign
        found.ours += not foreign
    gaps += found.gaps
    gaps += _listen(client, found, changes, us, most - histories)
    gaps += _trace(client, found, changes, us, most)
    changes += [last_change(one) for one in unread if one.item.by_id != us]
    unknown = sum(one.item.by_id == us for one in unread)
    if unknown:
        gaps.append(
            f"of {unknown} item(s) that we wrote last and more than once, the history "
            f"was not read (certificate_histories is {most})"
        )
    return changes, gaps, histories


def _listen(
    client: Client, found: Findings, changes: list[ForeignChange], us: int, most: int
) -> list[str]:
    """Add what others said of items; return what could not be read."""
    unread = 0
    for talk in found.talks:
        if not talk.new or unread or most <= 0:
            changes += comments_gone(talk)
            unread += bool(talk.new)
            continue
        most -= 1
        try:
            comments = client.items.list_comments(ItemId(talk.item_id))
        except _Unseen:
            unread += 1
        else:
            changes += foreign_comments(talk, comments, us=us)
    if not unread:
        return []
    return [f"who wrote the new comments of {unread} item(s) was not read"]


def _trace(
    client: Client, found: Findings, changes: list[ForeignChange], us: int, most: int
) -> list[str]:
    """Add the associations that others made; return what could not be read."""
    unread = max(0, len(found.links) - most)
    for number, item_id in found.links[:most]:
        try:
            made = client.associations.get_association(number)
        except _Unseen:
            unread += 1
            continue
        who = made.created_by
        if who is None or who.id != us:
            by = (who.name or str(who.id)) if who else "somebody"
            changes.append(
                ForeignChange("associated", item_id, at=made.created_at, by=by)
            )
    if not unread:
        return []
    return [f"who made {unread} new association(s) was not read"]


def _why(error: CodebeamerError) -> str:
    return f"status {error.status}" if isinstance(error, ApiError) else str(error)
