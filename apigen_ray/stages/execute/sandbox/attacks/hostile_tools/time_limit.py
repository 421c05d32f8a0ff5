"""Attacks on the time limit: calls that do not end."""

import os
import re
import signal
import struct
import time

from .registry import attack
from .system import CHANNEL


@attack("timeout")
def loop_in_python() -> None:
    """An endless loop ends at the time limit."""
    while True:
        pass


@attack("timeout")
def loop_in_c() -> None:
    """An endless loop in C, which no Python signal handler interrupts, ends at the time limit."""
    re.match(r"(a+)+$", "a" * 60 + "b")


@attack("timeout")
def sleep_with_signals_blocked() -> None:
    """A call that blocks all signals ends at the time limit."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(3600)


@attack("timeout")
def refuse_to_end() -> None:
    """A call that catches every exception and ignores every signal ends at the time limit."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: S112 - that is the attack
            continue


@attack("timeout", "raised")
def stop_self() -> None:
    """A call that stops itself ends at the time limit."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)


@attack("timeout")
def hang_in_exception_text() -> None:
    """An exception whose text takes for ever to make ends at the time limit."""

    class Slow(Exception):
        def __str__(self) -> str:
            time.sleep(3600)
            return ""

    raise Slow


@attack("raised")
def spoof_timeout() -> None:
    """An exception named like a time-out is not taken for one."""
    raise type("Timeout", (Exception,), {})("no result in 1 s")


@attack("timeout")
def send_half_an_answer() -> None:
    """A call that answers in part and hangs ends at the time limit."""
    os.write(CHANNEL, struct.pack("!I", 100) + b"V[")
    time.sleep(3600)
