"""What a role gets back if others changed it while it was locked; pure.

`merge` keeps what others did on top of the original, `exact` puts the original back,
`keep` leaves a changed role as it is, and `ask` leaves it reduced until a person has
said which of the three.
"""

from __future__ import annotations

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.locking.permissions import Rights
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = [
    "ANSWERS",
    "is_drifted",
    "is_waiting",
    "known_policy",
    "policy_of",
    "wanted_of",
]

#: What a person may answer.
ANSWERS = ("merge", "exact", "keep")


def known_policy(word: str) -> str:
    """Return a restore policy, empty for none.

    Raises:
        ConfigurationError: there is no such policy.
    """
    if word and word not in (*ANSWERS, "ask"):
        raise ConfigurationError(
            "restore_policy", f"say merge, exact, keep or ask, not {word!r}"
        )
    return word


def policy_of(entry: RoleEntry, policy: str) -> str:
    """Return what goes for a role: what a person said of it, or the lock's policy.

    What we gave the role that writes goes back under each policy. A role that has
    another name by now may be another role, with the number of one that was deleted:
    if it was changed, too, a person is asked, whatever the policy.
    """
    if entry.phase is Phase.EXCLUSIVE:
        return "merge"
    if entry.answer:
        return entry.answer
    is_left_alone = policy == "keep" and not entry.granted
    return "ask" if entry.renamed and not is_left_alone else policy


def is_drifted(entry: RoleEntry, current: Rights) -> bool:
    """Return whether others changed a role that we had reduced.

    Not once its restore has begun: what is there then may be our own doing. What the
    server made of our request is no drift, and a role that is back already is none.
    """
    if not entry.touched or entry.phase in (Phase.RESTORING, Phase.RESTORED):
        return False
    ours = (entry.base, entry.observed, entry.original)
    return bool(entry.granted) or current not in ours


def is_waiting(entry: RoleEntry, current: Rights, policy: str) -> bool:
    """Return whether a person has to say what becomes of a role."""
    return policy_of(entry, policy) == "ask" and is_drifted(entry, current)


def wanted_of(entry: RoleEntry, current: Rights, policy: str) -> Rights:
    """Return what a role must have after the lock, given what it has now.

    Applied again to its own result it changes nothing, under each policy.
    """
    chosen = policy_of(entry, policy)
    if chosen == "exact":
        first = entry.first_original
        return entry.original if first is None else first
    if chosen == "keep" and (entry.granted or is_drifted(entry, current)):
        return current | entry.granted
    if is_waiting(entry, current, policy):
        return current
    return entry.back(current)
