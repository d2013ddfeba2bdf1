"""House rules that a linter cannot say."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_codebeamer
from airflow_codebeamer import errors

PACKAGE = Path(airflow_codebeamer.__file__).parent
ROOT = PACKAGE.parent
BANNED = {
    "utils",
    "helpers",
    "common",
    "base",
    "misc",
    "manager",
    "core",
    "types",
}
ROOMS = sorted(
    folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()
)
#: Rooms whose module paths are public: people type them, triggers store them.
PATHS_ARE_PUBLIC = {
    "hooks",
    "operators",
    "sensors",
    "triggers",
    "plugins",
    "generators",
    "cli",
    "demo",
}


def modules() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_only_opens(room: str) -> None:
    door = PACKAGE / room / "__init__.py"
    tree = ast.parse(door.read_text())
    offered: list[str] = []
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "__all__"
        ):
            offered = ast.literal_eval(node.value)
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom | ast.Expr), (
                f"{door.name} of {room} does more than open: line {node.lineno}"
            )
    assert offered, f"{room} has no door"  # ruff keeps it sorted (RUF022)
    module = importlib.import_module(f"airflow_codebeamer.{room}")
    for name in offered:
        assert hasattr(module, name), f"{room} offers {name} and has it not"


def test_outsiders_use_the_door() -> None:
    through_the_wall = []
    for path in modules():
        home = path.relative_to(PACKAGE).parts[0]
        for target in imported(path):
            parts = target.split(".")
            if parts[0] != "airflow_codebeamer" or len(parts) < 3:
                continue
            room = parts[1]
            if room in ROOMS and room != home and room not in PATHS_ARE_PUBLIC:
                through_the_wall.append(f"{name_of(path)} -> {target}")
    assert through_the_wall == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.stem.strip("_") in BANNED or path.parent.name.strip("_") in BANNED
    ]
    assert found == []


def test_the_error_tree_is_drawn_completely() -> None:
    drawn = set(re.findall(r"\b\w+Error\b", errors.__doc__ or ""))
    defined = {
        name
        for name in errors.__all__
        if isinstance(getattr(errors, name), type)
        and issubclass(getattr(errors, name), Exception)
    }
    assert drawn == defined


def test_errors_are_raised_from_the_tree() -> None:
    """A bare Exception or RuntimeError tells a caller nothing."""
    bare = []
    for path in modules():
        if "emulator" in path.parts:
            continue  # the annex shares nothing, its errors are answers
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                called = node.exc.func
                if isinstance(called, ast.Name) and called.id in {
                    "Exception",
                    "RuntimeError",
                }:
                    bare.append(f"{name_of(path)}:{node.lineno}")
    assert bare == []


def test_tests_use_real_parts() -> None:
    """Inject a transport, a clock, a store; nothing is patched."""
    pattern = re.compile(
        r"\b(MagicMock|AsyncMock|mock\.patch|unittest\.mock|monkeypatch\.setattr)\b"
    )
    patched = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert patched == []


def test_only_the_clock_asks_for_the_time() -> None:
    """Rooms that promise something about time take a Clock, so that tests own it."""
    asking = re.compile(
        r"\b(time\.(time|monotonic|sleep)|datetime\.now|utcnow|date\.today)\("
    )
    rooms = ("client", "database", "journal", "locking", "skeleton", "generator")
    found = [
        f"{name_of(path)}:{number}"
        for room in rooms
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if asking.search(line)
    ]
    assert found == []


def test_names_that_moved_between_releases_of_airflow_have_one_source() -> None:
    """Airflow 3.1 has them elsewhere: the provider common.compat knows where."""
    moved = re.compile(
        r"from airflow\.sdk\.(?:configuration|exceptions|types|bases\.skipmixin)\b"
    )
    sources = [*modules(), *(PACKAGE.parent / "dags").rglob("*.py")]
    assert [str(path) for path in sources if moved.search(path.read_text())] == []


def test_no_tracked_file_names_a_machine_or_an_index() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:  # an unpacked sdist has no repository
        files = [path for path in ROOT.rglob("*") if path.is_file()]
    else:
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    pattern = re.compile(r"index-url|https?://\S+/simple\b|/home/\w+/|/root/")
    found = []
    for path in files:
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_text(errors="ignore")
        found += [f"{path.name}: {match}" for match in pattern.findall(text)]
    assert found == []


def test_the_package_itself_imports_nothing() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert [getattr(node, "module", None) for node in imports] == ["__future__"]


@pytest.mark.parametrize("text", ["import-linter", "[tool.mypy]", "strict = true"])
def test_the_walls_are_kept_by_tools(text: str) -> None:
    assert text in (ROOT / "pyproject.toml").read_text()
