"""The tool library that the seeds are over, and its functions."""

import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.tools.library import load_library

SANDBOX = Path(__file__).parents[2] / "sandbox"


@pytest.fixture(scope="module")
def library():
    return load_library([str(SANDBOX / "tools")])


@pytest.fixture(scope="module")
def tools(library):
    return library.by_name()


@pytest.fixture(scope="module")
def seeds(request, tools):
    """The seeds of the file that the module names, by their ids: none is left out."""
    loaded, notices = load_seeds([str(request.module.SEEDS)], tools)
    assert notices == []
    return {seed.id: seed for seed in loaded}


@pytest.fixture(scope="module")
def functions():
    """The functions of the package `tools`, which no other test gets to see."""
    sys.path.insert(0, str(SANDBOX))
    try:
        package = importlib.import_module("tools")
        found = [info.name for info in pkgutil.iter_modules(package.__path__, "tools.")]
        modules = [importlib.import_module(name) for name in found]
        return {name: getattr(module, name) for module in modules for name in module.__all__}
    finally:
        sys.path.remove(str(SANDBOX))
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]
