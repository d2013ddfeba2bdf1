"""How writing is taken away from others: one small class each, found by name."""

from __future__ import annotations

from airflow_codebeamer.locking.strategies.advisory import Advisory
from airflow_codebeamer.locking.strategies.item_locks import ItemLocks
from airflow_codebeamer.locking.strategies.registry import (
    STRATEGIES_GROUP,
    find_strategy,
    list_strategies,
    strategy_of,
)
from airflow_codebeamer.locking.strategies.role_permissions import RolePermissions
from airflow_codebeamer.locking.strategies.strategy import Entering, Leaving, Strategy
from airflow_codebeamer.locking.strategies.watches import (
    ItemWatch,
    watch_of,
    watches_of,
)

__all__ = [
    "STRATEGIES_GROUP",
    "Advisory",
    "Entering",
    "ItemLocks",
    "ItemWatch",
    "Leaving",
    "RolePermissions",
    "Strategy",
    "find_strategy",
    "list_strategies",
    "strategy_of",
    "watch_of",
    "watches_of",
]
