"""No secret in anything that a whole test run left behind.

`make test` lets the other tests leave their files below one folder: Airflow's
homes with logs and databases, lock stores, rows of PostgreSQL, what commands
printed, what errors carried, and the output of every test in JUnit's files. The
accounts in them have passwords of one pattern, which is looked for last.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote_plus

import pytest

PATTERN = "canary-secret-"

#: Where a secret belongs, each with the reason; everything else is searched.
BELONGS = {
    "*/canaries.jsonl": "the book of what is looked for",
    "*/password-file": "what --password-file names",
}

#: What a run must have left, or it was not the whole run.
LEFT = (
    "fast.xml",
    "airflow.xml",
    "*/transcript.txt",
    "*/errors.log",
    "*/locks.db",
    "*/escrow.jsonl",
    "*/notices.json",
    "*/postgres.rows",
    "*/postgres/pg_wal/*",
    "*/driver.log",
    "*/airflow.db",
    "*/logs/*/attempt=*.log",
    "*/scheduler.rows",
)

#: Rooms whose account was let in with such a password.
USERS = {"cli", "airflow", "scheduler"}

_CHUNK, _OVERLAP = 1 << 24, 200


def forms(secret: str) -> dict[str, bytes]:
    """Return what a secret, or the beginning of one, looks like in a file."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "quoted": quote_plus(secret).encode(),
        "quoted wholly": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "quoted hyphens": secret.replace("-", "%2D").encode(),
        "hexadecimal": raw.hex().encode(),
        "utf-16": secret.encode("utf-16-le"),
    }
    for shift in range(3):
        # What stands before and after it changes the letters at both ends.
        text = base64.b64encode(b"\0" * shift + raw)
        inner = text[4 if shift else 0 : len(text) // 4 * 4 - 4]
        found[f"base64, shifted by {shift}"] = inner
    if found["quoted"] == raw:
        del found["quoted"]
    return found


def needles(others: list[str]) -> dict[str, bytes]:
    """Return everything to look for."""
    found = forms(PATTERN)
    # The rooms that log in with the demo world's password show at least this.
    found["Basic header of generator"] = base64.b64encode(b"generator:generator")
    for number, other in enumerate(others):
        for form, needle in forms(other).items():
            found[f"secret {number} {form}"] = needle
    return found


def search(folder: Path, wanted: Mapping[str, bytes]) -> tuple[list[str], int]:
    """Return where a secret is, and how many files were searched."""
    found, searched = [], 0
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        # Links lead to what is searched itself, or out of the run.
        if file.is_symlink() or not file.is_file():
            continue
        if any(fnmatch(f"/{name}", pattern) for pattern in BELONGS):
            continue
        searched += 1
        found += [f"{name}: {hit}" for hit in hits(file, wanted)]
    return found, searched


def hits(file: Path, wanted: Mapping[str, bytes]) -> Iterator[str]:
    with file.open("rb") as opened:
        begin = opened.read(_CHUNK)
        yield from inside(begin, wanted)
        last = begin
        while more := opened.read(_CHUNK):
            yield from inside(last[-_OVERLAP:] + more, wanted)
            last = more
    if begin.startswith(b"SQLite format 3\0"):
        # A long value lies in pieces in the file, and is whole only in its row.
        try:
            for row in rows(file):
                yield from (f"in a row: {hit}" for hit in inside(row, wanted))
        except sqlite3.DatabaseError:
            return  # some test damaged it; its bytes were searched all the same


def inside(data: bytes, wanted: Mapping[str, bytes]) -> Iterator[str]:
    for form, needle in wanted.items():
        at = data.find(needle)
        if at >= 0:
            yield f"{form}, in {data[max(0, at - 80) : at + 80]!r}"


def rows(file: Path) -> Iterator[bytes]:
    """Yield every row of a SQLite database, those in its write-ahead log too."""
    with TemporaryDirectory() as folder:
        for part in file.parent.glob(f"{file.name}*"):
            if part.is_file() and not part.name.endswith("-shm"):
                shutil.copy(part, folder)
        with closing(sqlite3.connect(Path(folder) / file.name)) as copy:
            copy.text_factory = bytes
            names = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in names.fetchall():
                for row in copy.execute(f'SELECT * FROM "{name.decode()}"'):
                    yield b"\n".join(cell for cell in row if isinstance(cell, bytes))


def test_the_run_left_no_secret(swept: Path) -> None:
    books = [
        json.loads(line)
        for book in swept.rglob("canaries.jsonl")
        for line in book.read_text("utf-8").splitlines()
    ]
    assert {line["where"] for line in books if line["admitted"]} >= USERS
    names = [f"/{file.relative_to(swept).as_posix()}" for file in swept.rglob("*")]
    missing = [one for one in LEFT if not any(fnmatch(n, f"*{one}") for n in names)]
    assert missing == []

    others = sorted({line["other"] for line in books if line["other"]})
    found, searched = search(swept, needles(others))
    assert searched > 100
    assert found == []


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not with the files of the other tests, where it would be found in the end.
    with TemporaryDirectory() as name:
        yield Path(name)


SECRET = PATTERN + "0123456789ab/@+"
BASIC = [base64.b64encode(f"{who}:{SECRET}".encode()) for who in ("generator", "b", "")]


@pytest.mark.parametrize(
    "planted",
    [
        SECRET.encode(),
        f"password={quote_plus(SECRET)}".encode(),
        "".join(f"%{ord(letter):02X}" for letter in SECRET).encode(),
        *(b"Authorization: Basic " + basic for basic in BASIC),
        b"\\x" + SECRET.encode().hex().encode(),
        b"Basic " + base64.b64encode(b"generator:generator"),
        b"." * (_CHUNK - 7) + SECRET.encode(),
        b"." * _CHUNK + b"Basic " + BASIC[0],
    ],
    ids=range(10),
)
def test_it_finds_what_is_planted_in_a_log(folder: Path, planted: bytes) -> None:
    (folder / "harmless.log").write_bytes(b"a canary sings of secrets\n" * 99)
    assert search(folder, needles([])) == ([], 1)
    (folder / "logs").mkdir()
    (folder / "logs" / "task.log").write_bytes(b"first line\n" + planted + b"\nlast")
    found, searched = search(folder, needles([]))
    assert searched == 2
    assert found
    assert all(hit.startswith("logs/task.log: ") for hit in found)


def test_it_finds_a_secret_that_was_made_elsewhere(folder: Path) -> None:
    (folder / "log").write_bytes(base64.b64encode(b"x:0f0f5bd3c0ffee"))
    assert search(folder, needles([]))[0] == []
    assert search(folder, needles(["0f0f5bd3c0ffee"]))[0]


@pytest.mark.parametrize("before", [0, 10, 4000, 4050, 4070, 9000])
def test_it_finds_what_is_planted_in_a_row(folder: Path, before: int) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE handles (number INTEGER, handle TEXT)")
        store.execute("INSERT INTO handles VALUES (1, ?)", ("." * 20_000,))
        store.commit()
        assert search(folder, needles([]))[0] == []
        store.execute("UPDATE handles SET handle = ?", ("." * before + SECRET,))
        store.commit()
        found, _ = search(folder, needles([]))
    assert any("store.db: in a row" in hit for hit in found)


def test_it_passes_over_only_where_a_secret_belongs(folder: Path) -> None:
    for name in ("canaries.jsonl", "password-file", "password-file.log"):
        (folder / name).write_text(SECRET)
    (hit,) = search(folder, needles([]))[0]
    assert hit.startswith("password-file.log: ")


@pytest.mark.parametrize("lacks", ["canaries", "files", "nothing"])
def test_a_run_that_proves_nothing_fails(folder: Path, lacks: str) -> None:
    if lacks != "canaries":
        lines = [{"where": who, "admitted": 1, "other": ""} for who in USERS]
        (folder / "canaries.jsonl").write_text("\n".join(map(json.dumps, lines)))
    if lacks != "files":
        for name in LEFT:
            file = folder / f"x{name}".replace("*", "y")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("clean")
        for number in range(100):
            (folder / f"{number}.log").write_text("clean")
    if lacks == "nothing":
        test_the_run_left_no_secret(folder)
        (folder / "7.log").write_text(SECRET)
    with pytest.raises(AssertionError):
        test_the_run_left_no_secret(folder)
