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
    │   │   └── EditorsOpenError    somebody has an item open
    │   ├── ForgetRefusedError      the server may still have the tracker
    │   ├── LockHeldError           somebody else holds the tracker
    │   ├── TicketRemovedError      our ticket is not in the queue any more
    │   ├── LockSetError            a set of trackers never grows
    │   ├── LockLostError           we held it once, not any more
    │   │   └── LockDriftedError    others may write to it again
    │   ├── IllegalStepError        a state does not allow this step
    │   ├── PermissionDriftError    permissions are not what the journal left
    │   ├── RestorePendingError     permissions are not all back yet
    │   │   └── QuarantinedError    nor shall they be before a person has looked
    │   ├── ForeignChangesError     others wrote while we held the tracker
    │   └── EscrowError             a copy of the originals cannot be used
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

from airflow_codebeamer.errors.documents import (
    DocumentError,
    PlanConflictError,
    PruneLimitError,
    RollbackIncompleteError,
    SkeletonError,
    VerificationError,
)
from airflow_codebeamer.errors.generators import (
    GeneratorError,
    GeneratorFailedError,
    GeneratorNotFoundError,
    GeneratorProtocolError,
    GeneratorSkippedError,
    GeneratorStoppedError,
)
from airflow_codebeamer.errors.locks import (
    EditorsOpenError,
    EscrowError,
    ForeignChangesError,
    ForgetRefusedError,
    IllegalStepError,
    LockDriftedError,
    LockError,
    LockHeldError,
    LockLostError,
    LockRefusedError,
    LockSetError,
    PermissionDriftError,
    QuarantinedError,
    RestorePendingError,
    TicketRemovedError,
)
from airflow_codebeamer.errors.root import (
    CodebeamerError,
    ConfigurationError,
    DemoError,
    Retry,
)
from airflow_codebeamer.errors.server import (
    ApiError,
    BadRequestError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    TransportError,
    UnauthorizedError,
)
from airflow_codebeamer.errors.store import (
    DatabaseError,
    DatabaseUnsafeError,
    SchemaNewerError,
    SchemaOutdatedError,
)

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
    "EditorsOpenError",
    "EscrowError",
    "ForbiddenError",
    "ForeignChangesError",
    "ForgetRefusedError",
    "GeneratorError",
    "GeneratorFailedError",
    "GeneratorNotFoundError",
    "GeneratorProtocolError",
    "GeneratorSkippedError",
    "GeneratorStoppedError",
    "IllegalStepError",
    "ItemLockedError",
    "LockDriftedError",
    "LockError",
    "LockHeldError",
    "LockLostError",
    "LockRefusedError",
    "LockSetError",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDriftError",
    "PlanConflictError",
    "PruneLimitError",
    "QuarantinedError",
    "RateLimitedError",
    "RestorePendingError",
    "Retry",
    "RollbackIncompleteError",
    "SchemaNewerError",
    "SchemaOutdatedError",
    "ServerError",
    "SkeletonError",
    "TicketRemovedError",
    "TransportError",
    "UnauthorizedError",
    "VerificationError",
]
