"""Unknown 1 to 4, asked of a server: locks.

Somebody with a server runs the files `test_assumed_*` first. Each test does the
harmless thing that shows the answer, in one tracker, and cleans up. On the
emulator the same tests hold it to what its list of differences says.
"""

from __future__ import annotations

import pytest

from tests.contracts.asking import SUMMARY, Answers, Ask, Make, lock, rename

# 1: the tracker lock of the page


@pytest.mark.assumed(
    question=1,
    asks="What does a write to a tracker that is locked in the page answer?",
    chosen=None,
    needs="url ui-locked-tracker",
)
def test_q1_a_tracker_that_a_person_locked(
    ask: Ask, answers: Answers, request: pytest.FixtureRequest
) -> None:
    tracker = int(request.config.getoption("--codebeamer-ui-locked-tracker"))
    said = ask("createTrackerItem", trackerId=tracker, body={"name": "Contract suite"})
    answers({"status": said.status, "body": said.body})


# 2: the item lock


@pytest.mark.assumed(
    question=2,
    asks="Is a lock without hard and duration one that ends by itself?",
    chosen=True,
)
def test_q2_a_lock_without_words(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    assert lock(ask, item).status == 200
    answers(ask("checkTrackerItemLock", itemId=item).body["expires"])


@pytest.mark.assumed(
    question=2,
    asks="Which notations of a duration are taken?",
    chosen=["1:30h", "90m", "2h", "1d", "1d 2h"],
)
def test_q2_notations_of_time(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    taken = []
    for text in ("1:30h", "90m", "2h", "1d", "1d 2h", "1:30", "90", "PT1H", "1w"):
        if lock(ask, item, hard=False, duration=text).status == 200:
            taken.append(text)
    answers(taken)


@pytest.mark.assumed(
    question=2,
    asks="Does locking again by the owner turn a hard lock into a soft one?",
    chosen=True,
)
def test_q2_locking_again(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    lock(ask, item, hard=True)
    again = lock(ask, item, hard=False, duration="1h")
    shown = ask("checkTrackerItemLock", itemId=item).body
    answers(again.status == 200 and shown["expires"])


@pytest.mark.assumed(
    question=2,
    asks="May a system administrator release a lock that is not his?",
    chosen=200,
    needs="admin",
)
def test_q2_an_administrator_releases(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    lock(ask, item, hard=True)
    answers(ask("unlockTrackerItem", who="admin", itemId=item).status)


@pytest.mark.assumed(
    question=2, asks="Does a hard lock outlast its owner's own write?", chosen=True
)
def test_q2_a_lock_outlasts_a_write(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    lock(ask, item, hard=True)
    assert rename(ask, item).status == 200
    answers(bool(ask("checkTrackerItemLock", itemId=item).body))


@pytest.mark.assumed(
    question=2,
    asks="What do the refusals say, 423 of a write and 403 of a lock?",
    chosen=[
        (423, "Tracker item is locked."),
        (403, "Could not acquire lock"),
        (403, "Could not unlock"),
    ],
    needs="other",
)
def test_q2_what_refusals_say(ask: Ask, made: Make, answers: Answers) -> None:
    item = made()
    lock(ask, item, hard=True)
    refusals = [
        rename(ask, item, who="other"),
        lock(ask, item, who="other", hard=True),
        ask("unlockTrackerItem", who="other", itemId=item),
    ]
    answers([(said.status, said.message) for said in refusals])


# 3: what an item lock stops


@pytest.mark.assumed(
    question=3,
    asks="Does somebody else's item lock stop the bulk update of that item?",
    chosen=[1, 1],
    needs="other",
)
def test_q3_bulk_update(ask: Ask, made: Make, answers: Answers) -> None:
    items = [made(), made()]
    lock(ask, items[0], hard=True)
    body = [{"itemId": item, "fieldValues": [SUMMARY]} for item in items]
    said = ask("bulkUpdateTrackerItemFields", who="other", atomic=False, body=body)
    assert said.status == 200, said.body
    failed = said.body.get("failedOperations") or []
    answers([said.body["successfulOperationsCount"], len(failed)])


@pytest.mark.assumed(
    question=3,
    asks="Does an item lock stop a new item from being put before the locked one?",
    chosen=200,
    needs="other",
)
def test_q3_neighbours(ask: Ask, made: Make, answers: Answers) -> None:
    parent = made()
    item = made(parentItemId=parent)
    lock(ask, item, hard=True)
    said = ask(
        "createTrackerItem",
        who="other",
        trackerId=ask("getTrackerItem", itemId=item).body["tracker"]["id"],
        body={"name": "Neighbour"},
        parentItemId=parent,
        referenceItemId=item,
        position="BEFORE",
    )
    if said.status == 200:
        ask("deleteTrackerItem", who="other", itemId=said.body["id"])
    answers(said.status)


@pytest.mark.assumed(
    question=3,
    asks="Does an item lock stop others from deleting the item above it?",
    chosen=200,
    needs="other",
)
def test_q3_deleting_the_parent(ask: Ask, made: Make, answers: Answers) -> None:
    parent = made(who="other")
    item = made(parentItemId=parent)
    lock(ask, item, hard=True)
    answers(ask("deleteTrackerItem", itemId=parent).status)


# 4: before 22.04


@pytest.mark.assumed(
    question=4,
    asks="What does a server before 22.04 answer to a write of a locked item?",
    chosen=None,
    needs="url other release",
)
def test_q4_old_servers(
    ask: Ask, made: Make, answers: Answers, request: pytest.FixtureRequest
) -> None:
    release = str(request.config.getoption("--codebeamer-release"))
    if release >= "22.04":
        pytest.skip(f"{release} is not before 22.04: the question is about 21.09")
    item = made()
    lock(ask, item, hard=True)
    answers(rename(ask, item, who="other").status)
