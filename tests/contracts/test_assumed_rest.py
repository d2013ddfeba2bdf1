"""Unknown 9 to 14, asked of a server: throttle, versions, limits, newer releases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.emulator.contract import load_contract
from tests.contracts.asking import SUMMARY, Answers, Ask, Make, rename
from tests.contracts.subject import Subject, emulated

# 9: the throttle


@pytest.mark.assumed(
    question=9,
    asks="Has a 429 Retry-After and retryAfterSecond, and each user a budget?",
    chosen=(True, True, True),
    needs="throttled other",
)
def test_q9_the_throttle(ask: Ask, subject: Subject, answers: Answers) -> None:
    with throttled(subject) as busy:
        for _ in range(200):
            said = busy.ask("getRoles")
            if said.status == 429:
                break
        else:
            pytest.skip("200 requests were not too many for this server")
        other = busy.ask("getRoles", who="other").status
    body = said.body if isinstance(said.body, dict) else {}
    header = "retry-after" in {name.lower() for name in said.headers}
    answers((header, "retryAfterSecond" in body, other != 429))


@contextlib.contextmanager
def throttled(subject: Subject) -> Iterator[Subject]:
    if subject.emulator is None:
        yield subject
        return
    with Emulator(world="demo", throttle="3/s") as server:
        yield emulated(server, subject.speaker)


# 10 and 11: versions and limits


@pytest.mark.assumed(
    question=10, asks="Is an old version in a whole-item PUT refused?", chosen=200
)
def test_q10_an_old_version(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    whole = ask("getTrackerItem", itemId=item).body
    assert rename(ask, item).status == 200
    body = {"name": "late", "version": whole["version"], "status": whole["status"]}
    answers(ask("updateTrackerItem", itemId=item, body=body).status)


@pytest.mark.assumed(
    question=11,
    asks="Which status has an atomic bulk update of which one entry fails?",
    chosen=400,
)
def test_q11_atomic_failures(ask: Ask, made: Make, answers: Answers) -> None:
    body = [
        {"itemId": made(), "fieldValues": [SUMMARY]},
        {"itemId": 2_000_000_000, "fieldValues": [SUMMARY]},
    ]
    answers(ask("bulkUpdateTrackerItemFields", atomic=True, body=body).status)


@pytest.mark.assumed(
    question=11, asks="Is a query of 20,000 characters too long?", chosen=200
)
def test_q11_long_queries(ask: Ask, subject: Subject, answers: Answers) -> None:
    ids = ", ".join(["1000000"] * 2_200)
    text = f"tracker.id IN ({subject.tracker}) AND item.id IN ({ids})"
    said = ask("findTrackerItemsByCbQL", body={"queryString": text})
    answers(said.status)


# 12: what a query sees, and when


@pytest.mark.assumed(
    question=12, asks="Does a query find items in the trash?", chosen=0
)
def test_q12_the_trash(
    ask: Ask, made: Make, subject: Subject, answers: Answers
) -> None:
    item = made()
    assert ask("deleteTrackerItem", itemId=item).status == 200
    text = f"tracker.id IN ({subject.tracker}) AND item.id = {item}"
    answers(ask("findTrackerItemsByCbQL", body={"queryString": text}).body["total"])


@pytest.mark.assumed(
    question=12,
    asks="Does changing the order below an item change its modifiedAt?",
    chosen=False,
)
def test_q12_the_order_of_children(ask: Ask, made: Make, answers: Answers) -> None:
    parent = made()
    one, two = made(parentItemId=parent), made(parentItemId=parent)
    before = ask("getTrackerItem", itemId=parent).body
    children = [{"id": item, "type": "TrackerItemReference"} for item in (two, one)]
    said = ask(
        "replaceChildrenOfTrackerItem", itemId=parent, body={"children": children}
    )
    assert said.status == 200, said.body
    after = ask("getTrackerItem", itemId=parent).body
    answers(after["modifiedAt"] != before["modifiedAt"])


@pytest.mark.assumed(
    question=12, asks="How many hours are its times ahead of UTC?", chosen=0
)
def test_q12_the_zone(ask: Ask, made: Make, answers: Answers) -> None:
    said = ask("getTrackerItem", itemId=made())
    theirs = datetime.fromisoformat(said.body["createdAt"]).replace(tzinfo=UTC)
    date = next(v for k, v in said.headers.items() if k.lower() == "date")
    seconds = (theirs - parsedate_to_datetime(date)).total_seconds()
    answers(round(seconds / 3600))


# 13 and 14: newer servers


def described(subject: Subject) -> set[str]:
    answer = requests.get(f"{subject.url}/api-docs/v3.json", timeout=60)
    answer.raise_for_status()
    return {
        operation["operationId"]
        for methods in answer.json()["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


@pytest.mark.assumed(
    question=13,
    asks="Does the server describe an audit of permissions, and which event types?",
    chosen=None,
    needs="url",
)
def test_q13_the_audit(subject: Subject, answers: Answers) -> None:
    text = requests.get(f"{subject.url}/api-docs/v3.json", timeout=60).json()
    found = {
        path: methods
        for path, methods in text["paths"].items()
        if path.endswith("/audit/permissions")
    }
    answers(found or None)


@pytest.mark.assumed(
    question=14,
    asks="Which operations does the server describe that 22.10 has not?",
    chosen=[],
)
def test_q14_operations_of_newer_servers(subject: Subject, answers: Answers) -> None:
    contract = load_contract()
    known = contract.operations.keys() | contract.unclaimed.keys()
    answers(sorted(described(subject) - known))
