from __future__ import annotations

from collections.abc import Callable

import requests

from airflow_codebeamer.emulator import Emulator

Ask = Callable[..., requests.Response]


def test_a_comment_is_there_for_all_who_may_see(ask: Ask, form: Ask, need: int) -> None:
    path = f"/items/{need}/comments"
    said = form(
        "alice", "POST", path, {"comment": "__why?__", "commentFormat": "Wiki"}
    ).json()
    assert (said["comment"], said["commentFormat"]) == ("__why?__", "Wiki")
    assert said["createdBy"]["name"] == "alice"
    assert said["version"] == 1
    assert ask("bob", "GET", f"{path}/{said['id']}").json() == said
    assert ask("bob", "GET", path).json() == [said]
    item = ask("bob", "GET", f"/items/{need}").json()
    assert item["comments"] == [{"id": said["id"], "type": "CommentReference"}]
    plain = form("bob", "POST", path, {"comment": "because"}).json()
    assert plain["commentFormat"] == "PlainText"


def test_answers_name_what_they_answer_and_go_with_it(
    ask: Ask, form: Ask, need: int
) -> None:
    path = f"/items/{need}/comments"
    said = form("alice", "POST", path, {"comment": "one"}).json()
    reply = form("bob", "POST", f"{path}/{said['id']}", {"comment": "two"}).json()
    assert reply["parent"] == {"id": said["id"], "type": "CommentReference"}
    assert form("bob", "POST", f"{path}/1", {"comment": "x"}).status_code == 404
    gone = ask("alice", "DELETE", f"{path}/{said['id']}")
    assert gone.json() == said
    assert ask("alice", "GET", path).json() == []
    assert ask("alice", "GET", f"{path}/{reply['id']}").status_code == 404


def test_editing_raises_the_version_and_keeps_the_author(
    ask: Ask, form: Ask, need: int
) -> None:
    path = f"/items/{need}/comments"
    said = form("alice", "POST", path, {"comment": "one"}).json()
    edited = form(
        "generator",
        "PUT",
        f"{path}/{said['id']}",
        {"comment": "two"},
        ("attachments", ("a.txt", b"1", "text/plain")),
    ).json()
    assert (edited["comment"], edited["version"]) == ("two", 2)
    assert edited["createdBy"]["name"] == "alice"
    assert edited["modifiedBy"]["name"] == "generator"
    assert [entry["name"] for entry in edited["attachments"]] == ["a.txt"]
    assert ask("bob", "GET", f"{path}/{said['id']}").json() == edited


def test_a_comment_needs_a_text(ask: Ask, form: Ask, need: int) -> None:
    path = f"/items/{need}/comments"
    for answer in (
        form("alice", "POST", path, {}, ("attachments", ("a", b"", "text/plain"))),
        form("alice", "POST", path, {"comment": ""}),
        form("alice", "POST", path, {"comment": "a", "commentFormat": "Word"}),
        form("alice", "POST", path, {"comment": "a", "colour": "red"}),
        ask("alice", "POST", path, {"comment": "as JSON"}),
    ):
        assert answer.status_code == 400, answer.text
    assert ask("alice", "GET", path).json() == []


def test_others_comments_need_the_right_for_any(ask: Ask, form: Ask, need: int) -> None:
    path = f"/items/{need}/comments"
    his = form("bob", "POST", path, {"comment": "his"}).json()
    one = f"{path}/{his['id']}"
    assert form("alice", "PUT", one, {"comment": "hers"}).status_code == 403
    assert ask("alice", "DELETE", one).status_code == 403
    assert ask("alice", "DELETE", path).status_code == 403
    assert form("bob", "PUT", one, {"comment": "his still"}).status_code == 200
    assert ask("generator", "DELETE", path).status_code == 200
    assert ask("bob", "GET", path).json() == []


def test_a_locked_item_takes_no_comments(ask: Ask, form: Ask, need: int) -> None:
    path = f"/items/{need}/comments"
    said = form("alice", "POST", path, {"comment": "one"}).json()
    one = f"{path}/{said['id']}"
    assert ask("generator", "PUT", f"/items/{need}/lock", {"hard": True}).ok
    assert form("alice", "POST", path, {"comment": "two"}).status_code == 423
    assert form("alice", "POST", one, {"comment": "two"}).status_code == 423
    assert form("alice", "PUT", one, {"comment": "two"}).status_code == 423
    assert ask("alice", "DELETE", one).status_code == 423
    assert ask("alice", "DELETE", path).status_code == 423
    assert ask("alice", "GET", path).json() == [said]
    assert form("generator", "POST", path, {"comment": "mine"}).status_code == 200


def test_a_part_cannot_come_twice(server: Emulator, ask: Ask, need: int) -> None:
    path = f"/items/{need}/comments"
    answer = requests.post(
        f"{server.url}/api/v3{path}",
        files=[("comment", (None, "one")), ("comment", (None, "two"))],
        auth=("alice", "alice"),
        timeout=20,
    )
    assert answer.status_code == 400
    assert "twice" in answer.json()["message"]
    assert ask("alice", "GET", path).json() == []
