"""Attacks that end the call's own process."""

import ctypes
import os
import signal
import sys
import time
from typing import Any

from .registry import attack


@attack("raised")
def recurse() -> None:
    """Endless recursion fails the call only."""
    recurse()


@attack("crashed", "memory")
def overflow_stack() -> None:
    """A stack overflow fails the call only."""
    sys.setrecursionlimit(1 << 30)

    class Nested:
        def __repr__(self) -> str:
            return repr([self])

    repr(Nested())


@attack("crashed")
def dereference_null() -> Any:
    """A null dereference fails the call only."""
    return ctypes.string_at(0)


@attack("crashed")
def abort() -> None:
    """An abort fails the call only."""
    os.abort()


@attack("crashed", "raised")
def kill_self() -> None:
    """A call that kills itself fails the call only."""
    os.kill(os.getpid(), signal.SIGKILL)


@attack("crashed")
def set_own_timer() -> None:
    """A call that a timer of its own ends fails the call only."""
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(3600)


@attack("raised")
def exit_interpreter() -> None:
    """`sys.exit` fails the call only."""
    sys.exit(0)


@attack("crashed")
def exit_process() -> None:
    """`os._exit` fails the call only."""
    os._exit(0)


@attack("crashed")
def close_descriptors() -> str:
    """A call that closes all its descriptors fails the call only."""
    os.closerange(0, 256)
    return "closed"
