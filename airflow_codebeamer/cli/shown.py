"""A lock as a document and as lines: what its record, journal and history say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_codebeamer.cli.queue import waiting_document, waiting_lines
from airflow_codebeamer.locking import Lock, LockState, LockStatus

__all__ = ["in_words", "lock_document", "moment", "show_document", "show_lines"]

#: What `lock show` says in other words than the document.
_AS_SENTENCES = (
    "owner_died",
    "died_before",
    "waiting",
    "unanswered",
    "owed_rights",
    "decisions",
)


def lock_document(status: LockStatus, lock: Lock) -> dict[str, Any]:
    """Return a lock as JSON: the handle, and what people ask besides.

    `owner_died` goes for this lock alone. `died_before` is the death of an earlier
    holder, until somebody has looked at the tracker and said so.
    """
    death = status.find_death(lock)
    is_own = death is not None and death.lineage == lock.lineage
    before = death if death is not None and not is_own else None
    document = {
        **lock.handle(),
        "owner_died": is_own,
        "died_before": None if before is None else before.to_json(),
    }
    if lock.breaking is not None:
        document["breaking"] = {
            "by": lock.breaking.by,
            "reason": lock.breaking.reason,
            "until": lock.breaking.until,
        }
    if lock.hold_until is not None:
        document["hold_until"] = lock.hold_until
    return document


def show_document(status: LockStatus, lock: Lock) -> dict[str, Any]:
    """Return everything about a lock as JSON."""
    return {
        **lock_document(status, lock),
        "shared_by": [
            f"{one.owner.key} until {moment(one.lease_until)}"
            for one in status.list_sharers(lock)
        ],
        "owed": status.list_owed(lock),
        "owed_rights": [one.to_json() for one in status.list_owed_rights(lock)],
        "quarantine": status.list_quarantine(lock),
        "unanswered": [
            {
                "role": one.role,
                "what": one.what,
                "command": one.command(lock.tracker_id),
            }
            for one in status.list_questions(lock)
        ],
        "drift": [str(drift) for drift in status.list_drift(lock)],
        "decisions": [one.to_json() for one in status.list_decisions(lock)],
        "waiting": waiting_document(status.list_tickets(lock.server, lock.tracker_id)),
    }


def show_lines(
    status: LockStatus, lock: Lock, document: Mapping[str, Any]
) -> Iterator[str]:
    """Yield everything about a lock as people read it."""
    for name, value in document.items():
        if value and name not in _AS_SENTENCES:
            yield f"{name:<15} {in_words(value)}"
    yield from waiting_lines(status.list_tickets(lock.server, lock.tracker_id))
    is_late = lock.state is LockState.RESTORING
    verb = "is owed" if is_late else "gets back at the release"
    for owed in status.list_owed_rights(lock):
        yield f"Role {owed.role} {verb}: {', '.join(owed.rights)}."
    for question in status.list_questions(lock):
        command = question.command(lock.tracker_id)
        yield f"R{str(question)[1:]}: say `{command}`."
    for decision in status.list_decisions(lock):
        yield f"{decision}."
    yield from _deaths(status, lock)


def in_words(value: Any) -> str:
    """Return a value for people: mappings as `name: value`, what is empty left out."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {in_words(v)}" for k, v in value.items() if v)
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return str(value)


def moment(at: datetime | None) -> str:
    """Return a moment to the second, empty for none."""
    return "" if at is None else at.isoformat(timespec="seconds")


def _deaths(status: LockStatus, lock: Lock) -> Iterator[str]:
    death = status.find_death(lock)
    if death is None:
        return
    heir = _heir(status, lock)
    if heir:
        yield f"Its owner did not release it; {heir} is to put the rights back."
        return
    said = f"say `airflow-codebeamer lock consistent {lock.tracker_id} --reason TEXT`"
    yield f"{death.owner} died while it had the tracker: look at it, then {said}."


def _heir(status: LockStatus, lock: Lock) -> str:
    """Return who took the restore over from the owner, empty if nobody did."""
    if lock.state is not LockState.RESTORING:
        return ""
    takers = [
        event.who
        for event in status.history(lock.server, lock.tracker_id)
        if event.kind == "take_over" and event.lineage == lock.lineage
    ]
    return next((who for who in reversed(takers) if who != lock.owner.key), "")
