"""Folders for as long as their owner lives.

The owner holds a lock on the folder. The kernel drops it with the process, however that ends, so
whoever makes a folder next knows which ones nobody needs any more, and removes them.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "apigen-ray-"


class OwnedFolder:
    """A new folder for one purpose, such as `tools`; first removes those that were left behind."""

    def __init__(self, purpose: str, parent: Path) -> None:
        prefix = f"{PREFIX}{purpose}-"
        remove_stale(parent, prefix)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            try:
                self._lock = hold(self.path, fcntl.LOCK_EX)
            except FileNotFoundError:  # somebody took it for stale, and removed it
                continue
            if self.path.exists():  # nobody did so before we had the lock
                break
            os.close(self._lock)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Own it no longer."""
        os.close(self._lock)


def hold(folder: Path, how: int) -> int:
    """Lock a folder, exclusively or shared, until the descriptor is closed."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, how)
    return lock


def remove_stale(parent: Path, prefix: str) -> None:
    """Remove the folders that nobody holds."""
    for path in parent.iterdir():
        if not path.name.startswith(prefix):
            continue
        try:
            lock = hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use, gone by now, or somebody else's
            continue
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
