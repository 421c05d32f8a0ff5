"""Folders that live as long as their owner.

The owner holds a lock on the folder. The kernel drops it with the process, however that ends, so
whoever makes the next folder knows which ones are stale, and removes them.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
                self._lock = lock_folder(self.path, fcntl.LOCK_EX)
            except FileNotFoundError:  # another process took it for stale and removed it
                continue
            if self.path.exists():  # nobody did so before we had the lock
                break
            os.close(self._lock)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Give up ownership."""
        os.close(self._lock)


def temporary_folder(purpose: str) -> Path:
    """A folder that goes with this process, however that ends."""
    folder = OwnedFolder(purpose, Path(tempfile.gettempdir()))
    atexit.register(folder.remove)
    return folder.path


@contextmanager
def log_folder() -> Iterator[Path]:
    """A folder for logs. After an error, whose message may name one, it stays until the next."""
    folder = OwnedFolder("logs", Path(tempfile.gettempdir()))
    try:
        yield folder.path
    except BaseException:
        if any(folder.path.iterdir()):
            folder.release()
        else:
            folder.remove()
        raise
    folder.remove()


def lock_folder(folder: Path, how: int) -> int:
    """Lock a folder, exclusively or shared, until the descriptor is closed."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, how)
    except OSError:
        os.close(lock)
        raise
    return lock


def remove_stale(parent: Path, prefix: str) -> None:
    """Remove the folders whose owner has ended."""
    for path in parent.iterdir():
        if not path.name.startswith(prefix):
            continue
        try:
            lock = lock_folder(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use, gone by now, or somebody else's
            continue
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
