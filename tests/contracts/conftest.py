"""Fixtures of the suite, and the rule that each test says what it rests on."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator
from tests.contracts.evidence import RESTS_ON, problems, recording_of
from tests.contracts.generating import generate
from tests.contracts.options import live_subject
from tests.contracts.recording import References, read, write
from tests.contracts.speaking import Generated, Plain, Said, Speaker
from tests.contracts.subject import Subject, emulated

HERE = Path(__file__).parent


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Refuse a test that says nothing or two things, and an edited recording."""
    here = [item for item in items if HERE in item.path.parents]
    wrong = problems(here, recordings(config))
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def recordings(config: pytest.Config) -> Path:
    return Path(config.getoption("--codebeamer-recordings") or HERE / "recordings")


@pytest.fixture(scope="session")
def speaker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Speaker]:
    """Return who says the operations: plain requests, or a generated client."""
    client = request.config.getoption("--codebeamer-client")
    chosen: Speaker
    if not client:
        chosen = Plain()
    else:
        folder = tmp_path_factory.mktemp("generated")
        file = Path(client)
        if client == "own":
            file = folder / "own.json"
            with Emulator() as server:
                file.write_text(
                    requests.get(f"{server.url}/api-docs/v3.json", timeout=20).text
                )
        name = f"generated_from_{file.stem}".replace("-", "_").replace(".", "_")
        generate(file, folder / name)
        sys.path.insert(0, str(folder))
        chosen = Generated(name)
    yield chosen
    chosen.close()


@pytest.fixture
def subject(request: pytest.FixtureRequest, speaker: Speaker) -> Iterator[Subject]:
    """Return the server: a new emulator, or the live one that was named."""
    only = request.node.get_closest_marker("emulator_only")
    if request.config.getoption("--codebeamer-url"):
        if only:
            pytest.skip("about the emulator alone")
        yield live_subject(request.config, speaker)
        return
    with Emulator(world="demo") as server:
        yield emulated(server, speaker)


class Asked:
    """Asks as `Subject.ask` does, and keeps what was said for a recording."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._references = References()
        self.exchanges: list[dict[str, Any]] = []

    def __call__(self, operation: str, *, who: str = "user", **given: Any) -> Said:
        said = self._subject.ask(operation, who=who, **given)
        exchange = {"given": given, "status": said.status, "answer": said.body}
        kept = self._references.replace(exchange)
        self.exchanges.append({"operation": operation, "who": who, **kept})
        return said


@pytest.fixture
def ask(request: pytest.FixtureRequest, subject: Subject) -> Iterator[Asked]:
    """Ask the subject; on a live server what it says can be recorded."""
    asked = Asked(subject)
    yield asked
    config = request.config
    passed = getattr(request.node, "passed", False)
    if config.getoption("--codebeamer-record") and passed:
        if subject.emulator is not None:
            raise pytest.UsageError("Only a live server is recorded.")
        write(
            recording_of(request.node, recordings(config)),
            release=config.getoption("--codebeamer-release"),
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            exchanges=asked.exchanges,
        )
    elif passed and subject.emulator is not None:
        file = recording_of(request.node, recordings(config))
        if file.exists():
            assert asked.exchanges == read(file)["exchanges"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    report: Any = yield
    if report.when == "call":
        item.passed = report.passed  # type: ignore[attr-defined]
    return report


@pytest.fixture
def made(ask: Asked, subject: Subject) -> Iterator[Callable[..., int]]:
    """Make items in the tracker; they are deleted when the test is over."""
    numbers: list[int] = []

    def make(name: str = "Contract suite", who: str = "user", **given: Any) -> int:
        said = ask(
            "createTrackerItem",
            who=who,
            trackerId=subject.tracker,
            body={"name": name},
            **given,
        )
        assert said.status == 200, said.body
        numbers.append(said.body["id"])
        return numbers[-1]

    yield make
    for number in reversed(numbers):
        subject.ask("unlockTrackerItem", itemId=number)
        subject.ask("deleteTrackerItem", itemId=number)


@pytest.fixture
def answers(request: pytest.FixtureRequest, subject: Subject) -> Callable[[Any], None]:
    """Say what the server answered to the test's question.

    The emulator has to answer what its list of differences says. A live server
    that answers otherwise fails the test, which is what the test is for; with
    `--codebeamer-answers FILE` all answers are collected.
    """
    marker = request.node.get_closest_marker("assumed")
    asked = marker.kwargs

    def say(answer: Any) -> None:
        file = request.config.getoption("--codebeamer-answers")
        if file and subject.emulator is None:
            _collect(Path(file), request.node.name, asked, answer)
        assert answer == asked["chosen"], (
            f"{asked['asks']} The server: {answer!r}. We assumed: {asked['chosen']!r}."
        )

    return say


def _collect(file: Path, test: str, asked: dict[str, Any], answer: Any) -> None:
    known = json.loads(file.read_text()) if file.exists() else {}
    known[test] = {**asked, "answer": answer, "as_assumed": answer == asked["chosen"]}
    file.write_text(json.dumps(known, indent=1, sort_keys=True, default=str) + "\n")


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    """Skip, with the question, what this subject cannot answer."""
    marker = next(
        found for name in RESTS_ON if (found := request.node.get_closest_marker(name))
    )
    told = request.config.getoption
    live = bool(told("--codebeamer-url"))
    for need in marker.kwargs.get("needs", "").split():
        here = live if need == "url" else (not live and need in EMULATED)
        if not (here or (live and told(f"--codebeamer-{need}"))):
            asks = marker.kwargs.get("asks", "")
            pytest.skip(f"needs --codebeamer-{need}: {asks}".rstrip(": "))


#: What the emulator brings with it and a live server has to be given.
EMULATED = ("other", "admin", "role", "derived-tracker", "throttled")
