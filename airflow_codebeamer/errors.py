"""Every error that this package raises.

    CodebeamerError
    ├── ConfigurationError          a setting is missing or wrong
    ├── TransportError              no answer
    │   ├── NotSentError            the connection was never made
    │   └── OutcomeUnknownError     sent, and the answer was lost
    ├── ApiError                    an answer with 4xx or 5xx
    │   ├── BadRequestError, UnauthorizedError, ForbiddenError, NotFoundError
    │   └── ItemLockedError, RateLimitedError, ServerError
    ├── ContractError               an answer that our models cannot read
    ├── LockError
    │   ├── LockRefusedError        preflight: locking would not be safe
    │   ├── LockHeldError           somebody else holds the tracker
    │   ├── LockLostError           we held it once, not any more
    │   ├── IllegalStepError        a state does not allow this step
    │   ├── PermissionDriftError    permissions are not what the journal left
    │   ├── RestorePendingError     permissions are not all back yet
    │   └── ForeignChangesError     others wrote while we held the tracker
    ├── SkeletonError
    │   ├── DocumentError           the document cannot be read or applied
    │   ├── PlanConflictError       somebody else edited what the document owns
    │   ├── PruneLimitError         more items would be pruned than allowed
    │   ├── VerificationError       the tracker is not what was written
    │   └── RollbackIncompleteError something could not be undone
    ├── GeneratorError
    │   ├── GeneratorNotFoundError  nothing of that name
    │   ├── GeneratorFailedError    it ran and failed
    │   │   ├── GeneratorProtocolError  it said what nobody can read
    │   │   └── GeneratorStoppedError   it was told to stop
    │   └── GeneratorSkippedError   it says that there is nothing to do
    ├── DatabaseError
    │   ├── SchemaOutdatedError     the store is older than the code
    │   ├── SchemaNewerError        the store is newer than the code
    │   └── DatabaseUnsafeError     the store's place cannot keep a promise
    └── DemoError                   the demonstration, or its Airflow, went wrong

Facts are attributes; `str()` of an error is one sentence that says what to do.
No error carries a password, a token or a full request body.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

__all__ = [
    "ApiError",
    "BadRequestError",
    "CodebeamerError",
    "ConfigurationError",
    "ContractError",
    "DatabaseError",
    "DatabaseUnsafeError",
    "DemoError",
    "DocumentError",
    "ForbiddenError",
    "ForeignChangesError",
    "GeneratorError",
    "GeneratorFailedError",
    "GeneratorNotFoundError",
    "GeneratorProtocolError",
    "GeneratorSkippedError",
    "GeneratorStoppedError",
    "IllegalStepError",
    "ItemLockedError",
    "LockError",
    "LockHeldError",
    "LockLostError",
    "LockRefusedError",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDriftError",
    "PlanConflictError",
    "PruneLimitError",
    "RateLimitedError",
    "RestorePendingError",
    "Retry",
    "RollbackIncompleteError",
    "SchemaNewerError",
    "SchemaOutdatedError",
    "ServerError",
    "SkeletonError",
    "TransportError",
    "UnauthorizedError",
    "VerificationError",
]


class Retry(Enum):
    """Whether doing the same again can help."""

    NEVER = "never"
    YES = "yes"
    AFTER_LOOKING = "after looking"


class CodebeamerError(Exception):
    """Root of everything that this package raises on purpose."""

    retry: Retry = Retry.NEVER


class ConfigurationError(CodebeamerError):
    """A setting is missing or wrong.

    `setting` names it as the user wrote it; `advice` says what it should be.
    """

    def __init__(self, setting: str, advice: str) -> None:
        super().__init__(f"{setting}: {advice}")
        self.setting = setting
        self.advice = advice


class TransportError(CodebeamerError):
    """No answer came. `address` carries no credentials and no query."""

    retry = Retry.YES

    def __init__(self, message: str, *, address: str, method: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.method = method


class NotSentError(TransportError):
    """The connection was never made: nothing was changed on the server."""


class OutcomeUnknownError(TransportError):
    """The request was sent and its answer lost: look before you write again."""

    retry = Retry.AFTER_LOOKING


class ApiError(CodebeamerError):
    """The server answered with an error status.

    `server_message` is the server's own word, cut to 500 characters.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        status: int,
        server_message: str = "",
        resource_uri: str = "",
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.status = status
        self.server_message = server_message
        self.resource_uri = resource_uri


class BadRequestError(ApiError):
    """400, and every other 4xx that has no class of its own.

    `failed` lists `(item id, message)` of a bulk update that was refused whole.
    """

    failed: tuple[tuple[int, str], ...] = ()


class UnauthorizedError(ApiError):
    """401: the server does not know this account or its password."""


class ForbiddenError(ApiError):
    """403: the account may not do this."""


class NotFoundError(ApiError):
    """404: not there, or not visible to this account."""


class ItemLockedError(ApiError):
    """423: somebody is editing the item."""

    retry = Retry.YES


class RateLimitedError(ApiError):
    """429: too many requests. `retry_after` is what the server asked for."""

    retry = Retry.YES
    retry_after: timedelta | None = None


class ServerError(ApiError):
    """5xx. A write may have happened: look before you write again."""

    retry = Retry.AFTER_LOOKING


class ContractError(CodebeamerError):
    """An answer cannot be read: `where` in it, and `found` there instead."""

    def __init__(
        self,
        where: str,
        found: str,
        *,
        advice: str = "is this address a Codebeamer REST API v3?",
    ) -> None:
        super().__init__(
            f"The server's answer cannot be read at {where}: found {found}; {advice}"
        )
        self.where = where
        self.found = found


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


class LockHeldError(LockError):
    """Another owner holds the tracker, for `reason`, from `since` to `deadline`."""

    retry = Retry.YES

    def __init__(
        self,
        tracker_id: int,
        *,
        owner: str,
        since: datetime | None,
        deadline: datetime | None,
        reason: str,
    ) -> None:
        began = f" since {since.isoformat(timespec='seconds')}" if since else ""
        ends = f" until {deadline.isoformat(timespec='seconds')}" if deadline else ""
        why = f" for: {reason}" if reason else ""
        super().__init__(
            f"Tracker {tracker_id} is locked by {owner}{began}{ends}{why}; "
            "wait for it, or break the lock if nobody works under it."
        )
        self.tracker_id = tracker_id
        self.owner = owner
        self.since = since
        self.deadline = deadline
        self.reason = reason


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
    that the server refused.
    """

    retry = Retry.YES

    def __init__(
        self, tracker_id: int, missing: Sequence[str], *, may_pass: bool = False
    ) -> None:
        super().__init__(
            f"Tracker {tracker_id} is still restricted: {'; '.join(missing)}; "
            "`airflow-codebeamer recover` finishes it as soon as the server allows."
        )
        self.tracker_id = tracker_id
        self.missing = tuple(missing)
        self.may_pass = may_pass


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


class SkeletonError(CodebeamerError):
    """Something about a document or its application."""


class DocumentError(SkeletonError):
    """A document cannot be read or applied; nothing was changed.

    `path` leads to the place in the document (`items[3].fields.ASIL`);
    `problem` is the sentence without the path.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class PlanConflictError(SkeletonError):
    """Somebody else edited what the document owns. `conflicts` has a line each."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__(
            f"{len(conflicts)} field(s) were edited by somebody else, nothing was "
            f"changed: {'; '.join(list(conflicts)[:5])}; set policy.foreign_edit to "
            "keep or overwrite, or agree with the editor."
        )
        self.conflicts = tuple(conflicts)


class PruneLimitError(SkeletonError):
    """A document would prune more items at once than its policy allows."""

    def __init__(self, count: int, limit: str) -> None:
        super().__init__(
            f"The document does not name {count} items any more that it would prune, "
            f"and {limit}: nothing was changed. If that is meant, raise the limit for "
            "this run."
        )
        self.count = count
        self.limit = limit


class VerificationError(SkeletonError):
    """The tracker, read back, is not what was written. `findings`, a line each."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__(
            f"{len(findings)} difference(s) after writing: "
            + "; ".join(list(findings)[:5])
        )
        self.findings = tuple(findings)


class RollbackIncompleteError(SkeletonError):
    """A failed run could not be undone entirely. `left` lists what remains."""

    def __init__(self, left: Sequence[str]) -> None:
        super().__init__(
            f"{len(left)} change(s) of the failed run could not be undone: "
            f"{'; '.join(list(left)[:5])}; put them right by hand."
        )
        self.left = tuple(left)


class GeneratorError(CodebeamerError):
    """Something about somebody's generator."""


class GeneratorNotFoundError(GeneratorError):
    """No generator of that name; `found` says what is there instead."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(f"Generator {name!r} was not found: {found}")
        self.name = name
        self.found = found


class GeneratorFailedError(GeneratorError):
    """The generator ran and failed; its own exception is the cause.

    `exit_code` is that of a program, None of a function; `last_lines` are the
    last that a program wrote to stderr.
    """

    def __init__(
        self,
        name: str,
        problem: str,
        *,
        last_lines: str = "",
        may_retry: bool = False,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(f"Generator {name!r} failed: {problem}")
        self.name = name
        self.problem = problem
        self.last_lines = last_lines
        self.exit_code = exit_code
        self.retry = Retry.YES if may_retry else Retry.NEVER


class GeneratorProtocolError(GeneratorFailedError):
    """A program said what cannot be read: `line` of its messages, and `expected`."""

    def __init__(self, name: str, line: int, problem: str, *, expected: str) -> None:
        super().__init__(
            name, f"line {line} of its messages: {problem}; expected {expected}"
        )
        self.line = line
        self.expected = expected


class GeneratorStoppedError(GeneratorFailedError):
    """The generator was told to stop before it was done."""

    def __init__(self, name: str, why: str, *, exit_code: int | None = None) -> None:
        super().__init__(name, why, may_retry=True, exit_code=exit_code)


class GeneratorSkippedError(GeneratorError):
    """The generator says that there is nothing to do; nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Generator {name!r} says that there is nothing to do.")
        self.name = name


class DatabaseError(CodebeamerError):
    """The lock store cannot be used; the driver's error is the cause."""

    retry = Retry.YES


class SchemaOutdatedError(DatabaseError):
    """The store's tables are older than the code."""

    retry = Retry.NEVER

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"The lock store has version {found} of the tables, this code needs "
            f"{wanted}: run `airflow-codebeamer store migrate`."
        )
        self.found = found
        self.wanted = wanted
        self.command = "airflow-codebeamer store migrate"


class SchemaNewerError(DatabaseError):
    """The store's tables are newer than the code, which must not write there."""

    retry = Retry.NEVER

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"The lock store has version {found} of the tables, this code knows "
            f"{wanted}: upgrade airflow-provider-codebeamer on this machine."
        )
        self.found = found
        self.wanted = wanted


class DatabaseUnsafeError(DatabaseError):
    """The store's place cannot keep what a lock promises."""

    retry = Retry.NEVER


class DemoError(CodebeamerError):
    """The demonstration, or the Airflow that it runs, did not do what it should."""
