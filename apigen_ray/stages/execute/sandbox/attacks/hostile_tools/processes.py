"""Attacks by processes and threads that a call starts."""

import os
import threading
import time

from .registry import attack


@attack("returned", "raised", "timeout", "crashed")
def fork_bomb() -> None:
    """A fork bomb is limited, and gone with the call."""
    while True:
        os.fork()


@attack("returned")
def leave_process_behind() -> str:
    """A process that a call leaves behind is gone before the next call."""
    if os.fork() == 0:
        time.sleep(3600)
    return "left"


@attack("returned")
def leave_daemon_behind() -> str:
    """A daemon in a session of its own is gone before the next call."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    return "left"


@attack("returned", "raised", "crashed")
def outrun_the_sweep() -> str:
    """Processes that fork and exit as fast as they can are gone before the next call."""
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
    time.sleep(0.05)
    return "left"


@attack("raised", "memory", "timeout", "crashed")
def thread_bomb() -> None:
    """A thread bomb is limited, and gone with the call."""
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
