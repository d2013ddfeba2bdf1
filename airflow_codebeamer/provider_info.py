"""What Airflow asks a provider: the one place that lists our parts to it."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer import __version__

__all__ = ["get_provider_info"]

_PACKAGE = "airflow_codebeamer"
_NAME = "Codebeamer"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's schema wants it."""
    return {
        "package-name": "airflow-provider-codebeamer",
        "name": _NAME,
        "description": "Exclusive access to Codebeamer trackers for generators.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://www.ptc.com/en/products/codebeamer",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks.codebeamer"),
        "operators": _modules(
            "operators.generator",
            "operators.lock",
            "operators.recover",
            "operators.reserve",
            "operators.set_fields",
            "operators.unlock",
            "operators.verify",
        ),
        "sensors": _modules("sensors.lock"),
        "triggers": _modules("triggers.lock"),
        "connection-types": [
            {
                "connection-type": "codebeamer",
                "hook-class-name": f"{_PACKAGE}.hooks.codebeamer.CodebeamerHook",
                "hook-name": _NAME,
                "ui-field-behaviour": _FIELD_BEHAVIOUR,
                "conn-fields": _CONN_FIELDS,
            }
        ],
        "notifications": [f"{_PACKAGE}.notifications.ReleaseLocksNotifier"],
        "extra-links": [
            f"{_PACKAGE}.operators.codebeamer.TrackerLink",
            f"{_PACKAGE}.operators.codebeamer.HolderLink",
        ],
        "plugins": [
            {
                "name": "codebeamer",
                "plugin-class": f"{_PACKAGE}.plugins.plugin.CodebeamerPlugin",
            }
        ],
        "cli": [f"{_PACKAGE}.cli.provider.get_commands"],
        "config": {"codebeamer": _CONFIG},
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [
        {
            "integration-name": _NAME,
            "python-modules": [f"{_PACKAGE}.{name}" for name in names],
        }
    ]


_FIELD_BEHAVIOUR = {
    "hidden-fields": ["extra"],
    "relabeling": {
        "host": "Server address",
        "schema": "Protocol or context path",
    },
    "placeholders": {
        "host": "https://alm.example.com/cb",
        "schema": "https",
        "login": "the service account",
    },
}


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


_TEXT = ["string", "null"]

_CONN_FIELDS = {
    "exclusive_role": _field(
        "Exclusive role",
        "Name or id of the role that keeps write access while a tracker is locked.",
        type=_TEXT,
    ),
    "notice_tracker": _field(
        "Notice tracker",
        "Number of a tracker that gets an item for each locked tracker, which says who "
        "has it, why and until when; empty for none.",
        type=["integer", "null"],
        minimum=1,
    ),
    "strategy": _field(
        "Strategy",
        "How others are kept from writing: role_permissions, item_locks or advisory.",
        type=_TEXT,
    ),
    "rotation": _field(
        "Rotation",
        "Two other connections, with a comma: their accounts write in turn, this one "
        "only sets permissions.",
        type=_TEXT,
    ),
    "token": _field(
        "Token",
        "A bearer token instead of the password; the login is still needed.",
        type=_TEXT,
        format="password",
    ),
    "verify": _field(
        "Verify TLS", "true, false, or the path of a CA bundle.", type=_TEXT
    ),
    "timeout_seconds": _field(
        "Timeouts in seconds", "connect/read, by default 10/60.", type=_TEXT
    ),
    "requests_per_second": _field(
        "Requests per second", "Our own pace, by default 3; off for none.", type=_TEXT
    ),
    "requests_per_minute": _field(
        "Requests per minute", "Our own pace, by default 120; off for none.", type=_TEXT
    ),
    "connections": _field(
        "Connections",
        "Parallel connections at most.",
        type=["integer", "null"],
        minimum=1,
        maximum=64,
        default=8,
    ),
    "api": _field(
        "API",
        "Which API sets tracker permissions.",
        type=_TEXT,
        enum=["auto", "v3", "v1"],
        default="auto",
    ),
}


def _switch(description: str, default: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "boolean",
        "example": None,
        "default": default,
    }


def _policy(description: str, default: str, *, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": default,
    }


def _seconds(description: str, default: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "float",
        "example": None,
        "default": default,
    }


_CONFIG = {
    "description": "Locks on Codebeamer trackers.",
    "options": {
        "lock_store": {
            "description": (
                "Where locks are kept: an SQLAlchemy address (SQLite, PostgreSQL). "
                "An Airflow connection codebeamer_lock_store goes before it; without "
                "both it is codebeamer_locks.db in AIRFLOW_HOME, which serves one "
                "machine only."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "sensitive": True,
            "example": "postgresql://user:password@db.example.com/locks",
            "default": "",
        },
        "require_unlock": _switch(
            "Whether a DAG is refused (an import error of its file) that has a "
            "LockTrackerOperator and no UnlockTrackerOperator as teardown behind it.",
            "False",
        ),
        "listener": _switch(
            "Whether a listener tells metrics about our tasks and warns about locks "
            "without teardown. Airflow refuses tasks with end_from_trigger=True as "
            "soon as any listener is there: turn it off to use such tasks.",
            "True",
        ),
        "certificate": _policy(
            "What to do about changes that others make under a lock: off does not "
            "look, warn tells them at the release, fail makes the release fail "
            "once the tracker is free.",
            "off",
            example="warn",
        ),
        "certificate_depth": _policy(
            "What a certificate compares besides items: items for nothing more, links "
            "for associations (a request for 500 items at each end of the lock), files "
            "for attachments and edits of comments as well (one for each item).",
            "items",
            example="links",
        ),
        "notice": _policy(
            "What to do if the notice of a lock cannot be written (see the notice "
            "tracker of the connection): try again at the next step, or refuse the "
            "lock where it is required.",
            "try",
            example="required",
        ),
        "on_drift": _policy(
            "What to do about write rights that somebody gives back while a tracker is "
            "held and watched: relock takes them away again until the release, warn "
            "tells of them, fail stops the work.",
            "relock",
            example="fail",
        ),
        "open_editors": _policy(
            "What to do about people who have an item open when its tracker is to be "
            "locked: ignore does not look, wait waits for them, fail refuses the lock "
            "and names them. Looking takes a request for each of 100 items.",
            "ignore",
            example="wait",
        ),
        "restore_policy": _policy(
            "What a role gets back that others changed meanwhile: merge keeps their "
            "changes, exact undoes them, keep leaves the role as it is, ask waits "
            "for a person.",
            "merge",
            example="exact",
        ),
        "bridge_seconds": _seconds(
            "How long a lock is kept between two tasks of a run.", "1800"
        ),
        "ttl_seconds": _seconds(
            "How long a lock outlives its last beat while a task works.", "60"
        ),
        "beat_seconds": _seconds("How often a working task renews its lock.", "15"),
        "lock_delay_seconds": _seconds(
            "How long an unanswered request may still take effect.", "15"
        ),
        "margin_seconds": _seconds(
            "How long before its lease ends a holder stops writing.", "15"
        ),
        "poll_seconds": _seconds("How often a waiting task looks.", "5"),
        "ageing_seconds": _seconds(
            "After how long of waiting a ticket counts as one priority more.", "300"
        ),
        "offer_ttl_seconds": _seconds(
            "How long a tracker is kept for the waiter whose turn it is.", "120"
        ),
        "waiter_ttl_seconds": _seconds(
            "How long a waiter that is not heard of keeps others behind it.", "30"
        ),
        "open_editors_wait_seconds": _seconds(
            "How long to wait for people who have an item open.", "300"
        ),
        "job_wait_seconds": _seconds(
            "How long a release waits for jobs of the server that were started under "
            "the lock.",
            "600",
        ),
        "settle_seconds": _seconds(
            "How long to wait between taking rights away and relying on it.", "0"
        ),
        "break_after_seconds": _seconds(
            "How long a living holder, whose lock somebody breaks, has to put "
            "everything back by himself.",
            "30",
        ),
        "hold_limit_seconds": _seconds(
            "How long a lock may be held at all, whoever renews it; 0 for no limit.",
            "0",
        ),
        "certificate_watch_seconds": _seconds(
            "How often it is asked under a lock with a certificate what others wrote, "
            "one request each time, so that what they make and delete again is known; "
            "0 for never.",
            "0",
        ),
        "watch_seconds": _seconds(
            "How often the permissions of a held tracker are read again while a task "
            "works, one request each time; 0 for never.",
            "0",
        ),
    },
}
