"""What Airflow is told about us is what is there, in the form Airflow wants."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import airflow_codebeamer
from airflow_codebeamer.provider_info import get_provider_info

ROOMS = {"hooks", "operators", "sensors", "triggers"}
#: Modules of those rooms that hold parts, not classes for DAGs.
PARTS = {
    "hooks.connection",
    "hooks.examination",
    "hooks.metrics",
    "hooks.owner",
    "hooks.verdict",
    "operators.codebeamer",
    "operators.handle",
    "operators.keeper",
    "operators.owed",
    "operators.patience",
    "operators.teardown",
    "triggers.attendant",
    "triggers.events",
}


@pytest.fixture(scope="module")
def info() -> dict[str, Any]:
    return get_provider_info()


def test_valid_for_the_installed_airflow(info: dict[str, Any]) -> None:
    text = (files("airflow") / "provider_info.schema.json").read_text()
    jsonschema.validate(info, json.loads(text))


def test_lists_exactly_the_modules_that_exist(info: dict[str, Any]) -> None:
    listed = {
        module.removeprefix("airflow_codebeamer.")
        for room in ROOMS
        for group in info[room]
        for module in group["python-modules"]
    }
    root = Path(airflow_codebeamer.__file__).parent
    there = {
        f"{room}.{path.stem}"
        for room in ROOMS
        for path in (root / room).glob("[!_]*.py")
    }
    assert listed == there - PARTS


def test_every_class_can_be_imported(info: dict[str, Any]) -> None:
    names = [
        *info["notifications"],
        *info["extra-links"],
        *(plugin["plugin-class"] for plugin in info["plugins"]),
        *(one["hook-class-name"] for one in info["connection-types"]),
    ]
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert isinstance(getattr(import_module(module), attribute), type), name


def test_form_has_a_field_for_every_extra(info: dict[str, Any]) -> None:
    from airflow_codebeamer.hooks.connection import _EXTRAS

    (connection,) = info["connection-types"]
    assert set(connection["conn-fields"]) == set(_EXTRAS)
    assert connection["conn-fields"]["token"]["schema"]["format"] == "password"


def test_every_option_of_the_configuration_is_read(info: dict[str, Any]) -> None:
    from airflow_codebeamer.hooks.codebeamer import _POLICIES, _TIMES

    options = set(info["config"]["codebeamer"]["options"])
    # The switches are read where they are used: by the policy and the plugin.
    assert options == {
        "lock_store",
        "require_unlock",
        "listener",
        *_POLICIES,
        *(f"{name}_seconds" for name in _TIMES),
    }


def test_entry_points() -> None:
    points = entry_points(group="apache_airflow_provider")
    ours = {point for point in points if point.value.startswith("airflow_codebeamer")}
    assert [point.load() for point in ours] == [get_provider_info]
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert 'codebeamer = "airflow_codebeamer.plugins.plugin:CodebeamerPlugin"' in text


FORM = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(form,) = [one for one in HookMetaService.hook_meta_data()
           if one.connection_type == "codebeamer"]
print("FORM" + form.model_dump_json())
"""


@pytest.mark.airflow
def test_form_as_airflow_shows_it(driver_env: dict[str, str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", FORM],
        env=driver_env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    (line,) = [one for one in shown.stdout.splitlines() if one.startswith("FORM")]
    form = json.loads(line.removeprefix("FORM"))
    assert form["hook_name"] == "Codebeamer"
    assert form["extra_fields"]["token"]["schema"]["format"] == "password"
    assert form["extra_fields"]["api"]["schema"]["enum"] == ["auto", "v3", "v1"]
    assert form["standard_fields"]["host"]["title"] == "Server address"
