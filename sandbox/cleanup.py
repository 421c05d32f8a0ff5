"""Leaves nothing of a call: ends its processes, removes its files, and picks the OOM victim."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from typing import NoReturn

# as in runner.py
# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH118, PTH123, PTH208

SIGKILL = 9
WIPE_ENTRIES = 20_000


def kill_others(alone: bool) -> None:
    """SIGKILL for all but this process.

    `alone`: with a pid namespace or a uid of its own, kill(-1) reaches all at once, so that no fork
    bomb outruns it.
    """
    for pid in [-1] if alone else descendants(os.getpid()):
        try:  # noqa: SIM105 - suppress() is three more functions that each call would copy
            os.kill(pid, SIGKILL)
        except ProcessLookupError:
            pass


def reap(alone: bool) -> None:
    """Wait until all killed processes are gone; any that remain are killed again."""
    try:
        os.wait()
        while True:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                kill_others(alone)
                os.wait()
    except ChildProcessError:
        pass


def leave(alone: bool, scratch: list[str]) -> NoReturn:
    """End this process, with all that calls or servers have left."""
    kill_others(alone)
    reap(alone)
    wipe(scratch)
    with contextlib.suppress(OSError):  # a plain process has a scratch folder of its own
        os.rmdir(scratch[0])
    os._exit(0)


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listing:
            children = [int(word) for word in listing.read().split()]
    except OSError:  # ended meanwhile
        return []
    return children + [below for one in children for below in descendants(one)]


def wipe(folders: Iterable[str]) -> bool:
    """Empty the folders; False if that failed."""
    try:
        for folder in folders:
            if os.listdir(folder) and not empty(folder):
                return False
    except OSError:
        return False
    return True


def empty(folder: str) -> bool:
    """Remove all that is in a folder, however deep; False if there is too much of it.

    Folders inside folders are moved up before they are emptied, so that no path gets too long.
    """
    left = WIPE_ENTRIES
    while left > 0:
        entries = list(itertools.islice(os.scandir(folder), left))
        if not entries:
            return True
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                left -= lift(entry.path, folder, left)
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
        left -= len(entries)
    return False


def lift(inner: str, folder: str, serial: int) -> int:
    """Move the folders in `inner` up to `folder` and remove its files; returns their number."""
    os.chmod(inner, 0o700)
    entries = list(itertools.islice(os.scandir(inner), WIPE_ENTRIES))
    for index, entry in enumerate(entries):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # moving a folder writes to it
            os.rename(entry.path, os.path.join(folder, f"moved-{serial}-{index}"))
        else:
            os.unlink(entry.path)
    return len(entries)


class OomScore:
    """Makes forks the kernel's victim of choice when memory ends, never this process.

    Also the memory of files in /tmp, which no process owns, may be what is too much. Forks inherit
    the score and can't change it: the file is open from before this process became undumpable.
    """

    def __init__(self) -> None:
        self.file: int | None = None
        try:
            self.file = os.open("/proc/self/oom_score_adj", os.O_RDWR)
        except OSError:  # there is no /proc
            pass
        else:
            self.own = os.read(self.file, 16)

    def set_highest(self) -> None:
        """For the forks from now on."""
        if self.file is not None:
            os.write(self.file, b"1000")

    def reset(self) -> None:
        """For this process: as it was, since the kernel lets nobody go below what it was given."""
        if self.file is not None:
            os.write(self.file, self.own)


class OomKills:
    """Counts the kills for lack of memory in this container's cgroup, v2 or v1."""

    FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")

    def __init__(self) -> None:
        found = [path for path in self.FILES if os.access(path, os.R_OK)]
        self.file = os.open(found[0], os.O_RDONLY) if found else None
        self.marked = b""

    def mark(self) -> None:
        """Count from now on."""
        self.marked = self.read()

    def happened(self) -> bool:
        """Whether there was one since."""
        return count_kills(self.read()) > count_kills(self.marked)

    def read(self) -> bytes:
        """The kernel's counts, as text."""
        return os.pread(self.file, 4096, 0) if self.file is not None else b""


def count_kills(text: bytes) -> int:
    """The number of kills among the kernel's counts."""
    for line in text.splitlines():
        if line.startswith(b"oom_kill "):
            return int(line.split()[1])
    return 0
