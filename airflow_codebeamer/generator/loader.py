"""From a name to a generator, or an error that says what was found instead."""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    GeneratorFailedError,
    GeneratorNotFoundError,
)
from airflow_codebeamer.generator.program import Program, program_of

__all__ = ["ENTRY_POINT_GROUP", "Generator", "load_generator"]

#: Distributions announce generators here; the entry point's name is enough then.
ENTRY_POINT_GROUP = "airflow_codebeamer.generators"

_RESERVED = "context"


@dataclass(frozen=True)
class Generator:
    """A generator that can be called, and the name that people know it by."""

    name: str
    function: Callable[..., Any]

    @property
    def wants_context(self) -> bool:
        """Whether the function asks for a `context`."""
        return any(one.name == _RESERVED for one in _parameters(self.function))

    def check_args(self, args: Mapping[str, Any]) -> None:
        """Refuse arguments that the function would not take, before anything runs.

        Raises:
            ConfigurationError: an unknown argument, or a missing one; names
                those that are accepted.
        """
        named, takes_any, required = _accepted(self.function)
        unknown = sorted(
            arg
            for arg in args
            if arg not in named and (not takes_any or arg == _RESERVED)
        )
        takes = f"it takes {', '.join(named)}" if named else "it takes none"
        if unknown:
            raise ConfigurationError(
                "generator_args",
                f"generator {self.name!r} has no argument {unknown[0]!r}"
                f"{_suggestion(unknown[0], named)}; {takes}",
            )
        missing = [name for name in required if name not in args]
        if missing:
            raise ConfigurationError(
                "generator_args",
                f"generator {self.name!r} needs the argument {missing[0]!r}; {takes}",
            )


def load_generator(
    generator: str | Callable[..., Any] | Program | Mapping[str, Any],
) -> Generator | Program:
    """Return the generator of that name, or wrap a callable.

    A name is "package.module:function" or that of an entry point of the group
    `airflow_codebeamer.generators`; either may lead to a `Program`. Importing the
    module runs its code. A mapping, or its JSON, is a program.

    Raises:
        ConfigurationError: a mapping that is no program.
        GeneratorNotFoundError: no such module, function or entry point.
        GeneratorFailedError: the module is there and cannot be imported.
    """
    if isinstance(generator, Program):
        return generator
    if isinstance(generator, Mapping):
        return program_of(generator)
    if callable(generator):
        return Generator(_name_of(generator), generator)
    name = generator.strip()
    if name.startswith("{"):
        return program_of(_json(name))
    if ":" in name:
        return _from_module(name)
    return _from_entry_point(name)


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(
            "generator", f"a program is written as a JSON object: {error}"
        ) from None
    return dict(found)


def _suggestion(word: str, words: Iterable[str]) -> str:
    """Return ` (did you mean …?)` for a near miss, else nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _name_of(function: Callable[..., Any]) -> str:
    plain = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}:{plain}"


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters; none for the few builtins that hide theirs."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _accepted(function: Callable[..., Any]) -> tuple[list[str], bool, list[str]]:
    """Return the named parameters, whether any other is taken, the required ones."""
    named: list[str] = []
    required: list[str] = []
    takes_any = False
    for parameter in _parameters(function):
        if parameter.name == _RESERVED:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            named.append(parameter.name)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
    return named, takes_any, required


def _from_module(name: str) -> Generator | Program:
    module_name, _, path = name.partition(":")
    module = _import(name, module_name)
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            functions = _functions_of(module)
            there = (
                f"it has {', '.join(functions)}" if functions else "it has no function"
            )
            raise GeneratorNotFoundError(
                name,
                f"the module {module_name} has no {path!r}"
                f"{_suggestion(path, functions)}; {there}.",
            )
        found = getattr(found, part)
    if isinstance(found, Program):
        return found
    if not callable(found):
        raise GeneratorNotFoundError(
            name,
            f"{path!r} in {module_name} is a {type(found).__name__}, not a function.",
        )
    return Generator(name, found)


def _import(name: str, module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except CodebeamerError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, module_name):
            raise GeneratorNotFoundError(
                name,
                f"there is no module {error.name!r}; write package.module:function, "
                "and see that the package is installed where this runs.",
            ) from error
        raise GeneratorFailedError(
            name, f"its module cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _is_part(missing: str | None, module_name: str) -> bool:
    return missing is not None and f"{module_name}.".startswith(f"{missing}.")


def _functions_of(module: Any) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and value.__module__ == module.__name__
    )


def _from_entry_point(name: str) -> Generator | Program:
    announced = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    point = announced.get(name)
    if point is None:
        names = ", ".join(sorted(announced)) or "none"
        raise GeneratorNotFoundError(
            name,
            f"no entry point has that name{_suggestion(name, announced)}; there are: "
            f"{names}; or write package.module:function.",
        )
    found = _from_module(point.value)
    return found if isinstance(found, Program) else Generator(name, found.function)
