"""Tools that attack the sandbox; each docstring is the promise that the attack would break.

They run inside it, so these files import the standard library only, and each other relatively: in
the sandbox, this folder is a package of its own. An attack that gets through returns; only where
`returned` is expected is that harmless. `self_check` runs them.
"""

from . import (
    crashes,
    files,
    forged_answers,
    interpreter,
    kernel,
    network,
    processes,
    resources,
    results,
    runner,
    time_limit,
)
from .registry import ATTACKS
from .state import state

__all__ = [
    "ATTACKS",
    "crashes",
    "files",
    "forged_answers",
    "interpreter",
    "kernel",
    "network",
    "processes",
    "resources",
    "results",
    "runner",
    "state",
    "time_limit",
]
