"""Imports run one way at every level of the tree, Ray stays in its shell, names say something."""

import ast
import subprocess
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "apigen_ray"

ORDER = (
    "records", "errors", "strict_json", "run_folder", "tools", "models", "stages", "report",
    "datasets", "prompting", "config", "pipeline", "workflows", "cli",
)  # fmt: skip
"""The rooms of the package: each may import those before it."""


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, path


PATHS = dict(modules())


@cache
def parsed(path):
    return ast.parse(path.read_text())


def imported(path, *, lazily=False):
    """Modules that a module imports: when it is imported itself, or in its functions as well."""
    tree = parsed(path)
    for node in ast.walk(tree) if lazily else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in PATHS else node.module for name in names)


@cache
def own_imports(*, lazily=False):
    return [
        (name, target)
        for name, path in PATHS.items()
        for target in imported(path, lazily=lazily)
        if target in PATHS and target != name
    ]


def room(name):
    return name.split(".")[1] if "." in name else ""


def test_rooms_import_only_those_before_them():
    upward = [
        f"{name} imports {target}"
        for name, target in own_imports(lazily=True)
        if room(name) and room(target) and room(name) != room(target)
        and room(name) != "__main__" and ORDER.index(room(name)) < ORDER.index(room(target))
    ]  # fmt: skip
    assert not upward


def test_every_entry_of_the_package_is_a_room():
    entries = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
    assert entries - {"__init__", "__main__", "__pycache__", "README.md", "py.typed"} == {*ORDER}


@pytest.mark.parametrize(
    "folder", sorted({p.parent for p in PATHS.values()}), ids=lambda p: str(p.relative_to(ROOT))
)
def test_what_stands_in_a_folder_has_no_cycle(folder):
    """Files and subfolders side by side, a subfolder standing for all that is in it."""
    prefix = ".".join(folder.relative_to(ROOT).parts) + "."
    graph = defaultdict(set)
    for name, target in own_imports():
        inside, other = (n.startswith(prefix) for n in (name, target))
        if inside and other:
            entry, used = (n.removeprefix(prefix).split(".")[0] for n in (name, target))
            graph[entry].update({used} - {entry})
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(("name", "path"), PATHS.items(), ids=str)
def test_only_the_pipeline_knows_ray(name, path):
    knows = any(target.split(".")[0] == "ray" for target in imported(path, lazily=True))
    assert not knows or room(name) == "pipeline"


def test_no_module_has_a_name_that_says_nothing():
    banned = {"utils", "common", "base", "core", "helpers", "misc"}
    assert not [name for name in PATHS if name.rsplit(".", 1)[-1] in banned]


def test_files_can_be_read_in_one_go():
    long = {name: lines for name, path in PATHS.items() if (lines := _lines(path)) > 350}
    assert not long


def test_functions_can_be_seen_at_once():
    long = {
        f"{name}:{node.name}": lines
        for name, path in PATHS.items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > 50
    }
    assert not long


def test_lines_of_json_end_where_json_says():
    """`splitlines` also splits at U+2028, U+0085 and others, which may stand in a JSON text."""
    torn = [
        f"{name}:{node.name}"
        for name, path in PATHS.items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and {"loads", "parse"} & {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        and _splits_lines(node)
    ]
    assert not torn


def _splits_lines(function):
    """Whether it uses the lines of a text, and not only the first of a message."""
    inside = list(ast.walk(function))
    picked = {id(n.value) for n in inside if isinstance(n, ast.Subscript)}
    picked |= {id(value) for n in inside if isinstance(n, ast.BoolOp) for value in n.values}
    return any(
        isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr == "splitlines"
        and id(n) not in picked
        for n in inside
    )


def _lines(path):
    return len(path.read_text().splitlines())


def test_the_top_level_is_what_it_should_be():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.split("/")[0] for name in listed if not name.startswith(".")}
    assert top <= {
        "pyproject.toml", "apigen_ray", "cluster", "sandbox", "tests", "README.md", "configs",
        "LICENSE",
    }  # fmt: skip
