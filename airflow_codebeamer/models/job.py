"""Job: something that the server does in the background."""

from __future__ import annotations

from pydantic import Field

from airflow_codebeamer.models.reference import Answer

__all__ = ["Job"]


class Job(Answer):
    """A background job: DRAFT, NEW, IN_PROGRESS or FINISHED (vendor description)."""

    id: int = 0
    status: str = Field(default="", alias="backgroundJobStatus")
    type: str = Field(default="", alias="backgroundJobType")

    @property
    def is_over(self) -> bool:
        """Whether it writes no more."""
        return self.status == "FINISHED"
