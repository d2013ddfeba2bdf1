"""What can go wrong with the lock store."""

from __future__ import annotations

from airflow_codebeamer.errors.root import CodebeamerError, Retry

__all__ = [
    "DatabaseError",
    "DatabaseUnsafeError",
    "SchemaNewerError",
    "SchemaOutdatedError",
]


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
