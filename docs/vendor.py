"""Write `airflow_codebeamer/emulator/vendor.json` from the vendor's descriptions.

    python docs/vendor.py FOLDER

The folder holds `openapi-10.1.json` to `openapi-22.10.json`, as published by the
vendor in intland/swagger-client-bootstrap, and optionally what clients that were
generated in 2024 have beyond (`delta-22.10-to-2024-08.json`). Only facts are
kept: for each place what is said there, by the release that said it first.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_codebeamer.emulator.facts import RELEASES, facts_of

TARGET = Path(__file__).parents[1] / "airflow_codebeamer/emulator/vendor.json"
SOURCE = (
    "Facts read by a script from the vendor's descriptions of releases 10.1, 21.09,"
    " 22.04 and 22.10 (intland/swagger-client-bootstrap, BSD-3-Clause, Copyright (c)"
    " 2022 Intland Software GmbH); of 2.x only the operations that clients generated"
    " in August 2024 have besides."
)


def read(folder: Path) -> dict[str, dict[str, str]]:
    """Read the facts of every release."""
    found = {}
    for release in RELEASES[:-1]:
        text = (folder / f"openapi-{release}.json").read_text()
        found[release] = facts_of(json.loads(text))
    newest = dict(found[RELEASES[-2]])
    delta = folder / "delta-22.10-to-2024-08.json"
    if delta.exists():
        for entry in json.loads(delta.read_text())["addedOperations"]:
            place = f"{entry['method']} {entry['path']}"
            newest[place] = place
    found[RELEASES[-1]] = newest
    return found


def history(
    found: dict[str, dict[str, str]],
) -> dict[str, dict[str, str | None]]:
    """Keep of every place only what changed, and in which release."""
    kept: dict[str, dict[str, str | None]] = {}
    for place in sorted(set().union(*found.values())):
        kept[place] = {}
        before: str | None = None
        for release in RELEASES:
            said = found[release].get(place)
            if said != before:
                kept[place][release] = said
            before = said
    return kept


def main(arguments: list[str]) -> int:
    """Write the file; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 64
    kept = history(read(Path(arguments[0])))
    lines = [f"  {json.dumps(place)}: {json.dumps(kept[place])}" for place in kept]
    text = ",\n".join(lines)
    source = json.dumps(SOURCE)
    TARGET.write_text(f'{{\n "source": {source},\n "facts": {{\n{text}\n }}\n}}\n')
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
