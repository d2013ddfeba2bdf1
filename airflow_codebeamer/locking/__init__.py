"""A tracker for one writer, and everybody's permissions back afterwards."""

from __future__ import annotations

from airflow_codebeamer.locking.certificate import Certificate, ForeignChange
from airflow_codebeamer.locking.engine import LockEngine
from airflow_codebeamer.locking.escrow.escrow import Escrow, choose_escrow, find_escrows
from airflow_codebeamer.locking.escrow.notice import Notice
from airflow_codebeamer.locking.escrow.notice_place import (
    list_notices,
    read_escrow,
    read_notice,
)
from airflow_codebeamer.locking.escrow.unexplained import (
    Unexplained,
    find_unexplained,
    repair_epoch,
)
from airflow_codebeamer.locking.forgetting import name_of_resource
from airflow_codebeamer.locking.heartbeat import Heartbeat
from airflow_codebeamer.locking.jobs import register_job
from airflow_codebeamer.locking.lock import Breaking, Lock, Owner
from airflow_codebeamer.locking.parts import Undo, Undone
from airflow_codebeamer.locking.permissions import Permissions, freeze, merge
from airflow_codebeamer.locking.quarantine import accept_items
from airflow_codebeamer.locking.records.history import Event
from airflow_codebeamer.locking.records.queue import Queue
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.records.ticket import Ticket, positions
from airflow_codebeamer.locking.recovery import Recovered, Recovery
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.preflight import Preflight
from airflow_codebeamer.locking.rights.watching import RoleWatch
from airflow_codebeamer.locking.rights.why import Taking
from airflow_codebeamer.locking.rotation import Rotation, Writer
from airflow_codebeamer.locking.salvage import Salvage, SalvagePlan
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.status import LockStatus

__all__ = [
    "Breaking",
    "Certificate",
    "Escrow",
    "Event",
    "ForeignChange",
    "Heartbeat",
    "Lock",
    "LockEngine",
    "LockState",
    "LockStatus",
    "LockStore",
    "Notice",
    "Owner",
    "Permissions",
    "Preflight",
    "Queue",
    "Recovered",
    "Recovery",
    "ReleaseReport",
    "RoleWatch",
    "Rotation",
    "Salvage",
    "SalvagePlan",
    "Taking",
    "Ticket",
    "Undo",
    "Undone",
    "Unexplained",
    "Writer",
    "accept_items",
    "choose_escrow",
    "find_escrows",
    "find_unexplained",
    "freeze",
    "list_notices",
    "merge",
    "name_of_resource",
    "positions",
    "read_escrow",
    "read_notice",
    "register_job",
    "repair_epoch",
]
