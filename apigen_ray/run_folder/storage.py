"""Local folders and object stores, with the same promises: files are whole, one process writes.

A file of a local folder is written aside, synced and renamed; an object is put by one request. The
writer of a local folder holds a lock on a file. On an object store it holds a lease: an object of
its own, which only one process can create, and which it renews. A writer that dies leaves a lease
that ends by itself; one that is cut off finds, when it is back, that a later one has begun, and
stops. Clocks of machines that write one folder must agree to some seconds.
"""

import fcntl
import io
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from upath import UPath

from apigen_ray.errors import BadInput, StoreLost

log = logging.getLogger(__name__)

LEASE_S = 60.0
RENEWED_EVERY_S = 15.0
WAITS_S = (1, 2, 4, 8, 16)
"""Between tries to write an object. The clients of object stores try some times themselves."""

LOCK, LEASES = ".lock", ".leases"
_HOPELESS = (PermissionError, FileNotFoundError, NotImplementedError)


def resolve_path(path: str | Path | UPath) -> UPath:
    """A local path, or a URL of any store that fsspec knows.

    Raises:
        BadInput: if the kind of URL is unknown, or its package is missing.
    """
    try:
        found = UPath(path)
        if found.protocol in ("", "file", "local"):
            return UPath(found.path)
        found = UPath(path, use_listings_cache=False)  # others write there, too
        found.fs  # noqa: B018 - made when it is first asked for
    except (ImportError, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error
    return found


def is_local(path: UPath) -> bool:
    """Whether a path is of this machine's own file system."""
    return isinstance(path, Path)


@contextmanager
def atomic_write(path: UPath) -> Iterator[IO[bytes]]:
    """Write a file so that readers see the old one or the new one.

    Raises:
        StoreLost: if an object store keeps refusing.
    """
    if not is_local(path):
        handle = io.BytesIO()
        yield handle
        _patiently(path, lambda: path.fs.pipe_file(path.path, handle.getvalue()))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(str(path.parent), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove(path: UPath) -> None:
    """Delete a file, or a folder with all that is in it, if it is there."""
    if path.exists():
        path.fs.rm(path.path, recursive=True)


class Lock:
    """The right to write to a local folder."""

    def __init__(self, folder: UPath, after: int) -> None:
        self.attempt = after + 1
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / LOCK).open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise BadInput(f"{folder}: another process is writing to this run folder") from error

    def check(self) -> None:
        """Nobody can take it."""

    def release(self) -> None:
        """Let others write."""
        self._file.close()


class Lease:
    """The right to write to a folder of an object store, for as long as it is renewed."""

    def __init__(self, folder: UPath, after: int) -> None:
        numbers = _numbers(folder)
        if numbers:
            last = _lease(folder, numbers[-1])
            held = json.loads(last.fs.cat_file(last.path))  # in one request: it may change
            left = held["until"] - time.time()
            if left > 0:
                raise BadInput(
                    f"{folder}: {held['owner']} is writing to this run folder; if it is dead, its"
                    f" lease ends in {left:.0f} s"
                )
        self.attempt = max(after, *numbers, 0) + 1
        self._folder = folder
        self._lost: str | None = None
        self._released = threading.Event()
        try:
            self._write(LEASE_S, "create")
        except FileExistsError as error:
            raise BadInput(f"{folder}: another process is writing to this run folder") from error
        threading.Thread(target=self._renew, daemon=True).start()

    def check(self) -> None:
        """See that the right is still ours.

        Raises:
            StoreLost: if it isn't.
        """
        if self._lost or time.time() > self._until:
            raise StoreLost(f"{self._folder}: {self._lost or 'the lease could not be renewed'}")

    def release(self) -> None:
        """Let others write."""
        self._released.set()
        if not self._lost:
            _patiently(self._folder, lambda: self._write(0.0, "overwrite"))

    def _renew(self) -> None:
        while not self._released.wait(RENEWED_EVERY_S):
            try:
                if _numbers(self._folder)[-1] > self.attempt:
                    self._lost = "a later attempt is writing to this run folder"
                    return
                self._write(LEASE_S, "overwrite")
            except Exception as error:  # the next try is soon; `check` knows
                log.warning("lease not renewed", extra={"why": str(error)})

    def _write(self, seconds: float, mode: str) -> None:
        until = time.time() + seconds
        owner = f"process {os.getpid()} on {platform.node()}"
        text = json.dumps({"owner": owner, "until": until})
        path = _lease(self._folder, self.attempt)
        path.fs.pipe_file(path.path, text.encode(), mode=mode)
        self._until = until


def lock(folder: UPath, after: int = 0) -> Lock | Lease:
    """Become the one writer of a folder.

    Args:
        folder: It is made if need be.
        after: The number of the last attempt that has left something there.

    Raises:
        BadInput: if another process is writing to it.
    """
    return (Lock if is_local(folder) else Lease)(folder, after)


def _numbers(folder: UPath) -> list[int]:
    return sorted(int(path.stem) for path in (folder / LEASES).glob("*.json"))


def _lease(folder: UPath, number: int) -> UPath:
    return folder / LEASES / f"{number:04d}.json"


def _patiently(path: UPath, write: Callable[[], object]) -> None:
    for wait in (*WAITS_S, None):
        try:
            write()
        except Exception as error:  # each store's client raises its own types
            if wait is None or isinstance(error, _HOPELESS):
                raise StoreLost(f"{path}: can't be written: {error}") from error
            log.warning("write failed", extra={"path": str(path), "why": str(error)})
            time.sleep(wait)
        else:
            return
