"""Random valid calls of several people; after each the world is whole (M5).

The machine knows what it did: names, who holds which lock, who said what. Calls
may be refused, for a right, a lock or a step; a refused call changes nothing.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, demo_world
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.keeping import KeptWorld
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.emulator.world import World

WRITERS = st.sampled_from(["generator", "alice"])
ANYBODY = st.sampled_from(["generator", "alice", "bob", "bond"])
REFUSALS = {400, 403, 404, 423}
FORM = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


def form(*parts: tuple[bytes, bytes, bytes]) -> bytes:
    return b"".join(FORM % part for part in parts) + b"--x--\r\n"


class Machine(RuleBasedStateMachine):
    """One world, kept in a file, and what the machine knows of it."""

    items = Bundle("items")
    comments = Bundle("comments")
    attachments = Bundle("attachments")
    associations = Bundle("associations")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._file = Path(self._folder.name) / "world.jsonl"
        self._server = Application(World.load(demo_world()))
        self._kept = KeptWorld(self._file, self._server)
        self._kept.open()
        self._names: dict[int, str] = {}
        self._locks: dict[int, str] = {}
        self._ever: set[int] = set()
        self._worlds = 0

    def _do(
        self, who: str, method: str, path: str, body: Any = None, query: str = ""
    ) -> tuple[int, Any]:
        """Do a call; whatever is refused leaves the world alone."""
        is_form = isinstance(body, bytes)
        text = body if is_form else b"" if body is None else json.dumps(body).encode()
        basic = base64.b64encode(f"{who}:{who}".encode()).decode()
        before = self._server.world.dump()
        answer: Answer = self._server.finish(
            self._server.begin(
                Asked(
                    method,
                    f"/cb/api/v3{path}",
                    query,
                    f"Basic {basic}",
                    "application/json",
                    text,
                    "multipart/form-data; boundary=x"
                    if is_form
                    else "application/json",
                )
            )
        )
        if answer.status != 200:
            assert answer.status in REFUSALS, self._server.calls.to_json()[-1]
            after = self._server.world.dump()
            # A lock that ended may be tidied away by whoever looks.
            before.pop("locks"), after.pop("locks")
            assert after == before, path
        is_json = answer.body and answer.content_type == "application/json"
        return answer.status, json.loads(answer.body) if is_json else None

    def _may_write(self, who: str, item: int, status: int) -> None:
        holder = self._locks.get(item)
        if holder is not None and holder != who:
            assert status in (403, 404, 423)
        else:
            assert status != 423

    @rule(target=items, who=WRITERS, name=st.text(min_size=1, max_size=20))
    def create(self, who: str, name: str) -> Any:
        path = f"/trackers/{DEMO_TRACKER_ID}/items"
        status, made = self._do(who, "POST", path, {"name": name})
        return self._made(status, made, name)

    @rule(
        target=items,
        who=WRITERS,
        other=items,
        position=st.sampled_from(["BEFORE", "AFTER", "BELOW"]),
    )
    def create_beside(self, who: str, other: int, position: str) -> Any:
        path = f"/trackers/{DEMO_TRACKER_ID}/items"
        query = f"referenceItemId={other}&position={position}"
        status, made = self._do(who, "POST", path, {"name": "beside"}, query)
        return self._made(status, made, "beside")

    def _made(self, status: int, made: Any, name: str) -> Any:
        if status != 200:
            return multiple()
        assert made["id"] not in self._ever, "numbers are never used twice"
        self._ever.add(made["id"])
        self._names[made["id"]] = made["name"]
        assert made["name"] == name
        return made["id"]

    @rule(who=ANYBODY, item=items, name=st.text(min_size=1, max_size=20))
    def rename(self, who: str, item: int, name: str) -> None:
        value = {"fieldId": 3, "type": "TextFieldValue", "value": name}
        body = {"fieldValues": [value]}
        status, _ = self._do(who, "PUT", f"/items/{item}/fields", body)
        self._may_write(who, item, status)
        if status == 200:
            self._names[item] = name

    @rule(who=WRITERS, item=items)
    def replace(self, who: str, item: int) -> None:
        status, whole = self._do("bond", "GET", f"/items/{item}")
        if status == 200:
            body = {"name": "whole", "status": whole.get("status")}
            status, _ = self._do(who, "PUT", f"/items/{item}", body)
            self._may_write(who, item, status)
            if status == 200:
                self._names[item] = "whole"

    @rule(who=WRITERS, pair=st.tuples(items, items), atomic=st.booleans())
    def bulk(self, who: str, pair: tuple[int, int], atomic: bool) -> None:
        value = {"fieldId": 3, "type": "TextFieldValue", "value": "bulk"}
        body = [{"itemId": item, "fieldValues": [value]} for item in pair]
        query = f"atomic={str(atomic).lower()}"
        status, answer = self._do(who, "PUT", "/items/fields", body, query)
        if status == 200:
            failed = {one["id"] for one in answer.get("failedOperations") or ()}
            for item in {*pair} - failed:
                self._names[item] = "bulk"
            assert answer["successfulOperationsCount"] == sum(
                item not in failed for item in pair
            )

    @rule(who=WRITERS, item=items)
    def delete(self, who: str, item: int) -> None:
        status, _ = self._do(who, "DELETE", f"/items/{item}")
        if status == 200:
            assert self._locks.get(item) in (None, who)
            assert self._do("bond", "GET", f"/items/{item}")[0] == 404

    @rule(who=WRITERS, item=items, parent=items, index=st.integers(0, 4))
    def insert(self, who: str, item: int, parent: int, index: int) -> None:
        entry = {"id": item, "type": "TrackerItemReference"}
        body = {"itemReference": entry, "index": index}
        path = f"/items/{parent}/children"
        self._do(who, "PATCH", path, body, "mode=INSERT")

    @rule(who=WRITERS, item=items)
    def to_the_top(self, who: str, item: int) -> None:
        self._do(who, "POST", f"/trackers/{DEMO_TRACKER_ID}/children", {"id": item})

    @rule(who=WRITERS, parent=items)
    def turn_round(self, who: str, parent: int) -> None:
        status, shown = self._do("bond", "GET", f"/items/{parent}/children")
        if status == 200:
            children = list(reversed(shown["itemRefs"]))
            self._do(who, "PUT", f"/items/{parent}/children", {"children": children})

    @rule(who=ANYBODY, item=items, hard=st.booleans())
    def lock(self, who: str, item: int, hard: bool) -> None:
        body = {"hard": hard, "duration": "1h"}
        status, _ = self._do(who, "PUT", f"/items/{item}/lock", body)
        if status == 200:
            assert self._locks.get(item, who) == who
            self._locks[item] = who

    @rule(who=ANYBODY, item=items)
    def unlock(self, who: str, item: int) -> None:
        status, _ = self._do(who, "DELETE", f"/items/{item}/lock")
        if status == 200 and item in self._locks:
            assert who in (self._locks[item], "bond")
            del self._locks[item]

    @rule()
    def time_passes(self) -> None:
        """Two hours later only hard locks hold."""
        self._server.clock.advance(7200)
        self._server.changed("clock", self._server.clock.dump())
        held = self._server.world.locks
        for item in list(self._locks):
            if item not in held or not held[item].hard:
                del self._locks[item]

    @rule(target=comments, who=ANYBODY, item=items, text=st.binary(max_size=8))
    def comment(self, who: str, item: int, text: bytes) -> Any:
        body = form((b"comment", b"", base64.b64encode(text) or b"x"))
        status, made = self._do(who, "POST", f"/items/{item}/comments", body)
        self._may_write(who, item, status)
        return (item, made["id"]) if status == 200 else multiple()

    @rule(who=ANYBODY, at=comments)
    def reply_and_forget(self, who: str, at: tuple[int, int]) -> None:
        path = f"/items/{at[0]}/comments/{at[1]}"
        self._do(who, "POST", path, form((b"comment", b"", b"yes")))
        self._do("alice", "DELETE", path)

    @rule(target=attachments, who=ANYBODY, item=items, content=st.binary(max_size=30))
    def attach(self, who: str, item: int, content: bytes) -> Any:
        named = b'; filename="a.bin"'
        body = form((b"attachments", named, base64.b64encode(content)))
        status, made = self._do(who, "POST", f"/items/{item}/attachments", body)
        return (item, made[0]["id"]) if status == 200 else multiple()

    @rule(who=ANYBODY, at=attachments)
    def detach(self, who: str, at: tuple[int, int]) -> None:
        self._do(who, "DELETE", f"/items/{at[0]}/attachments/{at[1]}")

    @rule(target=associations, who=WRITERS, one=items, two=items)
    def associate(self, who: str, one: int, two: int) -> Any:
        body = {
            "from": {"id": one, "type": "TrackerItemReference"},
            "to": {"id": two, "type": "TrackerItemReference"},
            "type": {"id": 1, "type": "AssociationTypeReference"},
        }
        status, made = self._do(who, "POST", "/associations", body)
        return made["id"] if status == 200 else multiple()

    @rule(who=WRITERS, association=associations)
    def dissociate(self, who: str, association: int) -> None:
        self._do(who, "DELETE", f"/associations/{association}")

    @rule(role=st.integers(1, 6), rights=st.sets(st.integers(0, 27)))
    def permit(self, role: int, rights: set[int]) -> None:
        path = f"/trackers/{DEMO_TRACKER_ID}/roles/{role}/permissions"
        body = {"permissions": [{"id": number} for number in sorted(rights)]}
        self._do("bond", "PUT", path, body)

    @invariant()
    def the_outline_holds_every_live_item_once(self) -> None:
        world = self._server.world
        for tracker in world.trackers.values():
            reached = []
            todo: list[tuple[int | None, int]] = [(None, n) for n in tracker.children]
            while todo:
                parent, number = todo.pop()
                item = world.items[number]
                assert (item.parent, item.tracker) == (parent, tracker.id)
                reached.append(number)
                todo += [(number, child) for child in item.children]
            live = {
                item.id
                for item in world.items.values()
                if item.tracker == tracker.id and not item.trashed
            }
            assert sorted(reached) == sorted(live)

    @invariant()
    def versions_rise_by_one_and_end_with_what_is(self) -> None:
        for item in self._server.world.items.values():
            versions = [one["version"] for one in item.history]
            assert versions == list(range(1, item.version + 1))
            assert item.history[-1]["values"] == item.values

    @invariant()
    def what_was_written_is_read(self) -> None:
        world = self._server.world
        for item, name in self._names.items():
            assert world.items[item].name == name

    @invariant()
    def everything_belongs_to_something(self) -> None:
        world = self._server.world
        for item in world.items.values():
            for number in item.comments:
                assert world.comments[number].id == number
            for number in item.attachments:
                assert world.attachments[number].id == number
        for lock in world.locks.values():
            assert lock.item in world.items

    @invariant()
    def a_saved_world_is_the_same_world(self) -> None:
        dumped = self._server.world.dump()
        assert World.load(dumped).dump() == dumped

    def teardown(self) -> None:
        """Whatever was done is in the file: another process would find it all."""
        try:
            copy = self._file.with_name("copy.jsonl")
            copy.write_bytes(self._file.read_bytes())
            other = Application(World.load(demo_world()))
            again = KeptWorld(copy, other)
            again.open()
            again.close()
            assert other.world.dump() == self._server.world.dump()
        finally:
            self._kept.close()
            self._folder.cleanup()


TestMachine = pytest.mark.filterwarnings("default")(Machine.TestCase)
TestMachine.settings = settings(
    max_examples=int(os.environ.get("CODEBEAMER_MACHINE_EXAMPLES", "6")),
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
