"""`python -m tests.adversary`: the run of fifty users; `--write` its page."""

from __future__ import annotations

import argparse
import json
import sys

from tests.adversary.page import MEASURED, PAGE, page, tables
from tests.adversary.run import Size, play


def main() -> int:
    """Play, print, and return 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--users", type=int, default=Size.users)
    parser.add_argument("--seconds", type=float, default=Size.held_seconds)
    parser.add_argument("--seed", type=int, default=Size.seed)
    options = parser.parse_args()
    size = Size(options.users, held_seconds=options.seconds, seed=options.seed)
    found = play(size).to_json()
    sys.stdout.write(tables(found) + "\n")
    for problem in found["problems"]:
        sys.stdout.write(f"PROBLEM: {problem}\n")
    is_good = found["same"] and not found["problems"]
    if options.write and is_good:
        MEASURED.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(found))
    return 0 if is_good else 1


raise SystemExit(main())
