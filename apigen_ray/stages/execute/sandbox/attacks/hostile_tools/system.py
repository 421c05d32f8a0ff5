"""What attacks know of the sandbox, and system calls that Python has no function for."""

import ctypes
import os

RUNNER = os.getpid()  # the runner imports the tools
CHANNEL = 3  # where a fork writes its answer
LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(number_x86: int, number_arm: int, *arguments: int) -> int:
    """Make a system call by its number."""
    number = number_x86 if os.uname().machine == "x86_64" else number_arm
    return checked(int(LIBC.syscall(number, *(ctypes.c_long(one) for one in arguments))))


def checked(result: int) -> int:
    """The result of a C function.

    Raises:
        OSError: if it failed.
    """
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
