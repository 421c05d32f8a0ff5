"""Imports run one way, Ray stays in its shell, and the project names no outside address."""

import ast
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "apigen_ray"
RAY_SHELL = {"apigen_ray.engines", "apigen_ray.metrics", "apigen_ray.pipeline"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, path


NAMES = {name for name, _ in modules()}


def imported(path):
    """Modules imported when the module itself is: what functions import later, is no cycle."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (
                f"{node.module}.{alias.name}"
                for alias in node.names
                if f"{node.module}.{alias.name}" in NAMES
            )


def test_imports_have_no_cycle():
    graph = {}
    for name, path in modules():
        own = {target for target in imported(path) if target in NAMES}
        # `from package import submodule` inside the package itself is not a cycle.
        graph[name] = {t for t in own if t != name and not name.startswith(t + ".")}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(("name", "path"), list(modules()), ids=str)
def test_only_the_shell_knows_ray(name, path):
    text = path.read_text()
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)]
    found = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    found += [str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)]
    knows = any(target == "ray" or target.startswith("ray.") for target in found)
    assert not knows or name in RAY_SHELL or name.startswith("apigen_ray.pipeline.")


def test_no_module_has_a_name_that_says_nothing():
    banned = {"utils", "common", "base", "core", "helpers", "misc"}
    assert not [name for name in NAMES if name.rsplit(".", 1)[-1] in banned]


def test_the_top_level_is_what_it_should_be():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.split("/")[0] for name in listed if not name.startswith(".")}
    assert top <= {
        "pyproject.toml", "apigen_ray", "cluster", "sandbox", "tests", "README.md", "configs",
        "LICENSE",
    }  # fmt: skip
