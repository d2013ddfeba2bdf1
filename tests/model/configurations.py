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
