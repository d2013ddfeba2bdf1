"""The scripts that people really have: what ours is measured against.

`Naive` does each thing the way public clients of Codebeamer do it: one
request after the other on one session, an item looked up before it is
written, one update per item. It is the fair baseline, not a straw man: it keeps
its connection open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import requests

__all__ = ["Naive"]


class Naive:
    """Sequential requests on one session; counts what it sends."""

    def __init__(self, url: str, user: str) -> None:
        self._api = f"{url}/api/v3"
        self._session = requests.Session()
        self._session.auth = (user, user)
        self._session.headers["Accept"] = "application/json"
        self.sent = 0

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request; anything but a 200 is an error."""
        self.sent += 1
        answer = self._session.request(
            method, f"{self._api}{path}", json=body, timeout=60
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def create_all(
        self, tracker: int, items: Iterable[Mapping[str, Any]], key_field: int
    ) -> None:
        """Create each item below its parent, after looking whether it exists."""
        numbers: dict[str, int] = {}
        for item in items:
            query = f"tracker.id = {tracker} AND name = '{item['name']}'"
            self.send("POST", "/items/query", {"queryString": query, "pageSize": 25})
            parent = numbers.get(str(item.get("parent")))
            below = f"?parentItemId={parent}" if parent else ""
            made = self.send(
                "POST",
                f"/trackers/{tracker}/items{below}",
                {
                    "name": item["name"],
                    "customFields": [
                        {
                            "fieldId": key_field,
                            "type": "TextFieldValue",
                            "value": item["key"],
                        }
                    ],
                },
            )
            numbers[str(item["key"])] = made["id"]

    def read_all(self, tracker: int) -> list[dict[str, Any]]:
        """List pages of 25 and get each item for its fields."""
        items: list[dict[str, Any]] = []
        page = 1
        while True:
            found = self.send("GET", f"/trackers/{tracker}/items?page={page}")
            items += [
                self.send("GET", f"/items/{ref['id']}") for ref in found["itemRefs"]
            ]
            if page * 25 >= found["total"]:
                return items
            page += 1

    def set_field(self, numbers: Iterable[int], value: Mapping[str, Any]) -> None:
        """Set one field, one item after the other."""
        for number in numbers:
            self.send("PUT", f"/items/{number}/fields", {"fieldValues": [dict(value)]})
