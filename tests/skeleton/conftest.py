"""A demo tracker on a real emulator, and a real store, with short cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.settings import ServerSettings, StoreSettings
from airflow_codebeamer.skeleton import (
    Applied,
    Plan,
    Progress,
    RollbackReport,
    Skeleton,
    apply_plan,
    load_document,
    plan,
    read_snapshot,
    roll_back,
)

TRACKER = TrackerId(DEMO_TRACKER_ID)


def no_guard() -> None:
    """Never object."""


@dataclass
class Rig:
    """An emulator, a client of the account generator, and a journal."""

    server: Emulator
    client: Client
    journal: Journal
    runs: Runs
    clock: ManualClock
    count: int = 0

    @property
    def tracker_id(self) -> TrackerId:
        return TRACKER

    def document(self, *items: Mapping[str, Any], **more: Any) -> Skeleton:
        return load_document(
            {
                "owner": "test",
                "target": {"tracker": DEMO_TRACKER_ID},
                "items": list(items),
                **more,
            }
        )

    def plan(self, document: Skeleton) -> Plan:
        return plan(document, read_snapshot(self.client, TRACKER, document))

    def run(self) -> Run:
        self.count += 1
        return Run(
            run_id=RunId(f"run-{self.count}"),
            server=self.client.settings.base,
            tracker_id=TRACKER,
            lineage=Lineage("lineage"),
            epoch=Epoch(1),
            owner="test",
        )

    def apply(
        self,
        what: Skeleton | Plan,
        *,
        run: Run | None = None,
        guard: Callable[[], None] = no_guard,
        progress: Callable[[Progress], None] | None = None,
    ) -> Applied:
        wanted = what if isinstance(what, Plan) else self.plan(what)
        return apply_plan(
            wanted,
            self.client,
            self.journal,
            self.runs,
            run or self.run(),
            guard,
            progress,
            clock=self.clock,
        )

    def roll_back(
        self, run: Run, *, guard: Callable[[], None] = no_guard
    ) -> RollbackReport:
        return roll_back(
            run, self.client, self.journal, self.runs, guard, clock=self.clock
        )

    def calls(self, *methods: str) -> list[dict[str, Any]]:
        return [call for call in self.server.calls() if call["method"] in methods]

    def writes(self) -> list[tuple[str, str]]:
        """Return what was written, in order: method and path without the prefix."""
        return [
            (call["method"], call["path"].partition("/v3")[2])
            for call in self.server.calls()
            if call["method"] != "GET" and not call["path"].endswith("/query")
        ]

    def tree(self) -> list[str]:
        """Return the outline as indented names, in the tracker's order."""
        items = self.server.items(DEMO_TRACKER_ID)
        depth: dict[int, int] = {}
        lines: list[str] = []
        for item in items:
            above = item.get("parent")
            depth[item["id"]] = depth[above["id"]] + 1 if above else 0
            lines.append("  " * depth[item["id"]] + item["name"])
        return lines

    def item(self, name: str) -> dict[str, Any]:
        (found,) = [i for i in self.server.items(DEMO_TRACKER_ID) if i["name"] == name]
        return found

    def custom(self, name: str) -> dict[str, Any]:
        """Return an item's custom fields: option names, or values, by field name."""
        shown: dict[str, Any] = {}
        for entry in self.item(name)["customFields"]:
            values = entry.get("values")
            shown[entry["name"]] = (
                [value["name"] for value in values]
                if values is not None
                else entry["value"]
            )
        return shown

    def state(self) -> list[dict[str, Any]]:
        """Return all items without what every write changes."""
        ignored = ("version", "modifiedAt", "modifiedBy")
        return [
            {key: value for key, value in item.items() if key not in ignored}
            for item in self.server.items(DEMO_TRACKER_ID)
        ]


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def rig(server: Emulator, tmp_path: Path, clock: ManualClock) -> Iterator[Rig]:
    database = Database(StoreSettings(url=f"sqlite:///{tmp_path / 'store.db'}"))
    settings = ServerSettings(
        url=server.url,
        login="generator",
        password="generator",
        requests_per_second=None,
        requests_per_minute=None,
    )
    with Client(settings, clock=clock) as client:
        yield Rig(server, client, Journal(database), Runs(database), clock)
    database.close()
