"""Puts the originals of a lock in escrow, where the lock store is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from airflow_codebeamer.locking.escrow.escrow import Escrow
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import freeze
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["entrust", "escrow_of"]


def escrow_of(parts: Parts, lock: Lock, roles: Iterable[RoleEntry]) -> Escrow:
    """Return the escrow of a lock; roles not touched yet as they are about to be."""
    return Escrow.of(lock, [_as_locked(parts, role) for role in roles])


def entrust(
    parts: Parts, lock: Lock, roles: Iterable[RoleEntry], said: Escrow | None = None
) -> Escrow:
    """Write the escrow of a lock into the log, unless it says what was `said`.

    Call it before the first request that takes a right away, and after everything
    that changes what has to come back. No request, no read of the store.
    """
    escrow = escrow_of(parts, lock, roles)
    if said is None or escrow.digest != said.digest:
        parts.escrow(escrow.line())
    return escrow


def _as_locked(parts: Parts, role: RoleEntry) -> RoleEntry:
    if role.touched or role.phase is Phase.EXCLUSIVE:
        return role
    kept = freeze(role.original, role.names, parts.settings.read_only)
    return replace(role, base=kept)
