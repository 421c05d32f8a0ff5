"""Attacks through system calls: objects that outlive a call, namespaces, privileges."""

import ctypes
import os
import signal
import sys
import time

from .registry import attack
from .system import LIBC, checked, system_call


@attack("raised")
def keep_shared_memory() -> int:
    """No System V shared memory survives a call."""
    return checked(LIBC.shmget(0x5EC, 1 << 20, 0o1666))


@attack("raised")
def keep_semaphore() -> int:
    """No System V semaphore survives a call."""
    return checked(LIBC.semget(0x5EC, 1, 0o1666))


@attack("raised")
def keep_message_queue() -> int:
    """No System V message queue survives a call."""
    return checked(LIBC.msgget(0x5EC, 0o1666))


@attack("raised")
def keep_posix_queue() -> int:
    """No POSIX message queue survives a call."""
    return system_call(240, 180, ctypes.addressof(ctypes.create_string_buffer(b"q")), 0o102, 0, 0)


@attack("raised")
def keep_key() -> int:
    """No key survives a call in the kernel's keyring."""
    user, name = ctypes.create_string_buffer(b"user"), ctypes.create_string_buffer(b"kept")
    addresses = (ctypes.addressof(user), ctypes.addressof(name), ctypes.addressof(name))
    return system_call(248, 217, *addresses, 4, -4)


@attack("raised")
def make_user_namespace() -> int:
    """No namespace can be made."""
    return checked(LIBC.unshare(0x10000000))


@attack("raised")
def clone_into_namespace() -> int:
    """No process can be started in a new namespace."""
    return system_call(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)


@attack("raised")
def mount_file_system() -> int:
    """Nothing can be mounted."""
    return checked(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None))


@attack("raised")
def open_mount_tree() -> int:
    """No mount can be picked up."""
    return system_call(428, 428, -100, ctypes.addressof(ctypes.create_string_buffer(b"/")), 0)


@attack("raised")
def set_up_io_uring() -> int:
    """No io_uring can be made."""
    return system_call(425, 425, 1, ctypes.addressof(ctypes.create_string_buffer(120)))


@attack("raised")
def load_bpf() -> int:
    """No BPF program can be loaded."""
    return system_call(321, 280, 0, ctypes.addressof(ctypes.create_string_buffer(120)), 120)


@attack("raised")
def become_root() -> None:
    """The uid can't be changed."""
    os.setuid(0)


@attack("raised")
def change_root() -> None:
    """The root can't be changed."""
    os.chroot(".")


@attack("raised")
def run_program() -> None:
    """No other program can be run."""
    os.execv(sys.executable, [sys.executable, "-c", "pass"])


@attack("raised")
def set_clock() -> None:
    """The clock can't be set."""
    time.clock_settime(time.CLOCK_REALTIME, 0)
