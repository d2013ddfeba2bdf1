"""The states of a lock and the steps between them, as data; pure.

    FREE -> GRANTED -> LOCKING -> HELD -> RESTORING -> FREE
               |          |        |          ^
               |          +--------+----------+   released, expired or broken
               +-> FREE (nothing was touched)

    FREE -> RESTORING   a request of the last lock landed after it was over
    RESTORING -> FREE   also without a restore, if the tracker does not exist any more

`GRANTED` has an owner and no journal. `LOCKING` has a complete journal. `HELD`
means verified on the server. `RESTORING` belongs to an epoch, not to a person:
whoever holds the epoch goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_codebeamer.errors import IllegalStepError

__all__ = ["OWNED", "RESTRICTED", "STEPS", "LockState", "Step", "sources", "target"]


class LockState(StrEnum):
    """What the record of a tracker says about it."""

    #: Nobody has it, and its permissions are its own.
    FREE = "free"
    #: It has an owner; nothing was journalled, nothing touched on the server.
    GRANTED = "granted"
    #: The originals are journalled; roles are being reduced.
    LOCKING = "locking"
    #: Every other role is read-only, read back from the server.
    HELD = "held"
    #: Permissions are being put back, or are owed.
    RESTORING = "restoring"

    @property
    def is_owned(self) -> bool:
        """Whether somebody is named as owner."""
        return self in OWNED

    @property
    def is_restricted(self) -> bool:
        """Whether permissions on the server may be other than their own."""
        return self in RESTRICTED


OWNED = frozenset(LockState) - {LockState.FREE}
RESTRICTED = OWNED - {LockState.GRANTED}


@dataclass(frozen=True)
class Step:
    """One allowed step; `raises_epoch` fences whoever held the lock before."""

    name: str
    source: LockState
    target: LockState
    raises_epoch: bool = False


STEPS: tuple[Step, ...] = (
    Step("grant", LockState.FREE, LockState.GRANTED, raises_epoch=True),
    Step("give back", LockState.GRANTED, LockState.FREE),
    Step("journal", LockState.GRANTED, LockState.LOCKING),
    Step("hold", LockState.LOCKING, LockState.HELD),
    Step("restore", LockState.LOCKING, LockState.RESTORING),
    Step("restore", LockState.HELD, LockState.RESTORING),
    Step("free", LockState.RESTORING, LockState.FREE),
    # A person says that the tracker is gone, and the server says so, too.
    Step("forget", LockState.RESTORING, LockState.FREE, raises_epoch=True),
    # The same owner goes on with what an earlier try of his left.
    Step("adopt", LockState.GRANTED, LockState.GRANTED, raises_epoch=True),
    Step("adopt", LockState.LOCKING, LockState.LOCKING, raises_epoch=True),
    # Somebody else, or a later release, goes on with the restore.
    Step("take over", LockState.LOCKING, LockState.RESTORING, raises_epoch=True),
    Step("take over", LockState.HELD, LockState.RESTORING, raises_epoch=True),
    Step("take over", LockState.RESTORING, LockState.RESTORING, raises_epoch=True),
    Step("clear", LockState.GRANTED, LockState.FREE, raises_epoch=True),
    # A late request of the last lock reduced a tracker that was free already.
    Step("heal", LockState.FREE, LockState.RESTORING, raises_epoch=True),
)


def sources(name: str) -> frozenset[LockState]:
    """Return the states from which the step of that name is allowed."""
    return frozenset(step.source for step in STEPS if step.name == name)


def target(state: LockState, name: str) -> LockState:
    """Return the state after a step.

    Raises:
        IllegalStepError: the state does not allow it.
    """
    for step in STEPS:
        if step.name == name and step.source is state:
            return step.target
    raise IllegalStepError(state.value, name)
