"""What is searched: clean configurations, and seeded faults that have to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Configuration:
    """One search: what may happen, and whether an error has to be found."""

    name: str
    what: str
    defines: Sequence[str]
    seeded: bool = False
    cycles: bool = False
    is_big: bool = False
    model: str = "lock"


def _happens(**counts: int) -> list[str]:
    given = {"RUNS": 1, "CRASHES": 0, "EXPIRIES": 0, "SILENT": 0, "EDITS": 0, **counts}
    return [f"{name}={count}" for name, count in given.items()]


QUICK = Configuration(
    "quick",
    "1 run; 1 crash, 1 lease that runs out under a living holder, 1 lost answer",
    _happens(CRASHES=1, EXPIRIES=1, SILENT=1),
)

CLEAN = (
    QUICK,
    Configuration(
        "edit-and-crash",
        "1 run; 1 crash, 1 lost answer, 1 edit by the administrator",
        _happens(CRASHES=1, SILENT=1, EDITS=1),
    ),
    Configuration(
        "edit-and-expiry",
        "1 run; 1 lease that runs out, 1 lost answer, 1 edit",
        _happens(EXPIRIES=1, SILENT=1, EDITS=1),
    ),
    Configuration(
        "two-runs",
        "2 runs; 1 crash, 1 edit",
        _happens(RUNS=2, CRASHES=1, EDITS=1),
    ),
    Configuration(
        "three-runs",
        "3 runs; 2 crashes, 1 lease that runs out",
        _happens(RUNS=3, CRASHES=2, EXPIRIES=1),
        is_big=True,
    ),
    Configuration(
        "break",
        "1 run; 1 crash, 1 lease that runs out, 1 break by an operator, 1 lost answer",
        _happens(CRASHES=1, EXPIRIES=1, SILENT=1, BREAKS=1),
    ),
    Configuration(
        "retry-beside",
        "2 tries of one owner beside each other; 1 crash, 1 lost answer",
        [*_happens(RUNS=1, CRASHES=1, SILENT=1, TRIES=1), "SAME"],
    ),
    Configuration(
        "everything",
        "1 run; 1 crash, 1 lease that runs out, 1 lost answer, 1 edit, 1 break",
        _happens(CRASHES=1, EXPIRIES=1, SILENT=1, EDITS=1, BREAKS=1),
        is_big=True,
    ),
    Configuration(
        "everything-twice",
        "2 runs; 1 crash, 1 lease that runs out, 1 edit",
        _happens(RUNS=2, CRASHES=1, EXPIRIES=1, EDITS=1),
        is_big=True,
    ),
    Configuration(
        "late",
        "1 run; the lock delay does not hold; 1 crash, 1 lease that runs out, "
        "1 lost answer: permissions only",
        [*_happens(CRASHES=1, EXPIRIES=1, SILENT=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "late-and-edit",
        "1 run; the lock delay does not hold; 1 crash, 1 lost answer, 1 edit: "
        "permissions only",
        [*_happens(CRASHES=1, SILENT=1, EDITS=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "late-and-next",
        "2 runs; the lock delay does not hold; 1 crash, 1 lost answer, 1 edit: "
        "permissions only",
        [*_happens(RUNS=2, CRASHES=1, SILENT=1, EDITS=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "no-idle-cycle",
        "1 run; 1 crash, 1 lost answer: no cycle without progress",
        _happens(CRASHES=1, SILENT=1),
        cycles=True,
    ),
)

SEEDED = (
    Configuration(
        "late-exclusivity",
        "the lock delay does not hold, and exclusivity is asked for all the same",
        [*_happens(RUNS=2, CRASHES=1, EXPIRIES=1), "LATE"],
        seeded=True,
    ),
    Configuration(
        "no-scrub",
        "the lock delay does not hold, and nobody looks for late requests",
        [*_happens(CRASHES=1), "LATE", "NOEXCL", "NOSCRUB"],
        seeded=True,
    ),
    *(
        Configuration(bug.lower(), what, [*defines, f"BUG_{bug}"], seeded=True)
        for bug, what, defines in (
            (
                "REQUEST_FIRST",
                "the request leaves before its intent is committed",
                _happens(CRASHES=1),
            ),
            (
                "NO_FENCE",
                "nobody asks whether the lock is still his",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "BREAK_FREES",
                "a break frees the record and leaves the permissions",
                _happens(BREAKS=1),
            ),
            (
                "NO_LOCK_DELAY",
                "a lock is taken over while requests of its holder are under way",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "NO_AMENDMENT",
                "what an administrator grants while a role is reduced is not kept",
                _happens(CRASHES=1, SILENT=1, EDITS=1),
            ),
            (
                "MOVING_BASE",
                "the base of the merge is the value that was sent last",
                _happens(SILENT=1, EDITS=1),
            ),
            (
                "TRUSTS_SILENCE",
                "a request without an answer is taken for done",
                _happens(SILENT=1),
            ),
            (
                "NEW_SNAPSHOT",
                "who goes on with a half-taken lock writes new originals down",
                _happens(CRASHES=1),
            ),
            (
                "BLIND_RESTORE",
                "the originals are put back without a merge",
                _happens(EDITS=1),
            ),
            (
                "FREE_FIRST",
                "the record is freed before the restore",
                _happens(CRASHES=1),
            ),
            (
                "HOLDS_UNFENCED",
                "the lock is called held without asking whose it is",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "NO_DRAIN",
                "the tracker is freed while a request may still land",
                [*_happens(SILENT=1), "NOSCRUB"],
            ),
            (
                "WHOLE_ECHO_ONLY",
                "a late request is not put right where somebody took more on top",
                _happens(CRASHES=1, SILENT=1, EDITS=1),
            ),
            (
                "FORGETS_OLD_REQUESTS",
                "a new lock forgets the unanswered requests of the one before",
                [*_happens(RUNS=2, CRASHES=1), "LATE", "NOEXCL"],
            ),
        )
    ),
)


def _queue(name: str, what: str, *defines: str, cycles: bool = False) -> Configuration:
    return Configuration(f"queue-{name}", what, defines, cycles=cycles, model="queue")


QUICK_QUEUE = _queue(
    "one-round",
    "3 waiters; 1 who dies",
    "ROUNDS=1",
    "DEATHS=1",
)

QUEUE = (
    QUICK_QUEUE,
    _queue("two-rounds", "3 waiters that come twice, with either of two priorities"),
    _queue(
        "one-priority",
        "3 waiters that come twice, with one priority: nobody is ever passed",
        "ONE_PRIORITY",
    ),
    _queue(
        "deaths",
        "3 waiters; 2 who die, 1 who comes back",
        *("ROUNDS=1", "DEATHS=2", "BACK=1"),
    ),
    _queue(
        "misses",
        "3 waiters; 3 offers that come too early for a slow task",
        *("ROUNDS=1", "MISSES=3"),
    ),
    _queue(
        "lapses",
        "3 waiters; 2 who are not seen for a while, 1 missed offer",
        *("ROUNDS=1", "LAPSES=2", "MISSES=1"),
    ),
    _queue(
        "no-idle-cycle",
        "3 waiters; 1 who dies and comes back, 1 missed offer: no cycle without "
        "progress",
        *("ROUNDS=1", "DEATHS=1", "BACK=1", "MISSES=1"),
        cycles=True,
    ),
)

QUEUE_SEEDED = tuple(
    Configuration(
        f"queue-{bug.lower()}", what, [f"BUG_{bug}", *defines], True, model="queue"
    )
    for bug, what, defines in (
        (
            "ONE_AFTER_THE_OTHER",
            "who wants two trackers takes one and waits for the other",
            (),
        ),
        (
            "SETS_DO_NOT_BLOCK",
            "who wants one tracker goes before those that wait for two",
            (),
        ),
        ("GRANT_ASKS_NOBODY", "a free tracker goes to whoever asks", ()),
        ("NO_AGEING", "a higher priority always goes first", ()),
        ("DEAD_BLOCK", "a dead waiter keeps its turn", ["DEATHS=1"]),
        ("OFFER_FOR_EVER", "an offer has no end", ["DEATHS=1"]),
    )
)
