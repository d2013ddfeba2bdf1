"""The strategies that there are: ours, and those of other distributions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.strategies.advisory import Advisory
from airflow_codebeamer.locking.strategies.item_locks import ItemLocks
from airflow_codebeamer.locking.strategies.role_permissions import RolePermissions
from airflow_codebeamer.locking.strategies.strategy import Strategy

__all__ = ["STRATEGIES_GROUP", "find_strategy", "list_strategies", "strategy_of"]

#: The group of entry points in which other distributions register theirs.
STRATEGIES_GROUP = "airflow_codebeamer.strategies"

_OURS: dict[str, Callable[[], Strategy]] = {
    kind.name: kind for kind in (RolePermissions, ItemLocks, Advisory)
}


def list_strategies() -> list[str]:
    """Return the names of all strategies, ours first."""
    others = {point.name for point in entry_points(group=STRATEGIES_GROUP)}
    return [*_OURS, *sorted(others - _OURS.keys())]


def find_strategy(name: str) -> Strategy:
    """Return a strategy by its name; nobody else's takes the name of one of ours.

    Raises:
        ConfigurationError: there is none, or it cannot be loaded.
    """
    if name in _OURS:
        return _ours(name)
    for point in entry_points(group=STRATEGIES_GROUP, name=name):
        return _theirs(point)
    known = ", ".join(list_strategies())
    raise ConfigurationError(
        "strategy",
        f"there is no strategy {name} here, install the distribution that has it or "
        f"say one of: {known}",
    )


def strategy_of(lock: Lock) -> Strategy:
    """Return the strategy by which a lock was taken.

    Raises:
        ConfigurationError: it is not installed here.
    """
    return find_strategy(lock.strategy)


@cache
def _ours(name: str) -> Strategy:
    return _OURS[name]()


@cache
def _theirs(point: EntryPoint) -> Strategy:
    try:
        made = point.load()()
    except Exception as error:
        raise ConfigurationError(
            "strategy",
            f"{point.value} cannot be loaded ({type(error).__name__}: {error})",
        ) from error
    if not isinstance(made, Strategy) or made.name != point.name:
        raise ConfigurationError(
            "strategy",
            f"{point.value} is no strategy of the name {point.name}: see the class "
            "Strategy",
        )
    return made
