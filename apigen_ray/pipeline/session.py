"""Ray for a run: joined or started. Ray Data is in `ray_data`: importing it takes two seconds."""

import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
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
    with starting_ray(log) as wait_for_ray:
        wait_for_ray()
        yield


@contextmanager
def starting_ray(log: UPath) -> Iterator[Callable[[], object]]:
    """As `ray_session`, but in a thread: starting Ray takes seconds, most of them waiting.

    Yields:
        What waits until Ray is up; it raises what `ray_session` does.
    """
    with _stderr_to(log) if is_local(log) else nullcontext():
        if ray.is_initialized():
            yield lambda: None
            return
        folder = _own_folder()
        with ThreadPoolExecutor(1) as thread:
            started = thread.submit(_start_ray, folder.path if folder else None)
            try:
                yield started.result
            finally:
                wait([started])  # what is half started can't be shut down
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
