"""Attacks on files, the environment and the kernel's settings."""

import os
from pathlib import Path

from .registry import attack
from .system import RUNNER


@attack("raised")
def write_root() -> int:
    """The root folder can't be written."""
    return Path("/written").write_text("x")


@attack("raised")
def write_etc() -> int:
    """System files can't be written."""
    return Path("/etc/passwd").write_text("x")


@attack("raised")
def write_tools() -> int:
    """The tools can't be changed."""
    return Path(__file__).write_text("x")


@attack("raised")
def write_interpreter() -> int:
    """The interpreter's files can't be changed."""
    return Path(os.__file__).write_text("x")


@attack("raised")
def read_shadow() -> str:
    """Password hashes can't be read."""
    return Path("/etc/shadow").read_text()


@attack("raised")
def read_host_environment() -> dict[str, str]:
    """No environment variable of the host is seen."""
    seen = {name: os.environ[name] for name in os.environ if name not in _OWN_ENVIRONMENT}
    if not seen:
        raise LookupError("nothing of the host")
    return seen


_OWN_ENVIRONMENT = ("HOME", "TMPDIR", "LANG", "LC_CTYPE", "PATH")


@attack("raised", linux_only=True)
def read_runner_environment() -> str:
    """The runner's environment can't be read."""
    return Path(f"/proc/{RUNNER}/environ").read_text()


@attack("raised")
def write_kernel_settings() -> int:
    """Kernel settings can't be changed."""
    return Path("/proc/sys/kernel/hostname").write_text("x")


@attack("raised")
def read_kernel_memory() -> bytes:
    """Kernel memory can't be read."""
    with open("/proc/kcore", "rb") as file:
        return file.read(16)


@attack("raised")
def remove_socket() -> None:
    """The host's socket folder can't be changed."""
    os.unlink("/run/sandbox/socket")


@attack("raised")
def replace_socket() -> None:
    """Nothing can be planted in the host's socket folder."""
    os.symlink("/etc/passwd", "/run/sandbox/planted")
