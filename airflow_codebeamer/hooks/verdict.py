"""Our errors become Airflow's verdict: fail for good, or worth a retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.errors import CodebeamerError, Retry

__all__ = ["airflow_verdict"]


@contextmanager
def airflow_verdict() -> Iterator[None]:
    """Ask each error whether a retry can help.

    Raises:
        AirflowFailException: it cannot; our error is the cause.
        CodebeamerError: it can; Airflow retries as the task says.
    """
    try:
        yield
    except CodebeamerError as error:
        if error.retry is Retry.NEVER:
            raise AirflowFailException(str(error)) from error
        raise
