from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, Emulator

Ask = Callable[..., requests.Response]
TEXT = b"line one\r\nline two\n\x00\xff--end"


def file(
    name: str, content: bytes, part: str = "attachments", media: str = "text/plain"
) -> tuple[str, tuple[str, bytes, str]]:
    return part, (name, content, media)


@pytest.fixture
def upload(form: Ask, need: int) -> Callable[..., dict[str, Any]]:
    def send(user: str = "alice", name: str = "a.txt", content: bytes = TEXT) -> Any:
        answer = form(
            user, "POST", f"/items/{need}/attachments", {}, file(name, content)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()[0]

    return send


def test_an_uploaded_file_comes_back_byte_for_byte(
    ask: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    made = upload(name="crossReferences.csv")
    assert made["name"] == "crossReferences.csv"
    assert (made["size"], made["version"]) == (len(TEXT), 1)
    assert made["sha512"] == hashlib.sha512(TEXT).hexdigest()
    assert made["createdBy"]["name"] == made["modifiedBy"]["name"] == "alice"
    for path in (
        f"/attachments/{made['id']}",
        f"/items/{need}/attachments/{made['id']}",
    ):
        assert ask("bob", "GET", path).json() == made
        content = ask("bob", "GET", f"{path}/content")
        assert content.content == TEXT
        assert content.headers["Content-Type"] == "application/octet-stream"
        assert (
            'filename="crossReferences.csv"' in content.headers["Content-Disposition"]
        )


def test_several_files_come_in_one_form(form: Ask, ask: Ask, need: int) -> None:
    path = f"/items/{need}/attachments"
    names = ["übung.txt", 'a "quoted" name.txt', "../../etc/passwd"]
    sent = [file(name, name.encode()) for name in names]
    answer = form("alice", "POST", path, {}, *sent)
    assert len({entry["id"] for entry in answer.json()}) == 3
    shown = ask("alice", "GET", path).json()
    assert (shown["page"], shown["pageSize"], shown["total"]) == (1, 3, 3)
    assert [entry["size"] for entry in shown["attachments"]] == [
        len(name.encode()) for name in names
    ]
    assert shown["attachments"][0]["name"] == "übung.txt"
    found = ask("alice", "GET", path, fileName="QUOTED").json()
    assert (found["pageSize"], found["total"]) == (1, 1)


def test_what_is_no_such_form_is_refused(form: Ask, ask: Ask, need: int) -> None:
    path = f"/items/{need}/attachments"
    for answer in (
        ask("alice", "POST", path, {"attachments": "text"}),
        ask("alice", "POST", path),
        form("alice", "POST", path, {"attachments": "a text where a file goes"}),
        form("alice", "POST", path, {}, file("a", b"", part="attachment")),
        form("alice", "POST", path, {"comment": "not here"}, file("a", b"")),
        form("alice", "POST", path, {}),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.json()["resourceUri"] == path
    assert ask("alice", "GET", path).json()["total"] == 0


def test_new_content_is_a_revision_and_old_ones_come_back(
    ask: Ask, form: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    made = upload()
    by_item = f"/items/{need}/attachments/{made['id']}"
    by_id = f"/attachments/{made['id']}"
    new = file("other.txt", b"second", part="content")
    answer = form("alice", "PUT", f"{by_item}/content", {"description": "new"}, new)
    assert answer.json()["version"] == 2
    assert answer.json()["description"] == "new"
    assert answer.json()["name"] == "a.txt"
    answer = form("alice", "PUT", f"{by_id}/content", {"description": "newer"})
    assert (answer.json()["version"], answer.json()["size"]) == (3, 6)
    assert ask("bob", "GET", f"{by_id}/content").content == b"second"
    assert ask("bob", "GET", f"{by_id}/content", version=1).content == TEXT
    assert ask("bob", "GET", by_id, version=1).json() == made
    assert ask("bob", "GET", by_id, version=9).status_code == 404
    restored = ask("alice", "PUT", f"{by_id}/restore", version=1).json()
    assert (restored["version"], restored["sha512"]) == (4, made["sha512"])
    history = ask("bob", "GET", f"{by_id}/history", pageSize=2).json()
    assert (history["total"], history["pageSize"]) == (4, 2)
    assert [entry["version"] for entry in history["revisions"]] == [4, 3]


def test_rights_of_attachments(
    ask: Ask, form: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    path = f"/items/{need}/attachments"
    # bob has "edit own" only, alice too; the service account has "edit any".
    his = upload("bob")
    by_id = f"/attachments/{his['id']}"
    change = file("b", b"", part="content")
    assert form("alice", "PUT", f"{by_id}/content", {}, change).status_code == 403
    assert ask("alice", "DELETE", by_id).status_code == 403
    assert ask("alice", "DELETE", path).status_code == 403
    assert ask("bob", "DELETE", by_id).status_code == 200
    other = upload("bob")
    gone = ask("generator", "DELETE", f"{path}/{other['id']}")
    assert gone.json() == other
    assert ask("generator", "DELETE", f"{path}/{other['id']}").status_code == 404


def test_without_the_rights_nothing_is_seen_or_added(
    ask: Ask, form: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    made = upload()
    role = next(
        entry["role"]["id"]
        for entry in ask(
            "bond", "GET", f"/trackers/{DEMO_STAKEHOLDER_ID}/permissions"
        ).json()
        if entry["role"]["name"] == "Tester"
    )
    only_view = {"permissions": [{"id": 0}, {"id": 2}]}
    where = f"/trackers/{DEMO_STAKEHOLDER_ID}/roles/{role}/permissions"
    assert ask("bond", "PUT", where, only_view).status_code == 200
    path = f"/items/{need}/attachments"
    sent = file("b", b"")
    assert ask("bob", "GET", path).status_code == 403
    assert ask("bob", "GET", f"/attachments/{made['id']}/content").status_code == 403
    assert ask("bob", "GET", f"{path}/content").status_code == 403
    assert form("bob", "POST", path, {}, sent).status_code == 403
    assert ask("bob", "GET", f"/items/{need}").status_code == 200


def test_a_locked_item_keeps_its_files(
    ask: Ask, form: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    made = upload()
    path = f"/items/{need}/attachments"
    assert ask("generator", "PUT", f"/items/{need}/lock", {"hard": True}).ok
    change = file("b", b"", part="content")
    assert form("alice", "POST", path, {}, file("b", b"")).status_code == 423
    assert ask("alice", "DELETE", f"{path}/{made['id']}").status_code == 423
    assert ask("alice", "DELETE", path).status_code == 423
    answer = form("alice", "PUT", f"{path}/{made['id']}/content", {}, change)
    assert answer.status_code == 423
    # Operations without the item in their path document no 423.
    assert ask("alice", "DELETE", f"/attachments/{made['id']}").status_code == 403
    assert ask("alice", "GET", f"{path}/{made['id']}").json() == made
    assert ask("generator", "DELETE", path).status_code == 200


def test_archives_hold_what_is_asked_for(
    ask: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    one = upload(name="a.txt", content=b"one")
    two = upload(name="b.csv", content=b"two")
    answer = ask("bob", "GET", f"/items/{need}/attachments/content")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"{one['id']}_a.txt", f"{two['id']}_b.csv"]
        assert archive.read(f"{two['id']}_b.csv") == b"two"
    wanted: dict[str, Any] = {
        "items": [{"id": need, "type": "TrackerItemReference"}],
        "extensions": ["CSV"],
    }
    for exclude, name in ((False, "b.csv"), (True, "a.txt")):
        body = {**wanted, "excludeFilter": exclude}
        answer = ask("bob", "POST", "/items/attachments/content", body)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            (path,) = archive.namelist()
            assert path.startswith(f"{need}/")
            assert path.endswith(f"_{name}")


def test_a_group_goes_or_stays_with_its_files(ask: Ask, form: Ask, need: int) -> None:
    comments = f"/items/{need}/comments"
    said = form(
        "alice", "POST", comments, {"comment": "see"}, file("a", b"1"), file("b", b"2")
    ).json()
    first, second = (entry["id"] for entry in said["attachments"])
    path = f"/items/{need}/attachments"
    assert ask("alice", "DELETE", f"{path}/{first}").ok
    (left,) = ask("alice", "GET", comments).json()
    assert [entry["id"] for entry in left["attachments"]] == [second]
    answer = ask("alice", "DELETE", f"{path}/{second}", deleteAttachmentGroup="true")
    assert answer.ok
    assert ask("alice", "GET", comments).json() == []


@pytest.mark.parametrize("makes_version", [False, True])
def test_whether_files_make_versions_is_a_switch(
    ask: Ask,
    server: Emulator,
    upload: Callable[..., dict[str, Any]],
    need: int,
    makes_version: bool,
) -> None:
    server.assume(attaching_makes_version=makes_version)
    before = ask("alice", "GET", f"/items/{need}").json()["version"]
    upload()
    after = ask("alice", "GET", f"/items/{need}").json()["version"]
    assert after - before == int(makes_version)


def test_files_survive_in_the_saved_world(
    server: Emulator, ask: Ask, upload: Callable[..., dict[str, Any]], need: int
) -> None:
    made = upload()
    saved = server.world()
    ask("alice", "DELETE", f"/attachments/{made['id']}")
    server.load_world(saved)
    assert ask("bob", "GET", f"/attachments/{made['id']}/content").content == TEXT
    saved["attachments"][0]["comment"] = 99
    with pytest.raises(Exception, match="no 99 among its comments"):
        server.load_world(saved)


def test_a_group_without_text_goes_with_its_last_file(
    ask: Ask, form: Ask, server: Emulator, need: int
) -> None:
    path = f"/items/{need}/attachments"
    sent = form("alice", "POST", path, {}, file("a", b"1"), file("b", b"2")).json()
    for left, made in zip((1, 0), sent, strict=True):
        assert ask("alice", "DELETE", f"{path}/{made['id']}").ok
        assert len(server.world()["comments"]) == left
