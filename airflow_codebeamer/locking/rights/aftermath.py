"""What a restore did and what it found others had done, for its report."""

from __future__ import annotations

from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import NOTHING, Rights, difference
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.drift import (
    DOUBT,
    DRIFT,
    OVERRULED,
    TAKEN,
    drift_of,
)
from airflow_codebeamer.locking.rights.policies import is_drifted, policy_of
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["Aftermath"]


class Aftermath:
    """Collects, role by role, what one restore has to say."""

    def __init__(self, parts: Parts, lock: Lock, *, by: str) -> None:
        self.restored: dict[RoleId, str] = {}
        self.drift: dict[RoleId, str] = {}
        self.undone: tuple[str, ...] = ()
        self.not_undone: tuple[str, ...] = ()
        #: The policy that goes for this restore.
        self.policy = "merge"
        self._parts = parts
        self._lock = lock
        self._by = by

    def note(self, writer: RoleWriter, entry: RoleEntry, wanted: Rights) -> None:
        """Note what others did to a role that is about to get what is wanted."""
        if entry.phase is Phase.RESTORED:
            return
        if policy_of(entry, self.policy) == "exact":
            self._overrule(writer, entry, wanted)
        else:
            self._tell(writer, entry, wanted)

    def changed(self, writer: RoleWriter, entry: RoleEntry, now: Rights) -> str:
        """Say what others did to a reduced role, for whoever has to decide."""
        base = entry.original if entry.base is None else entry.base
        what = self._edit(writer, base, now | entry.granted) or "somebody changed it"
        if entry.renamed:
            what += f"; it is called {entry.renamed} now: is it the same role?"
        return self._unlisted(writer, entry) or what

    def compare(self, writer: RoleWriter) -> None:
        """Note every difference of the last read that is not of our making."""
        current = writer.current
        for entry in writer.entries.values():
            if entry.phase not in (Phase.EXCLUSIVE, Phase.GONE):
                self._tell(writer, entry, current.of_role(entry.role_id))
        for role_id in sorted(current.roles.keys() - writer.entries.keys()):
            # Nobody had it when the originals were written down.
            name, rights = current.name_of(role_id), current.of_role(role_id)
            new = RoleEntry(role_id, name, original=NOTHING)
            self._note(new, self._edit(writer, NOTHING, rights))

    def sentences(self) -> tuple[str, ...]:
        """Return all drift: of the watch, of earlier tries, and of this restore.

        And what may have been revoked, although it was given back.
        """
        lineage, history = self._lock.lineage, self._parts.history
        if lineage is None:
            return tuple(self.drift.values())
        events = history.list_lineage(lineage, DRIFT, TAKEN, OVERRULED, DOUBT)
        seen = drift_of(events)
        earlier = [text for role, text in seen.items() if role not in self.drift]
        doubts = [str(e.detail["what"]) for e in events if e.kind == DOUBT]
        return (*earlier, *self.drift.values(), *doubts)

    def report(self, writer: RoleWriter, requests: int) -> ReleaseReport:
        """Return everything as the report of a release."""
        floors = tuple(
            f"role {entry.name} kept {writer.spell(entry.floor)}"
            for entry in writer.entries.values()
            if entry.floor
        )
        return ReleaseReport(
            self._lock.tracker_id,
            released=True,
            restored=tuple(self.restored.values()),
            drift=self.sentences(),
            floors=floors,
            undone=self.undone,
            not_undone=self.not_undone,
            requests=requests,
        )

    def lacks(
        self, writer: RoleWriter, entry: RoleEntry, wanted: Rights, tries: int
    ) -> str:
        """Say what the server did not give a role, or gave it too much."""
        found = difference(wanted, writer.current.of_role(entry.role_id))
        return (
            f"role {entry.name} (lacks {writer.spell(found.removed) or 'nothing'}, "
            f"has {writer.spell(found.added) or 'nothing'} too many, after {tries} "
            "tries)"
        )

    def _overrule(self, writer: RoleWriter, entry: RoleEntry, wanted: Rights) -> None:
        """Write down what of others' changes does not stand, before it is undone."""
        now = writer.current.of_role(entry.role_id)
        base = entry.original if entry.base is None else entry.base
        what = self._words(writer, now - wanted - base, (base - now) & wanted)
        if not what or entry.role_id in self.drift:
            return
        sentence = f"role {entry.name}: {what}; it has its original again"
        self.drift[entry.role_id] = sentence
        detail = {"role": entry.name, "role_id": entry.role_id, "what": sentence}
        self._parts.history.record(self._lock, OVERRULED, detail, who=self._by)

    def _tell(self, writer: RoleWriter, entry: RoleEntry, after: Rights) -> None:
        policy, original = policy_of(entry, self.policy), entry.original
        if policy == "exact" and entry.first_original is not None:
            original = entry.first_original
        now = writer.current.of_role(entry.role_id)
        if policy == "keep" and (entry.granted or is_drifted(entry, now)):
            left = self._unlisted(writer, entry) or "stays as somebody left it"
            sentence = f"role {entry.name} {left}"
            self.drift.setdefault(entry.role_id, sentence)
            return
        self._note(entry, self._edit(writer, original, after))

    def _unlisted(self, writer: RoleWriter, entry: RoleEntry) -> str:
        """Say what a role is of which the server shows nothing; empty of others."""
        if writer.current.of_role(entry.role_id):
            return ""
        return "has no rights any more, or does not exist"

    def _note(self, entry: RoleEntry, what: str) -> None:
        if what:
            self.drift.setdefault(entry.role_id, f"role {entry.name}: {what}")

    def _edit(self, writer: RoleWriter, before: Rights, after: Rights) -> str:
        found = difference(before, after)
        return self._words(writer, found.added, found.removed)

    def _words(self, writer: RoleWriter, added: Rights, removed: Rights) -> str:
        words = [
            f"{word} {writer.spell(rights)}"
            for word, rights in (("added", added), ("removed", removed))
            if rights
        ]
        return f"somebody {' and '.join(words)}" if words else ""
