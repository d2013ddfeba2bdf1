"""What a person decides about a lock: end it, amend it, answer, forget it."""

from __future__ import annotations

from collections.abc import Collection

from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.breaking import accept_permissions, break_lock
from airflow_codebeamer.locking.death import mark_consistent
from airflow_codebeamer.locking.forgetting import forget, remember
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.amending import amend, answer

__all__ = ["LockDeciding"]


class LockDeciding:
    """Takes the word of a person, with his name and his reason, and keeps both.

    Not promised: that he may. Who has the store's address and password, and an account
    that sets permissions, can do all of this (decision 0041).
    """

    parts: Parts

    def break_lock(
        self,
        tracker_id: TrackerId,
        *,
        expect_epoch: Epoch,
        by: str,
        reason: str,
        at_once: bool = False,
    ) -> ReleaseReport:
        """End the lock that was seen under this epoch by force; nothing is left owed.

        The holder's renewals and requests are refused from now on. One who lives has
        `break_after` to put everything back by himself (not with `at_once`). After
        that and the lock delay, when none of his requests can be under way any more,
        the tracker is restored and freed here. Nothing locked: `released` is False.

        Not promised: that the holder stops writing items at once; he learns of
        it at his next write, or at his next beat.

        Raises:
            LockLostError: the record is not at `expect_epoch`, or moved on.
            RestorePendingError: not all is back yet; recovery goes on.
        """
        return break_lock(
            self.parts,
            tracker_id,
            by=by,
            reason=reason,
            expect_epoch=expect_epoch,
            at_once=at_once,
        )

    def mark_consistent(self, tracker_id: TrackerId, *, by: str, reason: str) -> bool:
        """Say that a tracker in which a holder died was looked at, and is well.

        Until then everybody who takes its lock is told (`Lock.owner_died`). Returns
        False if nobody died there, or its permissions are still being restored.
        """
        return mark_consistent(self.parts, tracker_id, by=by, reason=reason)

    def amend(
        self,
        tracker_id: TrackerId,
        role: str,
        *,
        add: Collection[str] = (),
        remove: Collection[str] = (),
        by: str,
        reason: str,
    ) -> None:
        """Change what a role gets back when the held lock ends; `role` by name or id.

        For an administrator who wants to revoke a right that the lock has taken
        away, which he could not do in Codebeamer. Sends nothing that writes.

        Raises:
            ConfigurationError: unknown role or permission, nothing would change, or
                the tracker is not held; nothing was changed.
            LockLostError: the lock has moved on meanwhile.
        """
        amend(
            self.parts, tracker_id, role, add=add, remove=remove, by=by, reason=reason
        )

    def answer(
        self, tracker_id: TrackerId, role: str, *, take: str, by: str, reason: str
    ) -> None:
        """Say what becomes of a role that waits under the policy `ask`.

        `take` is merge, exact or keep. The next recovery does it.

        Raises:
            ConfigurationError: nothing waits there; nothing was changed.
            LockLostError: the lock has moved on meanwhile; say it again.
        """
        answer(self.parts, tracker_id, role, take=take, by=by, reason=reason)

    def accept_permissions(
        self, tracker_id: TrackerId, *, by: str, reason: str
    ) -> bool:
        """Say that a free tracker's permissions are meant as they are.

        For the case that a new lock is refused because they look like one of our
        own; returns False if the tracker is not free.
        """
        return accept_permissions(self.parts, tracker_id, by=by, reason=reason)

    def forget(
        self, tracker_id: TrackerId, *, expect_epoch: Epoch, by: str, reason: str
    ) -> Lock:
        """Free the record of a tracker that does not exist any more.

        The only way to free without a restore. Looks first, in two requests; the
        journal is kept, and `remember` restores from it.

        Not promised: that the tracker is gone. A server that answers 404 for what an
        account may not see would say the same.

        Raises:
            ForgetRefusedError: the server has it, or does not let this account know.
            ConfigurationError: it is not waiting for its restore.
            LockLostError: the record is not at `expect_epoch`, or somebody restores it.
        """
        return forget(
            self.parts, tracker_id, expect_epoch=expect_epoch, by=by, reason=reason
        )

    def remember(self, tracker_id: TrackerId, *, by: str, reason: str) -> ReleaseReport:
        """Give a tracker that was forgotten, and is there, its rights back.

        Raises:
            ConfigurationError: it was not forgotten.
            RestorePendingError: not all is back yet; recovery goes on.
            LockLostError: somebody else took it meanwhile.
        """
        return remember(self.parts, tracker_id, by=by, reason=reason)
