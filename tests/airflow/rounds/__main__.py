"""`python -m tests.airflow.rounds [--count N] [--seed S] [--first F] [--write]`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from airflow_codebeamer.demo.stage import ended_by_signals
from tests.airflow.matrix.page import LOCAL, write
from tests.airflow.matrix.row import Row
from tests.airflow.matrix.site import Site
from tests.airflow.rounds.ground import Ground
from tests.airflow.rounds.play import Played, draw, play_all
from tests.airflow.rounds.record import judge
from tests.airflow.rounds.result import keep, summary

_DETAILS = Path("build/rounds.json")


def main() -> int:
    """Play a batch of rounds; 1 if anything was found."""
    told = _arguments()
    rounds = [draw(told.seed, told.first + i) for i in range(told.count)]
    folder = Path(tempfile.mkdtemp(prefix="rounds-"))
    began = time.monotonic()
    with (
        ended_by_signals(),
        Site(folder, [_row(i) for i in range(told.grounds)]) as site,
    ):
        say(f"up after {time.monotonic() - began:.0f} s, seed {told.seed}; {folder}")
        grounds = [Ground(site, row) for row in site.rows]
        played = play_all(
            grounds,
            rounds,
            _shown(told.count, began),
            until=began + told.minutes * 60,
        )
        record = judge(grounds)
        for ground in grounds:
            ground.close()
    batch = summary(told.seed, played, record, time.monotonic() - began)
    _DETAILS.parent.mkdir(exist_ok=True)
    details = {**batch, "played": [one.to_json() for one in played]}
    _DETAILS.write_text(json.dumps(details, indent=1) + "\n", "utf-8")
    if told.write:
        keep(batch)
        write([], LOCAL)
    say(json.dumps({k: v for k, v in batch.items() if k != "free_seconds"}))
    if not told.keep and not batch["findings"]:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if batch["findings"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.airflow.rounds")
    parser.add_argument("--count", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--first", type=int, default=1, help="number of the first round"
    )
    parser.add_argument("--grounds", type=int, default=4, help="trackers at once")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin none after")
    parser.add_argument("--write", action="store_true", help="keep it, write the page")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs")
    return parser.parse_args()


def _row(number: int) -> Row:
    return Row(
        f"g{number}",
        "a random fault",
        lambda scene: None,
        "",
        generator="tagged",
        options={
            "retries": 1,
            "wait_for": timedelta(seconds=120),
            "deadline": timedelta(seconds=90),
            # The form begins with it, so that the DAG can be read without a run.
            "generator_args": {"tag": "none"},
        },
    )


def _shown(count: int, began: float) -> Callable[[Played], None]:
    done = 0

    def show(played: Played) -> None:
        nonlocal done
        done += 1
        one = played.round
        free = "-" if played.free_seconds is None else f"{played.free_seconds:.0f} s"
        say(
            f"[{done}/{count}, {time.monotonic() - began:.0f} s] {one.number} on "
            f"{played.ground}: {one.fault}, {one.task_id} +{one.after_seconds} s, "
            f"{one.runs} runs -> {', '.join(played.states)}; free {free}"
            + (f"; missed: {played.missed}" if played.missed else "")
        )
        for note in played.notes:
            say(f"       note: {note}")
        for finding in played.findings:
            say(f"       FINDING: {finding}")

    return show


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
