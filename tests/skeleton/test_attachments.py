from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    BadRequestError,
    DocumentError,
    PlanConflictError,
    SkeletonError,
    VerificationError,
)
from airflow_codebeamer.models import Attachment
from airflow_codebeamer.skeleton import Application, load_document
from airflow_codebeamer.skeleton.attachments import holds


class Attached:
    """Documents with files, applied as under a lock, and what hangs there."""

    def __init__(self, rig: Any, folder: Path) -> None:
        self.rig = rig
        self.folder = folder

    def file(self, name: str, content: bytes = b"1") -> dict[str, Any]:
        path = self.folder / name
        path.write_bytes(content)
        return {"path": str(path)}

    def apply(self, *items: dict[str, Any], **more: Any) -> Any:
        rig = self.rig
        run = rig.run()
        application = Application(
            rig.client,
            rig.journal,
            rig.runs,
            clock=rig.clock,
            settle_seconds=0.0,
            say=lambda _: None,
            progress=lambda _: None,
        )
        document = rig.document(*items, **more)
        rig.server.clear_calls()
        planned = application.prepare(document, rig.tracker_id)
        if not planned.is_empty:
            planned = application.prepare(document, rig.tracker_id, planned)
            application.carry_out(planned, run, lambda: None)
        self.requests = len(rig.server.calls())
        return run

    def files(self) -> list[tuple[str, str, int]]:
        """Return name, digest and version of every file."""
        return sorted(
            (one["name"], one["revisions"][-1]["sha512"], len(one["revisions"]))
            for one in self.rig.server.world()["attachments"]
            if one["item"] in {item["id"] for item in self.rig.state()}
        )

    def sent(self) -> list[tuple[str, str]]:
        return [one for one in self.rig.writes() if "attachments" in one[1]]

    def theirs(self, name: str, content: bytes) -> None:
        """Have somebody else hang a file on the item A."""
        world = self.rig.server.world()
        number = self.rig.item("A")["id"]
        world["counters"] |= {"comment": 3900, "attachment": 5900}
        moment = "2026-01-01T00:00:00.000"
        author = next(u["id"] for u in world["users"] if u["name"] == "bond")
        revision = {
            "media": "text/plain",
            "size": len(content),
            "sha512": digest(content),
            "content": "eA==",
            "description": "",
            "format": "PlainText",
            "version": 1,
            "at": moment,
            "by": author,
            "summary": "created",
        }
        world["comments"].append(
            {
                "id": 3899,
                "item": number,
                "text": "",
                "created_at": moment,
                "created_by": author,
                "modified_at": moment,
                "modified_by": author,
            }
        )
        world["attachments"].append(
            {
                "id": 5899,
                "item": number,
                "comment": 3899,
                "name": name,
                "revisions": [revision],
            }
        )
        item = next(one for one in world["items"] if one["id"] == number)
        item["comments"].append(3899)
        item["attachments"].append(5899)
        self.rig.server.load_world(world)


def digest(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


@pytest.fixture
def attached(rig: Any, tmp_path: Path) -> Attached:
    folder = tmp_path / "files"
    folder.mkdir()
    return Attached(rig, folder)


def item(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": "A", "name": "A", "attachments": list(files), **more}


def test_a_file_is_sent_once(attached):
    document = item(attached.file("a.dbc", b"one"))
    attached.apply(document)
    assert attached.files() == [("a.dbc", digest(b"one"), 1)]
    # Schema, items, look; item and file; items and files read back.
    assert attached.requests == 2 + 1 + 2 + 2
    attached.apply(document)
    assert attached.sent() == []
    assert attached.requests == 2 + 1
    contents = [c for c in attached.rig.server.calls() if "content" in c["path"]]
    assert contents == []


def test_another_content_is_a_new_version_and_other_files_stay(attached):
    attached.apply(item(attached.file("a.txt", b"1"), attached.file("b.txt", b"2")))
    attached.apply(item(attached.file("a.txt", b"3")))
    assert attached.files() == [
        ("a.txt", digest(b"3"), 2),
        ("b.txt", digest(b"2"), 1),
    ]


def test_the_name_may_be_another_than_the_files(attached):
    file = attached.file("a.txt") | {"name": "Übersicht.txt", "sha512": digest(b"1")}
    attached.apply(item(file))
    assert attached.files() == [("Übersicht.txt", digest(b"1"), 1)]


def test_a_document_without_files_asks_for_none(attached):
    attached.apply(item(attached.file("a.txt")))
    attached.apply(item())
    assert not [c for c in attached.rig.server.calls() if "attachments" in c["path"]]
    assert len(attached.files()) == 1


def test_the_plan_names_files_and_what_the_look_costs(attached):
    rig = attached.rig
    attached.apply(item(attached.file("a.txt")))
    document = rig.document(
        item(attached.file("a.txt", b"22"), attached.file("b.txt", b"333"))
    )
    plan = rig.plan(document)
    assert "2 files to attach" in plan.text()
    assert "~ A: 'a.txt', 2 bytes" in plan.text()
    assert "+ A: 'b.txt', 3 bytes" in plan.text()
    assert plan.costs == (
        "1 items name attachments: a look at them takes as many requests",
    )
    assert str(attached.folder) not in json.dumps(plan.to_json())


def test_paths_begin_in_the_folder_of_the_document(attached, monkeypatch):
    attached.file("a.txt")
    head = {"owner": "test", "target": {"tracker": attached.rig.tracker_id}}
    line = item({"path": "a.txt"})
    for name, text in (
        ("one.json", json.dumps({**head, "items": [line]})),
        ("one.jsonl", f"{json.dumps(head)}\n{json.dumps(line)}\n"),
    ):
        path = attached.folder / name
        path.write_text(text)
        document = load_document(path)
        assert document.items[0].attachments[0].path == str(attached.folder / "a.txt")
    monkeypatch.chdir(attached.folder)
    assert attached.rig.plan(attached.rig.document(line)).attaches
    given = load_document({**head, "items": [line]}, folder=Path("/other"))
    assert given.items[0].attachments[0].path == "/other/a.txt"


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    [
        ({"path": "none.txt"}, "[0].path", "cannot be read: No such file"),
        ({"path": "/"}, "[0].path", "cannot be read: Is a directory"),
        ({"name": "x"}, "[0].path", "the property 'path' is missing"),
        ({"path": "a.txt", "name": "a/b"}, "[0].name", "must be a file's name"),
        ({"path": "a.txt", "name": ""}, "[0].name", "must not be empty"),
        ({"path": "a.txt", "sha512": "0" * 128}, "[0].sha512", "another SHA-512"),
        ({"path": "a.txt", "sha512": "0"}, "[0].sha512", "128 hexadecimal digits"),
        ({"path": "a.txt", "pth": "x"}, "[0].pth", "did you mean 'path'?"),
    ],
)
def test_files_that_are_not_there_are_refused(
    attached, monkeypatch, given, path, problem
):
    attached.file("a.txt")
    monkeypatch.chdir(attached.folder)
    with pytest.raises(DocumentError) as caught:
        attached.rig.plan(attached.rig.document(item(given)))
    assert caught.value.path == f"items[0].attachments{path}"
    assert problem in caught.value.problem
    assert attached.rig.writes() == []


def test_two_files_of_one_name_are_refused(attached):
    file = attached.file("a.txt")
    with pytest.raises(DocumentError, match=r"another file is named 'a.txt' too"):
        attached.rig.plan(attached.rig.document(item(file, file)))


def test_a_file_above_the_limit_is_refused_before_anything_is_changed(attached):
    file = attached.file("a.bin", bytes(2**20 + 1))
    policy = {"largest_attachment_mib": 1}
    with pytest.raises(DocumentError, match=r"largest_attachment_mib is 1"):
        attached.apply(item(file), policy=policy)
    assert attached.rig.writes() == []
    attached.apply(item(file), policy={"largest_attachment_mib": None})
    assert len(attached.files()) == 1


@pytest.mark.parametrize("what", ["changed", "removed"])
def test_a_file_that_changes_after_the_plan_stops_the_run(attached, what):
    rig = attached.rig
    plan = rig.plan(rig.document(item(attached.file("a.txt"))))
    path = attached.folder / "a.txt"
    if what == "changed":
        path.write_bytes(b"other")
    else:
        path.unlink()
    with pytest.raises(SkeletonError, match=r"a\.txt"):
        rig.apply(plan)
    assert attached.files() == []


def test_what_somebody_else_put_there_is_a_conflict(attached):
    attached.apply(item())
    attached.theirs("a.txt", b"theirs")
    document = item(attached.file("a.txt"))
    with pytest.raises(PlanConflictError, match=r"attachment 'a.txt' is another"):
        attached.apply(document)
    attached.apply(document, policy={"foreign_edit": "keep"})
    assert attached.files() == [("a.txt", digest(b"theirs"), 1)]
    attached.apply(document, policy={"foreign_edit": "overwrite"})
    assert attached.files() == [("a.txt", digest(b"1"), 2)]


def test_a_lost_answer_sends_no_second_file(attached):
    attached.rig.server.add_fault(
        {"kind": "drop_answer", "operation": "uploadTrackerItemAttachment", "nth": 1}
    )
    attached.apply(item(attached.file("a.txt")))
    assert len(attached.files()) == 1
    attached.rig.server.add_fault(
        {"kind": "drop_answer", "operation": "updateAttachmentOfTrackerItem", "nth": 1}
    )
    attached.apply(item(attached.file("a.txt", b"2")))
    assert attached.files() == [("a.txt", digest(b"2"), 2)]


def test_a_file_that_the_server_lost_is_a_finding(attached):
    attached.rig.server.add_fault(
        {
            "kind": "actor",
            "operation": "getTrackerItemAttachments",
            "phase": "before",
            "request": {
                "user": "bond",
                "method": "DELETE",
                "path": "/v3/attachments/5001",
            },
        }
    )
    with pytest.raises(VerificationError, match=r"'a.txt' is missing or another"):
        attached.apply(item(attached.file("a.txt")))


def test_a_refused_file_fails_the_run(attached):
    attached.rig.server.add_fault(
        {"kind": "status", "operation": "uploadTrackerItemAttachment", "status": 400}
    )
    with pytest.raises(BadRequestError) as caught:
        attached.apply(item(attached.file("a.txt")))
    assert "while attaching 'a.txt' to 'A'" in str(caught.value.__notes__)


def test_a_rollback_removes_and_puts_back(attached):
    attached.apply(item(attached.file("a.txt", b"old"), attached.file("c.txt", b"c")))
    attached.theirs("b.txt", b"2")
    before = attached.files()
    run = attached.apply(
        item(attached.file("a.txt", b"new"), attached.file("n.txt", b"n"))
    )
    kinds = [entry.kind for entry in attached.rig.journal.list_entries(run.run_id)]
    assert kinds == ["plan", "attach", "attach"]
    text = str(attached.rig.journal.list_entries(run.run_id))
    assert "files/a.txt" not in text
    report = attached.rig.roll_back(run)
    assert report.left == ()
    assert len(report.undone) == 2
    # What was replaced has its old content as one more version.
    assert [one[:2] for one in attached.files()] == [one[:2] for one in before]
    assert attached.files()[0][2] == 3


def test_a_rollback_leaves_what_somebody_changed_later(attached):
    attached.apply(item(attached.file("a.txt", b"old")))
    run = attached.apply(item(attached.file("a.txt", b"new")))
    world = attached.rig.server.world()
    world["attachments"][0]["revisions"][-1]["sha512"] = digest(b"theirs")
    attached.rig.server.load_world(world)
    report = attached.rig.roll_back(run)
    assert "attachment 'a.txt' was changed later" in report.left[0]


def test_a_file_that_is_gone_cannot_be_put_back(attached):
    attached.apply(item(attached.file("a.txt", b"old")))
    run = attached.apply(item(attached.file("a.txt", b"new")))
    number = attached.rig.server.world()["attachments"][0]["id"]
    path = f"/v3/attachments/{number}"
    assert attached.rig.server.act("bond", "DELETE", path) == 200
    report = attached.rig.roll_back(run)
    assert "attachment 'a.txt' is not there any more" in report.left[0]


def test_a_server_without_digests_tells_files_apart_by_their_size():
    plain = Attachment(id=1, name="a.txt", size=2)
    assert holds(plain, 2, digest(b"22"))
    assert not holds(plain, 3, digest(b"333"))
    assert not holds(Attachment(id=1, size=2, sha512="0"), 2, digest(b"22"))
