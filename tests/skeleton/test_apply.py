from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import (
    DocumentError,
    LockLostError,
    ServerError,
    SkeletonError,
)
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.models import FieldValue, NewItem
from airflow_codebeamer.skeleton import read_again, read_snapshot, verify


def item(key: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", "children": list(children), **more}


TREE = (
    item("A", item("A1", item("A1a"), item("A1b")), item("A2"), type="Folder"),
    item("B", item("B1"), type="Folder"),
)
TREE_NAMES = ["NA", "  NA1", "    NA1a", "    NA1b", "  NA2", "NB", "  NB1"]


def create_by_hand(rig, name: str, parent: int | None = None, key: str = "") -> int:
    """Create an item as the administrator would, with a key if wanted."""
    body: dict[str, Any] = {"name": name}
    if key:
        body["customFields"] = [
            {"fieldId": 10001, "type": "TextFieldValue", "value": key}
        ]
    where = f"?parentItemId={parent}" if parent else ""
    path = f"/v3/trackers/{rig.tracker_id}/items{where}"
    assert rig.server.act("bond", "POST", path, body) == 200
    return max(found["id"] for found in rig.server.items(rig.tracker_id))


def test_creates_a_tree_with_one_request_an_item(rig):
    applied = rig.apply(rig.document(*TREE))

    assert rig.tree() == TREE_NAMES
    assert [method for method, _ in rig.writes()] == ["POST"] * 7
    assert set(applied.created) == {"A", "A1", "A1a", "A1b", "A2", "B", "B1"}
    assert rig.custom("NA1a")["External ID"] == "A1a"
    assert [c["name"] for c in rig.item("NA")["categories"]] == ["Folder"]


def test_a_second_run_finds_nothing_and_writes_nothing(rig):
    document = rig.document(*TREE)
    rig.apply(document)
    rig.server.clear_calls()

    again = rig.plan(document)

    assert again.is_empty
    assert again.counts["unchanged"] == 7
    assert again.requests == 0
    assert len(rig.server.calls()) == 2
    assert rig.apply(again).created == {}
    assert len(rig.server.calls()) == 2


def test_reads_with_one_request_for_each_500_items(rig):
    items = [{"key": f"{n}", "name": f"{n}"} for n in range(501)]
    document = rig.document(*items)
    rig.apply(document)
    rig.server.clear_calls()

    assert rig.plan(document).is_empty
    assert len(rig.server.calls()) == 3
    assert rig.tree() == [f"{n}" for n in range(501)]


def test_new_siblings_go_where_the_document_has_them(rig):
    rig.apply(rig.document(item("A", item("1"), item("4")), item("Z")))
    rig.server.clear_calls()

    rig.apply(
        rig.document(
            item("0"),
            item(
                "A", item("0a"), item("1"), item("2"), item("3"), item("4"), item("5")
            ),
            item("Z"),
            item("ZZ"),
        )
    )

    assert rig.tree() == [
        "N0",
        "NA",
        "  N0a",
        "  N1",
        "  N2",
        "  N3",
        "  N4",
        "  N5",
        "NZ",
        "NZZ",
    ]
    assert [method for method, _ in rig.writes()] == ["POST"] * 6


def test_foreign_items_are_never_touched_and_keep_their_places(rig):
    folder = create_by_hand(rig, "Foreign folder")
    create_by_hand(rig, "Foreign child", folder)
    rig.apply(rig.document(item("A"), item("B")))
    create_by_hand(rig, "Foreign last")
    before = {i["id"]: i for i in rig.state() if i["name"].startswith("Foreign")}

    rig.apply(rig.document(item("B"), item("A"), item("C")))

    assert rig.tree() == [
        "Foreign folder",
        "  Foreign child",
        "NB",
        "NA",
        "NC",
        "Foreign last",
    ]
    after = {i["id"]: i for i in rig.state() if i["name"].startswith("Foreign")}
    for number, found in after.items():
        assert found | {"ordinal": 0} == before[number] | {"ordinal": 0}


def test_a_newcomer_among_strangers_names_the_last_of_them(rig):
    create_by_hand(rig, "Foreign")
    last = create_by_hand(rig, "Foreign last")

    for order in ("strict", "append"):
        (first, second) = rig.plan(
            rig.document(item("A"), item("B"), policy={"order": order})
        ).creates
        assert (first.reference, first.position) == (last, "AFTER")
        assert (second.reference, second.position) == ("A", "AFTER")


def test_a_move_behind_a_new_sibling_needs_no_reordering(rig):
    rig.apply(rig.document(item("P", item("A"), item("Z")), item("M")))
    rig.server.clear_calls()

    rig.apply(rig.document(item("P", item("A"), item("New"), item("M"), item("Z"))))

    assert rig.tree() == ["NP", "  NA", "  NNew", "  NM", "  NZ"]
    assert [method for method, _ in rig.writes()] == ["POST", "PATCH"]


def test_moves_in_a_row_need_no_reordering(rig):
    rig.apply(rig.document(item("P", item("Z")), *(item(key) for key in "ABC")))
    rig.server.clear_calls()

    rig.apply(rig.document(item("P", *(item(key) for key in "BACZ"))))

    assert rig.tree() == ["NP", "  NB", "  NA", "  NC", "  NZ"]
    assert [method for method, _ in rig.writes()] == ["PATCH"] * 3


def test_a_wrong_order_costs_one_request_for_its_parent(rig):
    rig.apply(rig.document(*(item(key) for key in "ABCDE")))
    rig.server.clear_calls()

    wanted = rig.plan(rig.document(*(item(key) for key in "EABDC")))
    rig.apply(wanted)

    assert wanted.counts["reordered"] == 1
    assert rig.tree() == ["NE", "NA", "NB", "ND", "NC"]
    assert [method for method, _ in rig.writes()] == ["PUT"]


def test_order_append_adds_at_the_end_and_moves_nothing(rig):
    rig.apply(rig.document(item("B"), item("C")))
    rig.server.clear_calls()

    rig.apply(
        rig.document(
            item("A"), item("C"), item("B"), item("D"), policy={"order": "append"}
        )
    )

    assert rig.tree() == ["NB", "NC", "NA", "ND"]
    assert [method for method, _ in rig.writes()] == ["POST", "POST"]


def test_order_ignore_names_no_sibling(rig):
    wanted = rig.plan(rig.document(item("A"), item("B"), policy={"order": "ignore"}))

    assert [create.reference for create in wanted.creates] == [None, None]
    rig.apply(wanted)
    assert sorted(rig.tree()) == ["NA", "NB"]


def test_moves_items_also_below_new_ones_and_turns_parents_round(rig):
    rig.apply(rig.document(item("X", item("Y", item("Z"))), item("F", item("1"))))
    rig.server.clear_calls()
    document = rig.document(
        item("Y", item("X", item("1"))), item("N", item("Z"), item("F"))
    )

    wanted = rig.plan(document)
    rig.apply(wanted)

    assert rig.tree() == ["NY", "  NX", "    N1", "NN", "  NZ", "  NF"]
    assert rig.plan(document).is_empty
    methods = [method for method, _ in rig.writes()]
    assert methods.count("POST") == 1
    assert methods.count("PATCH") == wanted.counts["moved"] == 5
    assert len(methods) + 2 == wanted.requests


def test_updates_send_only_what_differs_in_chunks_of_100(rig):
    items = [
        {"key": f"{n}", "name": f"{n}", "fields": {"Unit": "V", "Length": 8}}
        for n in range(101)
    ]
    rig.apply(rig.document(*items))
    rig.server.clear_calls()
    for entry in items:
        entry["fields"] = {"Unit": "A", "Length": 8}
    document = rig.document(*items)

    wanted = rig.plan(document)
    rig.apply(wanted)

    assert {len(update.changes) for update in wanted.updates} == {1}
    assert rig.writes() == [("PUT", "/items/fields")] * 2
    assert rig.custom("100") == {"External ID": "100", "Unit": "A", "Length": 8}
    assert wanted.requests == 4


def test_every_supported_kind_of_field_is_written_and_read_back(rig):
    values = {
        "Unit": "km/h",
        "Rationale": {"wiki": "__why__\r\nnot"},
        "Length": 8,
        "Factor": 0.0078125,
        "Offset": -40,
        "Signed": False,
        "ASIL": "C",
        "Start Date": "2026-01-31",
        "Priority": "High",
        "Type": ["Requirement", "Interface"],
    }
    document = rig.document(
        {"key": "A", "name": "A", "fields": values, "description": {"wiki": "!1 T"}},
        {"key": "B", "name": "B", "description": "[plain]", "seed": values},
    )
    rig.apply(document)

    for name in "AB":
        custom = rig.custom(name)
        assert custom["ASIL"] == ["C"]
        assert custom["Factor"] == 0.0078125
        assert custom["Offset"] == -40
        assert custom["Signed"] is False
        assert custom["Rationale"] == "__why__\r\nnot"
        shown = rig.item(name)
        assert shown["startDate"].startswith("2026-01-31T00:00:00")
        assert shown["priority"]["name"] == "High"
        assert {c["name"] for c in shown["categories"]} == {"Requirement", "Interface"}
    assert rig.item("A")["descriptionFormat"] == "Wiki"
    assert rig.item("B")["descriptionFormat"] == "PlainText"
    assert rig.plan(document).is_empty

    changed = {
        "Unit": None,
        "Rationale": {"html": "<b>x</b>"},
        "Length": 9,
        "Factor": 1,
        "Signed": True,
        "ASIL": "D",
        "Start Date": "2026-02-01T10:30:00",
        "Priority": None,
        "Type": ["Information"],
    }
    second = rig.document({"key": "A", "name": "A2", "fields": changed})
    rig.apply(second)
    assert rig.plan(second).is_empty
    custom = rig.custom("A2")
    assert not custom.get("Unit")
    assert custom["ASIL"] == ["D"]
    assert custom["Rationale"] == "[{Html\n\n<b>x</b>\n}]"
    assert "priority" not in rig.item("A2")
    assert rig.item("A2")["startDate"].startswith("2026-02-01T10:30:00")


def test_numbers_and_choices_can_be_emptied(rig):
    rig.apply(rig.document({"key": "A", "name": "A", "fields": {"Length": 1}}))
    document = rig.document(
        {"key": "A", "name": "A", "fields": {"Length": None, "ASIL": None}}
    )
    rig.apply(document)

    assert "Length" not in rig.custom("A")
    assert rig.plan(document).is_empty


def test_a_creation_does_not_send_empty_values(rig):
    fields = {"Length": None, "Unit": "", "ASIL": None, "Signed": False, "Factor": 0}
    wanted = rig.plan(rig.document(item("A", fields=fields)))

    (create,) = wanted.creates
    sent = create.new_item(wanted.snapshot.wishes.shapes).request()
    names = {entry["name"] for entry in sent["customFields"]}
    assert names == {"External ID", "Signed", "Factor"}


def test_seeded_values_belong_to_the_users_afterwards(rig):
    rig.apply(rig.document({"key": "A", "name": "A", "seed": {"Unit": "V"}}))

    assert rig.plan(
        rig.document({"key": "A", "name": "A", "seed": {"Unit": "A"}})
    ).is_empty
    assert rig.custom("A")["Unit"] == "V"


def test_progress_and_journal_tell_the_whole_run(rig):
    seen = []
    run = rig.run()
    rig.apply(rig.document(*TREE), run=run, progress=seen.append)

    assert [(p.phase, p.done, p.total) for p in seen] == [
        ("create", n, 7) for n in range(1, 8)
    ]
    entries = rig.journal.list_entries(run.run_id)
    assert [entry.kind for entry in entries] == ["plan"] + ["create"] * 7
    assert not any(entry.is_open for entry in entries)
    assert rig.runs.find_run(run.run_id).state is RunState.APPLYING


def test_outcomes_reach_the_journal_while_the_run_goes_on(rig):
    run, finished = rig.run(), []

    def guard() -> None:
        entries = rig.journal.list_entries(run.run_id)
        finished.append(sum(not entry.is_open for entry in entries))

    rig.apply(rig.document(*(item(f"{n}") for n in range(60))), run=run, guard=guard)
    assert set(finished) == {0, 50}


def test_intents_are_in_the_journal_before_the_first_write(rig):
    run = rig.run()
    kinds = []

    def guard() -> None:
        if not kinds:
            kinds.extend(e.kind for e in rig.journal.list_entries(run.run_id))
            assert rig.calls("POST")[-1]["path"].endswith("/query")

    rig.apply(rig.document(item("A"), item("B")), run=run, guard=guard)
    assert kinds == ["plan", "create", "create"]


def test_the_guard_is_asked_before_each_write_and_stops_all_chains(rig):
    wide = [item(f"F{n}", *(item(f"F{n}-{m}") for m in range(5))) for n in range(8)]
    allowed = threading.Semaphore(20)

    def guard() -> None:
        if not allowed.acquire(blocking=False):
            raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

    run = rig.run()
    with pytest.raises(LockLostError):
        rig.apply(rig.document(*wide), run=run, guard=guard)

    written = len(rig.calls("POST")) - 1
    assert 1 <= written <= 20
    assert len(rig.server.items(rig.tracker_id)) == written
    open_entries = rig.journal.list_entries(run.run_id, open_only=True)
    assert len(open_entries) == 1 + 48 - written


def test_an_error_of_the_server_stops_it_and_names_the_item(rig):
    rig.server.add_fault(
        {"kind": "status", "operation": "write", "status": 400, "nth": 3}
    )

    with pytest.raises(Exception, match="told to fail") as caught:
        rig.apply(rig.document(*(item(key) for key in "ABCDE")))

    assert rig.tree() == ["NA", "NB"]
    assert any("'C'" in note for note in caught.value.__notes__)


def test_a_locked_item_of_a_bulk_update_is_named_and_alone_not_changed(rig):
    rig.apply(rig.document(item("A"), item("B")))
    wanted = rig.plan(
        rig.document({"key": "A", "name": "A!"}, {"key": "B", "name": "B!"})
    )
    locked = rig.item("NB")["id"]
    path = f"/v3/items/{locked}/lock"
    assert rig.server.act("bond", "PUT", path, {"hard": True}) == 200

    with pytest.raises(SkeletonError, match=f"B \\(item {locked}\\): .*editing it\\.$"):
        rig.apply(wanted)
    assert rig.tree() == ["A!", "NB"]


def _small(rig):
    """A document that needs each kind of write: creates, update, move, order."""
    rig.apply(
        rig.document(item("P"), item("U"), item("Q", item("M")), item("O1"), item("O2"))
    )
    rig.server.clear_calls()
    return rig.document(
        item("P", item("C1", item("C2"), item("C3")), item("C4")),
        item("U", fields={"Unit": "V"}),
        item("Q"),
        item("C5"),
        item("O2", item("M")),
        item("O1", fields={"Length": 3}),
    )


SMALL_TREE = [
    "NP",
    "  NC1",
    "    NC2",
    "    NC3",
    "  NC4",
    "NU",
    "NQ",
    "NC5",
    "NO2",
    "  NM",
    "NO1",
]


def test_the_small_document_has_that_many_writes(rig):
    rig.apply(_small(rig))

    assert rig.tree() == SMALL_TREE
    assert [m for m, _ in rig.writes()] == ["POST"] * 5 + ["PUT", "PATCH", "PUT"]


@pytest.mark.parametrize("kind", ["drop_answer", "reset", "status"])
@pytest.mark.parametrize("nth", range(1, 9))
def test_any_single_lost_answer_leaves_exactly_the_wanted_items(rig, kind, nth):
    document = _small(rig)
    wanted = rig.plan(document)
    rig.server.add_fault(
        {"kind": kind, "operation": "write", "nth": nth, "status": 500, "times": 1}
    )

    rig.apply(wanted)

    assert [fault["met"] for fault in rig.server.faults()] == [1]
    assert rig.tree() == SMALL_TREE
    snapshot = read_snapshot(rig.client, rig.tracker_id, document)
    assert verify(wanted, snapshot) == []
    assert rig.plan(document).is_empty


def test_a_lost_answer_is_looked_for_before_it_is_sent_again(rig):
    rig.server.add_fault({"kind": "drop_answer", "operation": "write", "nth": 1})

    rig.apply(rig.document(item("A")))

    assert len(rig.writes()) == 1
    assert rig.clock.monotonic() == 0


def test_a_request_that_never_took_effect_waits_and_is_repeated(rig):
    rig.server.add_fault(
        {"kind": "status", "operation": "write", "nth": 1, "status": 500}
    )

    rig.apply(rig.document(item("A")))

    assert len(rig.writes()) == 2
    assert rig.clock.monotonic() == 15


def test_a_server_that_keeps_failing_is_given_up(rig):
    rig.server.add_fault({"kind": "status", "operation": "write", "status": 500})

    with pytest.raises(ServerError):
        rig.apply(rig.document(item("A")))
    assert len(rig.writes()) == 3


def test_a_late_twin_of_a_repeated_creation_goes_to_the_trash(rig):
    """The first request takes effect after we gave up on it."""
    rig.server.add_fault(
        {"kind": "status", "operation": "createTrackerItem", "nth": 1, "status": 500}
    )
    twin = NewItem(
        "NA",
        {},
        (FieldValue(field_id=10001, type="TextFieldValue", value="A"),),
    )
    seen = []

    def late(progress: Any) -> None:
        if not seen:
            seen.append(rig.client.items.create_item(rig.tracker_id, twin).id)

    applied = rig.apply(rig.document(item("A", item("B"))), progress=late)

    assert list(applied.trashed) == seen
    assert rig.tree() == ["NA", "  NB"]


def test_a_resumed_apply_finds_what_a_killed_one_created(rig):
    document = rig.document(*TREE)
    allowed = threading.Semaphore(4)

    def guard() -> None:
        if not allowed.acquire(blocking=False):
            raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

    with pytest.raises(LockLostError):
        rig.apply(document, guard=guard)
    half = len(rig.tree())
    rig.server.clear_calls()
    rig.apply(document)

    assert 0 < half < 7
    assert len(rig.writes()) == 7 - half
    assert rig.tree() == TREE_NAMES


def test_duplicate_keys_in_the_tracker_are_refused_or_the_oldest_taken(rig):
    first = create_by_hand(rig, "one", key="K")
    second = create_by_hand(rig, "two", key="K")

    with pytest.raises(DocumentError, match=rf"'K' .*\({first}, {second}\)"):
        rig.plan(rig.document({"key": "K", "name": "K"}))

    assert rig.plan(rig.document()).is_empty
    policy = {"foreign_edit": "overwrite"}
    wanted = rig.plan(
        rig.document(
            {"key": "K", "name": "K"}, identity={"duplicates": "first"}, policy=policy
        )
    )
    assert [update.item_id for update in wanted.updates] == [first]


def test_verify_names_each_difference(rig):
    document = rig.document(
        item("A", item("A1"), fields={"Unit": "V"}), item("B"), item("C")
    )
    wanted = rig.plan(document)
    rig.apply(wanted)
    again = read_again(rig.client, wanted.snapshot)
    assert verify(wanted, again) == []
    assert len(rig.calls("GET")) == 1

    first, child = rig.item("NA")["id"], rig.item("NA1")["id"]
    third = rig.item("NC")["id"]
    values = [{"fieldId": 10002, "type": "TextFieldValue", "value": "mV"}]
    act = rig.server.act
    assert (
        act("bond", "PUT", f"/v3/items/{first}/fields", {"fieldValues": values}) == 200
    )
    place = {"itemReference": {"id": child}, "index": 0}
    path = f"/v3/trackers/{rig.tracker_id}/children?mode=INSERT"
    assert act("bond", "PATCH", path, place) == 200
    assert act("bond", "DELETE", f"/v3/items/{third}") == 200

    findings = verify(document, read_again(rig.client, wanted.snapshot))
    assert findings == [
        "C is missing",
        f"A (item {first}): Unit is 'mV', should be 'V'",
        f"A1 (item {child}) is below another parent",
    ]


def test_verify_finds_second_items_with_a_key(rig):
    document = rig.document(item("A"))
    wanted = rig.plan(document)
    rig.apply(wanted)
    second = create_by_hand(rig, "Copy", key="A")

    again = read_again(rig.client, wanted.snapshot)
    assert verify(wanted, again) == [f"A stands in further items: {second}"]


def test_verify_sees_what_a_new_item_was_not_seeded_with(rig):
    document = rig.document({"key": "A", "name": "A", "seed": {"Unit": "V"}})
    wanted = rig.plan(document)
    applied = rig.apply(wanted)
    values = [{"fieldId": 10002, "type": "TextFieldValue", "value": "mV"}]
    path = f"/v3/items/{applied.created['A']}/fields"
    assert rig.server.act("bond", "PUT", path, {"fieldValues": values}) == 200

    again = read_again(rig.client, wanted.snapshot)
    assert verify(document, again) == []
    assert verify(wanted, again) == [
        f"A (item {applied.created['A']}): Unit is 'mV', was seeded with 'V'"
    ]


def test_threads_that_wait_for_their_turn_send_nothing_under_a_lost_lock(rig):
    settings = rig.client.settings.model_copy(update={"requests_per_second": 1.0})
    with Client(settings, clock=rig.clock) as slow:
        rig.client = slow
        wanted = rig.plan(rig.document(*(item(str(n)) for n in range(3)), *TREE))
        begun = rig.clock.monotonic()

        def guard() -> None:
            if rig.clock.monotonic() > begun + 3:
                raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

        with pytest.raises(LockLostError):
            rig.apply(wanted, guard=guard)

    assert 1 <= len(rig.writes()) <= 3


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        ("POST", [item("A", item("A1")), item("B"), item("C")]),
        ("PUT", [item("A", item("A1"), fields={"Unit": "V"}), item("B")]),
        ("PATCH", [item("A"), item("B", item("A1"))]),
        ("PUT", [item("B"), item("A", item("A1"))]),
    ],
    ids=["create", "update", "move", "order"],
)
def test_a_write_that_waits_under_a_lost_lock_is_not_sent(rig, method, changed):
    rig.apply(rig.document(item("A", item("A1")), item("B")))
    before, wanted = rig.state(), rig.plan(rig.document(*changed))
    rig.server.clear_calls()
    rig.server.add_fault(
        {
            "kind": "status",
            "status": 429,
            "operation": "write",
            "seconds": 20,
            "times": 1,
        }
    )
    begun = rig.clock.monotonic()

    def guard() -> None:
        if rig.clock.monotonic() > begun + 10:
            raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

    with pytest.raises(LockLostError):
        rig.apply(wanted, guard=guard)

    assert rig.state() == before
    assert {name for name, _ in rig.writes()} == {method}
