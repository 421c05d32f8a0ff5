"""The tools of `sandbox/tools`, for tests of what their doctests leave out."""

import importlib
import pkgutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SANDBOX = Path(__file__).parents[2] / "sandbox"


@pytest.fixture(scope="session")
def tools():
    """All tools as attributes; the package itself is hidden from other tests again."""
    _forget_package()
    sys.path.insert(0, str(SANDBOX))
    try:
        package = importlib.import_module("tools")
        names = [found.name for found in pkgutil.iter_modules(package.__path__, "tools.")]
        modules = [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(SANDBOX))
        _forget_package()
    return SimpleNamespace(
        **{name: getattr(module, name) for module in modules for name in module.__all__}
    )


def _forget_package():
    for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
        del sys.modules[name]
