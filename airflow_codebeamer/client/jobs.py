"""Operations on jobs that the server does in the background."""

from __future__ import annotations

from airflow_codebeamer.client.answers import read
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.models import Job

__all__ = ["Jobs"]


class Jobs:
    """Background jobs by number; whoever starts one is told it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_job(self, job_id: int) -> Job:
        """Return how far a job is.

        Raises:
            NotFoundError: there is none, any more or for this account.
        """
        path = f"/job/{job_id}"
        return read(Job, self._transport.read("GET", path), f"GET {path}")
