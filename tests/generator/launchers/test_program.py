"""Programs as real processes: what they are told, what they say, how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    DocumentError,
    GeneratorFailedError,
    GeneratorProtocolError,
    GeneratorSkippedError,
    GeneratorStoppedError,
    LockLostError,
    Retry,
)
from airflow_codebeamer.generator import Program
from airflow_codebeamer.generator.launchers import Lease
from tests.generator.launchers.conftest import Stage

TWO = """
say("item", key="a", name="A", type="Folder")
say("item", key="b", name="B", parent="a", fields={"Unit": "bar"})
"""


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_stream_becomes_the_document_of_the_run(stage: Stage) -> None:
    document = stage.run(stage.python(TWO + 'say("result")'))
    assert [(w.item.key, w.parent) for w in document.list_wanted()] == [
        ("a", None),
        ("b", "a"),
    ]
    assert document.target.tracker == 2001


def test_a_shell_script_needs_nothing_but_printf(stage: Stage) -> None:
    program = stage.shell(
        """
        say() { printf '{"cbgen": "1", "method": "%s", "params": %s}\\n' "$1" "$2"; }
        say item '{"key": "a", "name": "Ä"}'
        say result '{}'
        """,
        messages="stdout",
    )
    assert stage.run(program).items[0].name == "Ä"


def test_a_program_may_write_a_whole_document(stage: Stage) -> None:
    text = """
    with open(os.environ["CB_GEN_RESULT"], "w") as out:
        json.dump({"owner": "me", "items": [{"key": "a", "name": "A"}]}, out)
    say("result")
    """
    program = stage.python(text.replace("\n    ", "\n"), kind="describe")
    document = stage.run(program)
    assert (document.owner, document.target.tracker) == ("me", 2001)


def test_a_document_in_yaml_at_another_place_will_do(stage: Stage) -> None:
    yaml = "owner: me\ntarget: {tracker: 9}\nitems:\n- {key: a, name: A}\n"
    (stage.folder / "out.yaml").write_text(yaml)
    program = stage.python(
        'say("result", document="out.yaml")', kind="describe", cwd=str(stage.folder)
    )
    assert stage.run(program).target.tracker == 2001


def test_the_head_of_a_stream_comes_first(stage: Stage) -> None:
    text = 'say("document", identity={"prefix": "x:"}, owner="me")\n'
    document = stage.run(stage.python(text + TWO + 'say("result")'))
    assert (document.identity.prefix, document.owner) == ("x:", "me")
    with pytest.raises(GeneratorProtocolError, match="head comes too late"):
        stage.run(stage.python(TWO + text))


def test_the_head_may_be_given_with_the_program(stage: Stage) -> None:
    head = {"identity": {"prefix": "x:"}}
    document = stage.run(stage.python('say("result")', document=head))
    assert document.identity.prefix == "x:"


def test_it_is_told_everything_by_file_and_no_secret_by_variable(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBEAMER_PASSWORD", "canary")
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", "canary")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "canary")
    monkeypatch.setenv("HARMLESS", "yes")
    out = stage.folder / "told.json"
    text = f"""
with open({str(out)!r}, "w") as file:
    json.dump({{"context": context(), "env": dict(os.environ)}}, file)
say("result")
"""
    program = stage.python(text, env={"MINE": "1"}, timeout=timedelta(hours=1))
    stage.run(program, {"dbc": "net.dbc"}, checkpoint={"line": 7})
    told = json.loads(out.read_text())
    context, env = told["context"], told["env"]
    assert context["params"] == {"dbc": "net.dbc"}
    assert (context["tracker_id"], context["run"]) == (2001, "dag/run")
    assert context["checkpoint"] == {"line": 7}
    assert (env["CB_GEN_PROTOCOL"], env["CB_TRACKER_ID"]) == ("1", "2001")
    assert (env["MINE"], env["HARMLESS"], env["CB_GEN_DRY_RUN"]) == (
        "1",
        "yes",
        "false",
    )
    assert "CB_GEN_DEADLINE" in env
    assert "CB_GEN_LEASE" not in env  # there is no lock, and it only plans
    assert "CB_URL" not in env
    assert "canary" not in json.dumps(told)


def test_what_it_says_reaches_those_who_listen(stage: Stage) -> None:
    text = """
say("opened", name="exporter", version="3", kind="stream")
say("log", level="WARNING", message="half of it is missing")
say("progress", done=3, total=10, phase="export")
say("warning", code="W1", message="no unit", key="b")
say("checkpoint", state={"line": 12})
print("to stdout")
print("to stderr", file=sys.stderr)
say("result", counts={"signals": 3})
"""
    stage.run(stage.python(text, name="exporter"))
    assert "exporter: exporter 3 is there" in stage.lines
    assert "exporter: WARNING: half of it is missing" in stage.lines
    assert "exporter: to stdout" in stage.lines
    assert "exporter: to stderr" in stage.lines
    assert [(p.phase, p.done, p.total) for p in stage.progress] == [("export", 3, 10)]
    assert stage.warnings == ["W1: b: no unit"]
    assert stage.remembered == [{"line": 12}]


@pytest.mark.parametrize(
    ("text", "line", "says", "expected"),
    [
        ('raw(b"Hello")', 1, "'Hello' is no JSON object", '"cbgen": "1"'),
        ('raw(b"[1]")', 1, "is no JSON object", '"cbgen": "1"'),
        ('raw(b"")\nraw(b"{}")', 2, "does not say its protocol", '"cbgen": "1"'),
        ('raw(b\'{"cbgen": "9"}\')', 1, "protocol '9' is not known", "Dagster Pipes"),
        (TWO + 'raw(b"\\xff\\xfe")', 3, "byte 0xff at 0 is no UTF-8", "UTF-8"),
        ('say("itme", key="a")', 1, "there is no method 'itme'", "one of opened"),
        ('say("progress", done="x")', 1, "params.done of progress", "done, total"),
        ('say("item", key="a")', 1, "'name' is missing", "as in a document"),
        (
            'say("item", key="a", name="A", feilds={})',
            1,
            "did you mean 'fields'",
            "as in a document",
        ),
        ('say("result")\n' + TWO, 2, "an item after the result", "nothing"),
        ('say("opened", kind="delegate")', 1, "takes itself for", "stream"),
        ('say("checkpoint", state="x" * 70000)', 1, "70,002 bytes", "65,536"),
        ('raw(b"{" + b"x" * 17_000_000)', 1, "is longer than 16,777,216", "shorter"),
        (
            'raw(b\'{"cbgen": "1", "method": "item", "params": 7}\')',
            1,
            "the params of item are int",
            "an object",
        ),
        ('raw(b"[" * 100_000)', 1, "is no JSON object", '"cbgen": "1"'),
    ],
)
def test_a_broken_line_is_named_with_what_was_expected(
    stage: Stage, text: str, line: int, says: str, expected: str
) -> None:
    # It goes on for ever, so it must be ended because of the line.
    program = stage.python(f"{text}\ntime.sleep(600)")
    with pytest.raises(GeneratorProtocolError) as caught:
        stage.run(program)
    assert caught.value.line == line
    assert f"line {line} of its messages" in str(caught.value)
    assert says in str(caught.value)
    assert expected in caught.value.expected
    assert len(str(caught.value)) < 500


def test_a_stream_that_is_no_tree_is_refused_as_a_document(stage: Stage) -> None:
    text = 'say("item", key="a", name="A", parent="b")\nsay("result")'
    with pytest.raises(DocumentError, match="no item has the key 'b'"):
        stage.run(stage.python(text))


def test_a_program_without_a_result_failed(stage: Stage) -> None:
    with pytest.raises(GeneratorFailedError, match="without the message `result`"):
        stage.run(stage.python(TWO))


@pytest.mark.parametrize(
    ("code", "error", "says", "retry"),
    [
        (1, GeneratorFailedError, "it crashed (exit code 1): bad", Retry.YES),
        (65, GeneratorFailedError, "its input data is wrong", Retry.NEVER),
        (69, GeneratorFailedError, "a service that it needs", Retry.YES),
        (75, GeneratorFailedError, "a temporary failure", Retry.YES),
        (77, GeneratorFailedError, "has not the permission", Retry.NEVER),
        (78, GeneratorFailedError, "its configuration is wrong", Retry.NEVER),
        (99, GeneratorSkippedError, "nothing to do", Retry.NEVER),
        (130, GeneratorStoppedError, "exit code 130", Retry.YES),
        (143, GeneratorStoppedError, "exit code 143", Retry.YES),
    ],
)
def test_an_exit_code_says_whether_a_retry_can_help(
    stage: Stage, code: int, error: type[CodebeamerError], says: str, retry: Retry
) -> None:
    program = stage.shell(f"echo bad >&2; exit {code}")
    with pytest.raises(error) as caught:
        stage.run(program)
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert caught.value.retry is retry
    if isinstance(caught.value, GeneratorFailedError):
        assert caught.value.exit_code == code


def test_a_program_that_dies_of_a_signal_crashed(stage: Stage) -> None:
    with pytest.raises(GeneratorFailedError, match="exit code 139"):
        stage.run(stage.shell("kill -SEGV $$"))


def test_its_own_exception_is_told(stage: Stage) -> None:
    text = 'say("closed", exception="ValueError: no such model")'
    with pytest.raises(GeneratorFailedError, match="no such model"):
        stage.run(stage.python(text))


def test_a_program_or_folder_that_is_not_there(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="there is no program 'no-such"):
        stage.run(Program(command=("no-such-program",)))
    with pytest.raises(ConfigurationError, match="there is no folder"):
        stage.run(Program(command=("true",), cwd="/no/such/folder"))
    with pytest.raises(ConfigurationError, match="what JSON can say"):
        stage.run(Program(command=("true",)), {"a": object()})


def test_a_gigabyte_of_output_is_counted_and_dropped(stage: Stage) -> None:
    text = """
block = (b"x" * 99 + b"\\n") * 10_000
for _ in range(1_000):
    sys.stdout.buffer.write(block)
sys.stdout.flush()
sys.stderr.write("the last word")
say("result")
"""
    before = psutil.Process().memory_info().rss
    stage.run(stage.python(text))
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
    assert len(stage.lines) < 2_100
    dropped = next(line for line in stage.lines if "more bytes" in line)
    assert int(dropped.split("… ")[1].split()[0].replace(",", "")) > 990_000_000


def test_output_without_an_end_of_line_and_no_text_at_all(stage: Stage) -> None:
    text = 'sys.stdout.buffer.write(b"\\xff" * 5_000_000)\nsay("result")'
    stage.run(stage.python(text))
    assert len(stage.lines) == 1
    assert stage.lines[0].endswith("… (cut)")
    assert len(stage.lines[0]) < 2_200


def test_who_ignores_sigterm_is_killed_with_all_that_it_started(stage: Stage) -> None:
    pids = stage.folder / "pids"
    text = f"""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
hidden = subprocess.Popen(["sleep", "601"], start_new_session=True)
with open({str(pids)!r} + ".new", "w") as out:
    print(os.getpid(), child.pid, hidden.pid, file=out)
os.rename({str(pids)!r} + ".new", {str(pids)!r})
time.sleep(600)
"""
    threading.Thread(
        target=lambda: (wait_for(pids.exists), stage.stop.set()), daemon=True
    ).start()
    program = stage.python(text, grace=timedelta(seconds=0.3))
    with pytest.raises(GeneratorStoppedError, match="told to stop"):
        stage.run(program)
    assert [pid for pid in map(int, pids.read_text().split()) if is_alive(pid)] == []


def test_who_hears_sigterm_has_time_to_clean_up(stage: Stage) -> None:
    done = stage.folder / "cleaned"
    text = f"""
def clean(*_):
    time.sleep(0.2)
    open({str(done)!r}, "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, clean)
say("log", message="ready")
time.sleep(600)
"""
    threading.Thread(
        target=lambda: (wait_for(lambda: bool(stage.lines)), stage.stop.set()),
        daemon=True,
    ).start()
    with pytest.raises(GeneratorStoppedError):
        stage.run(stage.python(text))
    assert done.exists()


def test_a_program_that_ended_leaves_no_process_behind(stage: Stage) -> None:
    pid = stage.folder / "pid"
    program = stage.shell(
        f"""
        setsid sleep 600 >/dev/null 2>&1 &
        echo $! > {pid}
        echo '{{"cbgen": "1", "method": "result"}}' >> "$CB_GEN_MESSAGES"
        """
    )
    stage.run(program)
    assert not is_alive(int(pid.read_text()))


def test_it_may_not_run_longer_than_it_may(stage: Stage) -> None:
    program = stage.shell("sleep 600", timeout=timedelta(seconds=0.2))
    with pytest.raises(GeneratorStoppedError, match="longer than"):
        stage.run(program)


def test_the_lease_file_follows_the_lock_and_its_loss_ends_the_program(
    stage: Stage,
) -> None:
    seen = stage.folder / "seen"
    text = f"""
def lease():
    return json.load(open(os.environ["CB_GEN_LEASE"]))
first = lease()
def ended(*_):
    with open({str(seen)!r}, "w") as out:
        json.dump([first, lease()], out)
    sys.exit(143)
signal.signal(signal.SIGTERM, ended)
say("log", message="ready")
time.sleep(600)
"""
    lost = LockLostError(2001, expected=1, found=2, why="it was broken")

    def guard() -> None:
        if stage.lines:
            raise lost

    with pytest.raises(LockLostError, match="it was broken"):
        stage.run(stage.python(text), lease=Lease(guard, lambda: 30.0))
    first, last = json.loads(seen.read_text())
    assert (first["state"], last["state"]) == ("held", "lost")
    assert last["reason"] == "it was broken"
    assert first["deadline"] > last["deadline"]


PARENT = """
import sys, json, time
from airflow_codebeamer.generator import GeneratorContext, Program
from airflow_codebeamer.generator.launchers import Lease, Surroundings, describe
program = Program(command=json.loads(sys.argv[1]), grace=0.5)
lease = Lease(lambda: None, lambda: float(sys.argv[2]))
describe(program, GeneratorContext(2001), Surroundings(lease=lease))
"""

STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
with open(sys.argv[1] + ".new", "w") as out:
    print(os.getpid(), child.pid, os.getppid(), file=out)
with open(sys.argv[1] + ".place", "w") as out:
    out.write(os.path.dirname(os.environ["CB_GEN_CONTEXT"]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


def started(
    stage: Stage, lease_seconds: float
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a process of ours with a program; return it and the program's pids."""
    pids = stage.folder / "pids"
    command = [*stage.python(STUBBORN).command, str(pids)]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, json.dumps(command), str(lease_seconds)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    wait_for(pids.exists, 60)
    return parent, [int(pid) for pid in pids.read_text().split()]


def test_a_killed_parent_takes_its_program_with_it(stage: Stage) -> None:
    parent, pids = started(stage, 600.0)
    place = Path((stage.folder / "pids.place").read_text())
    assert place.is_dir()
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(map(is_alive, pids)))
    # What may hold a password goes as well, for nobody else is left to remove it.
    assert not place.exists()


def test_a_killed_keeper_takes_its_program_with_it(stage: Stage) -> None:
    parent, (program, child, keeper) = started(stage, 600.0)
    os.kill(keeper, 9)
    assert parent.wait(60)
    wait_for(lambda: not is_alive(program))
    if is_alive(child):  # in a session of its own; nobody is left to look for it
        os.kill(child, 9)


def test_a_frozen_parent_loses_its_program_when_the_lease_is_over(
    stage: Stage,
) -> None:
    parent, pids = started(stage, 1.5)
    os.kill(parent.pid, 19)
    try:
        wait_for(lambda: not any(map(is_alive, pids[:2])))
    finally:
        parent.kill()
        parent.wait()
