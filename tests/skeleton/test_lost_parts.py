"""Runs with tables, links and files, hurt at every single request of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.skeleton import Application, read_snapshot, verify


class Killed(BaseException):
    """The process is gone: nothing of ours may run after it."""


class Play:
    """A document that needs every kind of step, over a tracker that has some of it."""

    def __init__(self, rig: Any, folder: Path) -> None:
        self.rig = rig
        self.files: dict[str, str] = {}
        for name, content in (("a", "old"), ("b", "new"), ("c", "c"), ("d", "d")):
            path = folder / name
            path.write_text(content)
            self.files[name] = str(path)
        world = rig.server.world()
        tracker = next(t for t in world["trackers"] if t["id"] == rig.tracker_id)
        shown = {"hidden": False, "mandatoryInStatuses": []}
        columns = [
            {
                "id": 1000000 + number,
                "name": name,
                "type": "WikiTextField",
                "valueModel": "WikiTextFieldValue",
                **shown,
            }
            for number, name in enumerate(("Action", "Expected result"), 1)
        ]
        table = {"id": 1000000, "name": "Rows", "type": "TableField", **shown}
        table |= {"valueModel": "TableFieldValue", "columns": columns}
        tracker["schema"].append(table)
        rig.server.load_world(world)
        self.apply(self.document("a", [{"Action": "x"}], ["two"]))
        self.before = self.state()
        self.wanted = self.document(
            "b", [{"Action": "y"}, {"Action": "x"}], ["new", "one"], new=True
        )
        rig.server.clear_calls()

    def document(
        self, file: str, rows: list[Any], ends: list[str], *, new: bool = False
    ) -> Any:
        links = [{"to": {"ref": end}} for end in ends]
        given = [{"path": self.files[file], "name": "file"}]
        items = [
            {
                "key": "one",
                "name": "one",
                "tables": {"Rows": rows},
                "associations": links,
                "attachments": given,
            },
            {"key": "two", "name": "two"},
        ]
        if new:
            given = [{"path": self.files["c"]}, *given]
            more: dict[str, Any] = {
                "associations": [{"to": {"ref": "one"}}],
                "attachments": given,
            }
            items[1]["attachments"] = [given[0], {"path": self.files["d"]}]
            more["tables"] = {"Rows": rows}
            items.append({"key": "new", "name": "new", **more})
        return self.rig.document(*items)

    def application(self) -> Application:
        rig = self.rig
        return Application(
            rig.client,
            rig.journal,
            rig.runs,
            clock=rig.clock,
            settle_seconds=1.0,
            say=lambda _: None,
            progress=lambda _: None,
        )

    def apply(self, document: Any, guard: Any = lambda: None) -> Any:
        run = self.rig.run()
        application = self.application()
        plan = application.prepare(document, self.rig.tracker_id)
        application.carry_out(plan, run, guard)
        return run

    def state(self) -> str:
        """All that stands there, but for what every write changes."""
        world = self.rig.server.world()
        items = self.rig.state()
        there = {item["id"] for item in items}
        links = [
            [one["start"], one["properties"]["type"], one["end"]]
            for one in world["associations"]
            if {one["start"], one["end"]} <= there
        ]
        files = [
            [one["item"], one["name"], one["revisions"][-1]["sha512"]]
            for one in world["attachments"]
            if one["item"] in there
        ]
        return json.dumps([items, sorted(links), sorted(files)])

    def check(self) -> None:
        snapshot = read_snapshot(self.rig.client, self.rig.tracker_id, self.wanted)
        assert verify(self.wanted, snapshot) == []
        world = self.rig.server.world()
        assert len(self.rig.state()) == 3
        assert len(world["associations"]) == 3
        assert len(world["attachments"]) == 5


@pytest.fixture
def play(rig: Any, tmp_path: Path) -> Play:
    folder = tmp_path / "files"
    folder.mkdir()
    return Play(rig, folder)


#: A create, a bulk update, three links, one that goes, and five files.
WRITES = 11


def test_it_has_as_many_writes(play: Play) -> None:
    play.apply(play.wanted)
    assert len(play.rig.writes()) - len(_relations(play)) == WRITES
    play.check()


def _relations(play: Play) -> list[Any]:
    return [one for one in play.rig.writes() if one[1].endswith("/relations")]


@pytest.mark.parametrize("kind", ["drop_answer", "status"])
@pytest.mark.parametrize("nth", range(1, WRITES + 1))
def test_a_lost_answer_makes_nothing_twice(play: Play, kind: str, nth: int) -> None:
    play.rig.server.add_fault(
        {"kind": kind, "operation": "write", "nth": nth, "status": 500, "times": 1}
    )
    play.apply(play.wanted)
    assert [fault["met"] for fault in play.rig.server.faults()] == [1]
    play.check()


@pytest.mark.parametrize("nth", range(1, WRITES + 1))
@pytest.mark.parametrize("then", ["resume", "roll back"])
def test_a_death_at_any_request_is_gone_on_with_or_undone(
    play: Play, nth: int, then: str
) -> None:
    rig = play.rig
    asked = 0

    def guard() -> None:
        nonlocal asked
        asked += 1
        if asked == nth:
            raise Killed

    application = play.application()
    plan = application.prepare(play.wanted, rig.tracker_id)
    run = rig.run()
    with pytest.raises(Killed):
        application.carry_out(plan, run, guard)
    again = play.application()
    if then == "resume":
        rest = again.resume(play.wanted, run, lambda: None)
        assert rest is not None
        again.carry_out(rest, run, lambda: None, is_resumed=True)
        play.check()
    report = rig.roll_back(run)
    assert report.left == ()
    assert play.state() == play.before
