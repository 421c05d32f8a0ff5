"""Ray for a run: joined or started. Ray Data is in `ray_data`: importing it takes two seconds."""

import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ray
import ray._private.worker
from upath import UPath

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.owned_folders import PREFIX, OwnedFolder, remove_stale
from apigen_ray.run_folder.storage import is_local

log = logging.getLogger(__name__)

DYING_TRIES, DYING_S = 5, 0.2
LONGEST_PARENT = 20
"""Characters of the folder for temporary files: Ray has sockets some levels below, whose paths may
have 107."""

WORKERS_IMPORT = "apigen_ray.pipeline.one_process"
"""What Ray's first worker processes import when they start, while the driver prepares the run."""

ending = threading.Event()
"""Set when the run in this process should start no more work."""


@contextmanager
def ray_session(log: UPath) -> Iterator[None]:
    """Use the Ray this program has, join the one `RAY_ADDRESS` names, or start one on this machine.

    Args:
        log: The file for messages that Ray's native code writes to stderr. If it is on an object
            store, they stay on stderr, which is the log of a Ray job.

    Raises:
        BadInput: if Ray can't be joined or started.
    """
    with starting_ray(log) as starting:
        starting.wait()
        yield


class StartingRay:
    """A Ray that starts and ends in a thread: both take seconds, most of them waiting."""

    def __init__(self, thread: Executor | None) -> None:
        """Begin to start a Ray; without a thread, there is one already, which goes on."""
        self._thread = thread
        self._ended: Future[None] | None = None
        if thread:
            self._folder = _own_folder()
            path = self._folder.path if self._folder else None
            self._started = thread.submit(_start_ray, path)

    def wait(self) -> None:
        """Wait until it is up; raises what `ray_session` does."""
        if self._thread:
            self._started.result()

    def end(self) -> None:
        """Begin to end it, once it is up: what is half started can't be shut down."""
        if self._thread and not self._ended:
            self._ended = self._thread.submit(_end_ray, self._folder)

    def wait_for_the_end(self) -> None:
        """End it, and wait until nothing of it is left."""
        self.end()
        if self._ended:
            self._ended.result()


@contextmanager
def starting_ray(log: UPath) -> Iterator[StartingRay]:
    """As `ray_session`, but the caller waits until Ray is up, and may let it end early."""
    with _stderr_to(log) if is_local(log) else nullcontext():
        if ray.is_initialized():
            yield StartingRay(None)
            return
        with ThreadPoolExecutor(1) as thread:
            starting = StartingRay(thread)
            try:
                yield starting
            finally:
                starting.wait_for_the_end()


def _end_ray(folder: OwnedFolder | None) -> None:
    ray.shutdown()
    if folder:
        folder.remove()
    _remove_left_by_actors()


def _remove_left_by_actors() -> None:
    """Remove the folders of sandboxes: Ray kills the actors that own them."""
    parent = Path(tempfile.gettempdir())
    prefixes = tuple(f"{PREFIX}{purpose}-" for purpose in ("scratch", "socket", "tools"))
    for _ in range(DYING_TRIES):
        for prefix in prefixes:
            remove_stale(parent, prefix)
        if not any(path.name.startswith(prefixes) for path in parent.iterdir()):
            break
        time.sleep(DYING_S)  # in use by another run, or by an actor that is still dying


def _own_folder() -> OwnedFolder | None:
    """Where a Ray of our own keeps its files, unless the user says it, or the path is too long."""
    parent = Path(tempfile.gettempdir())
    if {"RAY_ADDRESS", "RAY_TMPDIR"} & os.environ.keys() or len(str(parent)) > LONGEST_PARENT:
        return None
    return OwnedFolder("ray", parent)


def node_count() -> int:
    """How many nodes the cluster has."""
    return sum(node["Alive"] for node in ray.nodes())


def ray_nodes() -> str:
    """A one-line description of the cluster."""
    cpus = ray.cluster_resources().get("CPU", 0)
    return f"{node_count()} nodes, {cpus:g} CPUs, Ray {ray.__version__}"


@contextmanager
def _stderr_to(log: UPath) -> Iterator[None]:
    kept = os.dup(2)
    with log.open("a") as handle:
        os.dup2(handle.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _start_ray(folder: Path | None = None) -> None:
    address = os.environ.get("RAY_ADDRESS", "local")
    local = address == "local"
    if not local:
        _check_reachable(address)
    settings: dict[str, Any] = {}
    if local:
        settings = {
            "object_store_memory": 1 << 30,
            "include_dashboard": False,
            "_system_config": {"preload_python_modules": [WORKERS_IMPORT]},
        }
    if folder:
        settings["_temp_dir"] = str(folder)
    # Ray prints what its nodes report, such as many starting workers, to the driver's own output.
    ray._private.worker.print_to_stdstream = _log_reported
    for attempt in (1, 2):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **settings)
            return
        except (ConnectionError, RuntimeError, ValueError) as error:  # also another version of Ray
            why = str(error).strip().splitlines()[0]
            raise BadInput(f"no Ray at RAY_ADDRESS={address}: {why}") from error
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            ray.shutdown()
            if attempt == 2:
                raise BadInput(
                    "Ray did not start within 30 s, twice: this machine is too busy; try later"
                ) from error
            log.warning("Ray did not start within 30 s; it is started once more")


def _log_reported(data: Mapping[str, Any], **_: object) -> None:
    log.warning("reported by %s: %s", data.get("pid"), " ".join(data.get("lines") or ()))


def _check_reachable(address: str) -> None:
    """Fail fast: Ray itself would take minutes to give up."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return  # `auto`
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise BadInput(f"no Ray at RAY_ADDRESS={address}: {error}") from error
