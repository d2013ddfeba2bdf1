"""Operations on accounts, groups and roles."""

from __future__ import annotations

from airflow_codebeamer.client.answers import read
from airflow_codebeamer.client.paging import list_paged, list_whole
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.errors import NotFoundError
from airflow_codebeamer.models import Reference, User

__all__ = ["Users"]


class Users:
    """Accounts of the server. The API cannot say who is asking: ask by name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find_user(self, name: str) -> User | None:
        """Return the account with that log-in name, None if there is none."""
        path = "/users/findByName"
        try:
            answer = self._transport.read("GET", path, query={"name": name})
        except NotFoundError:
            return None
        return None if answer is None else read(User, answer, f"GET {path}")

    def list_group_members(self, group_id: int) -> list[Reference]:
        """Return the accounts in a group.

        Raises:
            ForbiddenError: needs the right "Accounts - Admin".
        """
        path = f"/users/groups/{group_id}/members"
        return list_paged(self._transport, Reference, path)

    def list_roles(self) -> list[Reference]:
        """Return every role that the server knows."""
        return list_whole(self._transport, Reference, "/roles")
