"""What a program gets wrong under a lock: an error, nothing written, all released."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import CodebeamerError
from airflow_codebeamer.generator import Program
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer
from tests.generator.speak import SPEAK

TRACKER = TrackerId(DEMO_TRACKER_ID)
OWNER = "dag/run"
HEAD = "owner: t\ntarget: {tracker: 1}\n"
ITEM = 'say("item", key="a", name="A")\n'
DEEP = '{"key": "k", "name": "n", "children": [' * 300 + "]}" * 300
LAUGHS = "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]\n" for n in range(20)
)


def document(text: str) -> str:
    """Return a program that writes a document of YAML."""
    return f"open(os.environ['CB_GEN_RESULT'], 'w').write({text!r})\nsay('result')\n"


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("stream", ITEM + 'raw(b"oops")', "line 2 of its messages"),
        ("stream", ITEM + 'raw(b"\\xff")', "no UTF-8"),
        ("stream", ITEM, "without the message `result`"),
        ("stream", ITEM + "sys.exit(65)", "input data is wrong"),
        ("stream", ITEM + "sys.exit(3)", "it crashed"),
        (
            "stream",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)",
            "longer than",
        ),
        ("describe", document(HEAD + "items:\n- {key: 0x120, name: n}\n"), "quotes"),
        ("describe", document(HEAD + "0x12: 1\nitems: []\n"), "quotes"),
        ("describe", document(LAUGHS), "no property"),
        ("describe", document(f"{HEAD}items: [{DEEP}]\n"), "nested too deeply"),
        ("describe", document(HEAD + "items: [\n"), "not YAML"),
        ("describe", "say('result')", "left no document"),
    ],
)
def test_the_lock_is_given_back_and_nothing_is_written(
    server: Emulator,
    codebeamer: Codebeamer,
    tmp_path: Path,
    kind: Any,
    text: str,
    says: str,
) -> None:
    path = tmp_path / "program.py"
    path.write_text(SPEAK + text)
    program = Program(
        command=(sys.executable, str(path)),
        kind=kind,
        timeout=timedelta(seconds=1 if "SIG_IGN" in text else 60),
        grace=timedelta(seconds=0.2),
    )
    before = server.world()["items"]
    rights = server.permissions(TRACKER)
    lock = codebeamer.engine.acquire(TRACKER, owner=Owner(OWNER))
    assert server.permissions(TRACKER) != rights
    with pytest.raises(CodebeamerError, match=says):
        codebeamer.runner.apply(program, {}, TRACKER, lock, run_key=OWNER)
    report = codebeamer.engine.release(TRACKER, owner_key=OWNER)
    assert (report.released, report.not_undone) == (True, ())
    assert server.permissions(TRACKER) == rights
    assert server.world()["items"] == before
    assert codebeamer.runs.list_open(server.url, TRACKER) == []
