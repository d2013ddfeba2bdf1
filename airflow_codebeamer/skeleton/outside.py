"""Outside effects: what changed in other trackers while a run was writing.

Workflow actions and escalations of the server may do that in our account's name.
Nothing can be put back there from here: it is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.models import Item
from airflow_codebeamer.skeleton.records import Record

__all__ = ["began", "outside_effects"]

_SHOWN = 20


def began(record: Record, items: Iterable[Item]) -> str:
    """Return when the run's first writing was, in the server's own words.

    The empty text if nothing in the tracker says that it wrote at all.
    """
    keys, account = set(record.created), record.account.casefold()
    stamps = []
    for item in items:
        who = item.modified_by.name.casefold() if item.modified_by else ""
        key = None if record.identity is None else record.identity.read(item)
        if key in keys:
            stamps.append(item.created_at)
        elif item.id in record.updates and who == account:
            stamps.append(item.modified_at)
    return min(filter(None, stamps), default="")


def outside_effects(
    client: Client, tracker_id: TrackerId, account: str, since: str
) -> tuple[str, ...]:
    """Return a line for each item of other trackers that our account changed since.

    Costs a request.

    Not promised: who caused it. Another run of the same account may have.
    """
    if not since or not account:
        return ()
    stamp = since[:19].replace("T", " ")
    login = account.replace("'", "")
    query = (
        f"modifiedBy IN ('{login}') AND modifiedAt >= '{stamp}' AND "
        f"tracker.id NOT IN ({tracker_id})"
    )
    try:
        page = client.items.query_latest(query, 1)
    except ApiError:
        return ("what happened in other trackers could not be seen",)
    lines = [_line(item) for item in page.entries[:_SHOWN]]
    if page.total > len(lines):
        lines.append(f"… and {page.total - len(lines)} more items of other trackers")
    return tuple(lines)


def _line(item: Item) -> str:
    where = f"tracker {item.tracker.id}" if item.tracker else "another tracker"
    return (
        f"item {item.id} ({item.name!r}) of {where} was changed meanwhile by our "
        "account, in this run or another"
    )
