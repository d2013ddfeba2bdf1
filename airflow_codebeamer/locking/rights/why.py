"""Who took which right of a role, when, for which run, and when it came back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import Lineage, TrackerId
from airflow_codebeamer.journal import Entry, Journal
from airflow_codebeamer.locking.permissions import (
    NOTHING,
    Rights,
    rights_from_json,
    spell,
)
from airflow_codebeamer.locking.records.history import Event, History
from airflow_codebeamer.locking.records.journalled import list_entries
from airflow_codebeamer.locking.records.ledger import REDUCE, RESTORE
from airflow_codebeamer.locking.rights.drift import (
    DOUBT,
    DRIFT,
    OVERRULED,
    list_drift,
)
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["Taking", "list_takings"]


@dataclass(frozen=True)
class Taking:
    """What one lock took from a role, and what became of it; times are the store's.

    `back_at` is None while the rights are owed. `kept` are rights that did not come
    back, because somebody revoked them or a policy left them out. `notes` tells what
    people did to the role meanwhile, the oldest first.
    """

    role: str
    role_id: int
    taken: tuple[str, ...]
    owner: str
    epoch: int
    reason: str
    taken_at: datetime | None
    back_at: datetime | None = None
    back_by: str = ""
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return it as people read it."""
        why = f", for: {self.reason}" if self.reason else ""
        head = (
            f"{_moment(self.taken_at)}  {self.owner} (epoch {self.epoch}{why}) took "
            f"from role {self.role}: {', '.join(self.taken)}"
        )
        ending = "                     not back yet"
        if self.back_at is not None:
            ending = f"{_moment(self.back_at)}  given back by {self.back_by}"
            if self.kept:
                ending += f", but not {', '.join(self.kept)}"
        return [head, *(f"  {note}" for note in self.notes), ending]


def list_takings(
    database: Database,
    history: History,
    server: str,
    tracker_id: TrackerId,
    role: str,
    permission: str = "",
) -> list[Taking]:
    """Return what locks took from a role, by name or id, the oldest first.

    With a permission, by name or id, only of the locks that took it.

    Raises:
        ConfigurationError: no lock of this tracker has seen such a role.
    """
    events: dict[Lineage, list[Event]] = {}
    for event in history.list_events(server, tracker_id):
        if event.lineage is not None:
            events.setdefault(event.lineage, []).append(event)
    journal = Journal(database)
    known: set[str] = set()
    found: list[Taking] = []
    is_seen = False
    for lineage, told in events.items():
        for entry in list_entries(database, lineage).values():
            known.add(f"{entry.name} ({entry.role_id})")
            if role.casefold() in (entry.name.casefold(), str(entry.role_id)):
                is_seen = True
                own = journal.list_entries(lineage)
                found += _takings(entry, told, own, permission)
    if not is_seen:
        names = ", ".join(sorted(known)) or "no role"
        raise ConfigurationError("role", f"locks have seen {names}, not {role!r}")
    return found


def _takings(
    entry: RoleEntry, events: Sequence[Event], intents: Iterable[Entry], permission: str
) -> list[Taking]:
    """Return one lock's taking of a role, as a list of one or none."""
    base = entry.original if entry.base is None else entry.base
    amended = _amended(entry, events)
    for event in amended:
        # What was revoked stands nowhere else any more.
        names = rights_from_json(event.detail["rights"])[1]
        entry = replace(entry, names={**names, **entry.names})
    added = _by_hand(entry, amended, "granted")
    revoked = _by_hand(entry, amended, "revoked")
    taken = NOTHING
    if entry.touched:
        taken = (entry.original - base - added) | entry.granted | revoked
    if permission:
        taken = frozenset(
            right
            for right in taken
            if permission.casefold() in (entry.names.get(right, ""), str(right))
        )
    if not taken:
        return []
    own = [intent for intent in intents if intent.key == str(entry.role_id)]
    begun = [intent.begun_at for intent in own if intent.kind == REDUCE]
    first = next((event for event in events if event.kind == "snapshot"), events[0])
    grant = next((event for event in events if event.kind == "grant"), first)
    back_at, back_by = _back(own, events)
    left = entry.left if back_at is not None else taken
    return [
        Taking(
            role=entry.name,
            role_id=entry.role_id,
            taken=_names(taken, entry),
            owner=first.who,
            epoch=first.epoch,
            reason=str(grant.detail.get("reason", "")),
            taken_at=begun[0] if begun else None,
            back_at=back_at,
            back_by=back_by,
            kept=_names(taken - left, entry),
            notes=tuple(_notes(entry, events)),
        )
    ]


def _amended(entry: RoleEntry, events: Iterable[Event]) -> list[Event]:
    """Return the amendments of a role that a person made."""
    return [
        event
        for event in events
        if event.kind == "amended" and event.detail.get("role_id") == entry.role_id
    ]


def _by_hand(entry: RoleEntry, amended: Iterable[Event], word: str) -> Rights:
    """Return what amendments by hand added to a role's original, or took from it."""
    names: set[str] = set()
    for event in amended:
        names.update(str(event.detail[word]).split(", "))
    return frozenset(right for right, name in entry.names.items() if name in names)


def _back(
    intents: Sequence[Entry], events: Sequence[Event]
) -> tuple[datetime | None, str]:
    """Return when a role had its rights again, and by whom; (None, "") if not yet."""
    ended = [event for event in events if event.kind == "restored_verified"]
    restored = [intent for intent in intents if intent.kind == RESTORE]
    answered = [
        intent.finished_at
        for intent in restored
        if intent.finished_at is not None and intent.outcome.get("result") == "answered"
    ]
    if ended:
        # What somebody had put back himself, or was answered to nobody, was read.
        return (answered[-1] if answered else ended[-1].at), ended[-1].who
    return None, ""


def _notes(entry: RoleEntry, events: Sequence[Event]) -> Iterable[str]:
    drifts = iter(list_drift(events))
    for event in events:
        drift = next(drifts) if event.kind == DRIFT else None
        detail = event.detail
        if event.kind == "breaking":
            yield (
                f"{_moment(event.at)}  {event.who} broke the lock, because: "
                f"{detail.get('reason', '')}"
            )
        by_id = detail.get("role_id", entry.role_id) == entry.role_id
        if detail.get("role") != entry.name or not by_id:
            continue
        moment = _moment(event.at)
        if drift is not None:
            yield f"{moment}  {drift}"
        elif event.kind in (OVERRULED, DOUBT):
            yield f"{moment}  {detail['what']}"
        elif event.kind == "amended":
            done = [
                f"{word} {detail[word]}"
                for word in ("granted", "revoked")
                if detail.get(word)
            ]
            why = f", because: {detail['reason']}" if detail.get("reason") else ""
            yield f"{moment}  amended by {event.who}: {', '.join(done)}{why}"
        elif event.kind == "answered":
            yield (
                f"{moment}  {event.who} answered {detail['take']}, because: "
                f"{detail['reason']}"
            )
        elif event.kind in ("waiting", "role_gone", "floor"):
            word = {"waiting": "waits for a person", "role_gone": "does not exist"}
            yield f"{moment}  {word.get(event.kind, 'keeps what the server says')}"


def _names(rights: Rights, entry: RoleEntry) -> tuple[str, ...]:
    return tuple(sorted(spell(frozenset({right}), entry.names) for right in rights))


def _moment(at: datetime | None) -> str:
    return "?" if at is None else at.isoformat(timespec="seconds")
