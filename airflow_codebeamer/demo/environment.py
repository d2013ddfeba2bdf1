"""What an Airflow of our own is told: its environment variables, nothing else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Ports", "airflow_environment", "clean_environment", "codebeamer_connection"]

_FOREIGN_PREFIXES = ("AIRFLOW", "CODEBEAMER_")


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one Airflow."""

    api: int
    worker_log: int
    trigger_log: int


@dataclass(frozen=True)
class _Secrets:
    """Keys that all components of one Airflow share; never shown."""

    fernet: str = field(
        repr=False,
        default_factory=lambda: base64.urlsafe_b64encode(
            secrets.token_bytes(32)
        ).decode(),
    )
    session: str = field(repr=False, default_factory=lambda: secrets.token_hex(32))
    token: str = field(repr=False, default_factory=lambda: secrets.token_hex(64))


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the caller's own Airflow and Codebeamer."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_FOREIGN_PREFIXES)
    }


def codebeamer_connection(
    url: str, *, login: str, password: str | None = None, **extra: object
) -> dict[str, Any]:
    """Return a Codebeamer connection as Airflow reads it as JSON."""
    given = {} if password is None else {"password": password}
    return {
        "conn_type": "codebeamer",
        "host": url,
        "login": login,
        **given,
        "extra": extra,
    }


def airflow_environment(
    home: Path,
    ports: Ports,
    *,
    database_url: str | None = None,
    database_url_async: str | None = None,
) -> dict[str, str]:
    """Return what makes an Airflow live in `home` and on loopback alone.

    Intervals are short, so that nobody waits for a poll, and the executor is
    small, because every worker is a process from the start.
    """
    keys = _Secrets()
    url = f"http://127.0.0.1:{ports.api}"
    options: dict[tuple[str, str], object] = {
        ("core", "dags_folder"): home / "dags",
        ("core", "plugins_folder"): home / "plugins",
        ("core", "load_examples"): False,
        ("core", "executor"): "LocalExecutor",
        ("core", "parallelism"): 4,
        ("core", "fernet_key"): keys.fernet,
        # The default asks the name service, which a sealed-off machine lacks.
        ("core", "hostname_callable"): "socket.gethostname",
        ("core", "simple_auth_manager_users"): "admin:admin",
        ("core", "simple_auth_manager_passwords_file"): home / "passwords.json",
        ("core", "test_connection"): "Enabled",
        ("core", "min_serialized_dag_update_interval"): 5,
        ("database", "sql_alchemy_conn"): database_url
        or f"sqlite:///{home / 'airflow.db'}",
        ("logging", "base_log_folder"): home / "logs" / "tasks",
        ("logging", "dag_processor_child_process_log_directory"): home
        / "logs"
        / "dag-files",
        ("logging", "colored_console_log"): False,
        ("logging", "worker_log_server_port"): ports.worker_log,
        ("logging", "trigger_log_server_port"): ports.trigger_log,
        ("api", "host"): "127.0.0.1",
        ("api", "port"): ports.api,
        ("api", "base_url"): url,
        ("api", "secret_key"): keys.session,
        ("api_auth", "jwt_secret"): keys.token,
        ("dag_processor", "refresh_interval"): 10,
        ("dag_processor", "parsing_processes"): 1,
        ("scheduler", "scheduler_idle_sleep_time"): 0.5,
        ("scheduler", "task_instance_heartbeat_timeout"): 40,
        ("scheduler", "orphaned_tasks_check_interval"): 30,
    }
    if database_url_async is not None:
        options["database", "sql_alchemy_conn_async"] = database_url_async
    return {
        "AIRFLOW_HOME": str(home),
        **{
            f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
            for (section, name), value in options.items()
        },
    }
