"""What programs do beside the fields: comments, links, files, other trackers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import GeneratorFailedError
from airflow_codebeamer.generator import Program
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.wiring import Codebeamer
from tests.generator.speak import SERVER, SPEAK

TRACKER = TrackerId(DEMO_TRACKER_ID)

FORM = """
def form(method, path, part, name, content, **fields):
    password = open(os.environ["CB_PASSWORD_FILE"]).read()
    pair = f"{os.environ['CB_USERNAME']}:{password}".encode()
    lines = []
    for key, value in fields.items():
        lines += ["--x", f'Content-Disposition: form-data; name="{key}"', "", value]
    if part:
        lines += ["--x", f'Content-Disposition: form-data; name="{part}"; '
                  f'filename="{name}"', "Content-Type: text/plain", "", content]
    body = "\\r\\n".join([*lines, "--x--", ""]).encode()
    request = urllib.request.Request(
        os.environ["CB_URL"] + "/api/v3" + path, method=method, data=body,
        headers={"Authorization": "Basic " + base64.b64encode(pair).decode(),
                 "Content-Type": "multipart/form-data; boundary=x"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())
old = {one["name"]: one["id"] for one in items()}
def link(start, end):
    ends = [{"id": n, "type": "TrackerItemReference"} for n in (start, end)]
    return ask("POST", "/associations", {"from": ends[0], "to": ends[1],
        "type": {"id": 1, "type": "AssociationTypeReference"}})["id"]
"""

#: One thing of each kind beside the fields.
EVERYTHING = """
form("POST", f"/items/{old['One']}/comments", "", "", "", comment="Generated")
link(old["One"], old["Two"])
new = create("New")
link(old["Two"], new)
form("POST", f"/items/{old['One']}/attachments", "attachments", "new.txt", "new")
form("PUT", f"/items/{old['One']}/attachments/%d/content", "content", "a.txt", "2")
form("POST", f"/items/{new}/attachments", "attachments", "own.txt", "own")
"""


class Scene:
    """A locked tracker with a comment, a link and a file of ours."""

    def __init__(self, codebeamer: Codebeamer, server: Emulator, folder: Path) -> None:
        self.codebeamer = codebeamer
        self.server = server
        self.folder = folder
        attached = folder / "a.txt"
        attached.write_text("1")

        def before() -> Any:
            files = [{"path": str(attached)}]
            links = [{"to": {"ref": "2"}, "type": "related"}]
            yield {"key": "1", "name": "One", "attachments": files}
            yield {"key": "2", "name": "Two"}
            yield {"key": "3", "name": "Three", "associations": links}

        lock = codebeamer.engine.acquire(TRACKER, owner=Owner("before"))
        codebeamer.runner.apply(before, {}, TRACKER, lock, run_key="before")
        codebeamer.engine.release(TRACKER, owner_key="before")
        (file,) = server.world()["attachments"]
        self.file: int = file["id"]
        self.lock: Lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))

    def run(self, text: str, **more: Any) -> Any:
        path = self.folder / "delegate.py"
        path.write_text(SPEAK + SERVER + FORM + text)
        command = (sys.executable, "-S", str(path))
        program = Program(command=command, kind="delegate", name="exporter", **more)
        return self.codebeamer.runner.apply(
            program, {}, TRACKER, self.lock, run_key="dag/run"
        )

    def fails(self, text: str, **more: Any) -> str:
        """Return what the failed run's error says of it."""
        with pytest.raises(GeneratorFailedError) as caught:
            self.run(f"{text}\nsys.exit(65)", **more)
        return "\n".join(caught.value.__notes__)

    def beside(self) -> list[Any]:
        """What hangs on the items that are not in the trash, and their links."""
        world = self.server.world()
        there = {item["id"] for item in self.server.items(DEMO_TRACKER_ID)}
        return [
            sorted(c["text"] for c in world["comments"] if c["item"] in there),
            sorted(
                (one["start"], one["end"])
                for one in world["associations"]
                if {one["start"], one["end"]} <= there
            ),
            sorted(
                (one["name"], one["revisions"][-1]["sha512"])
                for one in world["attachments"]
                if one["item"] in there
            ),
        ]


@pytest.fixture
def scene(codebeamer: Codebeamer, server: Emulator, tmp_path: Path) -> Scene:
    return Scene(codebeamer, server, tmp_path)


def test_all_that_it_added_goes_when_it_fails(scene: Scene) -> None:
    before = scene.beside()
    said = scene.fails(EVERYTHING % scene.file)
    assert scene.beside() == before
    assert "6 changes undone, nothing is left of it" in said


def test_it_stays_when_it_ends_well_and_is_told(scene: Scene) -> None:
    before = scene.beside()
    summary = scene.run(EVERYTHING % scene.file + 'say("result")')
    assert scene.beside() != before
    assert summary.created == 1


def test_it_stays_and_is_listed_at_the_level_of_a_report(scene: Scene) -> None:
    before = scene.beside()
    said = scene.fails(EVERYTHING % scene.file, on_failure="report")
    assert scene.beside() != before
    words = "Written, and not undone, as the document says: "
    lines = [line.removeprefix(words) for line in said.splitlines()]
    assert len(lines) == 6
    for wanted in (
        "('New')",
        "+ comment",
        "+ association",
        "'new.txt'",
        "~ attachment",
    ):
        assert any(wanted in line for line in lines), wanted


@pytest.mark.parametrize("level", ["none", "keep"])
def test_it_stays_without_a_word_at_the_level_none(scene: Scene, level: str) -> None:
    before = scene.beside()
    said = scene.fails(EVERYTHING % scene.file, on_failure=level)
    assert scene.beside() != before
    assert "What was written stays" in said


def test_what_is_gone_beside_the_fields_is_listed(scene: Scene) -> None:
    said = scene.fails(
        f"""
path = f"/items/{{old['One']}}/attachments/{scene.file}"
ask("DELETE", path)
found = ask("GET", f"/items/{{old['Three']}}/relations")["outgoingAssociations"]
ask("DELETE", f"/associations/{{found[0]['id']}}")
"""
    )
    assert f"attachment {scene.file} is gone, and nobody can bring it back" in said
    assert "is gone, and its type is not known any more" in said
    assert "2 could not be undone" in said


def test_a_comment_that_is_gone_is_listed(scene: Scene) -> None:
    text = 'form("POST", f"/items/{old[\'One\']}/comments", "", "", "", comment="C")'
    scene.run(text + '\nsay("result")')
    (comment,) = (c for c in scene.server.world()["comments"] if c["text"])
    text = f'ask("DELETE", f"/items/{{old[\'One\']}}/comments/{comment["id"]}")'
    assert f"comment {comment['id']} is gone" in scene.fails(text)


def test_a_baseline_stays_and_is_listed(scene: Scene) -> None:
    said = scene.fails(
        """
project = ask("GET", f"/trackers/{tracker}")["project"]
ask("POST", "/baselines", {"name": "Of the run", "project": project,
    "tracker": {"id": int(tracker), "type": "TrackerReference"}})
"""
    )
    assert "('Of the run') was made, and stays" in said


def test_what_it_did_in_other_trackers_is_listed(
    scene: Scene, server: Emulator, make_tracker: Callable[[], int]
) -> None:
    other = make_tracker()
    text = f'ask("POST", "/trackers/{other}/items", {{"name": "Outside"}})'
    said = scene.fails(text)
    assert (
        f"('Outside' in tracker {other}) was changed meanwhile by our account" in said
    )


@pytest.fixture
def make_tracker(server: Emulator) -> Callable[[], int]:
    """Return a function that adds a tracker where the generator may write, too."""

    def make() -> int:
        world = server.world()
        tracker = next(t for t in world["trackers"] if t["id"] == DEMO_TRACKER_ID)
        new = {**tracker, "id": 2999, "name": "Other", "key": "OTH", "children": []}
        roles = [r["id"] for r in world["roles"] if r["name"] == "Generator"]
        new["permissions"] = {str(roles[0]): tracker["permissions"][str(roles[0])]}
        world["trackers"].append(new)
        server.load_world(world)
        return 2999

    return make


def test_what_other_people_add_is_theirs(
    scene: Scene, server: Emulator, tmp_path: Path
) -> None:
    before = scene.beside()
    secret = tmp_path / "bond"
    secret.write_text("bond")
    # The program writes as somebody else, past the relay.
    said = scene.fails(
        f"""
old = {{one["name"]: one["id"] for one in items()}}
link(old["One"], old["Two"])
os.environ.update(CB_URL={server.url!r}, CB_USERNAME="bond",
    CB_PASSWORD_FILE={str(secret)!r})
form("POST", f"/items/{{old['One']}}/comments", "", "", "", comment="Theirs")
link(old["Two"], old["One"])
"""
    )
    after = scene.beside()
    assert after[0] == [*before[0], "Theirs"]
    assert len(after[1]) == len(before[1]) + 1
    assert "1 changes undone, nothing is left of it" in said


def test_what_the_account_may_not_see_is_told(scene: Scene, server: Emulator) -> None:
    server.add_fault(
        {"kind": "status", "operation": "getTrackerBaselines", "status": 403}
    )
    said = scene.fails('rename(old["One"], "Renamed")')
    assert "what it did to baselines this account may not see" in said
