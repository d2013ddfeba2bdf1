"""The reference pages: everything that people can type or import stands there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import airflow_codebeamer
from airflow_codebeamer import errors, operators, sensors, settings
from airflow_codebeamer.cli.main import app
from airflow_codebeamer.database import metadata
from airflow_codebeamer.provider_info import get_provider_info

ROOT = Path(airflow_codebeamer.__file__).parents[1]
REFERENCE = ROOT / "docs/reference"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Airflow's own, or given by Airflow.
NOT_OURS = {"self", "kwargs", "context"}


def read(page: str) -> str:
    return (REFERENCE / page).read_text()


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_help_and_stands_in_the_reference(name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip()
    for parameter in command.params:
        if parameter.name != "help":
            assert (parameter.help or "").strip(), f"{name}: {parameter.name}"
    page = read("cli.md")
    assert re.search(rf"^## `airflow-codebeamer {name}\b", page, re.M)
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert f"`{option}`" in page, f"{name} {option}"


def test_the_pages_name_only_commands_and_options_that_exist() -> None:
    known = {option for c in COMMANDS.values() for p in c.params for option in p.opts}
    wrong = []
    for page in PAGES:
        for line in re.findall(
            r"airflow-codebeamer ([a-z][^`|\n]*)", page.read_text(), re.M
        ):
            words = re.sub(r"#.*|;.*", "", line).split()
            named = {" ".join(words[:1]), " ".join(words[:2])}
            if not named & set(COMMANDS):
                wrong.append(f"{page.name}: {line}")
            wrong += [
                f"{page.name}: {option}"
                for option in re.findall(r"(?<!\S)--[a-z-]+", line)
                if option not in known
            ]
    assert wrong == []


def test_every_error_stands_in_the_reference() -> None:
    defined = {
        name
        for name, found in vars(errors).items()
        if isinstance(found, type)
        and issubclass(found, Exception)
        and found.__module__.startswith(errors.__name__)
        and not name.startswith("_")
    }
    assert defined <= set(errors.__all__)
    listed = set(re.findall(r"^\| `(\w+Error)` \|", read("errors.md"), re.M))
    assert listed == defined


def airflow_classes() -> Iterator[type]:
    """Yield the classes of the modules that Airflow is told of, and the notifier."""
    info = get_provider_info()
    modules = [
        module
        for room in ("hooks", "operators", "sensors", "triggers")
        for group in info[room]
        for module in group["python-modules"]
    ]
    for name in [*modules, "airflow_codebeamer.notifications"]:
        module = importlib.import_module(name)
        for public in module.__all__:
            found = getattr(module, public)
            if inspect.isclass(found) and found.__module__ == name:
                yield found


CLASSES = sorted(airflow_classes(), key=lambda one: one.__name__)


@pytest.mark.parametrize("found", CLASSES, ids=lambda one: one.__name__)
def test_a_class_for_dags_documents_each_parameter(found: type) -> None:
    page = read("airflow.md")
    section = page.split(f"\n## {found.__name__}\n", 1)
    assert len(section) == 2, f"{found.__name__} is not on the page"
    text = section[1].split("\n## ", 1)[0]
    names = (
        set(inspect.signature(vars(found)["__init__"]).parameters)
        if ("__init__" in vars(found))
        else set()
    )
    for name in names - NOT_OURS:
        assert f"| `{name}` |" in text, f"{found.__name__}: {name}"
    if found.__name__.endswith(("Operator", "Sensor")):
        assert "\nReturns " in text


def test_every_operator_and_sensor_is_one_that_airflow_is_told_of() -> None:
    shared = {"CodebeamerOperator"}
    offered = {
        name
        for room in (operators, sensors)
        for name in room.__all__
        if name.endswith(("Operator", "Sensor"))
    }
    assert offered - shared <= {found.__name__ for found in CLASSES}


def test_the_connection_page_names_every_extra() -> None:
    (connection,) = get_provider_info()["connection-types"]
    page = (ROOT / "docs/howto/connect.md").read_text()
    for extra in connection["conn-fields"]:
        assert f"`{extra}`" in page


def test_the_settings_page_has_every_setting_with_its_meaning() -> None:
    page = read("settings.md")
    for group in (
        settings.ServerSettings,
        settings.LockSettings,
        settings.StoreSettings,
    ):
        for name in group.model_fields:
            assert re.search(rf"^\| `{name}` \| [^|]+ \| \w[^|]+ \|", page, re.M), name
    for name in get_provider_info()["config"]["codebeamer"]["options"]:
        assert f"| `{name}` |" in page


def test_the_store_page_has_every_table() -> None:
    listed = set(re.findall(r"^## `(\w+)`$", read("store.md"), re.M))
    assert listed == set(metadata.tables)


def test_every_dag_that_ships_is_described() -> None:
    page = read("airflow.md")
    files = sorted((ROOT / "dags").glob("*.py"))
    assert files
    for file in files:
        assert f"### `{file.stem}`" in page
        for name in re.findall(r"AIRFLOW_VAR_\w+[A-Z]\b", file.read_text()):
            assert name in page


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    docs = ROOT / "docs"
    missing = [
        str(page.relative_to(docs))
        for page in sorted(docs.rglob("*.md"))
        if "changelog.d" not in page.parts
        and str(page.relative_to(docs)) not in navigation
    ]
    assert missing == []


def test_every_module_says_what_it_is() -> None:
    silent = []
    for found in pkgutil.walk_packages(
        [str(ROOT / "airflow_codebeamer")], "airflow_codebeamer."
    ):
        if found.name.endswith("__main__"):
            continue
        if not inspect.getdoc(importlib.import_module(found.name)):
            silent.append(found.name)
    assert silent == []


def test_the_page_has_every_environment_variable_of_the_command_line() -> None:
    text = "".join(
        path.read_text()
        for path in sorted((ROOT / "airflow_codebeamer/cli").glob("*.py"))
    )
    used = set(re.findall(r"\bCODEBEAMER_[A-Z_]*[A-Z]\b", text))
    assert len(used) >= 8
    page = read("cli.md")
    assert {name for name in used if f"`{name}`" not in page} == set()
