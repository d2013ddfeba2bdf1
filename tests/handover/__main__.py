"""`python -m tests.handover`: eight processes, 200 rounds each; `--write` the page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from airflow_codebeamer.demo.postgres import EmbeddedPostgres
from tests.handover.page import MEASURED, PAGE, page, table
from tests.handover.run import Size, play

STORES = ("SQLite", "PostgreSQL")


@contextmanager
def address(store: str) -> Iterator[str]:
    """Yield the address of an empty store of a kind."""
    if store == "PostgreSQL":
        with EmbeddedPostgres() as postgres:
            postgres.create_database("handover")
            yield postgres.url("handover")
    else:
        with TemporaryDirectory(prefix="handover") as place:
            yield f"sqlite:///{place}/store.db"


def main() -> int:
    """Play on each store, print, and return 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", choices=STORES)
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--seed", type=int, default=Size.seed)
    options = parser.parse_args()
    kept = {}
    if options.only and MEASURED.exists():
        kept = {one["store"]: one for one in json.loads(MEASURED.read_text())}
    size = Size(rounds=options.rounds, seed=options.seed)
    is_good = True
    for store in [options.only] if options.only else STORES:
        with address(store) as place:
            kept[store] = play(size, place, store).to_json()
        for problem in kept[store]["problems"]:
            sys.stdout.write(f"PROBLEM ({store}): {problem}\n")
        is_good = is_good and not kept[store]["problems"]
    runs = [kept[store] for store in STORES if store in kept]
    sys.stdout.write(table(runs) + "\n")
    if options.write and is_good:
        MEASURED.write_text(json.dumps(runs, indent=1) + "\n")
        PAGE.write_text(page(runs))
    return 0 if is_good else 1


raise SystemExit(main())
