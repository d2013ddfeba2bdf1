"""RolePermissions: every role but one loses its rights to write, and gets them back."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_codebeamer.locking.escrow.noticing import NoticeBoard
from airflow_codebeamer.locking.lock import FREEZE, ROLE_PERMISSIONS, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import spell
from airflow_codebeamer.locking.rights.preflight import (
    Preflight,
    inspect_account,
    inspect_freeze,
)
from airflow_codebeamer.locking.rights.reducing import Reducing
from airflow_codebeamer.locking.rights.restoring import Restoring
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.strategies.editors import heed_editors
from airflow_codebeamer.locking.strategies.strategy import Strategy
from airflow_codebeamer.locking.wish import Wish

__all__ = ["RolePermissions"]


class RolePermissions(Strategy):
    """The whole tracker, by the rights of its roles: the strongest that there is."""

    name = ROLE_PERMISSIONS
    promise = (
        "nobody but the exclusive role may add or edit items of the tracker, except "
        "system administrators and what project administrators keep"
    )

    def preflight(self, parts: Parts, wish: Wish) -> Preflight:
        """Look at the account and its role; the permissions are read when entering."""
        if wish.mode == FREEZE:
            found = inspect_freeze(parts, wish.tracker_id)
        else:
            found = inspect_account(parts, wish.tracker_id, wish.exclusive_role)
        if not found.findings:
            heed_editors(parts, wish.tracker_id)
        return found

    def enter(
        self, parts: Parts, lock: Lock, wish: Wish, notice: NoticeBoard
    ) -> Reducing:
        """Reduce every role but the exclusive one."""
        return Reducing(parts, lock, wish.restore_policy, notice)

    def verify(self, parts: Parts, lock: Lock) -> Sequence[str]:
        """Name the roles that may write although they were reduced; one request."""
        now = parts.read(lock.tracker_id)
        entries = parts.ledger.list_roles(lock.lineage)
        excess = Reducing(parts, lock).list_excess(
            RoleWriter(parts, lock, entries, now)
        )
        return [
            f"role {now.name_of(role)} has {spell(rights, now.names)}"
            for role, rights in excess.items()
        ]

    def leave(self, parts: Parts, lock: Lock, *, by: str = "") -> Restoring:
        """Give every role its rights back."""
        return Restoring(parts, lock, by=by)
