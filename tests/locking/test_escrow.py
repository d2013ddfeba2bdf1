from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    EscrowError,
    OutcomeUnknownError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockState, Owner, choose_escrow, find_escrows

PUT = "updatePermission"


def taken(bench: Any, owner: Owner, **more: Any) -> list[str]:
    """Lock, and return the lines that went into escrow."""
    lines: list[str] = []
    bench.engine(escrow=lines.append, **more).acquire(bench.tracker, owner=owner)
    return lines


def writing(bench: Any) -> int:
    return sum(call["method"] == "PUT" for call in bench.server.calls())


def test_it_is_one_line_before_the_first_right_is_taken(bench, owner) -> None:
    before = bench.engine().parts.read(bench.tracker)
    when: list[tuple[int, LockState, str]] = []

    def note(line: str) -> None:
        lock = bench.engine().parts.store.find(bench.server.url, bench.tracker)
        when.append((writing(bench), lock.state, line))

    bench.engine(escrow=note).acquire(bench.tracker, owner=owner)
    [(puts, state, line)] = when
    assert (puts, state) == (0, LockState.GRANTED)
    assert "\n" not in line
    [escrow] = find_escrows(line, "the log")
    assert escrow.original.canonical() == before.canonical()
    assert (escrow.tracker_id, escrow.epoch, escrow.owner) == (
        bench.tracker,
        1,
        owner.key,
    )
    reduced = {role.name for role in escrow.roles if role.is_reduced}
    assert reduced == {"Writer 1", "Writer 2"}


def test_it_costs_no_request(make_bench, owner) -> None:
    plain, kept = make_bench(), make_bench()
    plain.engine(escrow=lambda line: None).acquire(plain.tracker, owner=owner)
    taken(kept, owner)
    assert len(plain.server.calls()) == len(kept.server.calls())


def test_a_task_log_has_it_without_being_asked(bench, owner) -> None:
    bench.engine(escrow=None).acquire(bench.tracker, owner=owner)
    assert find_escrows("\n".join(bench.said), "the log")


def test_it_is_written_again_when_what_must_come_back_has_changed(bench, owner) -> None:
    """Somebody edits a role between the snapshot and its turn."""
    role = bench.place.roles["Writer 2"]
    bench.server.add_fault(
        {
            "kind": "actor",
            "operation": PUT,
            "user": "generator",
            "nth": 1,
            "request": {
                "user": "root",
                "method": "PUT",
                "path": f"/v3/trackers/{bench.tracker}/roles/{role}/permissions",
                "body": {"permissions": [{"id": 0}, {"id": 3}]},
            },
        }
    )
    first, last = find_escrows("\n".join(taken(bench, owner)), "the log")
    assert first.original != last.original
    [role] = [role for role in last.roles if role.name == "Writer 2"]
    assert (role.original, role.locked) == (frozenset({0, 3}), frozenset({0}))


def test_who_goes_on_with_a_half_done_lock_writes_it_too(bench, owner) -> None:
    for nth in (1, 2, 3):
        bench.server.add_fault({"kind": "reset", "operation": PUT, "nth": nth})
    with pytest.raises(OutcomeUnknownError):
        taken(bench, owner)
    bench.server.clear_faults()
    [line] = taken(bench, owner)
    assert find_escrows(line, "the log")[0].epoch == 2


def test_a_lock_whose_escrow_cannot_be_written_takes_nothing(bench, owner) -> None:
    before = bench.permissions()

    def fail(line: str) -> None:
        raise ConfigurationError("--escrow", "the disk is full")

    with pytest.raises(ConfigurationError):
        bench.engine(escrow=fail).acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before
    assert writing(bench) == 0
    lock = bench.engine().parts.store.find(bench.server.url, bench.tracker)
    assert lock.state is LockState.FREE


def test_it_is_found_in_every_kind_of_log(bench, owner) -> None:
    [line] = taken(bench, owner)
    escrow = find_escrows(line, "it")[0]
    logs = {
        "alone": line,
        "plain": f"[2026-11-22, 08:00:00 UTC] {{lock.py:88}} INFO - {line}\nmore\n",
        "coloured": f"\x1b[34m2026 [info] {line} \x1b[0m",
        "json": json.dumps({"timestamp": "2026", "event": line, "level": "info"}),
        "nested": json.dumps({"log": json.dumps({"event": line})}),
        "page": json.dumps({"content": [{"event": "hello"}, {"event": line}]}),
        "parsed": json.dumps({"event": json.loads(line)}),
    }
    for kind, log in logs.items():
        text = f"codebeamer_escrow is a word here\n{log}\nlast line"
        assert find_escrows(text, kind) == [escrow], kind


def test_masked_names_do_no_harm_and_changed_rights_are_found(bench, owner) -> None:
    [line] = taken(bench, owner)
    assert find_escrows(line.replace("Writer", "***"), "it")
    data = json.loads(line)
    for change in (
        {"server": "https://elsewhere.example.com"},
        {"epoch": 9},
        {"roles": data["roles"][1:]},
    ):
        with pytest.raises(EscrowError, match="digest"):
            find_escrows(json.dumps({**data, **change}), "it")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line[:-40], "cut off"),
        (lambda line: line.replace('_escrow":1', '_escrow":2'), "format 2.*newer"),
        (lambda line: line.replace('"roles"', '"rules"'), "not whole"),
        (lambda line: "nothing here", "no line of it.*whole log"),
        (lambda line: "", "no line of it"),
    ],
)
def test_what_cannot_be_used_is_said(bench, owner, change, words: str) -> None:
    [line] = taken(bench, owner)
    with pytest.raises(EscrowError, match=words) as caught:
        find_escrows(change(line), "task.log")
    assert "task.log" in str(caught.value)


def test_the_last_of_one_tracker_counts(bench, owner, other) -> None:
    lines = taken(bench, owner)
    bench.engine().release(bench.tracker, owner_key=owner.key)
    bench.pass_time(minutes=1)
    lines += taken(bench, other)
    escrows = find_escrows("\n".join(reversed(lines)), "logs")
    chosen = choose_escrow(escrows, "logs", bench.server.url, None)
    assert (chosen.owner, chosen.epoch) == (other.key, 2)


def test_a_wrong_server_and_a_wrong_tracker_are_refused(bench, owner) -> None:
    escrows = find_escrows("\n".join(taken(bench, owner)), "it")
    with pytest.raises(EscrowError, match=r"this is https://other\.example\.com"):
        choose_escrow(escrows, "it", "https://other.example.com", None)
    with pytest.raises(EscrowError, match=f"is of tracker {bench.tracker}.*not of 1"):
        choose_escrow(escrows, "it", bench.server.url, TrackerId(1))


def test_of_several_trackers_one_must_be_named(bench, owner) -> None:
    [line] = taken(bench, owner)
    [first] = find_escrows(line, "it")
    second = type(first)(
        **{**vars(first), "tracker_id": TrackerId(first.tracker_id + 1)}
    )
    both = find_escrows(f"{line}\n{second.line()}", "it")
    with pytest.raises(EscrowError, match="say which one"):
        choose_escrow(both, "it", bench.server.url, None)
    assert choose_escrow(both, "it", bench.server.url, second.tracker_id) == second
