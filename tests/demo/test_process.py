from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_codebeamer.demo.process import Component

#: Starts a child in a process group of its own that hears no SIGTERM, as the
#: task processes of Airflow may be, says so, and waits.
STUBBORN = """
import os, signal, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child", flush=True)
    time.sleep(60)
time.sleep(60)
"""


@pytest.fixture
def component(tmp_path: Path):
    made = Component(
        "stubborn",
        [sys.executable, "-c", STUBBORN],
        environment=dict(os.environ),
        folder=tmp_path,
        log=tmp_path / "stubborn.log",
    )
    made.start()
    wait_until(lambda: "child" in made.last_lines())
    yield made
    made.end()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(holds, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_stop_ends_also_the_child_that_listens_to_nothing(component: Component) -> None:
    pids = component.list_pids()
    assert len(pids) == 2

    component.stop(grace_seconds=0.3)

    assert component.list_pids() == []
    assert not component.is_running
    assert not any(is_alive(pid) for pid in pids)


def test_kill_leaves_the_child_and_still_finds_it(component: Component) -> None:
    leader = component.pid
    component.kill()

    assert not component.is_running
    (orphan,) = component.list_pids()
    assert orphan != leader


def test_start_again_remembers_the_orphans(component: Component) -> None:
    component.kill()
    component.start()
    wait_until(lambda: component.last_lines().count("child") == 2)

    assert len(component.list_pids()) == 3
    component.stop(grace_seconds=0.1)
    assert component.list_pids() == []


def test_a_second_start_changes_nothing(component: Component) -> None:
    before = component.pid
    component.start()
    assert component.pid == before


def test_wait_says_when_time_is_over(component: Component) -> None:
    assert component.wait(0.2) is False


def test_a_component_that_never_ran_has_no_processes(tmp_path: Path) -> None:
    never = Component(
        "never", ["false"], environment={}, folder=tmp_path, log=tmp_path / "log"
    )
    never.stop()
    assert never.pid is None
    assert never.list_pids() == []
    assert never.last_lines() == []
