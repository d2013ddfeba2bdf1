from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    GeneratorFailedError,
    GeneratorNotFoundError,
)
from airflow_codebeamer.generator import load_generator
from airflow_codebeamer.generators.can import requirements

CAN = "airflow_codebeamer.generators.can"


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Path]:
    """A folder whose modules can be imported, until the test is over."""
    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_name_of_module_and_function_is_loaded() -> None:
    found = load_generator(f" {CAN}:requirements ")
    assert found.function is requirements
    assert found.name == f"{CAN}:requirements"


def test_an_entry_point_is_found_by_its_name() -> None:
    found = load_generator("can-requirements")
    assert found.function is requirements
    assert found.name == "can-requirements"


def test_a_callable_is_taken_as_it_is() -> None:
    found = load_generator(requirements)
    assert found.function is requirements
    assert found.name == f"{CAN}:requirements"


def test_a_class_with_a_call_is_a_callable() -> None:
    class Twice:
        def __call__(self, number: int) -> list[Any]:
            return [number, number]

    found = load_generator(Twice())
    assert found.name.endswith("Twice")
    found.check_args({"number": 1})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (f"{CAN}:requirement", "did you mean 'requirements'?"),
        (f"{CAN}:nothing_like_it", "it has requirements"),
        (f"{CAN}:SIGNAL_FIELDS", "is a dict, not a function"),
        ("no_such_package.module:function", "there is no module 'no_such_package'"),
        ("airflow_codebeamer.generators.cann:x", "no module"),
        ("can-requirement", "did you mean 'can-requirements'?"),
        ("nothing", "there are: "),
        ("nothing", "or write package.module:function"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(name: str, says: str) -> None:
    with pytest.raises(GeneratorNotFoundError) as caught:
        load_generator(name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_that_cannot_be_imported_is_no_missing_one(modules: Path) -> None:
    (modules / "broken_generators.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(GeneratorFailedError, match="not_installed_anywhere") as caught:
        load_generator("broken_generators:run")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_module_that_raises_keeps_its_error(modules: Path) -> None:
    (modules / "raising_generators.py").write_text("1 / 0\n")
    with pytest.raises(GeneratorFailedError, match="ZeroDivisionError") as caught:
        load_generator("raising_generators:run")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"dcb": "x.dbc"}, "has no argument 'dcb' (did you mean 'dbc'?)"),
        ({"speed": 1}, "it takes dbc, prefix, frame_fields, signal_fields"),
        ({"context": 1}, "has no argument 'context'"),
    ],
)
def test_unknown_arguments_are_refused_with_those_that_are_taken(
    args: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_generator(requirements).check_args(args)
    assert says in str(caught.value)


def test_a_missing_argument_is_refused() -> None:
    def needs(model: str, *, depth: int = 1, context: object = None) -> list[Any]:
        return [model, depth, context]

    generator = load_generator(needs)
    generator.check_args({"model": "m"})
    assert generator.wants_context
    with pytest.raises(ConfigurationError, match="needs the argument 'model'"):
        generator.check_args({"depth": 2})


def test_a_function_that_takes_anything_gets_anything_but_the_context() -> None:
    def anything(**given: Any) -> list[Any]:
        return [given]

    generator = load_generator(anything)
    generator.check_args({"whatever": 1})
    assert not generator.wants_context
    with pytest.raises(ConfigurationError, match="context"):
        generator.check_args({"context": 1})
