"""What can go wrong with a lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_codebeamer.errors.root import CodebeamerError, Retry

__all__ = [
    "EditorsOpenError",
    "EscrowError",
    "ForeignChangesError",
    "ForgetRefusedError",
    "IllegalStepError",
    "LockDriftedError",
    "LockError",
    "LockHeldError",
    "LockLostError",
    "LockRefusedError",
    "LockSetError",
    "PermissionDriftError",
    "QuarantinedError",
    "RestorePendingError",
    "TicketRemovedError",
]


class LockError(CodebeamerError):
    """Something about a lock."""


class LockRefusedError(LockError):
    """Locking would not be safe; nothing was touched. `findings` say why."""

    def __init__(self, tracker_id: int, findings: Sequence[str]) -> None:
        super().__init__(
            f"Tracker {tracker_id} was not locked, nothing was changed: "
            + "; ".join(findings)
        )
        self.tracker_id = tracker_id
        self.findings = tuple(findings)


class ForgetRefusedError(LockError):
    """A record is not forgotten: the server has its tracker, or hides it.

    `status` is what the server answered: 200 it is there, anything else that this
    account may not look, which says nothing about the tracker.
    """

    def __init__(self, tracker_id: int, *, status: int) -> None:
        found = (
            "the server has it: `airflow-codebeamer recover` restores it"
            if status == 200
            else f"the server answers {status}, and that does not say it is gone: ask "
            "with an account that may see every tracker"
        )
        super().__init__(f"Tracker {tracker_id} is not forgotten: {found}.")
        self.tracker_id = tracker_id
        self.status = status


class EditorsOpenError(LockRefusedError):
    """Somebody has an item open; `editors` has a sentence for each."""

    retry = Retry.YES

    def __init__(self, tracker_id: int, editors: Sequence[str]) -> None:
        advice = "ask for it to be saved and closed, then try again"
        super().__init__(tracker_id, [*editors, advice])
        self.editors = tuple(editors)


class LockHeldError(LockError):
    """Another owner holds the tracker, for `reason`, from `since` to `deadline`.

    With `is_kept` it is free, and kept for `owner`, who waits since `since`. With
    `answers` nobody works there: a person has to say these commands.
    """

    retry = Retry.YES

    def __init__(
        self,
        tracker_id: int,
        *,
        owner: str,
        since: datetime | None,
        deadline: datetime | None,
        reason: str,
        is_kept: bool = False,
        answers: Sequence[str] = (),
    ) -> None:
        began = f" since {since.isoformat(timespec='seconds')}" if since else ""
        ends = f" until {deadline.isoformat(timespec='seconds')}" if deadline else ""
        why = f" for: {reason}" if reason else ""
        sentence = (
            f"Tracker {tracker_id} is locked by {owner}{began}{ends}{why}; "
            "wait for it, or break the lock if nobody works under it."
        )
        if answers:
            commands = " and ".join(f"`{command}`" for command in answers)
            sentence = (
                f"Tracker {tracker_id} is being put back after {owner}{why}, and that "
                "waits for a person who decides about its permissions: say "
                f"{commands}, and try again."
            )
        if is_kept:
            sentence = (
                f"Tracker {tracker_id} is free, and kept for {owner}, who waits{began}"
                f"{why}; wait for it, too."
            )
        super().__init__(sentence)
        self.tracker_id = tracker_id
        self.owner = owner
        self.since = since
        self.deadline = deadline
        self.reason = reason
        self.is_kept = is_kept
        self.answers = tuple(answers)


class TicketRemovedError(LockError):
    """Somebody took our ticket out of the queue, or nobody saw us for a day."""

    retry = Retry.YES

    def __init__(self, trackers: Sequence[int], *, owner: str) -> None:
        names = ", ".join(map(str, trackers))
        super().__init__(
            f"{owner} waits for tracker {names} no more: its ticket was removed from "
            "the queue; run it again to queue up at the end."
        )
        self.trackers = tuple(trackers)
        self.owner = owner


class LockSetError(LockError):
    """An owner of some trackers asked for others beside them: a set grows never.

    `held` are the trackers that he has in one lock, `wanted` those he asked for.
    """

    def __init__(self, owner: str, held: Sequence[int], wanted: Sequence[int]) -> None:
        super().__init__(
            f"{owner} holds tracker {_listed(held)} and asked for {_listed(wanted)}: "
            "what is taken in one lock cannot grow or change, since two who each wait "
            "for the other's would wait for ever; release it, then take all trackers "
            "that are needed together."
        )
        self.owner = owner
        self.held = tuple(held)
        self.wanted = tuple(wanted)


class LockLostError(LockError):
    """We are not the holder any more: stop writing.

    `expected` is the epoch we held, `found` the one in the store, None if the
    row says nothing that would help.
    """

    def __init__(
        self, tracker_id: int, *, expected: int, found: int | None, why: str
    ) -> None:
        super().__init__(
            f"The lock of tracker {tracker_id} was lost ({why}); nothing more was "
            "written. Run the generator again to take a new lock."
        )
        self.tracker_id = tracker_id
        self.expected = expected
        self.found = found
        self.why = why

    def anew(self) -> LockLostError:
        """Return the same word once more, to be raised in another thread."""
        return LockLostError(
            self.tracker_id, expected=self.expected, found=self.found, why=self.why
        )


class LockDriftedError(LockLostError):
    """Somebody got write rights while we hold the tracker, and the work has to stop.

    The lock is still ours, and released as usual. `drift` has a line for each role.
    """

    def __init__(self, tracker_id: int, *, epoch: int, drift: Sequence[str]) -> None:
        super().__init__(
            tracker_id,
            expected=epoch,
            found=epoch,
            why=f"others may write to it: {'; '.join(drift)}; on_drift is fail",
        )
        self.drift = tuple(drift)

    def anew(self) -> LockDriftedError:
        """Return the same word once more, to be raised in another thread."""
        return LockDriftedError(self.tracker_id, epoch=self.expected, drift=self.drift)


class IllegalStepError(LockError):
    """A step that the state does not allow: a bug in the caller."""

    def __init__(self, state: str, step: str) -> None:
        super().__init__(f"A lock in state {state} cannot {step}.")
        self.state = state
        self.step = step


class PermissionDriftError(LockError):
    """The permissions of a role are not what our journal says they must be."""

    def __init__(
        self,
        tracker_id: int,
        *,
        role: str,
        expected: Sequence[str],
        found: Sequence[str],
    ) -> None:
        missing = sorted(set(expected) - set(found))
        extra = sorted(set(found) - set(expected))
        super().__init__(
            f"Permissions of role {role} on tracker {tracker_id} differ from what was "
            f"expected: missing {missing or 'nothing'}, unexpected "
            f"{extra or 'nothing'}; compare them with `lock history {tracker_id}`."
        )
        self.tracker_id = tracker_id
        self.role = role
        self.expected = tuple(expected)
        self.found = tuple(found)


class RestorePendingError(LockError):
    """The work is done, the permissions are not all back; `recover` goes on.

    `missing` names each role that is not restored, and why. `may_pass` says that
    it may get well by itself (nobody answers, or somebody else is at it), and not
    that the server refused; `wants_an_answer`, that a person has to decide, by the
    commands in `answers`.
    """

    retry = Retry.YES

    def __init__(
        self,
        tracker_id: int,
        missing: Sequence[str],
        *,
        may_pass: bool = False,
        answers: Sequence[str] = (),
    ) -> None:
        advice = "`airflow-codebeamer recover` finishes it as soon as the server allows"
        if answers:
            commands = " and ".join(f"`{command}`" for command in answers)
            advice = (
                "until somebody who decides about its permissions has said "
                f"{commands}, nothing is sent"
            )
        super().__init__(
            f"Tracker {tracker_id} is still restricted: {'; '.join(missing)}; {advice}."
        )
        self.tracker_id = tracker_id
        self.missing = tuple(missing)
        self.may_pass = may_pass
        self.wants_an_answer = bool(answers)
        self.answers = tuple(answers)


class QuarantinedError(RestorePendingError):
    """A run could not be undone whole, and its document keeps the tracker locked then.

    `left` has a line for each thing that is not as it was before.
    """

    retry = Retry.NEVER

    def __init__(self, tracker_id: int, left: Sequence[str]) -> None:
        super().__init__(tracker_id, left)
        shown = "; ".join(list(left)[:5])
        self.args = (
            f"Tracker {tracker_id} is quarantined: {len(left)} thing(s) of a run could "
            f"not be undone ({shown}), and nobody may write until a person has looked. "
            "Put them right and say `airflow-codebeamer recover`, or leave them with "
            f"`airflow-codebeamer lock accept-items {tracker_id} --reason TEXT`.",
        )
        self.left = tuple(left)


class ForeignChangesError(LockError):
    """Others changed the tracker while we held it, or it could not be seen.

    The lock is released all the same. `changes` has a line for each of up to a
    thousand changes, `count` says how many there are, `gaps` what was not seen.
    """

    def __init__(
        self,
        tracker_id: int,
        *,
        changes: Sequence[str],
        gaps: Sequence[str],
        count: int,
    ) -> None:
        said = [*list(changes)[:5], *gaps]
        super().__init__(
            f"Tracker {tracker_id} is free again, but it is not certain that only we "
            f"wrote to it: {count} change(s) by others: {'; '.join(said)}; look at "
            f"them with `airflow-codebeamer lock certificate {tracker_id}`."
        )
        self.tracker_id = tracker_id
        self.changes = tuple(changes)
        self.gaps = tuple(gaps)
        self.count = count


class EscrowError(LockError):
    """An escrow cannot be used: `where` it is, the `problem`, and what to do."""

    def __init__(self, where: str, problem: str, advice: str) -> None:
        super().__init__(f"The escrow in {where} cannot be used: {problem}; {advice}.")
        self.where = where
        self.problem = problem
        self.advice = advice


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))
