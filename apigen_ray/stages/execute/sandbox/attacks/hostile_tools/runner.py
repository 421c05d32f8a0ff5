"""Attacks on the runner: the process that holds the tools and forks for every call."""

import ctypes
import fcntl
import os
import resource
import signal
import struct
from pathlib import Path
from typing import Any

from .registry import attack
from .system import LIBC, RUNNER, checked, system_call


@attack("raised")
def kill_runner() -> None:
    """The runner can't be killed."""
    os.kill(RUNNER, signal.SIGKILL)


@attack("raised")
def stop_parent() -> None:
    """The process that waits for the answer can't be stopped."""
    os.kill(os.getppid(), signal.SIGSTOP)


@attack("raised", "returned")
def kill_everyone() -> str:
    """Killing every process in sight ends nothing that matters."""
    os.kill(-1, signal.SIGKILL)
    return "killed"


@attack("raised")
def kill_runner_thread() -> None:
    """The runner's thread can't be killed."""
    system_call(234, 131, RUNNER, RUNNER, signal.SIGKILL)


@attack("raised")
def queue_signal_to_runner() -> None:
    """No signal can be queued to the runner."""
    information = ctypes.create_string_buffer(128)
    system_call(129, 138, RUNNER, signal.SIGKILL, ctypes.addressof(information))


@attack("raised")
def signal_runner_by_descriptor() -> None:
    """The runner can't be signalled through a descriptor."""
    descriptor = system_call(434, 434, RUNNER, 0)
    system_call(424, 424, descriptor, signal.SIGKILL, 0, 0)


@attack("raised")
def signal_runner_by_fcntl() -> None:
    """The runner can't be made the owner of a descriptor that signals."""
    readable, writable = os.pipe()
    fcntl.fcntl(readable, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(readable, fcntl.F_SETOWN, RUNNER)
    fcntl.fcntl(readable, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writable, b"x")


@attack("raised")
def steal_descriptor() -> int:
    """The runner's descriptors can't be copied."""
    return system_call(438, 438, system_call(434, 434, RUNNER, 0), 3, 0)


@attack("raised")
def trace_runner() -> int:
    """The runner can't be traced."""
    return checked(LIBC.ptrace(16, RUNNER, 0, 0))


@attack("raised")
def open_runner_memory() -> int:
    """The runner's memory can't be opened."""
    return os.open(f"/proc/{RUNNER}/mem", os.O_RDWR)


@attack("raised", linux_only=True)
def list_runner_descriptors() -> list[str]:
    """The runner's descriptors can't be listed."""
    return os.listdir(f"/proc/{RUNNER}/fd")


@attack("raised")
def read_runner_memory() -> int:
    """The runner's memory can't be read."""
    place = ctypes.create_string_buffer(16)
    vector = struct.pack("PP", ctypes.addressof(place), 16)
    buffer = ctypes.create_string_buffer(vector)
    address = ctypes.addressof(buffer)
    return system_call(310, 270, RUNNER, address, 1, address, 1, 0)


@attack("raised")
def limit_runner() -> Any:
    """The runner's limits can't be changed."""
    return resource.prlimit(RUNNER, resource.RLIMIT_AS, (0, 0))


@attack("raised")
def slow_runner() -> None:
    """The runner's priority can't be changed."""
    os.setpriority(os.PRIO_PROCESS, RUNNER, 19)


@attack("raised")
def slow_everyone() -> None:
    """The priority of the whole uid can't be changed."""
    os.setpriority(os.PRIO_USER, os.getuid(), 19)


@attack("raised")
def pin_runner() -> None:
    """The runner can't be pinned to a processor."""
    os.sched_setaffinity(RUNNER, {0})


@attack("raised")
def offer_runner_to_oom() -> int:
    """The runner can't be made the victim when memory ends."""
    return Path(f"/proc/{RUNNER}/oom_score_adj").write_text("1000")


@attack("raised")
def hide_from_oom() -> None:
    """A call can't make the runner the likelier victim when memory ends."""
    checked(LIBC.prctl(4, 1, 0, 0, 0))
    Path("/proc/self/oom_score_adj").write_text("0")
