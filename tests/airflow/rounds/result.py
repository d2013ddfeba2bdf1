"""What rounds came to: kept as JSON, batch by batch, and a section of the docs page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from tests.airflow.rounds.play import Played
from tests.airflow.rounds.record import Record

__all__ = ["MEASURED", "keep", "section", "summary"]

MEASURED = Path(__file__).parent / "measured.json"


def summary(
    seed: int, played: Sequence[Played], record: Record, seconds: float
) -> dict[str, Any]:
    """Return a batch in numbers."""
    free = sorted(one.free_seconds for one in played if one.free_seconds is not None)
    faults = Counter(one.round.fault for one in played if not one.missed)
    findings = [
        f"round {one.round.number}: {finding}"
        for one in played
        for finding in one.findings
    ]
    return {
        "on": date.today().isoformat(),  # noqa: DTZ011 -- a day for people
        "seed": seed,
        "first": min((one.round.number for one in played), default=0),
        "rounds": len(played),
        "missed": sum(bool(one.missed) for one in played),
        "runs": sum(one.round.runs for one in played),
        "states": dict(Counter(state for one in played for state in one.states)),
        "seconds": round(seconds),
        "free_seconds": free,
        "faults": dict(sorted(faults.items())),
        "record": {k: v for k, v in asdict(record).items() if k != "findings"},
        "findings": findings + record.findings,
    }


def keep(batch: dict[str, Any]) -> None:
    """Add a batch to what is kept."""
    kept = load()
    kept.append(batch)
    lines = ",\n".join(f" {json.dumps(one)}" for one in kept)
    MEASURED.write_text(f"[\n{lines}\n]\n", "utf-8")


def load() -> list[dict[str, Any]]:
    """Return the batches that are kept."""
    if not MEASURED.exists():
        return []
    found: list[dict[str, Any]] = json.loads(MEASURED.read_text("utf-8"))
    return found


def section() -> str:
    """Return the section of the docs page; empty before the first batch."""
    kept = load()
    return "".join(_section(kept)) if kept else ""


def _section(kept: Sequence[dict[str, Any]]) -> Iterator[str]:
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    states: Counter[str] = Counter()
    free: list[float] = []
    findings: list[str] = []
    for batch in kept:
        for name in ("rounds", "missed", "runs"):
            total[name] += batch[name]
        for name in ("writes", "undone", "holds", "late"):
            total[name] += batch["record"][name]
        faults.update(batch["faults"])
        states.update(batch["states"])
        free += batch["free_seconds"]
        findings += batch["findings"]
    free.sort()
    latest = max(batch["record"]["latest_seconds"] for batch in kept)
    seeds = ", ".join(f"{b['seed']} (from {b['first']})" for b in kept)
    yield "\n## Random rounds\n\n"
    yield (
        f"{total['rounds']} rounds with {total['runs']} runs, played by `python -m "
        "tests.airflow.rounds` on several trackers of one Airflow at a time: each "
        "round does one fault, drawn at random, at a random moment of a run, while up "
        "to two more runs want the same tracker. Afterwards the emulator's record is "
        f"compared with the lock store's history. Seeds: {seeds}.\n\n"
    )
    yield "| what | how many |\n| --- | --- |\n"
    rows = (
        ("faults that were too late to be done", total["missed"]),
        ("locks held", total["holds"]),
        ("items written", total["writes"]),
        ("of these undone afterwards", total["undone"]),
        (
            "writes that came when their run's lock had ended",
            f"{total['late']}, {latest:.2f} s after its end at most"
            if total["late"]
            else 0,
        ),
        (
            "from the fault until all runs were over and the tracker free",
            f"median {free[len(free) // 2]:.0f} s, at most {free[-1]:.0f} s",
        ),
        ("runs ended", ", ".join(f"{n} {s}" for s, n in sorted(states.items()))),
        (
            "locks left, writes of two runs in one another, permissions that differ, "
            "folders that are half there, writes more than 1 s late",
            len(findings),
        ),
    )
    for what, number in rows:
        yield f"| {what} | {number} |\n"
    yield "\nFaults done: "
    yield ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    yield ".\n"
    for finding in findings:
        yield f"\n* **Open: {finding}.**"
    if findings:
        yield "\n"
