"""Attacks that change the interpreter for the calls that follow."""

import builtins
import json
import os
import sys
import threading

from .registry import attack
from .state import state


@attack("returned", "raised", "crashed", "not_serializable")
def patch_builtins() -> str:
    """Changed builtins are forgotten."""
    builtins.patched = True  # type: ignore[attr-defined]
    builtins.len = lambda _: 0
    return "patched"


@attack("returned", "not_serializable", "raised")
def patch_json() -> str:
    """A changed `json` module is forgotten."""
    json.dumps = lambda *_, **__: '"patched"'
    return "patched"


@attack("returned")
def patch_tools() -> str:
    """Changed tools are forgotten."""
    state.__code__ = (lambda: {"patched": True}).__code__
    return "patched"


@attack("returned")
def patch_collector() -> str:
    """A hook that waits for the interpreter's exit or a collection is forgotten."""
    sys.setprofile(lambda *_: None)
    threading.setprofile(lambda *_: None)
    os.register_at_fork(before=lambda: os._exit(1))
    return "patched"
