"""User: an account as the server shows it."""

from __future__ import annotations

from airflow_codebeamer.ids import UserId
from airflow_codebeamer.models.reference import Answer

__all__ = ["User"]


class User(Answer):
    """An account. `name` is the log-in name."""

    id: UserId
    name: str = ""
