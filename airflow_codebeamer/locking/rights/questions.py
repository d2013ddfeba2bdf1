"""What a restore asks a person: asked once, and nobody goes on before the answer.

While a question is open, there is nothing that a program could do: everything else
is back. So whoever comes by (a retry, a waiting run, recovery, a break) is told the
question from the store, and sends no request and takes no epoch.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.records.journalled import list_owed
from airflow_codebeamer.locking.rights.aftermath import Aftermath
from airflow_codebeamer.locking.rights.policies import is_waiting
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import Phase

__all__ = [
    "Question",
    "ask",
    "list_questions",
    "named_as_now",
    "refuse_while_asked",
]

#: The event of a role that waits; its detail is the question.
_ASKED = "waiting"


@dataclass(frozen=True)
class Question:
    """One role that waits for a person, and what is asked of him."""

    role: str
    role_id: RoleId
    what: str

    def __str__(self) -> str:
        what = f" ({self.what})" if self.what else ""
        return f"role {self.role} waits for an answer{what}"

    def command(self, tracker_id: int) -> str:
        """Return the command that answers."""
        return (
            f"airflow-codebeamer lock answer {tracker_id} --role "
            f"{shlex.quote(self.role)} --take merge|exact|keep --reason TEXT"
        )


def list_questions(database: Database, history: History, lock: Lock) -> list[Question]:
    """Return what of a lock waits for a person; asks the store only."""
    waiting = [
        entry
        for entry in list_owed(database, lock)
        if entry.phase is Phase.WAITING and not entry.answer
    ]
    if not waiting or lock.lineage is None:
        return []
    asked = history.list_lineage(lock.lineage, _ASKED)
    told = {event.detail.get("role_id"): event.detail for event in asked}
    return [
        Question(
            entry.name,
            entry.role_id,
            str(told.get(entry.role_id, {}).get("what", "")),
        )
        for entry in waiting
    ]


def refuse_while_asked(parts: Parts, seen: Lock) -> None:
    """Return if a restore can go on; asks the store only.

    Raises:
        RestorePendingError: all that is left of it waits for a person.
    """
    database = parts.store.database
    open_questions = list_questions(database, parts.history, seen)
    if open_questions and len(open_questions) == len(list_owed(database, seen)):
        raise _pending(seen, open_questions)


def ask(parts: Parts, lock: Lock, writer: RoleWriter, said: Aftermath) -> None:
    """Leave the roles that others changed to a person, if that is the policy.

    Raises:
        RestorePendingError: names them; everything else is back.
    """
    known = {
        one.role_id: one
        for one in list_questions(parts.store.database, parts.history, lock)
    }
    questions: list[Question] = []
    for role_id, entry in sorted(writer.entries.items()):
        now = writer.current.of_role(role_id)
        if not is_waiting(entry, now, said.policy):
            continue
        question = Question(entry.name, role_id, said.changed(writer, entry, now))
        questions.append(question)
        if known.get(role_id) == question:
            continue
        waiting = replace(entry, phase=Phase.WAITING, answer="")
        detail = {
            "role": entry.name,
            "role_id": role_id,
            "called": entry.renamed,
            "what": question.what,
        }
        parts.ledger.ask(
            lock, waiting, lease=parts.settings.ttl, event=_ASKED, detail=detail
        )
        writer.entries[role_id] = waiting
    if questions:
        raise _pending(lock, questions)


def named_as_now(parts: Parts, lock: Lock, writer: RoleWriter) -> None:
    """Note in the entries which roles are called otherwise than when they were reduced.

    It may be the same role under another name, or another with the number of one
    that was deleted: no request tells. An answer goes for the name under which the
    role was asked of, so it is dropped if that has changed since.
    """
    if lock.lineage is None:
        return
    asked = parts.history.list_lineage(lock.lineage, _ASKED)
    called = {
        event.detail.get("role_id"): event.detail.get("called") for event in asked
    }
    for role_id, entry in list(writer.entries.items()):
        name = writer.current.role_names.get(role_id, "")
        renamed = "" if name in ("", entry.name) or not entry.name else name
        is_other = renamed and called.get(role_id) != renamed
        answer = "" if is_other else entry.answer
        writer.entries[role_id] = replace(entry, renamed=renamed, answer=answer)


def _pending(lock: Lock, questions: list[Question]) -> RestorePendingError:
    return RestorePendingError(
        lock.tracker_id,
        [str(one) for one in questions],
        answers=[one.command(lock.tracker_id) for one in questions],
    )
