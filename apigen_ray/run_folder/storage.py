"""Local folders and object stores, with the same guarantees: atomic writes, a single writer.

A local file is written to a temporary file, synced and renamed; an object is uploaded by a single
request. The writer of a local folder holds a file lock. On an object store it holds a lease: an
object of its own, which only one process can create, and which it renews. The lease of a writer
that dies expires; a writer that was cut off and comes back sees that a later attempt has begun, and
stops. The clocks of machines that write to the same folder must agree to within some seconds.
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
RENEWAL_INTERVAL_S = 15.0
RETRY_DELAYS_S = (1, 2, 4, 8, 16)
"""Pauses between attempts to write an object, on top of the retries of the store's client."""

LOCK, LEASES = ".lock", ".leases"
_PERMANENT_ERRORS = (PermissionError, FileNotFoundError, NotImplementedError)


def resolve_path(path: str | Path | UPath) -> UPath:
    """A local path, or a URL of any store that fsspec supports.

    Raises:
        BadInput: if the kind of URL is unknown, or its package is missing.
    """
    try:
        found = UPath(path)
        if found.protocol in ("", "file", "local"):
            return UPath(found.path)
        found = UPath(path, use_listings_cache=False)  # other processes write there, too
        found.fs  # noqa: B018 - created at its first use, which may fail
    except (ImportError, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error
    return found


def is_local(path: UPath) -> bool:
    """Whether a path is in the local file system."""
    return isinstance(path, Path)


@contextmanager
def atomic_write(path: UPath) -> Iterator[IO[bytes]]:
    """Write a file so that readers see either the old or the new version.

    Raises:
        StoreLost: if the object store keeps failing.
    """
    if not is_local(path):
        handle = io.BytesIO()
        yield handle
        _with_retries(path, lambda: path.fs.pipe_file(path.path, handle.getvalue()))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(str(path.parent), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove(path: UPath) -> None:
    """Delete a file, or a folder with its content, if it exists."""
    if path.exists():
        path.fs.rm(path.path, recursive=True)


class Lock:
    """The exclusive right to write to a local folder."""

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
        """Does nothing: a file lock can't be lost."""

    def release(self) -> None:
        """Let others write."""
        self._file.close()


class Lease:
    """The exclusive right to write to a folder of an object store, while it is renewed."""

    def __init__(self, folder: UPath, after: int) -> None:
        numbers = _numbers(folder)
        if numbers:
            last = _lease(folder, numbers[-1])
            held = json.loads(last.fs.cat_file(last.path))  # in one request: its content may change
            left = held["until"] - time.time()
            if left > 0:
                raise BadInput(
                    f"{folder}: {held['owner']} is writing to this run folder; if it is dead, its"
                    f" lease expires in {left:.0f} s"
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
        """Check that the lease is still ours.

        Raises:
            StoreLost: if it is not.
        """
        if self._lost or time.time() > self._until:
            raise StoreLost(f"{self._folder}: {self._lost or 'the lease could not be renewed'}")

    def release(self) -> None:
        """Let others write."""
        self._released.set()
        if not self._lost:
            _with_retries(self._folder, lambda: self._write(0.0, "overwrite"))

    def _renew(self) -> None:
        while not self._released.wait(RENEWAL_INTERVAL_S):
            try:
                if _numbers(self._folder)[-1] > self.attempt:
                    self._lost = "a later attempt is writing to this run folder"
                    return
                self._write(LEASE_S, "overwrite")
            except Exception as error:  # tried again soon; `check` sees the expiry
                log.warning("lease not renewed", extra={"why": str(error)})

    def _write(self, seconds: float, mode: str) -> None:
        until = time.time() + seconds
        owner = f"process {os.getpid()} on {platform.node()}"
        text = json.dumps({"owner": owner, "until": until})
        path = _lease(self._folder, self.attempt)
        path.fs.pipe_file(path.path, text.encode(), mode=mode)
        self._until = until


def lock(folder: UPath, after: int = 0) -> Lock | Lease:
    """Become the only writer of a folder.

    Args:
        folder: The folder, which is created if needed.
        after: The number of the last attempt that left files there.

    Raises:
        BadInput: if another process is writing to it.
    """
    return (Lock if is_local(folder) else Lease)(folder, after)


def _numbers(folder: UPath) -> list[int]:
    return sorted(int(path.stem) for path in (folder / LEASES).glob("*.json"))


def _lease(folder: UPath, number: int) -> UPath:
    return folder / LEASES / f"{number:04d}.json"


def _with_retries(path: UPath, write: Callable[[], object]) -> None:
    for delay in (*RETRY_DELAYS_S, None):
        try:
            write()
        except Exception as error:  # each store's client raises its own types
            if delay is None or isinstance(error, _PERMANENT_ERRORS):
                raise StoreLost(f"{path}: can't be written: {error}") from error
            log.warning("write failed", extra={"path": str(path), "why": str(error)})
            time.sleep(delay)
        else:
            return
