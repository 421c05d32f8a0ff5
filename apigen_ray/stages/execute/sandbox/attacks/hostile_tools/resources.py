"""Attacks that use up memory, disk space or the output channel."""

import itertools
import os
import time
from pathlib import Path

from .registry import attack

HOARD = 64 << 20


@attack("memory")
def allocate_50_gb() -> int:
    """A huge allocation is refused."""
    return len(bytearray(50 << 30))


@attack("memory", "timeout")
def grow_list() -> None:
    """A list that grows without end ends at the memory limit."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


@attack("memory", "crashed", "raised", "timeout", container_only=True)
def grow_in_many_processes() -> None:
    """Processes that each stay under the memory limit end at their common limit."""
    for _ in range(20):
        if os.fork() == 0:
            kept = bytearray(b"x" * HOARD)
            time.sleep(3600)
            os._exit(len(kept) % 2)
    time.sleep(3600)


@attack("raised")
def hoard_in_memfd() -> int:
    """Memory can't be hidden in an anonymous file."""
    return os.memfd_create("hoard")


@attack("raised", "memory")
def grow_one_file() -> None:
    """One file can't fill the disk or the memory."""
    with open("hoard", "wb") as file:
        file.writelines(bytes(1 << 20) for _ in range(1024))


@attack("raised", "timeout", "memory", container_only=True)
def grow_many_files() -> None:
    """Many files can't fill the disk or the memory."""
    for index in itertools.count():
        Path(f"hoard-{index}").write_bytes(bytes(4 << 20))


@attack("raised", "timeout", "returned")
def make_many_files() -> str:
    """Thousands of files are gone before the next call."""
    for index in range(30_000):
        Path(f"small-{index}").touch()
    return "left"


@attack("returned", "raised")
def make_deep_folders() -> str:
    """Folders deeper than any path can name, and locked, are gone before the next call."""
    locked = []
    for _ in range(700):
        os.mkdir("deep-folder")
        locked.append(os.open("deep-folder", os.O_RDONLY))
        os.chdir("deep-folder")
        if len(locked) > 1:
            os.close(locked.pop(0))
    os.fchmod(locked[0], 0)
    os.chmod(os.environ["TMPDIR"] + "/deep-folder", 0)
    return "left"


@attack("returned")
def leave_odd_entries() -> str:
    """Symbolic links, named pipes and odd names are gone before the next call, and not followed."""
    os.symlink("/", "root")
    os.symlink("missing", "dangling")
    os.mkfifo("pipe")
    os.mkdir("link-inside")
    os.symlink("/etc", "link-inside/etc")
    os.mkdir(b"\xff\xfe\n")
    return "left"


@attack("returned", "timeout")
def flood_stdout() -> str:
    """A flood on standard output blocks nothing and is dropped."""
    line = "x" * (1 << 20)
    for _ in range(1024):
        print(line)
    return "printed"


@attack("returned", "timeout")
def flood_stderr() -> str:
    """A flood on standard error blocks nothing and is dropped."""
    for _ in range(1024):
        os.write(2, b"x" * (1 << 20))
    return "printed"
