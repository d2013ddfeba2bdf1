"""What can go wrong with a document, its plan and its run."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_codebeamer.errors.root import CodebeamerError

__all__ = [
    "DocumentError",
    "PlanConflictError",
    "PruneLimitError",
    "RollbackIncompleteError",
    "SkeletonError",
    "VerificationError",
]


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
